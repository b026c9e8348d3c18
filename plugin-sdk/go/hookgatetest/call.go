package hookgatetest

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"hookgate"
)

// call is what one call of the plugin sees of the gateway, and what it did there so far.
type call struct {
	gateway *Gateway
	state   map[string][]byte
	until   map[string]time.Duration
	emitted []hookgate.Event
}

func newCall(gateway *Gateway) *call {
	it := &call{gateway: gateway, state: map[string][]byte{}, until: map[string]time.Duration{}}
	maps.Copy(it.state, gateway.State)
	maps.Copy(it.until, gateway.until)
	return it
}

// mostKeys is how many keys one look gives at most.
const mostKeys = 1000

func checkKey(key string) error {
	if key == "" {
		return &hookgate.Error{Kind: hookgate.Invalid, Why: "a key is not empty"}
	}
	return nil
}

// Get is the value of a key.
func (c *call) Get(key string) ([]byte, bool, error) {
	value, found := c.state[key]
	return bytes.Clone(value), found, checkKey(key)
}

// Set sets a key.
func (c *call) Set(key string, value []byte, keep time.Duration) error {
	if err := checkKey(key); err != nil {
		return err
	}
	c.state[key] = append([]byte{}, value...)
	delete(c.until, key)
	if keep != hookgate.ForGood {
		c.until[key] = c.gateway.now + max(keep, time.Millisecond)
	}
	return nil
}

// Delete removes a key.
func (c *call) Delete(key string) error {
	delete(c.state, key)
	delete(c.until, key)
	return checkKey(key)
}

// Keys are the keys that begin with a prefix and come after another.
func (c *call) Keys(prefix, after string, limit uint32) ([]string, error) {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(c.state)) {
		if strings.HasPrefix(key, prefix) && (after == "" || key > after) {
			keys = append(keys, key)
		}
	}
	return keys[:min(len(keys), int(limit), mostKeys)], nil
}

// Increment adds to a number.
func (c *call) Increment(key string, by int64) (int64, error) {
	value, found, err := c.Get(key)
	if err != nil {
		return 0, err
	}
	var number int64
	if found {
		if number, err = strconv.ParseInt(string(value), 10, 64); err != nil {
			return 0, &hookgate.Error{Kind: hookgate.Invalid, Why: "what stands under this key is no number"}
		}
	}
	sum := number + by
	if (sum > number) != (by > 0) && by != 0 {
		return 0, &hookgate.Error{Kind: hookgate.Invalid, Why: "the sum is out of range"}
	}
	// What was to be kept for a while is kept for no longer.
	c.state[key] = strconv.AppendInt(nil, sum, 10)
	return sum, nil
}

// CompareAndSet sets a key if its value is as expected.
func (c *call) CompareAndSet(key string, expected, value []byte, keep time.Duration) (bool, error) {
	known, found, err := c.Get(key)
	if err != nil || found != (expected != nil) || !bytes.Equal(known, expected) {
		return false, err
	}
	return true, c.Set(key, value, keep)
}

// Send has the test answer a request.
func (c *call) Send(request hookgate.Request) (*hookgate.Response, error) {
	if c.gateway.HTTP == nil {
		return nil, &hookgate.Error{Kind: hookgate.Denied, Why: "nobody answers requests in this test: Gateway.HTTP"}
	}
	return c.gateway.HTTP(request)
}

// Emit makes an event.
func (c *call) Emit(eventType string, payload []byte, attributes [][2]string) error {
	if eventType == "" || strings.ContainsFunc(eventType, unicode.IsSpace) {
		return &hookgate.Error{Kind: hookgate.Invalid, Why: "an event's type is a word"}
	}
	event := Event(eventType)
	event.ID = fmt.Sprintf("evt_%013d", len(c.emitted)+1)
	event.Source, event.Provider, event.Payload = "plugin:test", "plugin", bytes.Clone(payload)
	for _, attribute := range attributes {
		event.Attributes[attribute[0]] = attribute[1]
	}
	c.emitted = append(c.emitted, event)
	return nil
}
