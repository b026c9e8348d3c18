// Command invoice-ledger writes one line in the log for each invoice that a sender of Standard Webhooks tells of.
package main

import (
	"cmp"
	"encoding/json"
	"log/slog"
	"strings"
	"time"

	"hookgate"
)

type webhook struct {
	Timestamp time.Time `json:"timestamp"`
	Data      struct {
		ID       string      `json:"id"`
		Amount   json.Number `json:"amount"`
		Currency string      `json:"currency"`
	} `json:"data"`
}

func init() {
	hookgate.Plugin("invoice-ledger", "0.1.0",
		hookgate.Ask{Setting: "currency", Default: "EUR", About: "The currency of invoices that name none."})
	hookgate.On("invoice.*", enter)
}

func enter(e hookgate.Event) error {
	var invoice webhook
	if err := e.JSON(&invoice); err != nil {
		return err
	}
	if invoice.Data.ID == "" {
		return hookgate.Reject("an invoice without an id")
	}
	day := cmp.Or(invoice.Timestamp, e.ReceivedAt).Format(time.DateOnly)
	amount := cmp.Or(invoice.Data.Amount.String(), "an unknown amount of")
	currency := cmp.Or(invoice.Data.Currency, hookgate.Setting("currency"))
	what := strings.TrimPrefix(e.Type, "invoice.")
	slog.Info(strings.Join([]string{day, invoice.Data.ID, what, amount, currency}, " "))
	return nil
}

func main() {}
