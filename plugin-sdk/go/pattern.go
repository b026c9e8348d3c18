package hookgate

import "strings"

// matches says whether a pattern means an event. The gateway reads patterns in the same way when it decides which plugin
// gets it.
func matches(pattern string, event Event) bool {
	// Some senders have colons in their types: only a name may stand on the left.
	if from, kind, ok := strings.Cut(pattern, ":"); ok && isName(from) {
		return (from == event.Source || from == event.Provider) && glob(kind, event.Type)
	}
	return glob(pattern, event.Type)
}

// isName says whether a text can be the name of a source or a provider.
func isName(text string) bool {
	for _, c := range text {
		lower, digit := 'a' <= c && c <= 'z', '0' <= c && c <= '9'
		if !lower && !digit && c != '-' && c != '_' {
			return false
		}
	}
	return text != "" && text[0] != '-' && text[0] != '_'
}

// glob says whether a text is what a pattern says, where * stands for any characters.
func glob(pattern, text string) bool {
	start, rest, ok := strings.Cut(pattern, "*")
	if !ok {
		return pattern == text
	}
	text, ok = strings.CutPrefix(text, start)
	if !ok {
		return false
	}
	pieces := strings.Split(rest, "*")
	text, ok = strings.CutSuffix(text, pieces[len(pieces)-1])
	// The first place for each piece is the best one.
	for _, piece := range pieces[:len(pieces)-1] {
		if ok {
			_, text, ok = strings.Cut(text, piece)
		}
	}
	return ok
}
