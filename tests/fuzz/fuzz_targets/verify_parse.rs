//! What our key signed is believed, and read without a panic; with one bit flipped, under another key, or too late, it
//! is not.
//!
//! The input: a byte for the provider, four for the bit, the event's type up to a newline, the body.

#![no_main]

use bytes::Bytes;
use common::{NOW_MS, URL, covers_every_byte, has_timestamp, line, needs_a_body, pick, received};
use hookgate::provider::Unverified;
use libfuzzer_sys::{Corpus, fuzz_target};

const TWO_DAYS_MS: u64 = 2 * 86_400_000;

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some((known, rest)) = pick(data) else { return Corpus::Reject };
    let Some((bit, rest)) = rest.split_first_chunk() else { return Corpus::Reject };
    let bit = u32::from_le_bytes(*bit) as usize;
    let (event_type, body) = line(rest);
    let (event_type, body) = (String::from_utf8_lossy(event_type), Bytes::copy_from_slice(body));
    let provider = &known.provider;
    let signed = provider.sign_as_is(&event_type, body, &known.ours, NOW_MS, Some(URL));
    let verify = |body: Bytes, key, now_ms| {
        provider.verify(received(signed.headers.clone(), body, signed.query.clone()), std::slice::from_ref(key), now_ms)
    };

    let verified = verify(signed.body.clone(), &known.ours, NOW_MS);
    if verified.is_err() && needs_a_body(provider) {
        return Corpus::Reject;
    }
    let verified = verified.unwrap_or_else(|told| panic!("{}: what is signed is refused: {told}", provider.name));
    let _ = provider.handshake(&verified, std::slice::from_ref(&known.ours));
    let events = provider.parse_events(verified).unwrap_or_default();
    if let [event] = events.as_slice() {
        assert_eq!(event.payload, signed.body);
    }
    for event in events {
        let event_type: &str = &event.event_type;
        assert!(!event_type.is_empty() && event_type.len() <= hookgate::event::TYPE_BYTES, "{event_type:?}");
        assert!(!event_type.contains(|c: char| c.is_whitespace() || c.is_control()), "{event_type:?}");
    }

    let told = verify(signed.body.clone(), &known.strangers, NOW_MS).err();
    assert_eq!(told, Some(Unverified::BadSignature), "{} under another key", provider.name);
    if has_timestamp(provider) {
        let told = verify(signed.body.clone(), &known.ours, NOW_MS + TWO_DAYS_MS).err();
        assert_eq!(told, Some(Unverified::StaleTimestamp), "{} two days late", provider.name);
    }
    if !signed.body.is_empty() && covers_every_byte(provider) {
        let mut flipped = signed.body.to_vec();
        let at = (bit / 8) % flipped.len();
        flipped[at] ^= 1 << (bit % 8);
        let told = verify(flipped.into(), &known.ours, NOW_MS).err();
        assert_eq!(told, Some(Unverified::BadSignature), "{} with bit {} of byte {at} flipped", provider.name, bit % 8);
    }
    Corpus::Keep
});
