package hookgate

import (
	"encoding/json"
	"maps"
	"slices"
)

// Emit makes an event, to which others can subscribe as plugin:<type>. Ask for it with Ask{Emit: "video.*"}. The event
// is accepted in the same commit that says that the handler returned nil, and not at all if it did not.
func Emit(eventType string, payload []byte, attributes map[string]string) error {
	if err := checkText("a type", eventType); err != nil {
		return err
	}
	pairs := make([][2]string, 0, len(attributes))
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if err := checkText("an attribute", name, attributes[name]); err != nil {
			return err
		}
		pairs = append(pairs, [2]string{name, attributes[name]})
	}
	return hostEmit(eventType, payload, pairs)
}

// EmitJSON is [Emit] with anything that can be written as JSON.
func EmitJSON(eventType string, payload any, attributes map[string]string) error {
	written, err := json.Marshal(payload)
	if err != nil {
		return &Error{Invalid, err.Error()}
	}
	return Emit(eventType, written, attributes)
}
