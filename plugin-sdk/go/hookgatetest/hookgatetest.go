// Package hookgatetest runs a plugin's handlers natively, in a plain go test.
//
//	event := hookgatetest.Event("file.ready")
//	event.Attributes["resource.id"] = "f1"
//	got := hookgatetest.Handle(event, nil)
//	if got.Outcome != "done" || got.Logs[0] != "info: file f1 is ready for processing" {
//		t.Errorf("%+v", got)
//	}
package hookgatetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"hookgate"
	"hookgate/internal/native"
)

// Event makes up an event of a type: the source and the provider are test, it is the first attempt, and the body is
// empty. Set its fields to what the test is about.
func Event(eventType string) hookgate.Event {
	return hookgate.Event{
		ID:         "evt_0000000000000",
		Source:     "test",
		Provider:   "test",
		Type:       eventType,
		ReceivedAt: time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC),
		Attempt:    1,
		Attributes: map[string]string{},
	}
}

// Result is what became of an event.
type Result struct {
	// Outcome is done, reject: WHY, retry: WHY or retry after 1m30s: WHY.
	Outcome string
	// Err is what the handler returned.
	Err error
	// Logs is what was logged, each line as info: MESSAGE.
	Logs []string
	// Emitted is the events that the handler made, if it is done.
	Emitted []hookgate.Event
}

// Gateway stands in for the gateway over several events, and grants what the plugin asks for, and nothing else. It may
// be made as it is: new(Gateway).
type Gateway struct {
	// Settings are those that are granted. Others have their defaults.
	Settings map[string]string
	// State is what the plugin remembers. A call that fails leaves it as it was.
	State map[string][]byte
	// HTTP answers requests. Without it they are denied.
	HTTP func(hookgate.Request) (*hookgate.Response, error)

	now   time.Duration
	until map[string]time.Duration
}

// Wait lets time go by, after which what was to be kept for no longer is gone.
func (g *Gateway) Wait(d time.Duration) {
	g.now += d
	for key, until := range g.until {
		if until <= g.now {
			delete(g.State, key)
			delete(g.until, key)
		}
	}
}

// One at a time: what is logged and granted belongs to the process.
var mutex sync.Mutex

// Handle gives an event to the plugin under test. Settings that are not granted have their defaults.
func Handle(event hookgate.Event, settings map[string]string) Result {
	return (&Gateway{Settings: settings}).Handle(event)
}

// Handle gives an event to the plugin under test.
func (g *Gateway) Handle(event hookgate.Event) Result {
	return g.call(func() error { return hookgate.Handle(event) })
}

// Respond has the plugin under test answer the sender of an event.
func (g *Gateway) Respond(event hookgate.Event) (hookgate.Answer, Result) {
	var answer hookgate.Answer
	result := g.call(func() (err error) {
		answer, err = hookgate.Respond(event)
		return err
	})
	return answer, result
}

func (g *Gateway) call(plugin func() error) Result {
	mutex.Lock()
	defer mutex.Unlock()
	call := newCall(g)
	native.BeginWith(g.Settings, call)
	defer native.End()
	err := plugin()
	result := Result{Outcome: outcome(err), Err: err, Logs: native.End()}
	if err == nil {
		g.State, g.until, result.Emitted = call.state, call.until, call.emitted
	}
	return result
}

func outcome(err error) string {
	var reject *hookgate.RejectError
	var retry *hookgate.RetryError
	var power *hookgate.Error
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &reject):
		return "reject: " + err.Error()
	case errors.As(err, &retry):
		return fmt.Sprintf("retry after %v: %v", retry.After, err)
	case errors.As(err, &power) && power.Kind == hookgate.Invalid:
		return "reject: " + err.Error()
	}
	return "retry: " + err.Error()
}
