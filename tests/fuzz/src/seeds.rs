//! Writes what fuzzing starts from, into SEEDS/TARGET/..., from the catalogue and its samples. No target, but built as
//! one: what is instrumented links with nothing but libFuzzer. It does its work before the first run.

#![no_main]

use std::io;
use std::path::{Path, PathBuf};

use common::KNOWN;
use hookgate::provider::catalogue;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: write().expect("the seeds cannot be written"), |_data: &[u8]| {});

fn write() -> io::Result<()> {
    let root = PathBuf::from(std::env::var_os("SEEDS").unwrap_or_else(|| "seeds".into()));
    for name in catalogue::names() {
        put(&root, "provider_toml", name, catalogue::text(name).unwrap_or_default().as_bytes())?;
    }
    for (n, known) in KNOWN.iter().enumerate() {
        let provider = &known.provider;
        for (nth, event_type) in provider.sample_types().enumerate() {
            let body = provider.sample(event_type, 0).unwrap_or_default();
            let name = format!("{}-{nth}", provider.name);
            let first = [n as u8];
            let signed: [&[u8]; 5] = [&first, &[0, 0, 0, 1], event_type.as_bytes(), b"\n", &body];
            put(&root, "verify_parse", &name, &signed.concat())?;
            // As the stranger signed them; one replaced; each twice.
            for (kind, lines) in
                [("kept", "=\n=\n=\n=\n\n"), ("set", ":v0=00\n:1700000000\n\n"), ("twice", "+1\n+1\n\n")]
            {
                let edited: [&[u8]; 3] = [&first, lines.as_bytes(), &body];
                put(&root, "signature_headers", &format!("{name}-{kind}"), &edited.concat())?;
            }
        }
    }
    Ok(())
}

fn put(root: &Path, target: &str, name: &str, data: &[u8]) -> io::Result<()> {
    let folder = root.join(target);
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join(name), data)
}
