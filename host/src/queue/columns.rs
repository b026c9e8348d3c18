//! What numbers stand for in columns.

use crate::attempt::Outcome;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
pub enum State {
    /// Not before it is due.
    Waiting = 0,
    /// An attempt was begun.
    Running = 1,
    /// Over, well.
    Done = 2,
    /// Over, not well.
    Dead = 3,
}

impl State {
    /// The state behind a number of the table; what is none counts as over.
    pub fn from_i64(number: i64) -> State {
        match number {
            0 => State::Waiting,
            1 => State::Running,
            2 => State::Done,
            _ => State::Dead,
        }
    }
}

/// What stands in the columns `outcome` and `why`.
pub(super) fn outcome_columns(outcome: &Outcome) -> (i64, Option<&str>) {
    let number = match outcome {
        Outcome::Done => 0,
        Outcome::Retry { .. } => 1,
        Outcome::Reject { .. } => 2,
        Outcome::Trapped { .. } => 3,
        Outcome::Overran { .. } => 4,
        Outcome::OutOfMemory => 5,
        Outcome::Lost => 6,
        Outcome::Damaged => 7,
    };
    (number, outcome.why())
}

/// The name of an outcome by its number, as [`Outcome::name`] has it.
pub(super) fn outcome_name(number: i64) -> &'static str {
    let names = ["done", "retry", "reject", "trapped", "overran", "out_of_memory", "lost", "damaged"];
    names.get(number as usize).copied().unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_have_the_same_name_by_number() {
        let why = String::new;
        let outcomes = [
            Outcome::Done,
            Outcome::Retry { why: why(), after: None },
            Outcome::Reject { why: why() },
            Outcome::Trapped { why: why() },
            Outcome::Overran { limit: "" },
            Outcome::OutOfMemory,
            Outcome::Lost,
            Outcome::Damaged,
        ];
        for outcome in outcomes {
            assert_eq!(outcome_name(outcome_columns(&outcome).0), outcome.name());
        }
    }
}
