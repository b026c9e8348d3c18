module hookgate

go 1.24
