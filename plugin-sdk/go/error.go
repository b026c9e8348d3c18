package hookgate

import (
	"time"
	"unicode/utf8"
)

// Kind says what kind of thing went wrong with a power.
type Kind uint8

// The kinds, in the order of the contract.
const (
	// Denied: the plugin did not ask for it, or the operator did not grant it.
	Denied Kind = iota
	// Invalid: what was asked for makes no sense, like a wrong URL, an empty key, or text that is not UTF-8.
	Invalid
	// Limit: more than is granted, of bytes, keys, events or depth.
	Limit
	// Busy: too much at a time, or within a minute. Later it may go.
	Busy
	// Timeout: it took too long.
	Timeout
	// Failed: it could not be done, for want of such a name, a connection, an answer, or a disk that works.
	Failed
)

var kinds = [...]string{"denied", "invalid", "limit", "busy", "timeout", "failed"}

func (k Kind) String() string {
	if int(k) < len(kinds) {
		return kinds[k]
	}
	return kinds[Failed]
}

// Error is what [State], [Send] and [Emit] fail with. From a handler it is a reject where it is [Invalid], wrapped or
// not, and a retry where it is anything else.
type Error struct {
	Kind Kind
	// Why is a sentence for people.
	Why string
}

func (e *Error) Error() string { return e.Why }

// checkText is an error where a text is not UTF-8. It is not mended as it is in the log: two keys could become one.
func checkText(what string, texts ...string) error {
	for _, text := range texts {
		if !utf8.ValidString(text) {
			return &Error{Invalid, what + " is not UTF-8"}
		}
	}
	return nil
}

// milliseconds is a duration as the contract has it, if there is one: nothing is shorter than a millisecond.
func milliseconds(duration time.Duration) (uint64, bool) {
	whole := duration.Milliseconds()
	if duration%time.Millisecond > 0 {
		whole++
	}
	return uint64(max(whole, 1)), duration != 0
}
