//! An event in a folder: `event.json` as the API shows it, `payload` to the byte, and `headers`, a line each.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hookgate::event::{Event, EventId, read_rfc3339};
use serde_json::Value;

/// The payload of an event that the API shows; nothing, where it is not kept any more.
pub fn payload(event: &Value) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(payload) = event["payload"].as_str() else { return Ok(None) };
    match event["payload_encoding"].as_str() {
        Some("base64") => Ok(Some(STANDARD.decode(payload).context("its Base64 is damaged")?)),
        _ => Ok(Some(payload.as_bytes().to_vec())),
    }
}

/// What is said of an event that is not what was written.
pub const DAMAGED: &str = "damaged on disk: what is stored is not what was written, and is neither shown nor delivered";

/// Whether an event that the API shows is not what was written.
pub fn is_damaged(event: &Value) -> bool {
    event["damaged"] == true
}

/// Saves an event that the API shows.
pub fn save(event: &Value, folder: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(!is_damaged(event), DAMAGED);
    let payload = payload(event)?.context("its payload is not kept any more")?;
    has_nothing_else(event, folder)?;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("cannot make {}", folder.display()))?;
    let header = |header: &Value| {
        format!("{}: {}\n", header["name"].as_str().unwrap_or_default(), header["value"].as_str().unwrap_or_default())
    };
    let headers: String = event["headers"].as_array().into_iter().flatten().map(header).collect();
    write(folder, "event.json", serde_json::to_string_pretty(event)?.as_bytes())?;
    write(folder, "payload", &payload)?;
    write(folder, "headers", headers.as_bytes())
}

/// Refuses a folder in which there is anything but the same event: whoever tries it is to know what was tried.
fn has_nothing_else(event: &Value, folder: &Path) -> anyhow::Result<()> {
    let is_empty = std::fs::read_dir(folder).map(|mut files| files.next().is_none()).unwrap_or(true);
    if is_empty {
        return Ok(());
    }
    let there = std::fs::read(folder.join("event.json")).ok();
    let there = there.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    match there.as_ref().and_then(|there| there["id"].as_str()) {
        Some(id) if event["id"] == id => Ok(()),
        Some(id) => anyhow::bail!("{} has the event {id} in it: take another folder", folder.display()),
        None => anyhow::bail!("{} is not empty: take another folder", folder.display()),
    }
}

/// Payloads are nobody else's business, in a file that was there before, too.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let path = folder.join(name);
    let mine = || Permissions::from_mode(0o600);
    let file = std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&path);
    let written = file.and_then(|mut file| file.set_permissions(mine()).and_then(|()| file.write_all(bytes)));
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Reads an event that was saved.
pub fn read(folder: &Path) -> anyhow::Result<Event> {
    let whole = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let event: Value = serde_json::from_slice(&whole("event.json")?).context("event.json is no JSON")?;
    let text = |field: &str| event[field].as_str().with_context(|| format!("event.json has no {field}"));
    let attributes = event["attributes"].as_object().into_iter().flatten();
    Ok(Event {
        id: text("id")?.parse::<EventId>()?,
        source: text("source")?.into(),
        provider: text("provider")?.into(),
        event_type: text("type")?.into(),
        received_at_ms: read_rfc3339(text("received_at")?).context("received_at is no time")?,
        received: None,
        attributes: attributes
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect(),
        trace: None,
        payload: Bytes::from(whole("payload")?),
    })
}
