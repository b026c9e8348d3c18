//! The section of traces: `[telemetry]`.

use http::HeaderName;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use url::Url;

use super::Reading;
use crate::secret::Held;
use crate::section::Section;
use crate::telemetry::Settings;

/// What is added to a collector's address for spans (OTLP 1.7, "OTLP/HTTP Request").
const SPANS: &str = "v1/traces";

/// The headers that are the request's own.
const OURS: [HeaderName; 4] = [CONTENT_TYPE, CONTENT_LENGTH, HOST, TRANSFER_ENCODING];

impl Reading<'_> {
    /// Reads `[telemetry]`. Nothing, where no collector is named.
    pub(super) fn telemetry(&self, mut section: Section) -> Option<Settings> {
        let otlp = section.parsed("otlp").and_then(|url| spans_at(&section, url));
        let headers = section.section("headers").rest_with(|section, name| {
            let header = section.section(name);
            self.header(name, header)
        });
        let sample = section.or("sample", 1.0);
        if !(0.0..=1.0).contains(&sample) {
            section.mistake("sample", format_args!("{sample} is no share: take 0 to 1"));
        }
        let service_name = section.or("service_name", "hookgate".to_owned());
        if service_name.is_empty() || service_name.len() > 256 {
            section.mistake("service_name", "must have 1 to 256 bytes");
        }
        section.finish();
        let headers = headers.into_iter().filter_map(|(_, header)| header).collect();
        otlp.map(|otlp| Settings { otlp, headers, sample, service_name })
    }

    fn header(&self, name: &str, section: Section) -> Option<(HeaderName, Held)> {
        match HeaderName::from_bytes(name.as_bytes()) {
            Ok(header) if !OURS.contains(&header) => Some((header, self.held(section)?)),
            Ok(_) => {
                section.mistake("", "is the request's own");
                None
            }
            Err(_) => {
                section.mistake("", "is no name of a header");
                None
            }
        }
    }
}

/// The address for spans of a collector's address.
fn spans_at(section: &Section, mut url: Url) -> Option<Url> {
    let has_secret = !url.username().is_empty() || url.password().is_some();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || has_secret || url.query().is_some() {
        section.mistake(
            "otlp",
            "must be the http:// or https:// address of a collector, as in http://127.0.0.1:4318; what has to be secret goes into headers",
        );
        return None;
    }
    let path = url.path().trim_end_matches('/').trim_end_matches(SPANS).trim_end_matches('/');
    url.set_path(&format!("{path}/{SPANS}"));
    Some(url)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, Overrides};

    fn parse(text: &str) -> Result<Config, Vec<String>> {
        let variable = |name: &str| (name == "TOKEN").then(|| "Bearer s3cret".to_owned());
        Config::parse(text, Path::new("/etc/hookgate"), &Overrides::default(), &variable)
    }

    #[test]
    fn without_a_collector_there_is_no_telemetry() {
        assert_eq!(parse("").unwrap().telemetry, None);
        assert_eq!(parse("[telemetry]\nsample = 0.5").unwrap().telemetry, None);
    }

    #[test]
    fn a_collector_is_where_spans_go() {
        for (otlp, spans) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://otlp.example/otlp/", "https://otlp.example/otlp/v1/traces"),
            ("https://otlp.example/v1/traces", "https://otlp.example/v1/traces"),
        ] {
            let text = format!("[telemetry]\notlp = {otlp:?}\nheaders = {{ authorization = {{ env = \"TOKEN\" }} }}");
            let config = parse(&text).unwrap();
            assert!(!format!("{config:?}").contains("s3cret"));
            let settings = config.telemetry.unwrap();
            assert_eq!(settings.otlp.as_str(), spans);
            assert_eq!((settings.sample, &*settings.service_name), (1.0, "hookgate"));
            let [(name, value)] = settings.headers.as_slice() else { panic!("{:?}", settings.headers) };
            assert_eq!(name, "authorization");
            assert!(value.now().unwrap().equals(b"Bearer s3cret"));
        }
    }

    #[test]
    fn mistakes_are_told_with_their_keys() {
        let told = parse(
            r#"
            [telemetry]
            otlp = "http://user:secret@collector.example"
            sample = 1.5
            service_name = ""
            sampel = 1
            [telemetry.headers]
            "content-type" = { env = "TOKEN" }
            "no name" = { env = "TOKEN" }
            authorization = { env = "UNSET" }
            "#,
        );
        let all = told.unwrap_err().join("\n");
        for expected in [
            "telemetry.otlp: must be the http:// or https:// address",
            "telemetry.sample: 1.5 is no share",
            "telemetry.service_name: must have",
            "telemetry.sampel: is no key that there is; did you mean `sample`?",
            "telemetry.headers.content-type: is the request's own",
            "telemetry.headers.\"no name\": is no name of a header",
            "telemetry.headers.authorization.env: the variable UNSET is not set",
        ] {
            assert!(all.contains(expected), "{expected:?} is not in\n{all}");
        }
        assert!(!all.contains("user:secret"));
    }
}
