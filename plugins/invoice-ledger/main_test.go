package main

import (
	"slices"
	"testing"

	"hookgate/hookgatetest"
)

func TestEachInvoiceIsALine(t *testing.T) {
	for _, test := range []struct{ eventType, body, outcome, line string }{
		{"invoice.paid", `{"timestamp":"2026-01-05T10:00:00Z","data":{"id":"in_1","amount":19.90,"currency":"CHF"}}`,
			"done", "info: 2026-01-05 in_1 paid 19.90 CHF"},
		{"invoice.voided", `{"data":{"id":"in_2","amount":"5"}}`,
			"done", "info: 2026-01-01 in_2 voided 5 EUR"},
		{"invoice.paid", `{"data":{"id":"in_3"}}`,
			"done", "info: 2026-01-01 in_3 paid an unknown amount of EUR"},
		{"invoice.paid", `{"data":{}}`, "reject: an invoice without an id", ""},
	} {
		event := hookgatetest.Event(test.eventType)
		event.Payload = []byte(test.body)
		got := hookgatetest.Handle(event, nil)
		if got.Outcome != test.outcome || test.line != "" && !slices.Equal(got.Logs, []string{test.line}) {
			t.Errorf("%s: %+v", test.body, got)
		}
	}
}

func TestTheOperatorChoosesTheCurrency(t *testing.T) {
	event := hookgatetest.Event("invoice.paid")
	event.Payload = []byte(`{"data":{"id":"in_1","amount":3}}`)
	got := hookgatetest.Handle(event, map[string]string{"currency": "JPY"})
	if !slices.Equal(got.Logs, []string{"info: 2026-01-01 in_1 paid 3 JPY"}) {
		t.Errorf("%+v", got)
	}
}
