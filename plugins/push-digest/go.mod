module push-digest

go 1.24
