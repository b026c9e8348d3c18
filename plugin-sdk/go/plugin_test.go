package hookgate

import (
	"errors"
	"fmt"
	"testing"

	"hookgate/internal/native"
)

func TestTheFirstHandlerThatMatchesRuns(t *testing.T) {
	var ran []string
	on := func(pattern string) {
		On(pattern, func(e Event) error {
			ran = append(ran, pattern)
			return nil
		})
	}
	on("github:push")
	on("file.ready")
	on("file.*")
	for _, event := range []Event{
		{Type: "push", Provider: "github"}, {Type: "file.ready"}, {Type: "file.copied"},
	} {
		if err := Handle(event); err != nil {
			t.Error(err)
		}
	}
	if len(ran) != 3 || ran[0] != "github:push" || ran[1] != "file.ready" || ran[2] != "file.*" {
		t.Error(ran)
	}
	var reject *RejectError
	if err := Handle(Event{Type: "push"}); !errors.As(err, &reject) || reject.Why != "no handler for push" {
		t.Error(err)
	}
}

func TestSettingsHaveDefaults(t *testing.T) {
	Plugin("test", "1.0.0", Ask{Setting: "greeting", Default: "hello"}, Ask{Setting: "token", Required: true})
	native.Begin(map[string]string{"granted": "yes"})
	defer native.End()
	for key, expected := range map[string]string{"greeting": "hello", "token": "", "granted": "yes", "other": ""} {
		if got := Setting(key); got != expected {
			t.Errorf("%s is %q", key, got)
		}
	}
	if _, ok := LookupSetting("token"); ok {
		t.Error("a required setting has no default")
	}
}

func TestOnlyWhatIsSaidIsAskedFor(t *testing.T) {
	for _, test := range []struct {
		ask      Ask
		expected string
	}{
		{Ask{Setting: "a", Default: "x", About: "A."}, "setting a [[about A.] [default x]]"},
		{Ask{Setting: "a"}, "setting a [[default ]]"},
		{Ask{Setting: "a", Required: true, Type: "integer"}, "setting a [[type integer]]"},
		{Ask{Host: "h", Methods: "GET POST", Credential: "bearer", Optional: true},
			"host h [[methods GET POST] [credential bearer] [optional true]]"},
		{Ask{State: true, About: "S."}, "state  [[about S.]]"},
		{Ask{Emit: "a.*"}, "emit a.* []"},
	} {
		what, name := test.ask.whatAndName()
		if got := fmt.Sprint(what, " ", name, " ", test.ask.detail()); got != test.expected {
			t.Errorf("is     %s\nis not %s", got, test.expected)
		}
	}
}

func TestNobodyStandsInOutsideOfATest(t *testing.T) {
	var power *Error
	if _, err := State.Get("a"); !errors.As(err, &power) || power.Kind != Denied {
		t.Error(err)
	}
}

func TestAPayloadIsReadAsTextAndAsJSON(t *testing.T) {
	event := Event{Payload: []byte(`{"n":7}`)}
	var body struct{ N int }
	if err := event.JSON(&body); err != nil || body.N != 7 {
		t.Error(err, body)
	}
	if text, err := event.Text(); err != nil || text != `{"n":7}` {
		t.Error(text, err)
	}
	event.Payload = []byte("\xff")
	var reject *RejectError
	if _, err := event.Text(); !errors.As(err, &reject) {
		t.Error(err)
	}
	if err := event.JSON(&body); !errors.As(err, &reject) {
		t.Error(err)
	}
}
