package reply_test

import (
	"errors"
	"testing"

	"hookgate"
	"hookgate/hookgatetest"
	"hookgate/reply"
)

func init() {
	hookgate.Plugin("test", "1.0.0", hookgate.Ask{State: true})
	reply.On("frameio:ask.*", answer)
	reply.On("*", func(hookgate.Event) (hookgate.Answer, error) { return hookgate.Answer{}, nil })
}

func answer(e hookgate.Event) (hookgate.Answer, error) {
	if err := hookgate.State.SetText("asked", e.Type, hookgate.ForGood); err != nil {
		return hookgate.Answer{}, err
	}
	switch e.Type {
	case "ask.text":
		return reply.Text("Hi")
	case "ask.message":
		return reply.Message{Title: "Done", Description: "It is."}.Answer()
	case "ask.empty":
		return reply.Form{Title: "Ask"}.Answer()
	case "ask.form":
		return reply.Form{Title: "Ask", Fields: []reply.Field{
			{Type: "text", Label: "Title", Name: "title", Value: "a"},
			{Type: "boolean", Name: "now", Value: false},
			{Type: "select", Name: "prio", Options: []reply.Option{{"High", "h"}}},
		}}.Answer()
	}
	return hookgate.Answer{Status: 500}, errors.New("not now")
}

func TestAResponderAnswers(t *testing.T) {
	const json = "application/json"
	gateway := new(hookgatetest.Gateway)
	for _, test := range []struct {
		provider, eventType string
		status              int
		contentType, body   string
	}{
		{"frameio", "ask.text", 200, "text/plain; charset=utf-8", "Hi"},
		{"frameio", "ask.message", 200, json, `{"title":"Done","description":"It is."}`},
		{"frameio", "ask.empty", 200, json, `{"title":"Ask","description":"","fields":[]}`},
		{"frameio", "ask.form", 200, json, `{"title":"Ask","description":"","fields":[` +
			`{"type":"text","label":"Title","name":"title","value":"a"},{"type":"boolean","name":"now","value":false},` +
			`{"type":"select","name":"prio","options":[{"name":"High","value":"h"}]}]}`},
		{"github", "ask.text", 200, "", ""},
	} {
		event := hookgatetest.Event(test.eventType)
		event.Provider = test.provider
		got, result := gateway.Respond(event)
		if result.Outcome != "done" || got.Status != test.status || string(got.Body) != test.body {
			t.Errorf("%s: %s %d %s", test.eventType, result.Outcome, got.Status, got.Body)
		}
		if is := got.Headers.Get("Content-Type"); is != test.contentType {
			t.Errorf("%s: %s", test.eventType, is)
		}
	}
}

func TestWhatAResponderWritesIsKeptIfItAnswers(t *testing.T) {
	gateway := new(hookgatetest.Gateway)
	event := hookgatetest.Event("ask.else")
	event.Provider = "frameio"
	if _, result := gateway.Respond(event); result.Outcome != "retry: not now" || gateway.State["asked"] != nil {
		t.Errorf("%+v %q", result, gateway.State)
	}
	event.Type = "ask.text"
	if _, result := gateway.Respond(event); result.Outcome != "done" || string(gateway.State["asked"]) != "ask.text" {
		t.Errorf("%+v %q", result, gateway.State)
	}
}

func TestAResponderHandlesNothing(t *testing.T) {
	if got := hookgatetest.Handle(hookgatetest.Event("ask.text"), nil); got.Outcome != "reject: no handler for ask.text" {
		t.Error(got.Outcome)
	}
}
