//! Finds a value in the text of a body, and reads no more of it than leads there: what verifying needs of JSON.
//!
//! The text is walked from its end, so that the last of a name comes first, which is the one that counts ([`json::parse`]); most senders
//! write the time last, too. Nothing is built, nothing calls itself, and all that the way does not lead through is skipped.
//!
//! Of a text that is JSON exactly that is found which `json::parse` reads. From its end a text is taken apart as surely as from its
//! beginning: a quote is part of a text where an odd number of backslashes stands before it, and brackets that are in no text are in pairs.
//! Behind a name of `serde_json`'s own it reads a text as JSON once more; such a text is not gone into, and nothing is found there. Of a
//! text that is no JSON anything may be found. So whoever uses what was found goes on with nothing but what `json::parse` reads of the whole.

use std::borrow::Cow;

use memchr::{memchr, memrchr};
use serde_json::Value;
use smallvec::SmallVec;

use super::json;

/// Which one counts where a name stands several times in an object that is gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// The last, as everywhere.
    Last,
    /// None, whichever name it is: in what two readers could read differently, nothing is found.
    Only,
}

/// The text of the value that a pointer (RFC 6901) leads to.
pub(super) fn find<'a>(text: &'a [u8], pointer: &str, which: Which) -> Option<&'a [u8]> {
    let mut value = text.trim_ascii();
    if pointer.is_empty() {
        return Some(value);
    }
    for step in pointer.strip_prefix('/')?.split('/') {
        let step = match step.find('~') {
            None => Cow::Borrowed(step),
            Some(_) => Cow::Owned(step.replace("~1", "/").replace("~0", "~")),
        };
        value = Members::of(value)?.find(&step, which)?;
    }
    Some(value)
}

/// A text or a number as a word, as it would be if the value had been read.
pub(super) fn word(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    match value {
        [b'"', text @ .., b'"'] if memchr(b'\\', text).is_none() => Some(Cow::Borrowed(text)),
        // Of so few digits, it is written as it would be.
        [b'1'..=b'9', rest @ ..] if rest.len() < 19 && rest.iter().all(u8::is_ascii_digit) => {
            Some(Cow::Borrowed(value))
        }
        [b'{' | b'[', ..] => None,
        _ => match json::parse(value)? {
            Value::String(text) => Some(Cow::Owned(text.into_bytes())),
            Value::Number(number) => Some(Cow::Owned(number.to_string().into_bytes())),
            _ => None,
        },
    }
}

/// What is in an object or an array, from the last to the first.
struct Members<'a> {
    /// What is still to be walked, the bracket before it included; nothing, where the walk is over.
    rest: &'a [u8],
    is_object: bool,
}

/// A member's name, with its quotes, and its value. The name is empty in an array.
type Member<'a> = (&'a [u8], &'a [u8]);

impl<'a> Members<'a> {
    fn of(value: &'a [u8]) -> Option<Members<'a>> {
        let is_object = match value {
            [b'{', .., b'}'] => true,
            [b'[', .., b']'] => false,
            _ => return None,
        };
        let rest = value[..value.len() - 1].trim_ascii_end();
        Some(Members { rest: if rest.len() == 1 { &[] } else { rest }, is_object })
    }

    /// The value of a name, or of an index.
    fn find(self, step: &str, which: Which) -> Option<&'a [u8]> {
        if !self.is_object {
            let items: Vec<Member> = self.collect::<Option<_>>()?;
            let is_index = step == "0" || step.starts_with(|first| matches!(first, '1'..='9'));
            let index: usize = step.parse().ok().filter(|_| is_index)?;
            let from_last = items.len().checked_sub(index)?.checked_sub(1)?;
            return Some(items[from_last].1);
        }
        let (mut found, mut names) = (None, SmallVec::<[_; 8]>::new());
        for member in self {
            let (name, value) = member?;
            let name = word(name)?;
            if *name == *step.as_bytes() {
                found = Some(value);
            }
            if found.is_some() && which == Which::Last {
                return found;
            }
            names.push(name);
        }
        names.sort_unstable();
        found.filter(|_| names.array_windows().all(|[one, next]| one != next))
    }

    /// Takes the last member off; nothing, where no member can be there.
    fn take(&mut self) -> Option<Member<'a>> {
        let (before, value) = self.rest.split_at(start_of_value(self.rest)?);
        let (before, name) = if self.is_object {
            let before = before.trim_ascii_end().strip_suffix(b":")?.trim_ascii_end();
            before.split_at(start_of_text(before)?)
        } else {
            (before, &[][..])
        };
        self.rest = match before.trim_ascii_end() {
            [b'{' | b'['] => &[],
            [more @ .., b','] => more.trim_ascii_end(),
            _ => return None,
        };
        Some((name, value))
    }
}

impl<'a> Iterator for Members<'a> {
    /// Nothing for what is no member: what stands before it is not walked.
    type Item = Option<Member<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let taken = self.take();
        if taken.is_none() {
            self.rest = &[];
        }
        Some(taken)
    }
}

/// Where the value begins with which a text ends.
fn start_of_value(text: &[u8]) -> Option<usize> {
    match text.last()? {
        b'"' => start_of_text(text),
        b'}' | b']' => start_of_nested(text),
        _ => {
            let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
            let start = text.iter().rposition(|byte| !is_part(byte)).map_or(0, |before| before + 1);
            (start < text.len()).then_some(start)
        }
    }
}

/// The same for a text in quotes.
fn start_of_text(text: &[u8]) -> Option<usize> {
    let mut end = text.len().checked_sub(1).filter(|last| text[*last] == b'"')?;
    loop {
        end = memrchr(b'"', &text[..end])?;
        let backslashes = text[..end].iter().rev().take_while(|byte| **byte == b'\\').count();
        if backslashes.is_multiple_of(2) {
            return Some(end);
        }
    }
}

/// The same for an object or an array. It is gone through without being understood.
fn start_of_nested(text: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (text.len(), 0usize);
    while at > 0 {
        at -= 1;
        match text[at] {
            b'"' => at = start_of_text(&text[..=at])?,
            b'}' | b']' => depth += 1,
            b'{' | b'[' if depth == 1 => return Some(at),
            b'{' | b'[' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use proptest::sample::select;
    use serde_json::value::RawValue;

    use super::super::json::Fields;
    use super::*;

    /// Texts in quotes that look like names, brackets and ends of texts; few, so that names are met several times and nested.
    const TEXTS: &[&str] = &[
        r#""a""#,
        r#""\u0061""#,
        r#""b""#,
        r#""a/b""#,
        r#""a\/b""#,
        r#""~""#,
        r#""""#,
        r#""0""#,
        r#""\"a\":1,""#,
        r#""}{][""#,
        r#""\\""#,
        r#""\\\"""#,
        r#""a\\""#,
        "\"\u{e9}\u{1f600}\"",
    ];
    const CUT_EMOJI: &str = r#""\ud83d\ude00 \ud83d""#;
    const OTHERS: &[&str] = &[
        "0",
        "-0",
        "7",
        "1700000000000",
        "9999999999999999999",
        "18446744073709551616",
        "1.50",
        "-1e2",
        "1E400",
        "true",
        "null",
    ];
    const STEPS: &[&str] =
        &["a", "b", "a~1b", "~0", "", "0", "1", "01", "+1", "18446744073709551615", "\"a\":1,", "\\"];

    fn space() -> impl Strategy<Value = &'static str> + Clone {
        select(&["", "", "", " ", "\n\t", "\r "])
    }

    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![4 => select(TEXTS), 4 => select(OTHERS), 1 => Just(CUT_EMOJI)].prop_map(str::to_owned);
        let nested = leaf.prop_recursive(4, 40, 6, |inner| {
            let item = (inner, space()).prop_map(|(value, space)| format!("{space}{value}{space}")).boxed();
            let member = (select(TEXTS), space(), item.clone());
            let member = member.prop_map(|(name, space, value)| format!("{space}{name}{space}:{value}"));
            let list = |items: Vec<String>, space, open, close| match items.as_slice() {
                [] => format!("{open}{space}{close}"),
                _ => format!("{open}{}{close}", items.join(",")),
            };
            prop_oneof![
                (prop::collection::vec(item, 0..4), space())
                    .prop_map(move |(items, space)| list(items, space, '[', ']')),
                (prop::collection::vec(member, 0..6), space()).prop_map(move |(all, space)| list(all, space, '{', '}')),
            ]
        });
        (space(), nested).prop_map(|(space, value)| format!("{space}{value}{space}"))
    }

    fn pointer() -> impl Strategy<Value = String> {
        prop::collection::vec(select(STEPS), 0..4)
            .prop_map(|steps| steps.iter().map(|step| format!("/{step}")).collect())
    }

    fn sought(text: &str, pointer: &str, which: Which) -> Option<String> {
        word(find(text.as_bytes(), pointer, which)?).map(|word| String::from_utf8(word.into_owned()).unwrap())
    }

    /// The same of what was read whole.
    fn read(text: &str, pointer: &str) -> Option<String> {
        match json::parse(text.as_bytes())?.pointer(pointer)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Whether a name stands twice in an object on the way, by walking from the beginning with the whole reader.
    fn is_twice(text: &str, pointer: &str) -> bool {
        let Some(rest) = pointer.strip_prefix('/') else { return false };
        let (step, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let name = step.replace("~1", "/").replace("~0", "~");
        if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text) {
            let item = name.parse().ok().and_then(|index: usize| items.get(index));
            return item.is_some_and(|item| is_twice(item.get(), rest));
        }
        let Ok(Fields(fields)) = serde_json::from_str(text) else { return false };
        let names: HashSet<&str> = fields.iter().map(|(known, _)| &**known).collect();
        let last = fields.iter().rfind(|(known, _)| *known == name);
        names.len() < fields.len() || last.is_some_and(|(_, value)| is_twice(value.get(), rest))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_found_is_what_is_read(text in json(), pointer in pointer()) {
            // Of what is no JSON after all (a number is too large), anything may be found.
            if json::parse(text.as_bytes()).is_none() {
                return Ok(());
            }
            prop_assert_eq!(sought(&text, &pointer, Which::Last), read(&text, &pointer), "{} in {}", pointer, text);
            let only = if is_twice(&text, &pointer) { None } else { read(&text, &pointer) };
            prop_assert_eq!(sought(&text, &pointer, Which::Only), only, "the only {} in {}", pointer, text);
        }

        #[test]
        fn no_text_panics(text in "[a\"\\\\{}\\[\\]:, 0-9u]{0,60}|\\PC{0,60}", pointer in pointer()) {
            for which in [Which::Last, Which::Only] {
                let _ = find(text.as_bytes(), &pointer, which).map(word);
            }
        }
    }
}
