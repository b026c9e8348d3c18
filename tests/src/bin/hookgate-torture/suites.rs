//! What is tried by tests of `cargo xtask test`, on a larger scale: the environment says how large. They are built as that command builds
//! them, so that they have the checks of a debug build; the gateway that they start is the release build.

use std::process::{Command, Stdio};

use hookgate_tests::fire::{Bound, Report};

/// Some tests, by how their names begin.
pub struct Suite {
    /// What it is called here.
    pub name: &'static str,
    /// Which tests.
    pub tests: &'static [&'static str],
    /// What says how much of them is tried: what that is, in which variable, and how many.
    pub scale: Option<(&'static str, &'static str, u64)>,
    /// Without what, named by a variable, they would try nothing.
    pub needs: Option<&'static str>,
}

impl Suite {
    /// Runs them to their end.
    pub fn run(&self) -> Report {
        // They have seeds of their own: with one of somebody else's the simulation would try that one only.
        let mut report = Report::new(self.name, 0);
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["test", "--workspace", "--lib", "--test", "it", "--no-fail-fast"]);
        cargo.arg("--").args(self.tests).env_remove("HOOKGATE_SEED").env_remove("HOOKGATE_SEQUENCE");
        if let Some((what, variable, many)) = self.scale {
            cargo.env(variable, many.to_string());
            report.tell(what, many);
        }
        if let Some(variable) = self.needs {
            let is_there = std::env::var_os(variable).is_some_and(|value| !value.is_empty());
            report.note(format!("{variable} is set"), is_there.into(), Bound::AtLeast(1));
        }
        let (told, went_well) = match cargo.stderr(Stdio::inherit()).output() {
            Ok(output) => (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.success()),
            Err(error) => (format!("cargo does not start: {error}"), false),
        };
        if !went_well {
            eprintln!("{told}");
        }
        let (passed, failed) = counted(&told);
        report.note("tests that passed", passed, Bound::AtLeast(self.tests.len() as u64));
        // Those that do not come to be counted, such as one whose process ended, fail the command.
        report.none("tests that failed", failed.max(u64::from(!went_well)));
        report
    }
}

/// How many tests passed and how many failed, by what the runs of all binaries told.
fn counted(told: &str) -> (u64, u64) {
    let results = told.lines().filter_map(|line| line.strip_prefix("test result: "));
    let number = |result: &str, what: &str| -> u64 {
        let of = result.split([';', '.']).find_map(|part| part.trim().strip_suffix(what));
        of.and_then(|number| number.trim().parse().ok()).unwrap_or_default()
    };
    results
        .fold((0, 0), |(passed, failed), result| (passed + number(result, "passed"), failed + number(result, "failed")))
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_passed_and_failed_is_counted_over_all_binaries() {
        let told = "running 2 tests\n\ntest result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out; finished in 0.01s\n
test result: FAILED. 1 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s\n";
        assert_eq!(super::counted(told), (3, 3));
    }
}
