//! Other programs, called so that their failures can be read.

use std::fmt::Display;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// Says on stderr what comes next.
pub fn announce(what: impl Display) {
    eprintln!("==> {what}");
}

/// Runs a command to its end; what it prints is seen as it comes.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", line(command)))?;
    if !status.success() {
        bail!("{} failed: {status}", line(command));
    }
    Ok(())
}

/// Runs a command to its end and gives what it printed on stdout; its stderr is shown only in
/// the error.
pub fn read(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {}", line(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed: {}\n{}", line(command), output.status, said.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} speaks no UTF-8", line(command)))
}

/// Runs a command, but not for longer than `limit`; what it printed is shown only in the error.
pub fn run_within(command: &mut Command, limit: Duration) -> Result<()> {
    let name = line(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if started.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!("{name} took longer than {} s", limit.as_secs());
        }
        sleep(Duration::from_millis(50));
    };
    if !status.success() {
        let mut said = Vec::new();
        if let Some(mut stderr) = child.stderr.take() {
            stderr.read_to_end(&mut said)?;
        }
        bail!("{name} failed: {}", gist(&String::from_utf8_lossy(&said)));
    }
    Ok(())
}

/// Becomes the given command, so that signals reach it and its exit code is ours.
#[cfg(unix)]
pub fn hand_over(command: &mut Command) -> Result<()> {
    use std::os::unix::process::CommandExt as _;
    let error = command.exec();
    Err(error).with_context(|| format!("cannot start {}", line(command)))
}

/// Becomes the given command, as far as that is possible here.
#[cfg(not(unix))]
pub fn hand_over(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", line(command)))?;
    std::process::exit(status.code().unwrap_or(1));
}

/// A command as one would type it.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    format!("`{}`", words.join(" "))
}

/// The one line that says what went wrong: the first that calls itself an error, or the last.
fn gist(said: &str) -> &str {
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let error = lines.clone().find(|line| line.to_ascii_lowercase().starts_with("error"));
    error.or_else(|| lines.next_back()).unwrap_or("it did not say why")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gist_prefers_the_line_that_calls_itself_an_error() {
        assert_eq!(gist("info: hello\nerror: no network\n\nStack:\n 0: main\n"), "error: no network");
        assert_eq!(gist("one\ntwo\n\n"), "two");
        assert_eq!(gist(" \n"), "it did not say why");
    }

    #[test]
    fn a_failure_names_the_command() {
        let error = run(Command::new("no-such-program").arg("--please")).err();
        let text = error.map(|error| error.to_string());
        assert_eq!(text.as_deref(), Some("cannot start `no-such-program --please`"));
    }

    #[cfg(unix)]
    #[test]
    fn a_command_that_takes_too_long_is_ended() {
        let started = Instant::now();
        let done = run_within(Command::new("sleep").arg("30"), Duration::from_millis(100));
        assert!(done.is_err_and(|error| error.to_string().contains("took longer")));
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}
