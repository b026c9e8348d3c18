// Command contract does what the test of the contract asks of it, as a WASI command and with nothing but Go's own library.
package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"
)

const manifest = `{
  "name": "contract",
  "version": "1.2.3",
  "subscriptions": [
    "contract.fields", "contract.one", "contract.two", "contract.wild.*", "github:contract.from", "contract.log",
    "contract.setting", "contract.reject", "contract.retry", "contract.retry-after", "contract.trap",
    "contract.payload", "contract.text", "contract.clock", "contract.random"
  ],
  "asks": [
    {"what": "setting", "name": "greeting", "detail": {"default": "hello", "about": "What it says."}},
    {"what": "setting", "name": "missing", "detail": {"default": "", "about": ""}}
  ]
}`

type event struct {
	ID           string            `json:"id"`
	Source       string            `json:"source"`
	Provider     string            `json:"provider"`
	Type         string            `json:"type"`
	ReceivedAtMS int64             `json:"received_at_ms"`
	Attempt      int               `json:"attempt"`
	Attributes   map[string]string `json:"attributes"`
	Settings     map[string]string `json:"settings"`
	Payload      string            `json:"payload"`
	Base64       []byte            `json:"payload_base64"`
}

func main() {
	if os.Args[1] == "describe" {
		fmt.Println(manifest)
		return
	}
	var e event
	if err := json.NewDecoder(os.Stdin).Decode(&e); err != nil {
		fail(1, err.Error())
	}
	if name, ok := strings.CutPrefix(e.Type, "contract.wild."); ok {
		fmt.Println("wild contract.wild." + name)
		return
	}
	handle(e)
}

func handle(e event) {
	switch strings.TrimPrefix(e.Type, "contract.") {
	case "fields":
		fields(e)
	case "one", "two":
		fmt.Println("several " + e.Type)
	case "from":
		from(e)
	case "log":
		fmt.Print("<7>a debug line\nan info line\n<4>a warning\n<3>an error\n<6>grüße 日本 🎬\n")
	case "setting":
		fmt.Printf("greeting=%s missing=%s\n", e.Settings["greeting"], e.Settings["missing"])
	case "reject":
		fail(65, "never: ü")
	case "retry":
		fail(1, "later: ü")
	case "retry-after":
		fail(75, "Retry-After: 90\nbusy")
	case "trap":
		var nowhere *event
		fmt.Println(nowhere.Type)
	case "payload":
		payload(e)
	case "text":
		text(e)
	case "clock":
		fmt.Println("clock", time.Now().UnixMilli())
	case "random":
		fmt.Printf("random %x\n", rand.Uint64())
	default:
		fail(65, "no handler for "+e.Type)
	}
}

func fail(code int, why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(code)
}

func fields(e event) {
	line := fmt.Sprintf("fields %s %s %s %s %d %d", e.ID, e.Source, e.Provider, e.Type, e.ReceivedAtMS, e.Attempt)
	for _, name := range []string{
		"resource.id", "resource.type", "account.id", "user.id", "project.id", "workspace.id", "custom", "absent",
	} {
		line += " " + cmp.Or(e.Attributes[name], "none")
	}
	fmt.Println(line)
}

func from(e event) {
	if e.Provider != "github" && e.Source != "github" {
		fail(65, "no handler for "+e.Type)
	}
	fmt.Println("from " + e.Provider)
}

func payload(e event) {
	bytes, sum := e.Base64, 0
	if bytes == nil {
		bytes = []byte(e.Payload)
	}
	for _, b := range bytes {
		sum += int(b)
	}
	fmt.Println("payload", len(bytes), sum)
}

func text(e event) {
	if e.Base64 != nil {
		// This way does without the exit code.
		fail(1, "reject: the body is not UTF-8")
	}
	fmt.Println("text " + e.Payload)
}
