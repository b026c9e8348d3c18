//! What it costs to verify a request, by provider, beside SHA-256 of the same bytes.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use hookgate::event::wall_ms;
use hookgate::provider::{Key, Provider, Received, Signed, catalogue};
use hookgate::secret::Secret;
use hookgate_tests::sns;
use sha2::{Digest, Sha256};

use super::Setting;
use super::report::{Report, median};

/// How large a body is.
const BODY_BYTES: usize = 2048;

const URL: &str = "https://hooks.example.com/hooks/s";

/// Measures each provider of the catalogue.
pub fn measure(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let columns = ["provider", "verify, µs", "SHA-256 of the body, µs", "ratio"];
    report.table("To verify a request of 2 KiB", &columns);
    for provider in catalogue::all() {
        let (mut verifying, mut hashing) = (Vec::new(), Vec::new());
        let key = key(&provider)?;
        let signed = signed(&provider, &key)?;
        let keys = [key];
        let at_ms = wall_ms();
        let requests = || (0..256).map(|_| received(&signed, at_ms)).collect::<Vec<_>>();
        provider
            .verify(received(&signed, at_ms), &keys, at_ms)
            .with_context(|| format!("{} is refused", provider.name))?;
        // The same memory for what comes out, each time: what it costs to get fresh pages is not what it costs to verify.
        let mut done = Vec::with_capacity(256);
        for _ in 0..setting.rounds {
            let (mut verified, mut hashed, mut many) = (Duration::ZERO, Duration::ZERO, 0u32);
            // In turn, so that both meet the same machine.
            while verified + hashed < setting.time / 10 {
                let requests = requests();
                many += requests.len() as u32;
                done.clear();
                let begun = Instant::now();
                for request in requests {
                    done.push(black_box(provider.verify(request, &keys, at_ms)));
                }
                verified += begun.elapsed();
                let begun = Instant::now();
                for _ in 0..256 {
                    black_box(Sha256::digest(black_box(&signed.body)));
                }
                hashed += begun.elapsed();
            }
            verifying.push(verified.as_secs_f64() * 1e6 / f64::from(many));
            hashing.push(hashed.as_secs_f64() * 1e6 / f64::from(many));
        }
        let (verify, hash) = (median(verifying), median(hashing));
        let row =
            [provider.name.to_string(), format!("{verify:.2}"), format!("{hash:.2}"), format!("{:.2}", verify / hash)];
        report.row(&row);
    }
    Ok(())
}

fn key(provider: &Provider) -> anyhow::Result<Key> {
    match &*provider.name {
        "aws-sns" => Ok(provider.key(&Secret::new(sns::KEY))?),
        _ => Ok(provider.fresh_key()?),
    }
}

/// A sample of the provider's, made as large as it has to be.
fn signed(provider: &Provider, key: &Key) -> anyhow::Result<Signed> {
    let event_type = provider.sample_types().next().context("there is no sample")?;
    let sample = provider.sample(event_type, 0).context("there is no sample")?;
    let text = String::from_utf8_lossy(&sample).into_owned();
    let missing = BODY_BYTES.saturating_sub(text.len() + 16);
    let body = match text.strip_suffix('}') {
        Some(open) => format!("{open},\"filler\":\"{}\"}}", "x".repeat(missing)),
        None => format!("{text}&filler={}", "x".repeat(missing)),
    };
    Ok(provider.sign(event_type, Bytes::from(body), key, wall_ms(), Some(URL))?)
}

fn received(signed: &Signed, at_ms: u64) -> Received {
    let received = Received::new("s".into(), signed.headers.clone(), signed.body.clone(), at_ms);
    Received { url: Some(URL.into()), query: signed.query.clone(), ..received }
}
