//! What a plugin may do beyond handling an event, in memory. While one is called, it has what it asks for and nothing
//! else; between calls a test has all of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem;
use std::time::{Duration, SystemTime};

use super::{now, use_defaults};
use crate::bindings::exports::hookgate::plugin::handler;
use crate::bindings::hookgate::plugin::errors::{Error, Kind};
use crate::bindings::hookgate::plugin::http::{Request, Response};
use crate::{Manifest, Result as Outcome, pattern};

type Result<T> = std::result::Result<T, Error>;

/// Who answers requests.
type Answering = Box<dyn FnMut(&Request) -> Result<Response>>;

/// What is remembered, and until when.
type Entries = BTreeMap<String, (Vec<u8>, Option<SystemTime>)>;

/// What a made-up event was received at, so that a test is the same each day: 2026-01-01.
pub(crate) const RECEIVED_AT_MS: u64 = 1_767_225_600_000;

const KEY_BYTES: usize = 512;
const KEYS: u32 = 1000;
const TYPE_BYTES: usize = 256;

#[derive(Default)]
struct Fake {
    entries: Entries,
    emitted: Vec<handler::Event>,
    /// How many events there were, so that each has an id of its own.
    made: usize,
    requests: Vec<Request>,
    answering: Option<Answering>,
    /// Who is being called, if anybody is.
    called: Option<Manifest>,
}

thread_local! {
    static FAKE: RefCell<Fake> = RefCell::default();
}

/// Calls a plugin, and keeps what it wrote and emitted if it returns well.
pub(crate) fn call<T>(describe: fn() -> Manifest, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    let manifest = describe();
    use_defaults(&manifest);
    let mut call = Call::begin(manifest);
    let outcome = work();
    call.is_kept = outcome.is_ok();
    outcome
}

/// How it was before a call. A panic ends one too.
struct Call {
    entries: Entries,
    emitted: usize,
    called: Option<Manifest>,
    is_kept: bool,
}

impl Call {
    fn begin(manifest: Manifest) -> Call {
        FAKE.with_borrow_mut(|fake| Call {
            entries: fake.entries.clone(),
            emitted: fake.emitted.len(),
            called: fake.called.replace(manifest),
            is_kept: false,
        })
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        FAKE.with_borrow_mut(|fake| {
            fake.called = self.called.take();
            if !self.is_kept {
                fake.entries = mem::take(&mut self.entries);
                fake.emitted.truncate(self.emitted);
            }
        });
    }
}

impl Fake {
    /// Whether who is called asks for something like this.
    fn check(&self, what: &str, covers: impl Fn(&str) -> bool, method: Option<&str>, advice: &str) -> Result<()> {
        let Some(manifest) = &self.called else { return Ok(()) };
        let asked = manifest.asks.iter().any(|ask| {
            let methods = ask.detail.iter().find(|(key, _)| key == "methods");
            // One that names no methods leaves them to the operator.
            let is_allowed =
                |method| methods.is_none_or(|(_, methods)| methods.split(' ').any(|known| known == method));
            ask.what == what && covers(&ask.name) && method.is_none_or(is_allowed)
        });
        if asked {
            Ok(())
        } else {
            Err(error(Kind::Denied, format!("the plugin does not ask for it: `#[plugin({advice})]`")))
        }
    }

    fn check_state(&self) -> Result<()> {
        self.check("state", |_| true, None, "state")
    }

    /// A key's value, if it is there by now, and until when.
    fn find(&self, key: &str) -> Result<Option<&(Vec<u8>, Option<SystemTime>)>> {
        self.check_state()?;
        if key.is_empty() || key.len() > KEY_BYTES {
            let told = format!("a key has 1 to {KEY_BYTES} bytes, and this has {}", key.len());
            return Err(error(Kind::Invalid, told));
        }
        Ok(self.entries.get(key).filter(|(_, until)| is_there(*until)))
    }

    fn set(&mut self, key: &str, value: &[u8], until: Option<SystemTime>) -> Result<()> {
        self.find(key)?;
        self.entries.insert(key.to_string(), (value.to_vec(), until));
        Ok(())
    }
}

fn is_there(until: Option<SystemTime>) -> bool {
    until.is_none_or(|until| now() < until)
}

/// When what is kept for so long is gone. What is further away than time can tell never is.
fn until(keep_ms: Option<u64>) -> Option<SystemTime> {
    now().checked_add(Duration::from_millis(keep_ms?))
}

fn error(kind: Kind, why: impl Into<String>) -> Error {
    Error { kind, why: why.into() }
}

/// What `wit/plugin.wit` calls so.
pub(crate) mod state {
    use super::*;

    pub(crate) fn get(key: &str) -> Result<Option<Vec<u8>>> {
        FAKE.with_borrow(|fake| Ok(fake.find(key)?.map(|(value, _)| value.clone())))
    }

    pub(crate) fn set(key: &str, value: &[u8], keep_ms: Option<u64>) -> Result<()> {
        FAKE.with_borrow_mut(|fake| fake.set(key, value, until(keep_ms)))
    }

    pub(crate) fn delete(key: &str) -> Result<()> {
        FAKE.with_borrow_mut(|fake| {
            fake.find(key)?;
            fake.entries.remove(key);
            Ok(())
        })
    }

    pub(crate) fn keys(prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<String>> {
        FAKE.with_borrow(|fake| {
            fake.check_state()?;
            let there = fake.entries.iter().filter(|(_, (_, until))| is_there(*until)).map(|(key, _)| key);
            let meant = there.filter(|key| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after));
            Ok(meant.take(limit.min(KEYS) as usize).cloned().collect())
        })
    }

    pub(crate) fn increment(key: &str, by: i64) -> Result<i64> {
        FAKE.with_borrow_mut(|fake| {
            let (value, until) = fake.find(key)?.cloned().unwrap_or((b"0".to_vec(), None));
            let number = std::str::from_utf8(&value).ok().and_then(|text| text.parse::<i64>().ok());
            let number = number.ok_or_else(|| error(Kind::Invalid, "what stands under this key is no number"))?;
            let sum = number.checked_add(by).ok_or_else(|| error(Kind::Invalid, "the sum is out of range"))?;
            fake.set(key, sum.to_string().as_bytes(), until)?;
            Ok(sum)
        })
    }

    pub(crate) fn compare_and_set(
        key: &str,
        expected: Option<&[u8]>,
        value: &[u8],
        keep_ms: Option<u64>,
    ) -> Result<bool> {
        FAKE.with_borrow_mut(|fake| {
            if fake.find(key)?.map(|(value, _)| value.as_slice()) != expected {
                return Ok(false);
            }
            fake.set(key, value, until(keep_ms))?;
            Ok(true)
        })
    }
}

/// What `wit/plugin.wit` calls so.
pub(crate) mod http {
    use super::*;

    pub(crate) fn send(request: &Request) -> Result<Response> {
        let host = host(&request.url).ok_or_else(|| error(Kind::Invalid, format!("{:?} is no URL", request.url)))?;
        let answering = FAKE.with_borrow_mut(|fake| {
            let advice = format!("host({host:?}, methods = {:?})", request.method);
            fake.check("host", |asked| covers(asked, &host), Some(&request.method), &advice)?;
            fake.requests.push(request.clone());
            let told = "the test answers no requests: `testing::http(|request| ...)`";
            fake.answering.take().ok_or_else(|| error(Kind::Denied, told))
        });
        // It may call us.
        let mut answering = answering?;
        let answer = answering(request);
        FAKE.with_borrow_mut(|fake| {
            fake.answering.get_or_insert(answering);
        });
        answer
    }

    /// The host's name in a URL.
    fn host(url: &str) -> Option<String> {
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let is_port = |port: &str| port.bytes().all(|c| c.is_ascii_digit());
        let host = authority.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(authority, |(host, _)| host);
        // What names a user is not sent.
        let is_host = !host.is_empty() && !host.contains(|c: char| c == '@' || c.is_whitespace());
        is_host.then(|| host.to_lowercase())
    }

    /// Whether a host is one that an ask means.
    fn covers(asked: &str, host: &str) -> bool {
        asked == "*" || asked == host || asked.strip_prefix('*').is_some_and(|end| host.ends_with(end))
    }
}

/// What `wit/plugin.wit` calls so.
pub(crate) mod events {
    use super::*;

    pub(crate) fn emit(event_type: &str, payload: &[u8], attributes: &[(String, String)]) -> Result<()> {
        let odd = event_type.chars().any(|c| c.is_whitespace() || c.is_control());
        if odd || event_type.is_empty() || event_type.len() > TYPE_BYTES {
            let told = format!("an event's type is a word of at most {TYPE_BYTES} bytes, and not {event_type:?}");
            return Err(error(Kind::Invalid, told));
        }
        check_attributes(attributes)?;
        FAKE.with_borrow_mut(|fake| {
            let advice = format!("emit({event_type:?})");
            fake.check("emit", |asked| pattern::glob(asked, event_type), None, &advice)?;
            fake.made += 1;
            fake.emitted.push(handler::Event {
                id: format!("evt_{:013}", fake.made),
                source: format!("plugin:{}", fake.called.as_ref().map_or("test", |plugin| &plugin.name)),
                provider: "plugin".to_string(),
                type_: event_type.to_string(),
                received_at_ms: RECEIVED_AT_MS,
                attempt: 1,
                attributes: attributes.to_vec(),
                payload: payload.to_vec(),
            });
            Ok(())
        })
    }

    fn check_attributes(attributes: &[(String, String)]) -> Result<()> {
        for (place, (name, _)) in attributes.iter().enumerate() {
            if name.starts_with("emitted.") {
                return Err(error(Kind::Invalid, "attributes that begin with emitted. are the gateway's own"));
            }
            if name.is_empty() || attributes[..place].iter().any(|(earlier, _)| earlier == name) {
                return Err(error(Kind::Invalid, format!("an attribute has a name of its own, and not {name:?}")));
            }
        }
        Ok(())
    }
}

pub(crate) fn answer_with(answering: Answering) {
    FAKE.with_borrow_mut(|fake| fake.answering = Some(answering));
}

pub(crate) fn take_requests() -> Vec<Request> {
    FAKE.with_borrow_mut(|fake| mem::take(&mut fake.requests))
}

pub(crate) fn take_emitted() -> Vec<handler::Event> {
    FAKE.with_borrow_mut(|fake| mem::take(&mut fake.emitted))
}
