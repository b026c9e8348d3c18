//! What is kept of a call with its attempt: what it took, what it used, the end of what it logged.

use std::time::Duration;

use crate::attempt::{Attempt, Outcome, Spent};
use crate::runtime::{Cost, Level, Line};

/// What an attempt took and left behind.
#[derive(Default)]
pub(super) struct Ran {
    took: Duration,
    spent: Option<Spent>,
    log: Option<String>,
}

/// How much of what an attempt logged is kept with it, from the end, in bytes.
const LOG_BYTES: usize = 2 << 10;

impl Ran {
    pub fn of(cost: &Cost, lines: &[Line]) -> Ran {
        let spent = Spent { cpu: cost.cpu, memory_bytes: cost.memory_bytes };
        Ran { took: cost.wall, spent: Some(spent), log: tail(lines) }
    }

    pub fn attempt(self, generation: u64, started_at_ms: u64, outcome: Outcome) -> Attempt {
        let Ran { took, spent, log } = self;
        Attempt { generation, started_at_ms, took, outcome, spent, log, reply: None }
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Trace => "trace",
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

/// The last lines, as many of them whole as are kept.
fn tail(lines: &[Line]) -> Option<String> {
    let mut kept: Vec<String> = Vec::new();
    let mut bytes = 0;
    for line in lines.iter().rev() {
        let text = format!("{} {}", word(line.level), line.message);
        bytes += text.len() + 1;
        if bytes > LOG_BYTES {
            // A single line that is longer has its beginning kept.
            kept.extend(kept.is_empty().then(|| text.chars().take(LOG_BYTES / 4).collect()));
            break;
        }
        kept.push(text);
    }
    kept.reverse();
    (!kept.is_empty()).then(|| kept.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_whole() {
        let line = |message: &str| Line { level: Level::Info, message: message.to_owned() };
        assert_eq!(tail(&[]), None);
        assert_eq!(tail(&[line("a"), line("b")]).as_deref(), Some("info a\ninfo b"));
        let many: Vec<Line> = (0..1_000).map(|n| line(&n.to_string())).collect();
        let kept = tail(&many).unwrap();
        assert!(kept.len() <= LOG_BYTES && kept.ends_with("info 998\ninfo 999"), "{kept}");
        let long = tail(&[line("a"), line(&"x".repeat(10_000))]).unwrap();
        assert!(long.starts_with("info xxx") && long.len() <= LOG_BYTES, "{long}");
    }
}
