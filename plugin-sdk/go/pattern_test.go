package hookgate

import "testing"

func TestPatternsMeanWhatTheContractSays(t *testing.T) {
	for _, test := range []struct {
		pattern, eventType string
		expected           bool
	}{
		{"file.ready", "file.ready", true},
		{"file.ready", "file.ready.now", false},
		{"file.*", "file.upload.completed", true},
		{"file.*", "file.", true},
		{"file.*", "files.ready", false},
		{"*", "", true},
		{"**", "anything.at/all", true},
		{"*.created", "comment.created", true},
		{"*.created", "comment.created.late", false},
		{"a*b*c", "a-b-b-c", true},
		{"a*b*c", "a-c-b", false},
		{"ab*ba", "aba", false},
		{"a*é*z", "a-é-z", true},
		{"frameio:file.*", "file.ready", true},
		{"studio:file.*", "file.ready", true},
		{"github:file.*", "file.ready", false},
		{"com.example:order", "com.example:order", true},
		{"Caps:*", "Caps:order", true},
		{":order", ":order", true},
	} {
		event := Event{Type: test.eventType, Source: "studio", Provider: "frameio"}
		if matches(test.pattern, event) != test.expected {
			t.Errorf("%s on %s is not %v", test.pattern, test.eventType, test.expected)
		}
	}
}
