package hookgate

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
)

// Levels as the contract numbers them.
const (
	levelTrace = iota
	levelDebug
	levelInfo
	levelWarn
	levelError
)

// Sends what is logged to the gateway: of log/slog by level, of log at info.
func init() { slog.SetDefault(slog.New(lines{})) }

// lines is a slog.Handler that makes one line of each record: the message, then key=value. The time and the plugin's
// name are put before it by the gateway, which drops the levels that nobody wants to see.
type lines struct {
	// pairs is what With gave.
	pairs string
	// group is what stands before each further key.
	group string
}

func (lines) Enabled(context.Context, slog.Level) bool { return true }

func (l lines) Handle(_ context.Context, record slog.Record) error {
	line := record.Message + l.pairs
	record.Attrs(func(attr slog.Attr) bool {
		line += pair(l.group, attr)
		return true
	})
	hostLog(levelOf(record.Level), strings.ToValidUTF8(line, "\uFFFD"))
	return nil
}

func (l lines) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, attr := range attrs {
		l.pairs += pair(l.group, attr)
	}
	return l
}

func (l lines) WithGroup(name string) slog.Handler {
	if name != "" {
		l.group += name + "."
	}
	return l
}

func levelOf(level slog.Level) uint32 {
	switch {
	case level < slog.LevelDebug:
		return levelTrace
	case level < slog.LevelInfo:
		return levelDebug
	case level < slog.LevelWarn:
		return levelInfo
	case level < slog.LevelError:
		return levelWarn
	}
	return levelError
}

// pair is an attribute as it stands in a line, with a space before it.
func pair(group string, attr slog.Attr) string {
	value := attr.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		return pairs(group, attr.Key, value.Group())
	}
	if attr.Equal(slog.Attr{}) {
		return ""
	}
	text := value.String()
	if text == "" || strings.ContainsAny(text, " \"=\t\r\n") {
		text = strconv.Quote(text)
	}
	return " " + group + attr.Key + "=" + text
}

func pairs(group, key string, attrs []slog.Attr) string {
	if key != "" {
		group += key + "."
	}
	var all string
	for _, attr := range attrs {
		all += pair(group, attr)
	}
	return all
}
