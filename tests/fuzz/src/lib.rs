//! What the targets share.

use std::sync::LazyLock;

use bytes::Bytes;
use hookgate::provider::{Key, Provider, Received, catalogue};
use http::HeaderMap;

/// What the clock says in every run.
pub const NOW_MS: u64 = 1_700_000_000_000;

/// The address that is posted to, for providers who sign it.
pub const URL: &str = "https://gate.example/in/fuzz";

/// A provider with a key that is the source's, and one that is a stranger's.
pub struct Known {
    pub provider: Provider,
    pub ours: Key,
    pub strangers: Key,
}

/// Every provider of the catalogue. That of Amazon SNS has no stranger here: RSA keys cannot be made on the way.
pub static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let known = catalogue::all().filter(|provider| &*provider.name != "aws-sns").map(|provider| {
        let (ours, strangers) = (provider.fresh_key().expect("a key"), provider.fresh_key().expect("a key"));
        assert!(ours.can_sign() && strangers.can_sign(), "{}", provider.name);
        Known { provider, ours, strangers }
    });
    known.collect()
});

/// A request, with what stands behind the `?`.
pub fn received(headers: HeaderMap, body: Bytes, query: Option<String>) -> Received {
    Received { url: Some(URL.into()), query, ..Received::new("fuzz".into(), headers, body, NOW_MS) }
}

/// Whether every byte of the body is under the signature: not where fields of a form or a token are, or the secret itself is sent.
pub fn covers_every_byte(provider: &Provider) -> bool {
    !matches!(&*provider.name, "mailgun" | "gitlab" | "twilio")
}

/// Whether not every body can be signed: something of the signature stands in it, or it has to be text.
pub fn needs_a_body(provider: &Provider) -> bool {
    matches!(&*provider.name, "mailgun" | "linear" | "twilio")
}

/// Whether a request is refused when it is old. Of GitLab's two ways to sign, the keys here are for the one without a time.
pub fn has_timestamp(provider: &Provider) -> bool {
    &*provider.name != "gitlab" && provider.describe().iter().any(|(name, _)| name.starts_with("timestamp"))
}

/// Takes the first byte, which says which provider it is.
pub fn pick(data: &[u8]) -> Option<(&'static Known, &[u8])> {
    let (first, rest) = data.split_first()?;
    Some((&KNOWN[usize::from(*first) % KNOWN.len()], rest))
}

/// Splits at the first newline.
pub fn line(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &[]),
    }
}
