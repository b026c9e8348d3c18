//! What a driver counted, and whether it is what was promised.

use std::fmt;

use serde_json::{Value, json};

/// What one run of a driver came to.
#[derive(Debug, Clone)]
pub struct Report {
    /// Which driver.
    pub driver: &'static str,
    /// What replays it.
    pub seed: u64,
    /// What was counted, in order.
    pub figures: Vec<Figure>,
}

/// One thing that was counted.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What, with its unit where it has one.
    pub what: String,
    /// How many.
    pub found: u64,
    /// How many there may be.
    pub bound: Bound,
}

/// How a figure is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// It is told, and not judged.
    None,
    /// More would break a promise.
    AtMost(u64),
    /// Less would show that the run was no trial.
    AtLeast(u64),
    /// More would be slower than it should be. Tests do not look at it: their machine may be busy.
    Goal(u64),
}

impl Report {
    /// An empty one.
    pub fn new(driver: &'static str, seed: u64) -> Report {
        Report { driver, seed, figures: Vec::new() }
    }

    /// Notes a figure.
    pub fn tell(&mut self, what: impl Into<String>, found: u64) {
        self.note(what, found, Bound::None);
    }

    /// Notes what there must be none of.
    pub fn none(&mut self, what: impl Into<String>, found: u64) {
        self.note(what, found, Bound::AtMost(0));
    }

    /// Notes a figure that is judged.
    pub fn note(&mut self, what: impl Into<String>, found: u64, bound: Bound) {
        self.figures.push(Figure { what: what.into(), found, bound });
    }

    /// The figures that break a promise, or show that it was not tried.
    pub fn broken(&self) -> Vec<&Figure> {
        self.figures.iter().filter(|figure| figure.is_broken()).collect()
    }

    /// The goals that were missed.
    pub fn missed(&self) -> Vec<&Figure> {
        self.figures.iter().filter(|figure| figure.is_missed()).collect()
    }

    /// Panics with all figures where a promise is broken.
    pub fn assert_kept(&self) {
        eprintln!("{self}");
        assert!(self.broken().is_empty(), "broken with HOOKGATE_SEED={}:\n{self}", self.seed);
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        let figures: Vec<Value> = self.figures.iter().map(Figure::json).collect();
        json!({ "driver": self.driver, "seed": self.seed, "broken": self.broken().len(), "missed": self.missed().len(), "figures": figures })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} (seed {}) | found | bound | |", self.driver, self.seed)?;
        writeln!(f, "|---|---:|---:|---|")?;
        self.figures.iter().try_for_each(|figure| {
            let Figure { what, found, bound } = figure;
            writeln!(f, "| {what} | {found} | {bound} | {} |", figure.word())
        })
    }
}

impl Figure {
    fn is_broken(&self) -> bool {
        match self.bound {
            Bound::AtMost(most) => self.found > most,
            Bound::AtLeast(least) => self.found < least,
            Bound::None | Bound::Goal(_) => false,
        }
    }

    fn is_missed(&self) -> bool {
        matches!(self.bound, Bound::Goal(goal) if self.found > goal)
    }

    fn word(&self) -> &'static str {
        match (self.bound, self.is_broken(), self.is_missed()) {
            (Bound::None, ..) => "",
            (_, true, _) => "**broken**",
            (_, _, true) => "**missed**",
            _ => "kept",
        }
    }

    fn json(&self) -> Value {
        json!({ "what": self.what, "found": self.found, "bound": self.bound.to_string(), "word": self.word().trim_matches('*') })
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::None => Ok(()),
            Bound::AtMost(most) => write!(f, "<= {most}"),
            Bound::AtLeast(least) => write!(f, ">= {least}"),
            Bound::Goal(goal) => write!(f, "goal {goal}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_broken_missed_and_told_are_three_things() {
        let mut report = Report::new("trial", 7);
        report.tell("told", 9);
        report.none("kept", 0);
        report.note("enough", 5, Bound::AtLeast(5));
        report.note("slow", 11, Bound::Goal(10));
        assert!(report.broken().is_empty());
        assert_eq!(report.missed().len(), 1);
        report.none("lost", 1);
        report.note("too few", 4, Bound::AtLeast(5));
        let broken: Vec<_> = report.broken().iter().map(|figure| figure.what.as_str()).collect();
        assert_eq!(broken, ["lost", "too few"]);
        assert_eq!((&report.json()["broken"], &report.json()["seed"]), (&2.into(), &7.into()));
    }

    #[test]
    #[should_panic(expected = "broken with HOOKGATE_SEED=7")]
    fn a_broken_promise_fails_a_test() {
        let mut report = Report::new("trial", 7);
        report.none("lost", 1);
        report.assert_kept();
    }
}
