// Command contract does what the test of the contract asks of it.
package main

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"hookgate"
)

func init() {
	hookgate.Plugin("contract", "1.2.3",
		hookgate.Ask{Setting: "greeting", Default: "hello", About: "What it says."},
		hookgate.Ask{Setting: "missing"},
	)
	hookgate.On("contract.fields", fields)
	hookgate.On("contract.one", several)
	hookgate.On("contract.two", several)
	hookgate.On("contract.wild.*", wild)
	hookgate.On("github:contract.from", from)
	hookgate.On("contract.log", logs)
	hookgate.On("contract.setting", setting)
	hookgate.On("contract.reject", reject)
	hookgate.On("contract.retry", retry)
	hookgate.On("contract.retry-after", retryAfter)
	hookgate.On("contract.trap", trap)
	hookgate.On("contract.payload", payload)
	hookgate.On("contract.text", text)
	hookgate.On("contract.clock", clock)
	hookgate.On("contract.random", random)
}

func main() {}

func fields(e hookgate.Event) error {
	slog.Info(fmt.Sprintf("fields %s %s %s %s %d %d %s %s %s %s %s %s %s %s",
		e.ID, e.Source, e.Provider, e.Type, e.ReceivedAt.UnixMilli(), e.Attempt,
		orNone(e.ResourceID()), orNone(e.ResourceType()), orNone(e.AccountID()), orNone(e.UserID()),
		orNone(e.ProjectID()), orNone(e.WorkspaceID()), orNone(e.Attribute("custom")), orNone(e.Attribute("absent"))))
	return nil
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

func several(e hookgate.Event) error {
	slog.Info("several " + e.Type)
	return nil
}

func wild(e hookgate.Event) error {
	slog.Info("wild " + e.Type)
	return nil
}

func from(e hookgate.Event) error {
	slog.Info("from " + e.Provider)
	return nil
}

func logs(hookgate.Event) error {
	slog.Debug("a debug line")
	slog.Info("an info line")
	slog.Warn("a warning")
	slog.Error("an error")
	slog.Info("grüße 日本 🎬")
	return nil
}

func setting(hookgate.Event) error {
	slog.Info("greeting=" + hookgate.Setting("greeting") + " missing=" + hookgate.Setting("missing"))
	return nil
}

func reject(hookgate.Event) error { return hookgate.Reject("never: ü") }

func retry(hookgate.Event) error { return errors.New("later: ü") }

func retryAfter(hookgate.Event) error { return hookgate.RetryAfter(90*time.Second, "busy") }

func trap(e hookgate.Event) error {
	var nowhere *hookgate.Event
	return errors.New(nowhere.Type)
}

func payload(e hookgate.Event) error {
	sum := 0
	for _, b := range e.Payload {
		sum += int(b)
	}
	slog.Info(fmt.Sprintf("payload %d %d", len(e.Payload), sum))
	return nil
}

func text(e hookgate.Event) error {
	body, err := e.Text()
	if err != nil {
		return err
	}
	slog.Info("text " + body)
	return nil
}

func clock(hookgate.Event) error {
	slog.Info(fmt.Sprintf("clock %d", time.Now().UnixMilli()))
	return nil
}

func random(hookgate.Event) error {
	slog.Info(fmt.Sprintf("random %x", rand.Uint64()))
	return nil
}
