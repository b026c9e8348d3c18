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
}

// One at a time: what is logged and granted belongs to the process.
var mutex sync.Mutex

// Handle gives an event to the plugin under test. Settings that are not granted have their defaults.
func Handle(event hookgate.Event, settings map[string]string) Result {
	mutex.Lock()
	defer mutex.Unlock()
	native.Begin(settings)
	defer native.End()
	err := hookgate.Handle(event)
	return Result{Outcome: outcome(err), Err: err, Logs: native.End()}
}

func outcome(err error) string {
	var reject *hookgate.RejectError
	var retry *hookgate.RetryError
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &reject):
		return "reject: " + err.Error()
	case errors.As(err, &retry):
		return fmt.Sprintf("retry after %v: %v", retry.After, err)
	}
	return "retry: " + err.Error()
}
