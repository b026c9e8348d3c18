//! Everything that ingress says no to: the status, what the sender reads, and what is counted.
//!
//! Senders learn nothing that a stranger could use: one text for every cause of a failed verification.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{ALLOW, CONNECTION, HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};

use super::shares::Full;
use crate::provider::{BadHandshake, Failure, Unreadable, Unverified};
use crate::queue::AcceptError;

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No source of this name.
    UnknownSource,
    /// Not POST.
    Method,
    /// The body took too long to arrive, or did not arrive whole.
    TooSlow,
    /// The body is larger than the source takes.
    TooBig,
    /// The body is compressed: what is signed is what is sent, so it must come as it is.
    Encoded,
    /// Too many requests at a time.
    Busy,
    /// Too many of this source, where others may come.
    OverShare,
    /// Writing down takes too long these days.
    Shed,
    /// Too many requests a second from its address; again after so many seconds.
    AddressOverRate(u32),
    /// Too many of its source.
    SourceOverRate(u32),
    /// It says its length in two ways.
    TwoLengths,
    /// Not verified.
    Unverified(Unverified),
    /// Verified, and not what the provider promises.
    Unreadable(Unreadable),
    /// It looks like a handshake that is not signed, and is none that is answered.
    Handshake(BadHandshake),
    /// The certificate by which it would have to be verified cannot be had.
    NoCertificate,
    /// What would confirm a subscription cannot be asked for.
    NotVisited,
    /// It could not be written down.
    NotWritten(AcceptError),
}

impl Refusal {
    /// Every cause, for counters that begin at zero.
    pub const CAUSES: [&str; 29] = [
        "method",
        "too_slow",
        "too_big",
        "encoded",
        "busy",
        "over_share",
        "shed",
        "over_rate_address",
        "over_rate_source",
        "ambiguous_length",
        "no_signature",
        "malformed_signature",
        "repeated_header",
        "no_signed_header",
        "malformed_timestamp",
        "stale_timestamp",
        "future_timestamp",
        "bad_signature",
        "foreign_certificate",
        "no_live_secret",
        "wrong_token",
        "foreign_address",
        "no_certificate",
        "not_visited",
        "not_json",
        "no_type",
        "bad_type",
        "too_many_events",
        "not_written",
    ];

    /// What is counted and shown to the operator.
    pub fn cause(&self) -> &'static str {
        match self {
            Refusal::UnknownSource => "unknown_source",
            Refusal::Method => "method",
            Refusal::TooSlow => "too_slow",
            Refusal::TooBig => "too_big",
            Refusal::Encoded => "encoded",
            Refusal::Busy => "busy",
            Refusal::OverShare => "over_share",
            Refusal::Shed => "shed",
            Refusal::AddressOverRate(_) => "over_rate_address",
            Refusal::SourceOverRate(_) => "over_rate_source",
            Refusal::TwoLengths => "ambiguous_length",
            Refusal::Unverified(Unverified::NoSignature) => "no_signature",
            Refusal::Unverified(Unverified::MalformedSignature) => "malformed_signature",
            Refusal::Unverified(Unverified::RepeatedHeader) => "repeated_header",
            Refusal::Unverified(Unverified::NoSignedHeader) => "no_signed_header",
            Refusal::Unverified(Unverified::MalformedTimestamp) => "malformed_timestamp",
            Refusal::Unverified(Unverified::StaleTimestamp) => "stale_timestamp",
            Refusal::Unverified(Unverified::FutureTimestamp) => "future_timestamp",
            Refusal::Unverified(Unverified::BadSignature) => "bad_signature",
            Refusal::Unverified(Unverified::ForeignCertificate) => "foreign_certificate",
            Refusal::Unverified(Unverified::NoLiveSecret) => "no_live_secret",
            Refusal::Handshake(BadHandshake::WrongToken) => "wrong_token",
            Refusal::Handshake(BadHandshake::ForeignAddress) => "foreign_address",
            Refusal::NoCertificate => "no_certificate",
            Refusal::NotVisited => "not_visited",
            Refusal::Unreadable(Unreadable::NotJson) => "not_json",
            Refusal::Unreadable(Unreadable::TooMany) => "too_many_events",
            Refusal::Unreadable(Unreadable::NoType) => "no_type",
            Refusal::Unreadable(Unreadable::BadType) => "bad_type",
            Refusal::NotWritten(_) => "not_written",
        }
    }

    /// The status, where the sender's provider says nothing else.
    pub fn status(&self) -> StatusCode {
        match self {
            Refusal::UnknownSource => StatusCode::NOT_FOUND,
            Refusal::Method => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Refusal::TooBig => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Encoded => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::Busy | Refusal::OverShare | Refusal::Shed => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::NotWritten(_) | Refusal::NoCertificate | Refusal::NotVisited => StatusCode::SERVICE_UNAVAILABLE,
            // The sender is right as far as we know: it must try again.
            Refusal::Unverified(Unverified::NoLiveSecret) => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::AddressOverRate(_) | Refusal::SourceOverRate(_) => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Unverified(_) | Refusal::Handshake(BadHandshake::WrongToken) => StatusCode::UNAUTHORIZED,
            Refusal::Unreadable(_) | Refusal::TwoLengths => StatusCode::BAD_REQUEST,
            Refusal::Handshake(BadHandshake::ForeignAddress) => StatusCode::BAD_REQUEST,
        }
    }

    /// The answer to a sender whose provider takes some statuses badly.
    pub fn answer(self, failure: Failure) -> Response {
        let status = match self.status() {
            StatusCode::UNAUTHORIZED => failure.unverified,
            StatusCode::BAD_REQUEST => failure.unreadable,
            StatusCode::TOO_MANY_REQUESTS => failure.over_rate,
            usual => usual,
        };
        let mut response = self.into_response();
        *response.status_mut() = status;
        response
    }

    /// What the sender reads.
    fn text(&self) -> &'static str {
        match self {
            Refusal::UnknownSource => "there is no such source",
            Refusal::Method => "send a POST",
            Refusal::TooSlow => "the body did not arrive in time",
            Refusal::TooBig => "the body is too large",
            Refusal::Encoded => "the body must not be compressed",
            Refusal::Busy | Refusal::OverShare => "too many requests at a time: try again",
            Refusal::Shed => "busy: try again",
            Refusal::AddressOverRate(_) | Refusal::SourceOverRate(_) => "too many requests a second: try again later",
            Refusal::TwoLengths => "say the body's length in one way",
            Refusal::Unverified(Unverified::NoLiveSecret) => "this cannot be verified now: try again",
            Refusal::NoCertificate => "the certificate cannot be had now: try again",
            Refusal::NotVisited => "the subscription cannot be confirmed now: try again",
            Refusal::Unverified(_) => "the signature was not accepted",
            Refusal::Handshake(BadHandshake::WrongToken) => "the verify token was not accepted",
            Refusal::Handshake(BadHandshake::ForeignAddress) => "this is no address of the vendor's",
            Refusal::Unreadable(Unreadable::TooMany) => "there are too many events in one request",
            Refusal::Unreadable(Unreadable::NotJson) => "the body is not JSON",
            Refusal::Unreadable(_) => "there is no event type where this provider has it",
            Refusal::NotWritten(_) => "the event could not be written down: try again",
        }
    }
}

/// What the operator reads.
impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Unverified(why) => why.fmt(f),
            Refusal::Handshake(why) => why.fmt(f),
            Refusal::Unreadable(Unreadable::NotJson) => {
                f.write_str("the body is not JSON: does its sender have another content type configured?")
            }
            Refusal::Unreadable(why) => why.fmt(f),
            Refusal::NotWritten(why) => why.fmt(f),
            Refusal::OverShare => f.write_str("it has its share of what all sources may have at a time"),
            Refusal::Shed => f.write_str("writing down takes longer than shed_ms: is the disk slow?"),
            Refusal::AddressOverRate(_) => f.write_str("more than requests_per_s_by_address from one address"),
            Refusal::SourceOverRate(_) => f.write_str("more than the source's requests_per_s"),
            Refusal::TwoLengths => f.write_str("both Content-Length and Transfer-Encoding: somebody may smuggle"),
            _ => f.write_str(self.text()),
        }
    }
}

impl From<Full> for Refusal {
    fn from(full: Full) -> Refusal {
        match full {
            Full::All => Refusal::Busy,
            Full::Share => Refusal::OverShare,
        }
    }
}

impl Refusal {
    /// After how many seconds it may be tried again, where that helps.
    fn retry_after_s(&self) -> Option<u32> {
        match self {
            Refusal::AddressOverRate(seconds) | Refusal::SourceOverRate(seconds) => Some(*seconds),
            _ if self.status() == StatusCode::SERVICE_UNAVAILABLE => Some(1),
            _ => None,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = Json(serde_json::json!({ "error": self.text() }));
        let mut response = (self.status(), body).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_s() {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        match self {
            Refusal::Method => drop(headers.insert(ALLOW, HeaderValue::from_static("POST"))),
            Refusal::TwoLengths => drop(headers.insert(CONNECTION, HeaderValue::from_static("close"))),
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_cannot_tell_why_they_were_not_verified() {
        let all = [
            Unverified::NoSignature,
            Unverified::MalformedSignature,
            Unverified::RepeatedHeader,
            Unverified::NoSignedHeader,
            Unverified::MalformedTimestamp,
            Unverified::StaleTimestamp,
            Unverified::FutureTimestamp,
            Unverified::BadSignature,
            Unverified::ForeignCertificate,
        ];
        let seen: std::collections::HashSet<_> =
            all.map(|why| (Refusal::Unverified(why).status(), Refusal::Unverified(why).text())).into();
        assert_eq!(seen.len(), 1);
        assert!(all.iter().all(|why| Refusal::CAUSES.contains(&Refusal::Unverified(*why).cause())));
    }

    #[test]
    fn no_status_makes_a_sender_give_up_on_what_we_could_not_write() {
        assert_eq!(Refusal::NotWritten(AcceptError::NotNow("the disk is full")).status().as_u16(), 503);
        assert_eq!(Refusal::NotWritten(AcceptError::Closed).status().as_u16(), 503);
        assert_eq!(Refusal::Busy.status().as_u16(), 503);
        assert_eq!(Refusal::NoCertificate.status().as_u16(), 503);
        assert_eq!(Refusal::Unverified(Unverified::NoLiveSecret).status().as_u16(), 503);
    }

    #[test]
    fn a_provider_may_have_another_status_for_what_its_senders_take_badly() {
        let failure = Failure {
            unverified: StatusCode::SERVICE_UNAVAILABLE,
            unreadable: StatusCode::UNPROCESSABLE_ENTITY,
            over_rate: StatusCode::SERVICE_UNAVAILABLE,
        };
        let status = |refusal: Refusal| refusal.answer(failure).status().as_u16();
        assert_eq!(status(Refusal::Unverified(Unverified::BadSignature)), 503);
        assert_eq!(status(Refusal::Unreadable(Unreadable::NoType)), 422);
        assert_eq!(status(Refusal::TooBig), 413);
    }

    #[test]
    fn who_is_to_come_again_is_told_when() {
        for (refusal, status, after) in [
            (Refusal::Busy, 503, "1"),
            (Refusal::OverShare, 503, "1"),
            (Refusal::Shed, 503, "1"),
            (Refusal::AddressOverRate(3), 429, "3"),
            (Refusal::SourceOverRate(60), 429, "60"),
        ] {
            assert!(Refusal::CAUSES.contains(&refusal.cause()));
            let response = refusal.into_response();
            assert_eq!(
                (response.status().as_u16(), response.headers()[RETRY_AFTER].to_str().unwrap()),
                (status, after)
            );
        }
        assert!(!Refusal::TooBig.into_response().headers().contains_key(RETRY_AFTER));
    }
}
