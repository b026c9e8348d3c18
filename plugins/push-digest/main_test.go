package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// input is what the gateway writes to standard input for a body.
func input(body string) *strings.Reader {
	event, _ := json.Marshal(map[string]any{"id": "evt_1", "type": "push", "provider": "github", "payload": body})
	return strings.NewReader(string(event))
}

func TestAPushIsALine(t *testing.T) {
	for _, test := range []struct{ commits, line string }{
		{`[{"message":"Fix it\n\nAt last."},{"message":"More"}]`, "octo/repo main, commits: 2, first: Fix it"},
		{`[]`, "octo/repo main, commits: 0"},
	} {
		body := `{"ref":"refs/heads/main","repository":{"full_name":"octo/repo"},"commits":` + test.commits + `}`
		if line, err := digest(input(body)); err != nil || line != test.line {
			t.Errorf("%s: %q, %v", body, line, err)
		}
	}
}

func TestWhatIsNoPushIsRejected(t *testing.T) {
	if _, err := digest(input("hello")); err == nil || !strings.HasPrefix(err.Error(), "the body is no push: ") {
		t.Error(err)
	}
}

func TestItSaysWhatItIs(t *testing.T) {
	var manifest struct{ Name string }
	if err := json.Unmarshal([]byte(about), &manifest); err != nil || manifest.Name != "push-digest" {
		t.Error(err, manifest)
	}
}
