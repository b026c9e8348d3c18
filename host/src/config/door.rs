//! What the config says of those who come in: `[server]`, and of `[limits]` what is theirs.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::{Config, Overrides, Reading, Server, millis};
use crate::ingress;
use crate::listen::{Proxies, TlsFiles};
use crate::section::Section;

impl Reading<'_> {
    /// Reads `[server]`.
    pub(super) fn server(&self, mut section: Section, overrides: &Overrides) -> Server {
        let mut address = |key: &str, port: u16, given: Option<SocketAddr>| {
            let read = section.parsed(key).unwrap_or(SocketAddr::from(([127, 0, 0, 1], port)));
            given.unwrap_or(read)
        };
        let listen = address("listen", 8080, overrides.listen);
        let admin = address("admin", 8081, overrides.admin);
        let mut path = |key: &str, default: &str, given: &Option<PathBuf>| {
            let read = self.folder.join(section.or(key, default.to_owned()));
            given.clone().unwrap_or(read)
        };
        let data_dir = path("data_dir", "data", &overrides.data_dir);
        let plugins_dir = path("plugins_dir", "plugins", &overrides.plugins_dir);
        let admin_token = section.optional_section("admin_token").and_then(|section| self.secret(section));
        if !admin.ip().is_loopback() && admin_token.is_none() {
            let fix = "is open to others, so it needs a token: add admin_token = { env = \"HOOKGATE_ADMIN_TOKEN\" }";
            section.mistake("admin", fix);
        }
        let public_url = section.optional("public_url");
        let drain = millis(&mut section, "drain_ms", 10_000);
        let tls = section.optional_section("tls").and_then(|section| self.tls(section));
        let proxies = Proxies::parse(&section.or("proxies", Vec::new()));
        let proxies = proxies.map_err(|why| section.mistake("proxies", why)).unwrap_or_default();
        let behind_proxy = section.or("behind_proxy", false);
        section.finish();
        Server { listen, admin, admin_token, data_dir, plugins_dir, public_url, drain, tls, proxies, behind_proxy }
    }

    fn tls(&self, mut section: Section) -> Option<TlsFiles> {
        let mut file = |key: &str| {
            let file: Option<String> = section.required(key, "both cert_file and key_file, in PEM");
            file.map(|file| self.folder.join(file))
        };
        let (cert_file, key_file) = (file("cert_file"), file("key_file"));
        let files = cert_file.zip(key_file).map(|(cert_file, key_file)| TlsFiles { cert_file, key_file });
        // Where secrets may be missing, this is a command that serves nobody, maybe of somebody who may not read the key.
        if !self.secrets_may_be_missing
            && let Some(Err(why)) = files.as_ref().map(TlsFiles::check)
        {
            section.mistake("", why);
        }
        section.finish();
        files
    }
}

/// Reads what of `[limits]` is about those who send. Where a source says nothing else, the second is its rate.
pub(super) fn limits(section: &mut Section) -> (ingress::Limits, Option<NonZeroU32>) {
    let per_s = section.number("requests_per_s_by_address", 1_000, 1..=1_000_000) as u32;
    let limits = ingress::Limits {
        connections: section.number("connections", 10_000, 1..=1_000_000) as usize,
        connections_by_address: section.number("connections_by_address", 100, 1..=1_000_000) as usize,
        requests_at_once: section.number("requests_at_once", 256, 1..=100_000) as usize,
        bytes_at_once: section.number("bytes_at_once", 256 << 20, 64 << 20..=1 << 40) as usize,
        header: millis(section, "header_ms", 5_000),
        idle: millis(section, "idle_ms", 30_000),
        handshake: millis(section, "handshake_ms", 5_000),
        request: millis(section, "request_ms", 10_000),
        body_bytes_per_s: section.number("body_bytes_per_s", 1 << 10, 0..=1 << 30),
        body_grace: Duration::from_millis(section.number("body_grace_ms", 2_000, 0..=86_400_000)),
        requests_per_s_by_address: NonZeroU32::new(per_s).unwrap_or(NonZeroU32::MIN),
        shed: millis(section, "shed_ms", 1_000),
    };
    (limits, section.optional("requests_per_s"))
}

impl Config {
    /// What is no mistake and may still be one, each as a sentence.
    pub fn warnings(&self) -> Vec<String> {
        let Server { listen, tls, proxies, behind_proxy, public_url, .. } = &self.server;
        let is_behind = *behind_proxy || !proxies.is_empty();
        let mut warnings = Vec::new();
        if !listen.ip().is_loopback() && tls.is_none() && !is_behind {
            warnings.push(format!(
                "server.listen: {listen} is open to others and speaks plain HTTP, so what is sent can be read on its way: \
                 add tls = {{ cert_file = \"...\", key_file = \"...\" }}, or say behind_proxy = true where a proxy has TLS"
            ));
        }
        let has_https_in_front = tls.is_none() && public_url.as_ref().is_some_and(|url| url.starts_with("https:"));
        if (*behind_proxy || has_https_in_front) && proxies.is_empty() {
            warnings.push(
                "server.proxies: names no proxy, so all that comes through one counts as of one address, with the limits \
                 of one: list the proxy's address, as in proxies = [\"127.0.0.1\"]"
                    .to_owned(),
            );
        }
        warnings.extend(self.held_by_one());
        warnings
    }
}
