//! One file a command, each with what it prints.

/// Prints a line. Whoever reads no further (`head`) has enough: the command ends well.
macro_rules! outln {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        if writeln!(std::io::stdout(), $($text)*).is_err() {
            std::process::exit(0);
        }
    }};
}

mod again;
pub mod audit;
pub mod backup;
pub mod check;
pub mod compile_worker;
pub mod dead;
pub mod events;
mod filter;
pub mod frameio;
mod gateway;
pub mod hold;
pub mod init;
pub mod keys;
pub mod new;
mod printed;
pub mod providers;
pub mod refusals;
pub mod replay;
mod saved;
pub mod send;
pub mod serve;
pub mod show;
mod table;
pub mod try_plugin;
pub mod webhooks;
mod when;

pub use table::harmless;

/// Words on the command line that do not fit each other.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

impl Usage {
    /// The error of a command whose words do not fit.
    pub fn error(told: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Usage(told.into()))
    }
}

/// The error where there is no sample of a type; `flag` takes a body in its place.
fn no_sample(provider: &hookgate::provider::Provider, event_type: &str, flag: &str) -> anyhow::Error {
    let known: Vec<&str> = provider.sample_types().collect();
    let told = format!("there is no sample of `{event_type}` by {}: give a body with {flag}", provider.name);
    let others = if known.is_empty() { String::new() } else { format!(", or take one of {}", known.join(", ")) };
    Usage::error(told + &others)
}

/// A runtime for a command that does little at a time.
fn block_on<F: Future>(work: F) -> anyhow::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    Ok(runtime.block_on(work))
}

/// So many of something.
fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// A duration as people read it: three digits that count.
fn brief(duration: std::time::Duration) -> String {
    let us = duration.as_secs_f64() * 1e6;
    match us {
        ..10.0 => format!("{us:.1} us"),
        ..1_000.0 => format!("{us:.0} us"),
        ..10_000.0 => format!("{:.1} ms", us / 1e3),
        ..1_000_000.0 => format!("{:.0} ms", us / 1e3),
        _ => format!("{:.1} s", us / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn durations_are_brief() {
        let table = [
            (31_400, "31 us"),
            (900, "0.9 us"),
            (4_200_000, "4.2 ms"),
            (250_000_000, "250 ms"),
            (2_500_000_000, "2.5 s"),
        ];
        for (nanos, expected) in table {
            assert_eq!(brief(Duration::from_nanos(nanos)), expected);
        }
    }
}
