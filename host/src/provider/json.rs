//! JSON of strangers: read within bounds, and cut without touching what is not cut.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// How deep a body may nest.
const DEPTH: usize = 64;

/// Reads a body, where it is JSON that nests no deeper than it may.
///
/// Half of a surrogate pair (`\ud83d`) is JSON by its grammar (RFC 8259, section 8.2), and what is left of an emoji that was cut in two. It is
/// read as U+FFFD; the body stays as it is.
pub(super) fn parse(body: &[u8]) -> Option<Value> {
    if is_deep(body) {
        return None;
    }
    let parsed = serde_json::from_slice(body).ok();
    parsed.or_else(|| serde_json::from_str(&without_half_pairs(std::str::from_utf8(body).ok()?)?).ok())
}

/// The same text with U+FFFD for each escape that is half of a surrogate pair; nothing, where there is none.
fn without_half_pairs(text: &str) -> Option<String> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u32::from_str_radix(digits, 16).ok().filter(|_| digits.bytes().all(|c| c.is_ascii_hexdigit()))
    };
    let (mut mended, mut at, mut found) = (String::with_capacity(text.len()), 0, false);
    while let Some(next) = text[at..].find('\\').map(|next| at + next) {
        mended.push_str(&text[at..next]);
        let is_pair = matches!(unit(next), Some(0xd800..=0xdbff)) && matches!(unit(next + 6), Some(0xdc00..=0xdfff));
        let length = match unit(next) {
            _ if is_pair => 12,
            Some(0xd800..=0xdfff) => {
                found = true;
                mended.push_str("\\ufffd");
                at = next + 6;
                continue;
            }
            // The backslash and what it escapes, whatever that is.
            _ => 1 + text[next + 1..].chars().next().map_or(0, char::len_utf8),
        };
        mended.push_str(&text[next..next + length]);
        at = next + length;
    }
    mended.push_str(&text[at..]);
    found.then_some(mended)
}

/// Whether brackets outside of texts nest too deep, whatever else the body is.
pub(super) fn is_deep(body: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH {
            return true;
        }
    }
    false
}

/// Where several things stand in one body: a pointer in which `*` is each element of an array.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Path(Vec<String>);

impl FromStr for Path {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Path, &'static str> {
        let steps = text.strip_prefix('/').ok_or("must be a pointer, as in \"/entry/*\"")?;
        let steps: Vec<String> = steps.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
        if steps.iter().any(|step| step == "*") { Ok(Path(steps)) } else { Err("has no *: which array is it?") }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.0.join("/"))
    }
}

/// One body for each thing that these paths lead to: the same JSON, with one element in each array that a `*` stands for. Values are as
/// they were, to the byte. Nothing, where there are more than `most`, or where they would be larger together than `bytes`.
pub(super) fn split(body: &str, paths: &[Path], most: usize, bytes: usize) -> Option<Vec<String>> {
    let mut found = Vec::new();
    for path in paths {
        found.extend(cuts(body, &path.0, most, bytes)?);
    }
    let fits = found.len() <= most && found.iter().map(String::len).sum::<usize>() <= bytes;
    fits.then_some(found)
}

/// What it will be is reckoned before it is made, at each step.
fn cuts(raw: &str, path: &[String], most: usize, bytes: usize) -> Option<Vec<String>> {
    let fits = |cuts: &[String], more: usize| {
        let whole = cuts.iter().map(String::len).sum::<usize>().saturating_add(cuts.len().saturating_mul(more));
        cuts.len() <= most && whole <= bytes
    };
    let Some((step, rest)) = path.split_first() else { return Some(vec![raw.to_owned()]) };
    if step == "*" {
        let items: Vec<&RawValue> = serde_json::from_str(raw).unwrap_or_default();
        let mut all = Vec::new();
        for item in items {
            all.extend(cuts(item.get(), rest, most, bytes)?);
            if !fits(&all, 2) {
                return None;
            }
        }
        return Some(all.iter().map(|cut| format!("[{cut}]")).collect());
    }
    let Ok(Fields(fields)) = serde_json::from_str(raw) else { return Some(Vec::new()) };
    // The last of a name, as everywhere else.
    let Some(at) = fields.iter().rposition(|(name, _)| name == step) else { return Some(Vec::new()) };
    let inner = cuts(fields[at].1.get(), rest, most, bytes)?;
    let around: usize = fields.iter().map(|(name, value)| name.len() + value.get().len() + 4).sum();
    let around = around - fields[at].1.get().len();
    fits(&inner, around).then(|| inner.iter().map(|cut| with(&fields, at, cut)).collect())
}

/// Whether an object in it has a name twice, so that two readers may see two things.
pub(super) fn is_ambiguous(text: &str) -> bool {
    if let Ok(Fields(fields)) = serde_json::from_str(text) {
        let names: HashSet<&str> = fields.iter().map(|(name, _)| &**name).collect();
        return names.len() < fields.len() || fields.iter().any(|(_, value)| is_ambiguous(value.get()));
    }
    let items: Vec<&RawValue> = serde_json::from_str(text).unwrap_or_default();
    items.iter().any(|item| is_ambiguous(item.get()))
}

/// A body with another text in the place of the value that a pointer leads to, where it leads to one.
pub(super) fn replace(body: &str, pointer: &str, value: &str) -> Option<String> {
    let Some(rest) = pointer.strip_prefix('/') else { return pointer.is_empty().then(|| value.to_owned()) };
    let (step, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let step = step.replace("~1", "/").replace("~0", "~");
    let Fields(fields) = serde_json::from_str(body).ok()?;
    let at = fields.iter().position(|(name, _)| *name == step)?;
    Some(with(&fields, at, &replace(fields[at].1.get(), rest, value)?))
}

/// An object with another text in the place of one value.
fn with(fields: &[(Cow<str>, &RawValue)], at: usize, value: &str) -> String {
    let field = |(n, (name, old)): (usize, &(Cow<str>, &RawValue))| {
        let value = if n == at { value } else { old.get() };
        format!("{}:{value}", Value::from(&**name))
    };
    let fields: Vec<String> = fields.iter().enumerate().map(field).collect();
    format!("{{{}}}", fields.join(","))
}

/// The fields of an object in their order, with their values as they stand.
pub(super) struct Fields<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    fields.push((Cow::Owned(name), value));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(texts: &[&str]) -> Vec<Path> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn each_thing_is_a_body_of_its_own_and_its_values_are_untouched() {
        let body = r#"{"object":"page","n":1.10,"entry":[{"id":"1","changes":[{"v":1e2},{"v":2}]},{"id":"2","messaging":[{"m":"\u00e9"}]},{"id":"3"}]}"#;
        let cut = split(body, &paths(&["/entry/*/changes/*", "/entry/*/messaging/*"]), 10, 10_000).unwrap();
        assert_eq!(
            cut,
            [
                r#"{"object":"page","n":1.10,"entry":[{"id":"1","changes":[{"v":1e2}]}]}"#,
                r#"{"object":"page","n":1.10,"entry":[{"id":"1","changes":[{"v":2}]}]}"#,
                r#"{"object":"page","n":1.10,"entry":[{"id":"2","messaging":[{"m":"\u00e9"}]}]}"#,
            ]
        );
        assert_eq!(split(body, &paths(&["/none/*"]), 10, 10_000), Some(Vec::new()));
        assert_eq!(split("[1]", &paths(&["/none/*"]), 10, 10_000), Some(Vec::new()));
        assert_eq!(split(body, &paths(&["/entry/*/changes/*"]), 1, 10_000), None);
        assert_eq!(split(body, &paths(&["/entry/*/changes/*"]), 10, 100), None);
    }

    #[test]
    fn a_value_is_replaced_and_nothing_else() {
        let body = r#"{"a": {"b":"old", "c":1.0}, "x/y":[ ]}"#;
        assert_eq!(replace(body, "/a/b", "7").unwrap(), r#"{"a":{"b":7,"c":1.0},"x/y":[ ]}"#);
        assert_eq!(replace(body, "/x~1y", "{}").unwrap(), r#"{"a":{"b":"old", "c":1.0},"x/y":{}}"#);
        for none in ["/none", "/a/none", "/a/b/c"] {
            assert_eq!(replace(body, none, "7"), None, "{none}");
        }
    }

    #[test]
    fn what_nests_too_deep_is_not_read() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(64).as_bytes()).is_some());
        assert!(parse(nested(65).as_bytes()).is_none());
        assert!(parse(nested(1_000_000).as_bytes()).is_none());
        // Brackets in texts nest nothing.
        assert!(parse(format!("[\"\\\"{}\"]", "[".repeat(1000)).as_bytes()).is_some());
    }

    #[test]
    fn a_small_body_does_not_become_a_large_one() {
        let body = format!(
            r#"{{"filler":"{}","entry":[{{"changes":[{}]}}]}}"#,
            "x".repeat(100_000),
            vec!["{}"; 900].join(",")
        );
        assert_eq!(split(&body, &paths(&["/entry/*/changes/*"]), 1000, 16 << 20), None);
        let body = format!(r#"{{"entry":[{}]}}"#, vec![r#"{"changes":[{},{}]}"#; 500].join(","));
        assert_eq!(split(&body, &paths(&["/entry/*/changes/*"]), 1000, 16 << 20).unwrap().len(), 1000);
        assert_eq!(split(&body, &paths(&["/entry/*/changes/*"]), 999, 16 << 20), None);
    }

    #[test]
    fn a_name_that_stands_twice_is_noticed() {
        for (text, expected) in [
            (r#"{"a":1,"b":{"a":2}}"#, false),
            (r#"{"a":1,"\u0061":2}"#, true),
            (r#"[{"x":{"y":1,"y":1}}]"#, true),
            ("7", false),
            ("not json", false),
        ] {
            assert_eq!(is_ambiguous(text), expected, "{text}");
        }
    }

    #[test]
    fn half_an_emoji_is_read() {
        let read = |text: &str| parse(text.as_bytes());
        for (text, expected) in [
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""\udE00x""#, "\u{fffd}x"),
            (r#""\ud83d\ude00\ud83d""#, "\u{1f600}\u{fffd}"),
            (r#""\\ud83d\ud83d\n""#, "\\ud83d\u{fffd}\n"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
        ] {
            assert_eq!(read(text), Some(Value::from(expected)), "{text}");
        }
        for none in [r#""\ud83""#, r#""\ud83d"#, r#""\u+83d""#, "\"\\", "\\ud83d"] {
            assert_eq!(read(none), None, "{none}");
        }
    }

    #[test]
    fn a_path_that_leads_to_one_thing_is_none() {
        assert!("/entry".parse::<Path>().is_err());
        assert!("entry/*".parse::<Path>().is_err());
        assert_eq!("/a~1b/*".parse::<Path>().unwrap().0, ["a/b", "*"]);
    }
}

/// JSONTestSuite against what the gateway reads JSON with: what it takes, what it refuses, and what it does where the
/// standard leaves it open.
///
/// A provider that promises JSON is refused what is no JSON, so these verdicts decide which deliveries get in. A new
/// version of the parser that changes one of them is seen here, not by a sender.
#[cfg(test)]
mod suite {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD as BASE64;

    use super::parse;

    /// The cases, each with its bytes.
    const SUITE: &str = include_str!("json-verdicts.txt");

    /// The cases that may be accepted or rejected, and which it is.
    const EITHER: &[(&str, Verdict)] = &[
        ("i_number_double_huge_neg_exp", Accept),
        ("i_number_huge_exp", Reject),
        ("i_number_neg_int_huge_exp", Reject),
        ("i_number_pos_double_huge_exp", Reject),
        ("i_number_real_neg_overflow", Reject),
        ("i_number_real_pos_overflow", Reject),
        ("i_number_real_underflow", Accept),
        ("i_number_too_big_neg_int", Accept),
        ("i_number_too_big_pos_int", Accept),
        ("i_number_very_big_negative_int", Accept),
        ("i_object_key_lone_2nd_surrogate", Accept),
        ("i_string_1st_surrogate_but_2nd_missing", Accept),
        ("i_string_1st_valid_surrogate_2nd_invalid", Accept),
        ("i_string_UTF-16LE_with_BOM", Reject),
        ("i_string_UTF-8_invalid_sequence", Reject),
        ("i_string_UTF8_surrogate_U+D800", Reject),
        ("i_string_incomplete_surrogate_and_escape_valid", Accept),
        ("i_string_incomplete_surrogate_pair", Accept),
        ("i_string_incomplete_surrogates_escape_valid", Accept),
        ("i_string_invalid_lonely_surrogate", Accept),
        ("i_string_invalid_surrogate", Accept),
        ("i_string_invalid_utf-8", Reject),
        ("i_string_inverted_surrogates_U+1D11E", Accept),
        ("i_string_iso_latin_1", Reject),
        ("i_string_lone_second_surrogate", Accept),
        ("i_string_lone_utf8_continuation_byte", Reject),
        ("i_string_not_in_unicode_range", Reject),
        ("i_string_overlong_sequence_2_bytes", Reject),
        ("i_string_overlong_sequence_6_bytes", Reject),
        ("i_string_overlong_sequence_6_bytes_null", Reject),
        ("i_string_truncated-utf-8", Reject),
        ("i_string_utf16BE_no_BOM", Reject),
        ("i_string_utf16LE_no_BOM", Reject),
        ("i_structure_500_nested_arrays", Reject),
        ("i_structure_UTF-8_BOM_empty_object", Reject),
    ];

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Verdict {
        Accept,
        Reject,
    }
    use Verdict::{Accept, Reject};

    struct Case {
        name: &'static str,
        /// `y`, `n` or `i`.
        expected: &'static str,
        bytes: Vec<u8>,
    }

    impl Case {
        fn read(line: &'static str) -> Case {
            match line.split(' ').collect::<Vec<_>>()[..] {
                [name, expected, "repeat", times, unit, tail] => {
                    let bytes = [decoded(unit).repeat(times.parse().unwrap()), decoded(tail)].concat();
                    Case { name, expected, bytes }
                }
                [name, expected, bytes] => Case { name, expected, bytes: decoded(bytes) },
                _ => panic!("not a case: {line}"),
            }
        }

        fn verdict(&self) -> Verdict {
            if parse(&self.bytes).is_some() { Accept } else { Reject }
        }
    }

    fn decoded(text: &str) -> Vec<u8> {
        if text == "-" { Vec::new() } else { BASE64.decode(text).unwrap() }
    }

    fn cases(expected: &'static str) -> impl Iterator<Item = Case> {
        let lines = SUITE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(Case::read).filter(move |case| case.expected == expected)
    }

    /// The names of those that are judged like this.
    fn judged(expected: &'static str, verdict: Verdict) -> Vec<&'static str> {
        cases(expected).filter(|case| case.verdict() == verdict).map(|case| case.name).collect()
    }

    #[test]
    fn the_suite_is_whole() {
        assert_eq!(["y", "n", "i"].map(|letter| cases(letter).count()), [95, 188, 35]);
        let length = |name: &str| cases("n").find(|case| case.name == name).unwrap().bytes.len();
        assert_eq!(length("n_structure_100000_opening_arrays"), 100_000);
        assert_eq!(length("n_structure_open_array_object"), 250_001);
        assert_eq!(length("n_structure_no_data"), 0);
    }

    #[test]
    fn all_that_is_json_is_taken() {
        assert_eq!(judged("y", Reject), [""; 0]);
    }

    #[test]
    fn nothing_that_is_no_json_is_taken() {
        assert_eq!(judged("n", Accept), [""; 0]);
    }

    #[test]
    fn what_the_standard_leaves_open_stays_as_it_is() {
        let found: Vec<(&str, Verdict)> = cases("i").map(|case| (case.name, case.verdict())).collect();
        assert_eq!(found, EITHER);
    }
}
