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

/// Whether a URL is one of Amazon SNS's own: `https://sns.<region>.amazonaws.com` or the same below `.cn`, and nothing more before the path.
///
/// Source: AWS, "Verifying the signatures of Amazon SNS messages".
pub(super) fn is_of_sns(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let Some(host) = url.host_str() else { return false };
    let region = host
        .strip_prefix("sns.")
        .and_then(|rest| rest.strip_suffix(".amazonaws.com").or_else(|| rest.strip_suffix(".amazonaws.com.cn")));
    let is_region = |region: &str| {
        !region.is_empty() && region.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
    };
    url.scheme() == "https"
        && url.port().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && region.is_some_and(is_region)
}

/// Whether a URL is that of a certificate of SNS's.
pub(super) fn is_certificate_of_sns(text: &str) -> bool {
    is_of_sns(text)
        && Url::parse(text).is_ok_and(|url| {
            url.path().starts_with("/SimpleNotificationService-")
                && url.path().ends_with(".pem")
                && !url.path()[1..].contains('/')
                && url.query().is_none()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_amazons_own_hosts_are_asked() {
        let good = "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem";
        assert!(is_certificate_of_sns(good));
        assert!(is_certificate_of_sns(&good.replace("us-west-2.amazonaws.com", "cn-north-1.amazonaws.com.cn")));
        for bad in [
            good.replace("https", "http"),
            good.replace(".com/", ".com:8443/"),
            good.replace("sns.us", "user@sns.us"),
            good.replace("amazonaws.com", "amazonaws.com.example.org"),
            good.replace("sns.us-west-2", "sns.us-west-2.evil"),
            good.replace("sns.us-west-2", "evil.us-west-2"),
            good.replace("sns.us-west-2.", "sns."),
            good.replace("us-west-2.amazonaws", "us-west-2.amazonaws.com@evil"),
            good.replace("/Simple", "/other/Simple"),
            good.replace(".pem", ".pem?x"),
            good.replace(".pem", ".txt"),
            "not a url".to_owned(),
            "https:///SimpleNotificationService-1.pem".to_owned(),
        ] {
            assert!(!is_certificate_of_sns(&bad), "{bad}");
        }
        assert!(is_of_sns("https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&Token=1"));
    }

    #[test]
    fn what_is_no_certificate_is_told() {
        assert!(Certificate::parse("u", b"<html>").is_err());
        assert!(Certificate::parse("u", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_err());
    }
}
