//! Whatever the headers say, a request that our key did not sign is not believed.
//!
//! The input: a byte for the provider; a line for each header that the provider's scheme has, in the order of their
//! names (`=` keeps what a stranger's key made, `-` takes it off, `+text` puts it there twice, `:text` or anything else
//! sets it); an empty line; the body.

#![no_main]

use bytes::Bytes;
use common::{NOW_MS, URL, line, pick, received};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some((known, mut rest)) = pick(data) else { return Corpus::Reject };
    let mut edits = Vec::new();
    loop {
        let (edit, after) = line(rest);
        if edit.is_empty() {
            break;
        }
        edits.push(edit);
        rest = after;
    }
    let body = Bytes::copy_from_slice(rest.strip_prefix(b"\n").unwrap_or(rest));
    let signed = known.provider.sign_as_is("a.b", body, &known.strangers, NOW_MS, Some(URL));
    let mut names: Vec<HeaderName> = signed.headers.keys().cloned().collect();
    names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    let mut headers = signed.headers;
    for (name, edit) in names.iter().zip(&edits) {
        apply(&mut headers, name, edit);
    }
    let told = known.provider.verify(received(headers, signed.body, signed.query), std::slice::from_ref(&known.ours), NOW_MS);
    assert!(told.is_err(), "{} believes what its key did not sign", known.provider.name);
    Corpus::Keep
});

fn apply(headers: &mut HeaderMap, name: &HeaderName, edit: &[u8]) {
    let value = |text: &[u8]| HeaderValue::from_bytes(text).ok();
    match edit {
        b"=" => {}
        b"-" => {
            headers.remove(name);
        }
        [b'+', text @ ..] => {
            if let Some(value) = value(text) {
                headers.append(name, value);
            }
        }
        [b':', text @ ..] | text => {
            if let Some(value) = value(text) {
                headers.insert(name, value);
            }
        }
    }
}
