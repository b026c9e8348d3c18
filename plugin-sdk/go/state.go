package hookgate

import (
	"encoding/json"
	"math"
	"time"
)

// State is what the plugin remembers from one event to the next: bytes under keys, its own alone. Ask for it with
// Ask{State: true}.
//
// What a call writes is kept if its handler returns nil, in the same commit that says so, and forgotten if it does not.
// A call sees what it wrote itself.
var State state

type state struct{}

// ForGood is how long a value is kept that is not to be forgotten.
const ForGood time.Duration = 0

// Get is the value of a key; nil where there is none.
func (state) Get(key string) ([]byte, error) {
	if err := checkText("a key", key); err != nil {
		return nil, err
	}
	value, found, err := hostGet(key)
	if found && value == nil {
		value = []byte{}
	}
	return value, err
}

// GetText is the value of a key as text; "" where there is none.
func (s state) GetText(key string) (string, error) {
	value, err := s.Get(key)
	return string(value), err
}

// GetJSON reads the value of a key into what a pointer points to, and says whether there is one.
func (s state) GetJSON(key string, into any) (bool, error) {
	value, err := s.Get(key)
	if err != nil || value == nil {
		return false, err
	}
	return true, json.Unmarshal(value, into)
}

// Set sets a key, [ForGood] or for so long from now.
func (state) Set(key string, value []byte, keep time.Duration) error {
	if err := checkText("a key", key); err != nil {
		return err
	}
	return hostSet(key, value, keep)
}

// SetText sets a key to a text.
func (s state) SetText(key, text string, keep time.Duration) error {
	return s.Set(key, []byte(text), keep)
}

// SetJSON sets a key to anything that can be written as JSON.
func (s state) SetJSON(key string, value any, keep time.Duration) error {
	written, err := json.Marshal(value)
	if err != nil {
		return &Error{Invalid, err.Error()}
	}
	return s.Set(key, written, keep)
}

// Delete removes a key, whether it is there or not.
func (state) Delete(key string) error {
	if err := checkText("a key", key); err != nil {
		return err
	}
	return hostDelete(key)
}

// Keys are the keys that begin with a prefix and come after another ("": from the first on), in the order of their
// bytes; at most 1,000.
func (state) Keys(prefix, after string, limit int) ([]string, error) {
	if err := checkText("a key", prefix, after); err != nil {
		return nil, err
	}
	return hostKeys(prefix, after, uint32(min(max(limit, 0), math.MaxUint32)))
}

// Increment adds to a number, which is kept as decimal text, and gives the sum. A key that is not there counts as 0.
func (state) Increment(key string, by int64) (int64, error) {
	if err := checkText("a key", key); err != nil {
		return 0, err
	}
	return hostIncrement(key, by)
}

// CompareAndSet sets a key if its value is as expected (nil: it is not there), and says whether it was.
func (state) CompareAndSet(key string, expected, value []byte, keep time.Duration) (bool, error) {
	if err := checkText("a key", key); err != nil {
		return false, err
	}
	return hostCompareAndSet(key, expected, value, keep)
}
