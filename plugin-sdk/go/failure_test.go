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
