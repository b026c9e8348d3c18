//! Which handler an event is for. The gateway reads patterns in the same way when it decides which plugin gets it.

use crate::Event;

/// Whether `type-pattern` or `source:type-pattern` means this event.
pub(crate) fn matches(pattern: &str, event: &Event) -> bool {
    match pattern.split_once(':') {
        // Some senders have colons in their types: only a name may stand on the left.
        Some((from, rest)) if is_name(from) => {
            (from == event.source() || from == event.provider()) && glob(rest, event.event_type())
        }
        _ => glob(pattern, event.event_type()),
    }
}

/// Whether a text can be the name of a source or a provider.
fn is_name(text: &str) -> bool {
    let known = |c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    !text.is_empty() && !text.starts_with(['-', '_']) && text.bytes().all(known)
}

/// Whether a text is what a pattern says, where `*` stands for any characters.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(start) else { return false };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(text) = text.strip_suffix(end) else { return false };
    holds_in_order(middle, text)
}

/// Whether the pieces between stars occur in a text one after the other. The first place for each is the best one.
fn holds_in_order(pieces: &str, text: &str) -> bool {
    pieces.split('*').try_fold(text, |text, piece| text.split_once(piece).map(|(_, rest)| rest)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn patterns_mean_what_the_contract_says() {
        let table = [
            ("file.ready", "file.ready", true),
            ("file.ready", "file.ready.now", false),
            ("file.*", "file.upload.completed", true),
            ("file.*", "files.ready", false),
            ("*", "", true),
            ("**", "anything.at/all", true),
            ("*.created", "comment.created", true),
            ("*.created", "comment.created.late", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("ab*ba", "aba", false),
            ("a*é*z", "a-é-z", true),
            ("frameio:file.*", "file.ready", true),
            ("studio:file.*", "file.ready", true),
            ("github:file.*", "file.ready", false),
            ("com.example:order", "com.example:order", true),
            ("Caps:*", "Caps:order", true),
        ];
        for (pattern, event_type, expected) in table {
            let event = testing::event(event_type).source("studio").provider("frameio").build();
            assert_eq!(matches(pattern, &event), expected, "{pattern} on {event_type}");
        }
    }
}
