package hookgatetest

import (
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"hookgate"
)

func init() {
	hookgate.Plugin("test", "1.0.0",
		hookgate.Ask{Setting: "greeting", Default: "hello"},
		hookgate.Ask{State: true},
		hookgate.Ask{Emit: "made.*"},
		hookgate.Ask{Host: "api.example.com", Methods: "GET POST"},
		hookgate.Ask{Host: "*.example.org"})
	hookgate.On("greet", func(e hookgate.Event) error {
		slog.Info(hookgate.Setting("greeting") + " " + e.UserID())
		return nil
	})
	hookgate.On("fail", func(e hookgate.Event) error { return errors.New("later") })
	hookgate.On("wait", func(e hookgate.Event) error { return hookgate.RetryAfter(90*time.Second, "busy") })
}

func TestHandleTellsEverything(t *testing.T) {
	for eventType, outcome := range map[string]string{
		"greet": "done", "fail": "retry: later", "wait": "retry after 1m30s: busy", "other": "reject: no handler for other",
	} {
		if got := Handle(Event(eventType), nil); got.Outcome != outcome {
			t.Errorf("%s: %+v", eventType, got)
		}
	}
}

func TestSettingsAreGrantedForOneEvent(t *testing.T) {
	event := Event("greet")
	event.Attributes["user.id"] = "u1"
	granted := Handle(event, map[string]string{"greeting": "hi"})
	after := Handle(event, nil)
	if !slices.Equal(granted.Logs, []string{"info: hi u1"}) || !slices.Equal(after.Logs, []string{"info: hello u1"}) {
		t.Errorf("%+v %+v", granted, after)
	}
}
