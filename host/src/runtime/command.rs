//! Plugins that are programs with a `main`: an argument says what is asked, JSON comes in, an exit code goes out.
//!
//! With it every language that can build a WASI program can be a plugin's. `docs/plugin-contract.md` has the contract.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde::{Deserialize, Serialize};
use wasmtime::Store;
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;

use super::bindings::exports::hookgate::plugin::handler::{Ask, Manifest as Described};
use super::call::{DESCRIBE, Seen, described, shortened, trapped};
use super::guest::Guest;
use super::lines::{Complaints, OnLine, Program, take_lines};
use super::load::{Command, Refused};
use super::powers::Draft;
use super::{CallLimits, Called, Plugin, Runtime};
use crate::attempt::Outcome;
use crate::effects::Effects;
use crate::event::Event;

/// The most that `describe` may print, in bytes.
const DESCRIBED_BYTES: usize = 1 << 20;

/// The exit code that says that trying again is of no use: EX_DATAERR of sysexits(3).
const REJECT: i32 = 65;

/// What a reason begins with that says the same, for those who can only end well or badly.
const REJECTS: &str = "reject:";

/// What a command's `describe` prints.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    name: String,
    version: String,
    subscriptions: Vec<String>,
    #[serde(default)]
    asks: Vec<ManifestAsk>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestAsk {
    what: String,
    name: String,
    #[serde(default)]
    detail: BTreeMap<String, String>,
}

/// What a command's `handle` reads.
#[derive(Serialize)]
struct Given<'a> {
    id: String,
    source: &'a str,
    provider: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
    received_at_ms: u64,
    attempt: u32,
    attributes: BTreeMap<&'a str, &'a str>,
    settings: &'a BTreeMap<String, String>,
    #[serde(flatten)]
    payload: Payload<'a>,
}

#[derive(Serialize)]
enum Payload<'a> {
    /// A body that is text.
    #[serde(rename = "payload")]
    Text(&'a str),
    /// Any other, in Base64 with padding (RFC 4648 section 4).
    #[serde(rename = "payload_base64")]
    Bytes(String),
}

/// How a program ended: its exit code.
type Ended = Option<wasmtime::Result<i32>>;

impl Runtime {
    /// Runs an event through a command.
    pub(super) async fn call_command(
        &self,
        plugin: &Plugin,
        command: &Command,
        event: &Event,
        attempt: u32,
        on_line: OnLine,
    ) -> Called {
        let complaints = Arc::new(Mutex::new(Complaints::default()));
        let input = given(event, attempt, &plugin.powers.settings);
        let program = Program { verb: "handle", input, output: None, complaints: complaints.clone() };
        let place = self.place().await;
        let begun = Instant::now();
        let seen = Seen::default();
        let mut guest = Guest::new(&plugin.limits, plugin.powers.clone(), seen.memory.clone()).running(program);
        guest.begin(plugin.limits.log_bytes, on_line, plugin.draft(event));
        let log = guest.log();
        let ended = self.run_command(command, guest, &plugin.limits, plugin.limits.wall, &seen, place).await;
        let mut complaints = complaints.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = match ended {
            None => Outcome::Overran { limit: "call_ms" },
            Some(Ok(code)) => outcome(code, std::mem::take(&mut *complaints)),
            Some(Err(error)) => trapped(&error, &seen),
        };
        Called { outcome, lines: take_lines(&log), cost: seen.cost(begun), effects: Effects::default(), answer: None }
    }

    /// Asks a command what it is.
    pub(super) async fn describe_command(&self, command: &Command, limits: &CallLimits) -> Result<Described, Refused> {
        let complaints = Arc::new(Mutex::new(Complaints::default()));
        let output = MemoryOutputPipe::new(DESCRIBED_BYTES);
        let (verb, input) = ("describe", Vec::new());
        let program = Program { verb, input, output: Some(output.clone()), complaints: complaints.clone() };
        let seen = Seen::default();
        let mut guest = Guest::new(limits, self.powerless.clone(), seen.memory.clone()).running(program);
        guest.begin(limits.log_bytes, Arc::new(|_| {}), Draft::default());
        let place = self.place().await;
        let ended = self.run_command(command, guest, limits, limits.wall.min(DESCRIBE), &seen, place).await;
        let code = described(ended, &seen)?;
        if code != 0 {
            let complaints = complaints.lock().unwrap_or_else(PoisonError::into_inner);
            let last = complaints.last.as_deref().unwrap_or("it did not say why");
            return Err(Refused::new(format!("its describe ended with {code}: {}", shortened(last))));
        }
        manifest(&output.contents())
    }

    async fn run_command(
        &self,
        command: &Command,
        guest: Guest,
        limits: &CallLimits,
        wall: Duration,
        seen: &Seen,
        place: tokio::sync::OwnedSemaphorePermit,
    ) -> Ended {
        let (store, command) = (self.store(guest, limits, &seen.meter), command.clone());
        let work = async move {
            // Given back after the store, whose slot it stands for.
            let _place = place;
            let mut store = store;
            exit_code(command.run(&mut store).await)
        };
        self.run(work, &seen.meter, wall).await
    }
}

impl Command {
    async fn run(&self, store: &mut Store<Guest>) -> wasmtime::Result<Result<(), ()>> {
        match self {
            Command::Preview1(pre) => {
                let instance = pre.instantiate_async(&mut *store).await?;
                let main = instance.get_typed_func::<(), ()>(&mut *store, "_start")?;
                main.call_async(store, ()).await.map(Ok)
            }
            Command::Preview2(pre) => {
                let command = pre.instantiate_async(&mut *store).await?;
                command.wasi_cli_run().call_run(store).await
            }
        }
    }
}

fn exit_code(ended: wasmtime::Result<Result<(), ()>>) -> wasmtime::Result<i32> {
    match ended {
        Ok(Ok(())) => Ok(0),
        Ok(Err(())) => Ok(1),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(exit) => Ok(exit.0),
            None => Err(error),
        },
    }
}

fn outcome(code: i32, complaints: Complaints) -> Outcome {
    if code == 0 {
        return Outcome::Done;
    }
    let why = complaints.last.map_or_else(|| format!("it ended with {code}"), |last| shortened(&last));
    match why.strip_prefix(REJECTS) {
        Some(why) => Outcome::Reject { why: why.trim_start().to_owned() },
        None if code == REJECT => Outcome::Reject { why },
        None => Outcome::Retry { why, after: complaints.retry_after },
    }
}

fn given(event: &Event, attempt: u32, settings: &BTreeMap<String, String>) -> Vec<u8> {
    let payload = match std::str::from_utf8(&event.payload) {
        Ok(text) => Payload::Text(text),
        Err(_) => Payload::Bytes(base64::engine::general_purpose::STANDARD.encode(&event.payload)),
    };
    let given = Given {
        id: event.id.to_string(),
        source: &event.source,
        provider: &event.provider,
        event_type: &event.event_type,
        received_at_ms: event.received_at_ms,
        attempt,
        attributes: event.attributes.iter().map(|(name, value)| (&**name, &**value)).collect(),
        settings,
        payload,
    };
    // Texts, numbers and maps of texts always become JSON.
    serde_json::to_vec(&given).unwrap_or_default()
}

fn manifest(printed: &[u8]) -> Result<Described, Refused> {
    let wrong = |error| Refused::new(format!("its describe does not print the JSON of a manifest: {error}"));
    let Manifest { name, version, subscriptions, asks } = serde_json::from_slice(printed).map_err(wrong)?;
    let ask = |ask: ManifestAsk| Ask { what: ask.what, name: ask.name, detail: ask.detail.into_iter().collect() };
    Ok(Described { name, version, subscriptions, asks: asks.into_iter().map(ask).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_outcomes() {
        let said = |last: &str, after: Option<u64>| Complaints {
            last: Some(last.to_owned()).filter(|last| !last.is_empty()),
            retry_after: after.map(Duration::from_secs),
        };
        let retry =
            |why: &str, after: Option<u64>| Outcome::Retry { why: why.into(), after: after.map(Duration::from_secs) };
        let reject = |why: &str| Outcome::Reject { why: why.into() };
        let table = [
            (0, said("a warning", None), Outcome::Done),
            (65, said("never", None), reject("never")),
            (65, said("", None), reject("it ended with 65")),
            (1, said("later", None), retry("later", None)),
            (75, said("busy", Some(90)), retry("busy", Some(90))),
            (1, said("reject: never", None), reject("never")),
            (2, said("", None), retry("it ended with 2", None)),
        ];
        for (code, complaints, expected) in table {
            assert_eq!(outcome(code, complaints), expected);
        }
    }

    #[test]
    fn a_manifest_is_read_and_a_wrong_one_is_told() {
        let whole = br#"{"name":"n","version":"1","subscriptions":["a"],"asks":[{"what":"setting","name":"k","detail":{"default":"d"}}]}"#;
        let described = manifest(whole).unwrap();
        assert_eq!(described.asks[0].detail, [("default".to_owned(), "d".to_owned())]);
        assert!(manifest(br#"{"name":"n","version":"1","subscriptions":["a"]}"#).unwrap().asks.is_empty());
        for wrong in ["", "hello", r#"{"name":"n"}"#, r#"{"name":"n","version":"1","subscriptions":[],"more":1}"#] {
            let why = manifest(wrong.as_bytes()).unwrap_err().why;
            assert!(why.starts_with("its describe does not print the JSON of a manifest: "), "{why}");
        }
    }
}
