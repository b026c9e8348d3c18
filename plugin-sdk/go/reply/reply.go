// Package reply is for plugins that answer senders which wait: Frame.io's custom actions, Discord's and Slack's
// interactions.
//
//	reply.On("frameio:my.action", func(e hookgate.Event) (hookgate.Answer, error) {
//		return reply.Message{Title: "Done", Description: "It is on its way."}.Answer()
//	})
//
// The sender waits a few seconds at most. What a responder writes and emits is kept if it returns no error.
package reply

import (
	"encoding/json"

	"hookgate"
	"hookgate/internal/bridge"
)

// On answers the senders of the events that a pattern means, and asks the operator to be let. Call it in an init
// function, once for each pattern. An event goes to the first responder whose pattern matches it.
func On(pattern string, respond func(hookgate.Event) (hookgate.Answer, error)) {
	bridge.On(pattern, respond)
}

// Text is an answer of text.
func Text(text string) (hookgate.Answer, error) {
	return hookgate.Answer{Headers: contentType("text/plain; charset=utf-8"), Body: []byte(text)}, nil
}

// JSON is an answer of anything that can be written as JSON.
func JSON(value any) (hookgate.Answer, error) {
	body, err := json.Marshal(value)
	return hookgate.Answer{Headers: contentType("application/json"), Body: body}, err
}

func contentType(is string) hookgate.Headers { return hookgate.Headers{{"content-type", is}} }

// Message is what Frame.io shows after a custom action.
type Message struct {
	Title       string `json:"title"`
	Description string `json:"description"`
}

// Answer is the answer with the message.
func (m Message) Answer() (hookgate.Answer, error) { return JSON(m) }

// Form is what Frame.io asks people to fill in. When they send it, another event comes: its payload has what they
// entered in data, by the fields' names.
type Form struct {
	Title       string  `json:"title"`
	Description string  `json:"description"`
	Fields      []Field `json:"fields"`
}

// Answer is the answer with the form.
func (f Form) Answer() (hookgate.Answer, error) {
	if f.Fields == nil {
		f.Fields = []Field{}
	}
	return JSON(f)
}

// Field is a field of a form.
type Field struct {
	// Type is text, textarea, select, boolean or link.
	Type  string `json:"type"`
	Label string `json:"label,omitempty"`
	// Name is what its value is called when the form is sent.
	Name string `json:"name,omitempty"`
	// Value is what stands in it at first: a text, or a bool.
	Value any `json:"value,omitempty"`
	// Options are what a select lets choose from.
	Options []Option `json:"options,omitempty"`
}

// Option is one thing to choose.
type Option struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
