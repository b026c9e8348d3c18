package hookgate

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestErrorsAreFailures(t *testing.T) {
	wait := 90 * time.Second
	for _, test := range []struct {
		err   error
		why   string
		isBad bool
		after time.Duration
	}{
		{errors.New("later"), "later", false, -1},
		{errors.Join(errors.New("one"), errors.New("two")), "one; two", false, -1},
		{Reject("never"), "never", true, -1},
		{fmt.Errorf("order 7: %w", Reject("never")), "order 7: never", true, -1},
		{RetryAfter(wait, "busy"), "busy", false, wait},
		{fmt.Errorf("shop: %w", RetryAfter(wait, "busy")), "shop: busy", false, wait},
		{RetryAfter(-wait, "busy"), "busy", false, 0},
		{&Error{Busy, "too much"}, "too much", false, -1},
		{fmt.Errorf("shop: %w", &Error{Invalid, "no URL"}), "shop: no URL", true, -1},
	} {
		got := failureOf(test.err)
		after := time.Duration(-1)
		if got.after != nil {
			after = *got.after
		}
		if got.why != test.why || got.reject != test.isBad || after != test.after {
			t.Errorf("%v is %+v", test.err, got)
		}
	}
}

func TestDurationsAreWholeMilliseconds(t *testing.T) {
	for duration, expected := range map[time.Duration]uint64{
		1: 1, time.Millisecond: 1, time.Millisecond + 1: 2, -time.Second: 1, 1<<63 - 1: (1<<63-1)/1_000_000 + 1,
	} {
		if got, is := milliseconds(duration); got != expected || !is {
			t.Error(duration, got, is)
		}
	}
	if _, is := milliseconds(ForGood); is {
		t.Error("what is for good has no end")
	}
}

func TestKindsAreThoseOfTheContract(t *testing.T) {
	if got := fmt.Sprint(Denied, Invalid, Limit, Busy, Timeout, Failed, Kind(200)); got != "denied invalid limit busy timeout failed failed" {
		t.Error(got)
	}
}
