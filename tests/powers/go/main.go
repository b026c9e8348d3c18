// Command powers uses every power: it does what the test of the powers asks of it.
package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"hookgate"
	"hookgate/reply"
)

func init() {
	hookgate.Plugin("powers", "1.0.0",
		hookgate.Ask{Setting: "limit", Type: "integer", Default: "3", About: "How many."},
		hookgate.Ask{State: true, About: "What it did."},
		hookgate.Ask{Host: "*", Methods: "GET POST", Credential: "bearer", Optional: true},
		hookgate.Ask{Emit: "made.*"},
	)
	hookgate.On("powers.state", remember)
	hookgate.On("powers.http", ask)
	hookgate.On("powers.emit", emit)
	hookgate.On("powers.denied", denied)
	hookgate.On("powers.escape", escape)
	hookgate.On("powers.forget", forget)
	reply.On("powers.ask", answer)
}

func main() {}

var state = hookgate.State

func remember(hookgate.Event) error {
	for _, step := range []func() error{setAndGet, count, listAndDelete, swap, swap, miss, keepForAWhile} {
		if err := step(); err != nil {
			return err
		}
	}
	slog.Info("limit " + hookgate.Setting("limit"))
	return nil
}

func setAndGet() error {
	if err := state.SetText("k", "v1", hookgate.ForGood); err != nil {
		return err
	}
	text, err := state.GetText("k")
	if err != nil {
		return err
	}
	slog.Info("got " + text)
	return nil
}

func count() error {
	sum, err := state.Increment("n", 2)
	if err != nil {
		return err
	}
	slog.Info(fmt.Sprint("n ", sum))
	return nil
}

func listAndDelete() error {
	if err := state.Set("k2", []byte{0x00, 0xff}, hookgate.ForGood); err != nil {
		return err
	}
	if err := list("keys"); err != nil {
		return err
	}
	if err := state.Delete("k2"); err != nil {
		return err
	}
	return list("left")
}

func list(what string) error {
	keys, err := state.Keys("k", "", 1000)
	if err != nil {
		return err
	}
	slog.Info(what + " " + strings.Join(keys, " "))
	return nil
}

func swap() error {
	swapped, err := state.CompareAndSet("k", []byte("v1"), []byte("v2"), hookgate.ForGood)
	if err != nil {
		return err
	}
	slog.Info(fmt.Sprint("swapped ", swapped))
	return nil
}

func miss() error {
	value, err := state.Get("none")
	if err != nil {
		return err
	}
	isThere := "no"
	if value != nil {
		isThere = "yes"
	}
	slog.Info("none " + isThere)
	return nil
}

func keepForAWhile() error { return state.SetText("soon", "x", time.Hour) }

func ask(e hookgate.Event) error {
	var payload struct{ URL string }
	if err := e.JSON(&payload); err != nil {
		return err
	}
	response, err := hookgate.Send(hookgate.Request{
		Method: "POST", URL: payload.URL, Headers: hookgate.Headers{{"x-own", "1"}}, Body: []byte("hello"),
	})
	if err != nil {
		return err
	}
	told, err := response.Text()
	if err != nil {
		return err
	}
	slog.Info(fmt.Sprint("status ", response.Status))
	slog.Info("told " + strings.ReplaceAll(told, "\n", " "))
	return nil
}

func emit(hookgate.Event) error {
	if err := hookgate.Emit("made.it", []byte(`{"n":1}`), map[string]string{"why": "because"}); err != nil {
		return err
	}
	slog.Info("emitted")
	return nil
}

func denied(hookgate.Event) error {
	logKind(hookgate.Emit("other.it", nil, nil))
	_, err := hookgate.Send(hookgate.Request{URL: "https://not.granted.example/"})
	logKind(err)
	_, err = state.Get("")
	logKind(err)
	return nil
}

func logKind(err error) {
	kind := "none"
	if power := (*hookgate.Error)(nil); errors.As(err, &power) {
		kind = power.Kind.String()
	}
	slog.Info(kind)
}

func escape(hookgate.Event) error {
	_, err := state.Get("")
	return err
}

func forget(hookgate.Event) error {
	if err := state.SetText("lost", "x", hookgate.ForGood); err != nil {
		return err
	}
	if err := hookgate.Emit("made.lost", nil, nil); err != nil {
		return err
	}
	return errors.New("not now")
}

func answer(e hookgate.Event) (hookgate.Answer, error) {
	sum, err := state.Increment("asked", 1)
	if err != nil {
		return hookgate.Answer{}, err
	}
	said, err := e.Text()
	if err != nil {
		return hookgate.Answer{}, err
	}
	switch said {
	case "fail":
		return hookgate.Answer{}, errors.New("cannot")
	case "message":
		return reply.Message{Title: "T", Description: "D"}.Answer()
	}
	return hookgate.Answer{
		Status: 201, Headers: hookgate.Headers{{"x-answered", "yes"}}, Body: fmt.Appendf(nil, "asked %d %s", sum, said),
	}, nil
}
