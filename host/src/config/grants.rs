//! What a plugin's section of the config grants, and the limits of calls.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderName, Method};
use toml::Value;

use super::{Config, Reading, millis};
use crate::effects::Quota;
use crate::event::{Pattern, is_name};
use crate::outbound::{Credential, HostGrant, HostLimits, HostPattern, Schemes, is_public};
use crate::plugins::{Calls, EMIT_PER_MINUTE, Grant, Trust, WRITE_MIB_PER_MINUTE};
use crate::runtime::CallLimits;
use crate::section::Section;

impl Reading<'_> {
    /// Reads `[plugins.<name>]`.
    pub(super) fn grant(&self, name: &str, mut section: Section, default: &Calls) -> Grant {
        if !is_name(name) {
            section.mistake("", "is no name that a plugin can have");
        }
        let settings = section.section("settings");
        let settings = settings.rest_with(|section, key| section.raw(key).map(setting_text).unwrap_or_default());
        let calls = Calls { per_instance: per_instance(&mut section), ..calls(&mut section, default) };
        let hosts = section.section("hosts").sections();
        let hosts = hosts.into_iter().filter_map(|(host, section)| self.host(&host, section)).collect();
        let state = state(&mut section);
        let emit = emit(&mut section);
        let emit_per_minute = section.number("emit_per_minute", EMIT_PER_MINUTE, 1..=10_000_000);
        let write_mib = section.number("write_mib_per_minute", WRITE_MIB_PER_MINUTE, 1..=1 << 20);
        let ordered_by = ordered_by(&mut section);
        let sha256 = digests(&mut section);
        section.finish();
        Grant {
            settings: settings.into_iter().collect(),
            calls,
            hosts,
            state,
            emit,
            emit_per_minute,
            write_bytes_per_minute: write_mib << 20,
            ordered_by,
            answers: Vec::new(),
            sha256,
        }
    }

    /// Reads `[plugins.<name>.hosts."<host>"]`.
    fn host(&self, host: &str, mut section: Section) -> Option<HostGrant> {
        let pattern = host.parse().map_err(|error| section.mistake("", error)).ok();
        if pattern == Some(HostPattern::Any) {
            section.mistake("", "every host there is cannot be granted: name them, or all below one (`*.example.com`)");
        }
        let schemes = schemes(&mut section);
        let allow_private = allow_private(&mut section);
        let mut usual = Vec::from_iter(schemes.https.then_some(443));
        usual.extend(schemes.http.then_some(80));
        usual.extend(allow_private.iter().map(SocketAddr::port));
        let ports = section.or("ports", usual);
        let methods: Vec<String> = section.or("methods", Vec::new());
        let methods = methods.iter().filter_map(|method| match Method::from_bytes(method.as_bytes()) {
            Ok(known) if method.bytes().all(|c| c.is_ascii_uppercase()) => Some(known),
            _ => {
                section
                    .mistake("methods", format_args!("{method:?} is no method: write it in capitals, as in \"POST\""));
                None
            }
        });
        let methods = methods.collect();
        let path_prefix: String = section.or("path_prefix", "/".to_owned());
        if !path_prefix.starts_with('/') {
            section.mistake("path_prefix", "must begin with /");
        }
        let limits = host_limits(&mut section);
        let credential = self.credential(&mut section);
        if schemes.http && credential.is_some() && allow_private.is_empty() {
            section.mistake("schemes", "with http the credential would cross the internet in clear: take https alone");
        }
        section.finish();
        Some(HostGrant { host: pattern?, schemes, ports, methods, path_prefix, limits, credential, allow_private })
    }

    fn credential(&self, section: &mut Section) -> Option<Credential> {
        let bearer = section.optional_section("bearer");
        let basic = section.optional_section("basic");
        let header = section.optional_section("header");
        if [&bearer, &basic, &header].into_iter().flatten().count() > 1 {
            section.mistake("", "takes one of bearer, basic and header");
            return None;
        }
        if let Some(token) = bearer {
            return self.held(token).map(Credential::Bearer);
        }
        if let Some(mut basic) = basic {
            let username: Option<String> = basic.required("username", "say whose password it is");
            let password = self.held(basic.section("password"));
            basic.finish();
            return Some(Credential::Basic { username: username?, password: password? });
        }
        let mut header = header?;
        let name: Option<HeaderName> = header.required_parsed("name", "say which header, as in \"x-api-key\"");
        let value = self.held(header.section("value"));
        header.finish();
        Some(Credential::Header { name: name?, value: value? })
    }
}

fn host_limits(section: &mut Section) -> HostLimits {
    HostLimits {
        connect: millis(section, "connect_ms", 5_000),
        whole: millis(section, "timeout_ms", 15_000),
        request_bytes: section.number("request_bytes", 1 << 20, 0..=4 << 20) as usize,
        response_bytes: section.number("response_bytes", 4 << 20, 0..=16 << 20) as usize,
        at_once: section.number("calls_at_once", 4, 1..=1000) as usize,
        per_minute: section.number("per_minute", 600, 1..=1_000_000) as u32,
    }
}

fn schemes(section: &mut Section) -> Schemes {
    let schemes: Vec<String> = section.or("schemes", vec!["https".to_owned()]);
    if schemes.is_empty() || schemes.iter().any(|scheme| scheme != "https" && scheme != "http") {
        section.mistake("schemes", "takes \"https\" and \"http\"");
    }
    let has = |name: &str| schemes.iter().any(|scheme| scheme == name);
    Schemes { https: has("https"), http: has("http") }
}

/// Reads a list of addresses that are nobody else's business.
pub(super) fn allow_private(section: &mut Section) -> Vec<SocketAddr> {
    let texts: Vec<String> = section.or("allow_private", Vec::new());
    let read = |text: &String| match text.parse::<SocketAddr>() {
        Ok(address) if is_public(address.ip()) => {
            section
                .mistake("allow_private", format_args!("{text} is on the public internet, which needs no word here"));
            None
        }
        Ok(address) => Some(address),
        Err(_) => {
            let told = format_args!("{text:?} is no address with a port: write \"127.0.0.1:9999\" or \"[::1]:9999\"");
            section.mistake("allow_private", told);
            None
        }
    };
    texts.iter().filter_map(read).collect()
}

/// Reads the name of the attribute that tells deliveries into lanes.
fn ordered_by(section: &mut Section) -> Option<Arc<str>> {
    let name: String = section.optional("ordered_by")?;
    let is_name = !name.is_empty() && name.len() <= 100 && !name.contains(char::is_whitespace);
    if !is_name {
        section.mistake("ordered_by", "names an attribute of events, as in \"resource.id\"");
    }
    is_name.then(|| name.into())
}

/// How much a plugin may remember where `state = true` and nothing else is said.
const STATE: Quota = Quota { bytes: 10 << 20, keys: 10_000 };

/// Reads `state = true` or `state = { bytes = ..., keys = ... }`.
fn state(section: &mut Section) -> Option<Quota> {
    match section.raw("state")? {
        Value::Boolean(granted) => granted.then_some(STATE),
        Value::Table(table) => {
            let mut quota = section.with("state", table);
            let bytes = quota.number("bytes", STATE.bytes, 1..=1 << 40);
            let keys = quota.number("keys", STATE.keys, 1..=1 << 30);
            quota.finish();
            Some(Quota { bytes, keys })
        }
        _ => {
            section.mistake("state", "must be true, false or { bytes = 10485760, keys = 10000 }");
            None
        }
    }
}

/// Reads the types of events that a plugin may make.
fn emit(section: &mut Section) -> Vec<Pattern> {
    let texts: Vec<String> = section.or("emit", Vec::new());
    let read = |text: &String| match text.parse::<Pattern>() {
        Ok(pattern) if pattern.source().is_none() => Some(pattern),
        Ok(_) => {
            section
                .mistake("emit", format_args!("{text:?} names a source, and the source is the plugin: write the type"));
            None
        }
        Err(error) => {
            section.mistake("emit", error);
            None
        }
    };
    texts.iter().filter_map(read).collect()
}

/// Reads the digests that a plugin's file may have.
fn digests(section: &mut Section) -> Vec<[u8; 32]> {
    let texts: Vec<String> = match section.raw("sha256") {
        None => return Vec::new(),
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().map(|one| one.as_str().unwrap_or_default().to_owned()).collect(),
        Some(_) => vec![String::new()],
    };
    let read = |text: &String| {
        let digest = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        if digest.is_none() {
            section.mistake("sha256", format_args!("{text:?} is no SHA-256 in hex: `sha256sum plugin.wasm` prints it"));
        }
        digest
    };
    texts.iter().filter_map(read).collect()
}

/// Reads which files are taken for plugins: `trust`, `trusted_keys`.
pub(super) fn trust(section: &mut Section) -> Trust {
    let trust: String = section.or("trust", "any".to_owned());
    let texts: Vec<String> = section.or("trusted_keys", Vec::new());
    let keys: Vec<_> = texts
        .iter()
        .filter_map(|text| match minisign_verify::PublicKey::from_base64(text) {
            Ok(key) => Some(key),
            Err(_) => {
                let told =
                    format_args!("{text:?} is no key: take the second line of the .pub file that minisign makes");
                section.mistake("trusted_keys", told);
                None
            }
        })
        .collect();
    match &*trust {
        "any" | "pinned" if !texts.is_empty() => {
            section.mistake("trusted_keys", "goes with trust = \"signed\"");
            Trust::Any
        }
        "any" => Trust::Any,
        "pinned" => Trust::Pinned,
        "signed" if texts.is_empty() => {
            section.mistake("trusted_keys", "is missing: say whose signatures count");
            Trust::Signed(keys)
        }
        "signed" => Trust::Signed(keys),
        _ => {
            section.mistake("trust", "must be \"any\", \"pinned\" or \"signed\"");
            Trust::Any
        }
    }
}

/// Strings as they are, numbers and booleans as TOML writes them, the rest as JSON.
fn setting_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Array(_) | Value::Table(_) => serde_json::to_string(&value).unwrap_or_default(),
        other => other.to_string(),
    }
}

/// Reads the limits of a call.
pub(super) fn calls(section: &mut Section, default: &Calls) -> Calls {
    let each = &default.each;
    Calls {
        each: CallLimits {
            wall: millis(section, "call_ms", each.wall.as_millis() as u64),
            cpu: millis(section, "cpu_ms", each.cpu.as_millis() as u64),
            memory_bytes: (section.number("memory_mib", each.memory_bytes as u64 >> 20, 1..=4096) as usize) << 20,
            log_bytes: section.number("log_bytes", each.log_bytes as u64, 0..=16 << 20) as usize,
        },
        at_once: section.number("calls_at_once", default.at_once as u64, 1..=1000) as usize,
        per_instance: default.per_instance,
    }
}

impl Config {
    /// Who may have as many calls at once as there are instances for all, each as a sentence.
    pub(super) fn held_by_one(&self) -> Vec<String> {
        let (instances, usual) = (self.instances, self.calls.at_once);
        let own = self.plugins.iter().map(|(name, grant)| (format!("plugins.{name}"), grant.calls.at_once));
        let own = own.filter(|(_, at_once)| *at_once != usual);
        let all = std::iter::once(("limits".to_owned(), usual)).chain(own);
        let told = |(section, at_once): (String, usize)| {
            format!(
                "{section}.calls_at_once: {at_once} calls of one plugin may be all the instances that there are, {instances} for all \
                 plugins together, so that while it waits nobody else is called: say less than {instances}, or raise limits.instances"
            )
        };
        all.filter(|(_, at_once)| *at_once >= instances).map(told).collect()
    }
}

/// How many calls an instance serves where `instances = "warm"` and nothing else is said.
const CALLS_PER_INSTANCE: u64 = 1000;

fn per_instance(section: &mut Section) -> u32 {
    let instances: String = section.or("instances", "fresh".to_owned());
    let calls: Option<u64> = section.optional("calls_per_instance");
    match (&*instances, calls) {
        ("fresh", None) => 1,
        ("warm", None) => CALLS_PER_INSTANCE as u32,
        ("warm", Some(calls @ 2..=1_000_000)) => calls as u32,
        ("warm", Some(_)) => {
            section.mistake("calls_per_instance", "must be from 2 to 1000000");
            1
        }
        ("fresh", Some(_)) => {
            section.mistake("calls_per_instance", "goes with instances = \"warm\"");
            1
        }
        _ => {
            section.mistake("instances", "must be \"fresh\" or \"warm\"");
            1
        }
    }
}
