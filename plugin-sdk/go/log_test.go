package hookgate

import (
	"errors"
	"log"
	"log/slog"
	"slices"
	"testing"
	"time"

	"hookgate/internal/native"
)

func TestARecordIsALine(t *testing.T) {
	native.Begin(nil)
	slog.Debug("plain ä")
	slog.Info("pairs", "n", 1, "text", "two words", "none", "", "err", errors.New("x"))
	slog.With("a", 1).WithGroup("g").With("b", 2).Warn("groups", "c", 3, slog.Group("h", "d", time.Second))
	slog.Error("not UTF-8: \xff")
	slog.Log(t.Context(), slog.LevelDebug-1, "step")
	log.Printf("by %s", "log")
	expected := []string{
		"debug: plain ä",
		`info: pairs n=1 text="two words" none="" err=x`,
		"warn: groups a=1 g.b=2 g.c=3 g.h.d=1s",
		"error: not UTF-8: \uFFFD",
		"trace: step",
		"info: by log",
	}
	if got := native.End(); !slices.Equal(got, expected) {
		t.Errorf("%q", got)
	}
}
