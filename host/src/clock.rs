//! Whether somebody set the wall clock: senders' signatures are judged by it, and nothing else of ours is.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::event::{now_ms, wall_ms};

/// How often it is looked at, and what counts as set, in milliseconds.
const EVERY: Duration = Duration::from_secs(1);
const SET_MS: i64 = 2_000;

/// By how much the wall clock was set since this process began: forward, or back where it is negative. In milliseconds.
pub fn offset_ms() -> i64 {
    wall_ms() as i64 - now_ms() as i64
}

/// Tells whenever the wall clock was set, until it is told to stop.
pub async fn watch(stop: CancellationToken) {
    let mut known = offset_ms();
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        let (offset, before) = (offset_ms(), known);
        known = offset;
        if let Some(told) = told(offset - before) {
            tracing::warn!("{told}");
        }
    }
}

fn told(by_ms: i64) -> Option<String> {
    let way = if by_ms > 0 { "forward" } else { "back" };
    (by_ms.abs() >= SET_MS).then(|| {
        format!(
            "the clock was set {way} by {} s: senders' times are judged by it, what waits here is not",
            by_ms.abs() / 1000
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_set_is_told() {
        assert_eq!(told(0), None);
        assert_eq!(told(-1_999), None);
        assert!(told(3_600_000).unwrap().starts_with("the clock was set forward by 3600 s"));
        assert!(told(-86_400_000).unwrap().starts_with("the clock was set back by 86400 s"));
    }
}
