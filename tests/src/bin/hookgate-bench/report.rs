//! The tables, as Markdown.

use std::time::{Duration, SystemTime};

/// Everything that was measured.
#[derive(Default)]
pub struct Report {
    text: String,
}

impl Report {
    /// Begins a table.
    pub fn table(&mut self, title: &str, columns: &[&str]) {
        eprintln!("==> {title}");
        self.text.push_str(&format!("\n## {title}\n\n"));
        self.row(columns);
        let rule = vec!["---"; columns.len()];
        self.row(&rule);
    }

    /// Adds a row.
    pub fn row(&mut self, cells: &[impl AsRef<str>]) {
        let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
        self.text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }

    /// Adds a line below a table.
    pub fn note(&mut self, line: &str) {
        self.text.push_str(&format!("\n{line}\n"));
    }

    /// The tables.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The tables with what they were measured on.
    pub fn document(&self) -> String {
        let line = |file: &str, key: &str| {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            let found = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
            found.trim_start_matches([' ', '\t', ':']).to_owned()
        };
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        format!(
            "# Benchmarks\n\nMeasured on {} with `cargo xtask bench -- {}` on {cores} cores of {}, {} of memory, \
             Linux {}. The load generator, what is compared and the gateway share these cores, so read the ratios rather than the \
             figures; figures are medians of several rounds in one run. The machine is a virtual one whose speed drifts.\n{}",
            today(),
            std::env::args().skip(1).collect::<Vec<_>>().join(" "),
            line("/proc/cpuinfo", "model name"),
            line("/proc/meminfo", "MemTotal"),
            kernel.trim(),
            self.text
        )
    }
}

/// The date in UTC (civil from days, as in Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms").
fn today() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let days = since.as_secs() as i64 / 86_400 + 719_468;
    let era_day = days % 146_097;
    let era_year = (era_day - era_day / 1_460 + era_day / 36_524 - era_day / 146_096) / 365;
    let year_day = era_day - (365 * era_year + era_year / 4 - era_year / 100);
    let month = (5 * year_day + 2) / 153;
    let day = year_day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era_year + days / 146_097 * 400 + i64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

/// The middle of some figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A part of sorted durations: 0.5 is the median.
pub fn quantile(sorted: &[Duration], part: f64) -> Duration {
    let last = sorted.len().saturating_sub(1) as f64;
    sorted.get((last * part).round() as usize).copied().unwrap_or_default()
}

/// Milliseconds with two digits.
pub fn ms(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1e3)
}
