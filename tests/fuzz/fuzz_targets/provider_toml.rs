//! Any text is a provider's description or a list of what is wrong with it; and what is a description can be shown, can
//! sign, verify and read. Nothing of it panics.

#![no_main]

use bytes::Bytes;
use common::{NOW_MS, URL, received};
use hookgate::provider::Provider;
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(data) else { return Corpus::Reject };
    match Provider::parse("x", text) {
        Ok(provider) => use_it(&provider),
        Err(mistakes) => assert!(!mistakes.is_empty(), "refused without a word"),
    }
    Corpus::Keep
});

fn use_it(provider: &Provider) {
    let _ = (provider.describe(), provider.signs_url());
    let Ok(key) = provider.fresh_key() else { return };
    let types: Vec<&str> = provider.sample_types().take(4).collect();
    let samples = types.iter().filter_map(|name| Some((*name, provider.sample(name, 1)?)));
    let any = ("a.b", Bytes::from_static(br#"{"type":"a.b","id":"1","data":{"n":[1,2.5,null]}}"#));
    for (event_type, body) in samples.chain([any]) {
        let _ = provider.sign(event_type, body.clone(), &key, NOW_MS, Some(URL));
        let signed = provider.sign_as_is(event_type, body, &key, NOW_MS, Some(URL));
        // Not always verified: a description may put two things into one header.
        if let Ok(verified) = provider.verify(received(signed.headers, signed.body, signed.query), std::slice::from_ref(&key), NOW_MS)
        {
            let _ = provider.handshake(&verified, std::slice::from_ref(&key));
            let _ = provider.parse_events(verified);
        }
    }
}
