package hookgate

import (
	"encoding/json"
	"time"
	"unicode/utf8"
)

// Event is one verified webhook.
type Event struct {
	// ID is the same on every attempt and after a crash. Use it to notice a repeat.
	ID string
	// Source is the one that it came in by, a name of the operator's choice.
	Source string
	// Provider says how its sender signs and shapes webhooks: frameio, github, ...
	Provider string
	// Type is what happened, in the sender's words: file.ready.
	Type string
	// ReceivedAt is when the gateway received it, to the millisecond, in UTC.
	ReceivedAt time.Time
	// Attempt is 1 on the first try.
	Attempt int
	// Attributes is what the provider's description finds in the request: resource.id, account.id, content-type, ...
	Attributes map[string]string
	// Payload is the body as it was signed, byte for byte. It need not be text.
	Payload []byte
}

// Attribute is the attribute of a name, or "" where there is none.
func (e Event) Attribute(name string) string { return e.Attributes[name] }

// ResourceID is the attribute resource.id, or "".
func (e Event) ResourceID() string { return e.Attributes["resource.id"] }

// ResourceType is the attribute resource.type, or "".
func (e Event) ResourceType() string { return e.Attributes["resource.type"] }

// AccountID is the attribute account.id, or "".
func (e Event) AccountID() string { return e.Attributes["account.id"] }

// UserID is the attribute user.id, or "".
func (e Event) UserID() string { return e.Attributes["user.id"] }

// ProjectID is the attribute project.id, or "".
func (e Event) ProjectID() string { return e.Attributes["project.id"] }

// WorkspaceID is the attribute workspace.id, or "".
func (e Event) WorkspaceID() string { return e.Attributes["workspace.id"] }

// Text is the payload as text. Where it is not UTF-8 the error is a [Reject]: it will be the same on the next attempt.
func (e Event) Text() (string, error) {
	if !utf8.Valid(e.Payload) {
		return "", Reject("the body is not UTF-8")
	}
	return string(e.Payload), nil
}

// JSON reads the payload into what a pointer points to. Where it does not fit the error is a [Reject].
func (e Event) JSON(into any) error {
	if err := json.Unmarshal(e.Payload, into); err != nil {
		return Reject("the body is not the JSON that was expected: " + err.Error())
	}
	return nil
}

// String is the type and the ID: a whole payload would drown the rest of a log line.
func (e Event) String() string { return e.Type + " " + e.ID }
