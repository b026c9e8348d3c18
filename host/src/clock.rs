//! Whether somebody set the wall clock: senders' signatures are judged by it, and nothing else of ours is.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::event::{UnixMs, WRITTEN_MS, now_ms, since_boot_ms, wall_ms};

/// How often it is looked at, and what counts as set, in milliseconds.
const EVERY: Duration = Duration::from_secs(1);
const SET_MS: i64 = 2_000;

/// By how much the wall clock was set since this process began, or since it could be right: forward, or back where it is negative. In milliseconds.
pub fn offset_ms() -> i64 {
    wall_ms() as i64 - now_ms() as i64
}

/// Tells whenever the wall clock was set, until it is told to stop.
pub async fn watch(stop: CancellationToken) {
    let ahead = || wall_ms() as i64 - since_boot_ms() as i64;
    let (mut known, mut was) = (ahead(), now_ms());
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        let (now, by) = (ahead(), ahead() - known);
        if let Some(told) = told(by, was) {
            tracing::warn!("{told}");
        }
        (known, was) = (now, now_ms());
    }
}

/// What is told where the wall clock was set by so much, when our time was this.
fn told(by_ms: i64, was: UnixMs) -> Option<String> {
    let way = if by_ms > 0 { "forward" } else { "back" };
    let goes_by = match was < WRITTEN_MS && now_ms() >= WRITTEN_MS {
        true => "it could not be right before, so all times go by it from now on",
        false => "senders' times are judged by it, what waits here is not",
    };
    (by_ms.abs() >= SET_MS).then(|| format!("the clock was set {way} by {} s: {goes_by}", by_ms.abs() / 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_set_is_told() {
        let now = now_ms();
        assert_eq!(told(0, now), None);
        assert_eq!(told(-1_999, now), None);
        assert!(told(3_600_000, now).unwrap().starts_with("the clock was set forward by 3600 s: senders"));
        assert!(told(-86_400_000, now).unwrap().starts_with("the clock was set back by 86400 s: senders"));
        assert!(told(now as i64, 5).unwrap().contains("all times go by it from now on"));
    }
}
