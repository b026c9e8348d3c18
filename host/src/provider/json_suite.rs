//! JSONTestSuite against what the gateway reads JSON with: what it takes, what it refuses, and what it does where the
//! standard leaves it open.
//!
//! A provider that promises JSON is refused what is no JSON, so these verdicts decide which deliveries get in. A new
//! version of the parser that changes one of them is seen here, not by a sender.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::json;

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
        if json::parse(&self.bytes).is_some() { Accept } else { Reject }
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
