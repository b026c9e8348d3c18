//! Certificates that a message names and its vendor serves: Amazon SNS signs by them.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use url::Url;
use x509_parser::parse_x509_certificate;

use crate::event::UnixMs;

/// A certificate that was fetched from where its vendor keeps them, and is believed for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Where it was fetched from.
    pub url: String,
    /// The RSA key in it: PKCS #1, in DER.
    pub(super) public: Vec<u8>,
    not_before_ms: UnixMs,
    not_after_ms: UnixMs,
}

impl Certificate {
    /// Reads what was fetched: one certificate in PEM. The error is a sentence.
    pub fn parse(url: &str, pem: &[u8]) -> Result<Certificate, String> {
        let der =
            CertificateDer::from_pem_slice(pem).map_err(|_| format!("what {url} gives is no certificate in PEM"))?;
        let (_, read) = parse_x509_certificate(&der).map_err(|error| format!("the certificate at {url}: {error}"))?;
        let ms = |seconds: i64| u64::try_from(seconds).unwrap_or(0).saturating_mul(1000);
        Ok(Certificate {
            url: url.to_owned(),
            public: read.public_key().subject_public_key.data.to_vec(),
            not_before_ms: ms(read.validity().not_before.timestamp()),
            not_after_ms: ms(read.validity().not_after.timestamp()),
        })
    }

    /// Whether it is good at a time.
    pub fn is_good(&self, now_ms: UnixMs) -> bool {
        (self.not_before_ms..=self.not_after_ms).contains(&now_ms)
    }

    /// The RSA key in a certificate: PKCS #1, in DER.
    pub(super) fn public_key(der: &CertificateDer) -> Option<Vec<u8>> {
        let (_, read) = parse_x509_certificate(der).ok()?;
        Some(read.public_key().subject_public_key.data.to_vec())
    }
}

/// Whether a text is the ARN of an SNS topic.
pub(super) fn is_topic(arn: &str) -> bool {
    host_of_topic(arn).is_some()
}

/// The host of Amazon's that serves a topic: `sns.<region>.amazonaws.com`, below `.cn` in the partition `aws-cn`.
///
/// Source: AWS, "Verifying the signatures of Amazon SNS messages".
fn host_of_topic(arn: &str) -> Option<String> {
    let parts: Vec<&str> = arn.split(':').collect();
    let ["arn", partition, "sns", region, account, name] = parts.as_slice() else { return None };
    let is_word = |text: &str| text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-');
    if region.is_empty() || !is_word(region) || account.is_empty() || name.is_empty() {
        return None;
    }
    let below = if *partition == "aws-cn" { ".cn" } else { "" };
    Some(format!("sns.{region}.amazonaws.com{below}"))
}

/// Whether a URL is at the host that serves a topic, spelled in the one usual way.
pub(super) fn is_at_topics_host(text: &str, arn: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    url.scheme() == "https"
        && url.as_str() == text
        && url.port().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none()
        && host_of_topic(arn).is_some_and(|host| url.host_str() == Some(&*host))
}

/// Whether a URL is that of a certificate by which messages of a topic are signed.
pub(super) fn is_certificate_for(text: &str, arn: &str) -> bool {
    let name = |url: &Url| {
        let name = url.path().strip_prefix("/SimpleNotificationService-")?.strip_suffix(".pem")?;
        Some(!name.is_empty() && name.len() <= 64 && name.bytes().all(|c| c.is_ascii_hexdigit()))
    };
    is_at_topics_host(text, arn) && Url::parse(text).is_ok_and(|url| url.query().is_none() && name(&url) == Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_amazons_own_hosts_are_asked() {
        let arn = "arn:aws:sns:us-west-2:123456789012:MyTopic";
        let good = "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem";
        assert!(is_certificate_for(good, arn));
        let china = good.replace("us-west-2.amazonaws.com", "cn-north-1.amazonaws.com.cn");
        assert!(is_certificate_for(&china, "arn:aws-cn:sns:cn-north-1:123456789012:MyTopic"));
        assert!(!is_certificate_for(&china, arn));
        for bad in [
            good.replace("https", "http"),
            good.replace("https", "HTTPS"),
            good.replace(".com/", ".com:8443/"),
            good.replace(".com/", ".com:443/"),
            good.replace("sns.us", "user@sns.us"),
            good.replace("amazonaws.com", "amazonaws.com.example.org"),
            good.replace("sns.us-west-2", "sns.us-west-2.evil"),
            good.replace("sns.us-west-2", "evil.us-west-2"),
            good.replace("us-west-2", "eu-west-1"),
            // Buckets of somebody's by the name of sns.
            good.replace("us-west-2", "s3"),
            good.replace("us-west-2", "s3-us-west-2"),
            good.replace("us-west-2.amazonaws", "us-west-2.amazonaws.com@evil"),
            good.replace("/Simple", "/other/Simple"),
            good.replace(".pem", ".pem?x"),
            good.replace(".pem", ".pem#1"),
            good.replace(".pem", ".txt"),
            good.replace("f3ec", "g"),
            "not a url".to_owned(),
            "https:///SimpleNotificationService-1.pem".to_owned(),
        ] {
            assert!(!is_certificate_for(&bad, arn), "{bad}");
        }
        let visit = "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&Token=1";
        assert!(is_at_topics_host(visit, arn));
        assert!(!is_at_topics_host(&visit.replace("us-west-2", "s3"), "arn:aws:sns:us-west-2:1:t"));
        for none in [
            "",
            "arn:",
            "arn:aws:sqs:us-west-2:1:q",
            "arn:aws:sns:us-west-2:1:t:sub",
            "arn:aws:sns::1:t",
            "arn:aws:sns:A/b:1:t",
        ] {
            assert!(!is_topic(none), "{none}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_told() {
        assert!(Certificate::parse("u", b"<html>").is_err());
        assert!(Certificate::parse("u", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_err());
    }
}
