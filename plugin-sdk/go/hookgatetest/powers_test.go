package hookgatetest

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"hookgate"
)

// run is what the handler of the event run does.
var run func() error

func init() { hookgate.On("run", func(hookgate.Event) error { return run() }) }

// does has the plugin do something in a call, and gives the outcome.
func (g *Gateway) does(what func() error) Result {
	run = what
	return g.Handle(Event("run"))
}

// tell is an error as text.
func tell(err error) string {
	var power *hookgate.Error
	if errors.As(err, &power) {
		return fmt.Sprint(power.Kind, ": ", power.Why)
	}
	return fmt.Sprint(err)
}

// expect runs checks in a call, each of which gives what is and what should be.
func expect(t *testing.T, gateway *Gateway, checks func(is func(got any, err error, expected string))) {
	t.Helper()
	result := gateway.does(func() error {
		checks(func(got any, err error, expected string) {
			t.Helper()
			told := fmt.Sprintf("%v", got)
			if err != nil {
				told = tell(err)
			}
			if told != expected {
				t.Errorf("is     %s\nis not %s", told, expected)
			}
		})
		return nil
	})
	if result.Outcome != "done" {
		t.Error(result.Outcome)
	}
}

func TestStateIsSetReadAndRemoved(t *testing.T) {
	state := hookgate.State
	expect(t, new(Gateway), func(is func(any, error, string)) {
		value, err := state.Get("a")
		is(value == nil, err, "true")
		is(nil, state.Set("a", []byte{0, 255}, hookgate.ForGood), "<nil>")
		value, err = state.Get("a")
		is(value, err, "[0 255]")
		is(nil, state.SetText("a", "", hookgate.ForGood), "<nil>")
		value, err = state.Get("a")
		is(value != nil && len(value) == 0, err, "true")
		is(nil, state.Delete("a"), "<nil>")
		is(nil, state.Delete("a"), "<nil>")
		text, err := state.GetText("a")
		is(text, err, "")
	})
}

func TestStateHoldsJSON(t *testing.T) {
	var into struct{ N int }
	expect(t, new(Gateway), func(is func(any, error, string)) {
		found, err := hookgate.State.GetJSON("a", &into)
		is(found, err, "false")
		is(nil, hookgate.State.SetJSON("a", map[string]int{"n": 7}, hookgate.ForGood), "<nil>")
		found, err = hookgate.State.GetJSON("a", &into)
		is(found, err, "true")
		is(into.N, nil, "7")
		is(nil, hookgate.State.SetJSON("a", math.Inf(1), hookgate.ForGood), "invalid: json: unsupported value: +Inf")
	})
}

func TestKeysAreTextAndNotEmpty(t *testing.T) {
	state, empty, odd := hookgate.State, "invalid: a key is not empty", "invalid: a key is not UTF-8"
	expect(t, new(Gateway), func(is func(any, error, string)) {
		for key, why := range map[string]string{"": empty, "a\xff": odd} {
			_, err := state.Get(key)
			is(nil, err, why)
			is(nil, state.SetText(key, "x", hookgate.ForGood), why)
			is(nil, state.Delete(key), why)
			_, err = state.Increment(key, 1)
			is(nil, err, why)
			_, err = state.CompareAndSet(key, nil, nil, hookgate.ForGood)
			is(nil, err, why)
		}
		_, err := state.Keys("a", "\xff", 1)
		is(nil, err, odd)
	})
}

func TestKeysAreListedInTheOrderOfTheirBytes(t *testing.T) {
	gateway := &Gateway{State: map[string][]byte{"b:2": nil, "b:é": nil, "a": nil, "b:1": nil, "b": nil, "c": nil}}
	expect(t, gateway, func(is func(any, error, string)) {
		is(nil, hookgate.State.Delete("b:1"), "<nil>")
		keys, err := hookgate.State.Keys("b", "", 1000)
		is(keys, err, "[b b:2 b:é]")
		keys, err = hookgate.State.Keys("b", "b", 1)
		is(keys, err, "[b:2]")
		keys, err = hookgate.State.Keys("", "", -1)
		is(keys, err, "[]")
	})
}

func TestNumbersAreAddedTo(t *testing.T) {
	gateway := &Gateway{State: map[string][]byte{"most": []byte("9223372036854775807"), "text": []byte("7 apples")}}
	expect(t, gateway, func(is func(any, error, string)) {
		n, err := hookgate.State.Increment("n", 40)
		is(n, err, "40")
		n, err = hookgate.State.Increment("n", -82)
		is(n, err, "-42")
		n, err = hookgate.State.Increment("most", 0)
		is(n, err, "9223372036854775807")
		_, err = hookgate.State.Increment("most", 1)
		is(nil, err, "invalid: the sum is out of range")
		_, err = hookgate.State.Increment("text", 1)
		is(nil, err, "invalid: what stands under this key is no number")
	})
}

func TestAKeyIsSetOnlyIfItIsAsExpected(t *testing.T) {
	cas := func(expected []byte, value string) (bool, error) {
		return hookgate.State.CompareAndSet("a", expected, []byte(value), hookgate.ForGood)
	}
	expect(t, new(Gateway), func(is func(any, error, string)) {
		was, err := cas([]byte{}, "0")
		is(was, err, "false")
		was, err = cas(nil, "1")
		is(was, err, "true")
		was, err = cas(nil, "2")
		is(was, err, "false")
		was, err = cas([]byte("1"), "")
		is(was, err, "true")
		was, err = cas([]byte{}, "3")
		is(was, err, "true")
	})
}

func TestWhatIsKeptForAWhileIsGoneThen(t *testing.T) {
	gateway := new(Gateway)
	count := func(expected string) {
		t.Helper()
		expect(t, gateway, func(is func(any, error, string)) {
			n, err := hookgate.State.Increment("a", 1)
			is(n, err, expected)
		})
	}
	expect(t, gateway, func(is func(any, error, string)) {
		is(nil, hookgate.State.SetText("a", "7", time.Second), "<nil>")
		is(nil, hookgate.State.SetText("soon", "", time.Nanosecond), "<nil>")
	})
	gateway.Wait(999 * time.Millisecond)
	count("8")
	if _, found := gateway.State["soon"]; found {
		t.Error(gateway.State)
	}
	gateway.Wait(time.Millisecond)
	count("1")
}

func TestWhatAHandlerDoesIsKeptIfItIsDone(t *testing.T) {
	gateway := &Gateway{State: map[string][]byte{"a": []byte("before")}}
	work := func(end error) func() error {
		return func() error {
			return errors.Join(
				hookgate.State.SetText("a", "after", hookgate.ForGood),
				hookgate.Emit("made.first", []byte("1"), map[string]string{"b": "2", "a": "1"}),
				end)
		}
	}
	failed := gateway.does(work(errors.New("not now")))
	if failed.Outcome != "retry: not now" || failed.Emitted != nil || string(gateway.State["a"]) != "before" {
		t.Errorf("%+v %q", failed, gateway.State)
	}
	done := gateway.does(work(nil))
	if done.Outcome != "done" || len(done.Emitted) != 1 || string(gateway.State["a"]) != "after" {
		t.Fatalf("%+v %q", done, gateway.State)
	}
	made := done.Emitted[0]
	if made.Type != "made.first" || string(made.Payload) != "1" || !maps.Equal(made.Attributes, map[string]string{"a": "1", "b": "2"}) {
		t.Errorf("%+v", made)
	}
}

func TestAnErrorEndsTheHandler(t *testing.T) {
	get := func(key string) func() error {
		return func() error {
			_, err := hookgate.State.Get(key)
			return fmt.Errorf("counting: %w", err)
		}
	}
	send := func() error {
		_, err := hookgate.Send(hookgate.Request{URL: "https://api.example.com/"})
		return err
	}
	gateway := new(Gateway)
	if got := gateway.does(get("")).Outcome; got != "reject: counting: a key is not empty" {
		t.Error(got)
	}
	if got := gateway.does(send).Outcome; got != "retry: nobody answers requests in this test: Gateway.HTTP" {
		t.Error(got)
	}
}

func TestAnEventHasATypeThatWasAskedFor(t *testing.T) {
	expect(t, new(Gateway), func(is func(any, error, string)) {
		is(nil, hookgate.EmitJSON("made.n", map[string]int{"n": 1}, nil), "<nil>")
		is(nil, hookgate.Emit("other", nil, nil), `denied: the plugin does not ask for it: hookgate.Ask{Emit: "other"}`)
		is(nil, hookgate.Emit("made.a b", nil, nil), "invalid: an event's type is a word")
		is(nil, hookgate.Emit("made.\xff", nil, nil), "invalid: a type is not UTF-8")
		is(nil, hookgate.Emit("made.n", nil, map[string]string{"n": "\xff"}), "invalid: an attribute is not UTF-8")
		is(nil, hookgate.EmitJSON("made.n", math.Inf(1), nil), "invalid: json: unsupported value: +Inf")
	})
}

// echo answers with what it was asked.
func echo(request hookgate.Request) (*hookgate.Response, error) {
	if strings.HasSuffix(request.URL, "/busy") {
		return nil, &hookgate.Error{Kind: hookgate.Busy, Why: "later"}
	}
	body := fmt.Sprintf(`{"got":"%s %s %s","body":"%x","wait":"%v"}`,
		request.Method, request.URL, request.Headers.Get("content-type"), request.Body, request.Timeout)
	return &hookgate.Response{Status: 201, Headers: hookgate.Headers{{"X-Two", "a"}, {"x-two", "b"}}, Body: []byte(body)}, nil
}

func TestARequestIsAnswered(t *testing.T) {
	var into struct{ Got, Body, Wait string }
	send := func(request hookgate.Request) string {
		response, err := hookgate.Send(request)
		if err != nil {
			return tell(err)
		}
		if err := response.JSON(&into); err != nil {
			return tell(err)
		}
		if !response.OK() || !slices.Equal(response.Headers.Values("X-TWO"), []string{"a", "b"}) {
			t.Errorf("%+v", response)
		}
		return into.Got
	}
	expect(t, &Gateway{HTTP: echo}, func(is func(any, error, string)) {
		url := "https://api.example.com:8443/v1?x=y"
		is(send(hookgate.Request{URL: url}), nil, "GET "+url+" ")
		is(send(hookgate.Request{Method: "POST", URL: url, JSON: 7, Timeout: time.Second}), nil, "POST "+url+" application/json")
		is(into.Body+" "+into.Wait, nil, "37 1s")
		typed := hookgate.Headers{{"Content-Type", "text/csv"}}
		is(send(hookgate.Request{Method: "POST", URL: url, JSON: 7, Headers: typed}), nil, "POST "+url+" text/csv")
		is(send(hookgate.Request{Method: "PUT", URL: "https://a.example.org/"}), nil, "PUT https://a.example.org/ ")
	})
}

func TestARequestThatIsNotAnsweredIsAnError(t *testing.T) {
	ask := func(name, method string) string {
		return fmt.Sprintf("denied: the plugin does not ask for it: hookgate.Ask{Host: %q} for %s", name, method)
	}
	expect(t, &Gateway{HTTP: echo}, func(is func(any, error, string)) {
		for _, test := range []struct{ method, url, expected string }{
			{"GET", "https://api.example.com/busy", "busy: later"},
			{"DELETE", "https://api.example.com/", ask("api.example.com", "DELETE")},
			{"GET", "https://example.org/", ask("example.org", "GET")},
			{"GET", "/v1", "invalid: /v1 is no URL of a host"},
			{"GET", "https://api.example.com/\xff", "invalid: a method or URL is not UTF-8"},
		} {
			_, err := hookgate.Send(hookgate.Request{Method: test.method, URL: test.url})
			is(nil, err, test.expected)
		}
		_, err := hookgate.Send(hookgate.Request{URL: "https://api.example.com/", Headers: hookgate.Headers{{"a", "\xff"}}})
		is(nil, err, "invalid: a header is not UTF-8")
		_, err = hookgate.Send(hookgate.Request{URL: "https://api.example.com/", JSON: math.Inf(1)})
		is(nil, err, "invalid: json: unsupported value: +Inf")
	})
}

func TestAnAnswerMayNotBeWhatWasExpected(t *testing.T) {
	response := &hookgate.Response{Status: 300, Body: []byte("\xff")}
	var into int
	if response.OK() || response.JSON(&into) == nil {
		t.Error("it is neither fine nor JSON")
	}
	if _, err := response.Text(); err == nil {
		t.Error("it is not UTF-8")
	}
}
