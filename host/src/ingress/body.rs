//! Reads the bodies of strangers: within their limits, as fast as they must come, and never more of them than memory shall hold.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, EXPECT};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use super::shares::Share;
use super::{Limits, Refusal};

/// How long a body may take.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    whole: Duration,
    /// How long it may take before it must come at a rate.
    grace: Duration,
    bytes_per_s: u64,
}

impl Patience {
    pub(super) fn new(limits: &Limits) -> Patience {
        Patience { whole: limits.request, grace: limits.body_grace, bytes_per_s: limits.body_bytes_per_s }
    }

    /// How long after its beginning a body of which so much has come is waited for.
    fn after(&self, bytes: usize) -> Duration {
        let slowest = match self.bytes_per_s {
            0 => self.whole,
            rate => self.grace + Duration::from_secs_f64(bytes as f64 / rate as f64),
        };
        slowest.min(self.whole)
    }
}

/// What a body may be.
pub(super) struct Room<'a> {
    /// The most bytes.
    pub most: usize,
    /// How long it may take.
    pub patience: &'a Patience,
    /// Nobody else sends.
    pub is_only_source: bool,
}

pub(super) fn announced_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads a body up to its limits, without a copy where it comes in one piece. `so_far` is how much of it has come.
pub(super) async fn whole(
    mut body: Body,
    room: Room<'_>,
    held: &mut Share<'_>,
    so_far: &mut usize,
) -> Result<Bytes, Refusal> {
    let begun = Instant::now();
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    loop {
        let until = begun + room.patience.after(*so_far);
        let frame = tokio::time::timeout_at(until.into(), body.frame()).await.map_err(|_| Refusal::TooSlow)?;
        let Some(frame) = frame else { break };
        // A body that breaks off is one that never arrives.
        let Ok(data) = frame.map_err(|_| Refusal::TooSlow)?.into_data() else { continue };
        *so_far += data.len();
        if *so_far > room.most {
            drop((first, rest));
            discard(body).await;
            return Err(Refusal::TooBig);
        }
        held.grow(data.len(), room.is_only_source)?;
        match &first {
            None => first = Some(data),
            Some(_) => rest.extend_from_slice(&data),
        }
    }
    let first = first.unwrap_or_default();
    if rest.is_empty() {
        return Ok(first);
    }
    let mut all = BytesMut::with_capacity(first.len() + rest.len());
    all.extend_from_slice(&first);
    all.extend_from_slice(&rest);
    Ok(all.freeze())
}

/// How much of a body that is refused is read and thrown away, and for how long: a sender that still sends when the connection
/// is closed may never see the answer.
const DISCARDED_BYTES: usize = 16 << 20;
const DISCARDING: Duration = Duration::from_secs(1);

/// The same where requests are refused because there are too many: what has most likely arrived already.
const BRIEFLY_BYTES: usize = 64 << 10;
const BRIEFLY: Duration = Duration::from_millis(50);

pub(super) async fn discard(body: Body) {
    discard_within(body, DISCARDED_BYTES, DISCARDING).await;
}

/// Throws a body away that is short, unless its sender waits to be asked for it.
pub(super) async fn discard_briefly(headers: &HeaderMap, body: Body) {
    let is_short = announced_bytes(headers).is_none_or(|bytes| bytes <= BRIEFLY_BYTES as u64);
    if is_short && !headers.contains_key(EXPECT) {
        discard_within(body, BRIEFLY_BYTES, BRIEFLY).await;
    }
}

async fn discard_within(mut body: Body, most: usize, time: Duration) {
    let reading = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > most {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(time, reading).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience(bytes_per_s: u64) -> Patience {
        Patience { whole: Duration::from_secs(10), grace: Duration::from_secs(2), bytes_per_s }
    }

    #[test]
    fn what_comes_slowly_is_waited_for_as_long_as_it_comes_at_its_rate() {
        let table = [(0, 2.0), (1, 2.000_976_562), (1024, 3.0), (5 * 1024, 7.0), (1 << 20, 10.0)];
        for (bytes, seconds) in table {
            let after = patience(1024).after(bytes).as_secs_f64();
            assert!((after - seconds).abs() < 0.000_001, "{bytes}: {after}");
        }
    }

    #[test]
    fn without_a_rate_only_the_whole_counts() {
        assert_eq!(patience(0).after(0), Duration::from_secs(10));
    }
}
