package hookgate

import (
	"errors"
	"strings"
	"time"
)

// RejectError is what [Reject] returns.
type RejectError struct {
	// Why is what the operator reads.
	Why string
}

func (e *RejectError) Error() string { return e.Why }

// RetryError is what [RetryAfter] returns.
type RetryError struct {
	// Why is what the operator reads.
	Why string
	// After is how long to wait at least.
	After time.Duration
}

func (e *RetryError) Error() string { return e.Why }

// Reject says that this event can never be handled: the delivery is dead at once, and kept for the operator to look at.
// It counts too where it is wrapped in another error.
func Reject(why string) error { return &RejectError{why} }

// RetryAfter says that it may work later, after this long at the earliest. An error of any other kind is a retry when
// the operator's schedule says so.
func RetryAfter(after time.Duration, why string) error { return &RetryError{why, after} }

// failure is an error as the contract has it.
type failure struct {
	why    string
	reject bool
	// after is set where a retry says how long to wait.
	after *time.Duration
}

func failureOf(err error) failure {
	failed := failure{why: strings.ReplaceAll(err.Error(), "\n", "; ")}
	if reject := (*RejectError)(nil); errors.As(err, &reject) {
		failed.reject = true
	} else if retry := (*RetryError)(nil); errors.As(err, &retry) {
		after := max(retry.After, 0)
		failed.after = &after
	} else if power := (*Error)(nil); errors.As(err, &power) {
		failed.reject = power.Kind == Invalid
	}
	return failed
}
