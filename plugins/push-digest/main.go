// Command push-digest sums up each push to GitHub in one line of the log. It is a WASI command and needs no SDK: the
// gateway runs it with `describe` or `handle`, and what it prints is logged.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

const about = `{"name": "push-digest", "version": "0.1.0", "subscriptions": ["github:push"]}`

func main() {
	if os.Args[1] == "describe" {
		fmt.Println(about)
		return
	}
	line, err := digest(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(65) // Never again: the event will be the same on the next attempt.
	}
	fmt.Println(line)
}

func digest(input io.Reader) (string, error) {
	var event struct{ Payload string }
	var push struct {
		Ref        string
		Repository struct {
			Name string `json:"full_name"`
		}
		Commits []struct{ Message string }
	}
	if err := json.NewDecoder(input).Decode(&event); err != nil {
		return "", err
	}
	if err := json.Unmarshal([]byte(event.Payload), &push); err != nil {
		return "", fmt.Errorf("the body is no push: %v", err)
	}
	branch := strings.TrimPrefix(push.Ref, "refs/heads/")
	line := fmt.Sprintf("%s %s, commits: %d", push.Repository.Name, branch, len(push.Commits))
	if len(push.Commits) > 0 {
		first, _, _ := strings.Cut(push.Commits[0].Message, "\n")
		line += ", first: " + first
	}
	return line, nil
}
