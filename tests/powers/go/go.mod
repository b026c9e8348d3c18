module powers

go 1.24

require hookgate v0.0.0

replace hookgate => ../../../plugin-sdk/go
