//! The rules of the house, read off the sources: who may use whom, how long things may be, what stands where.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The rooms and whom each may use. Every room may use itself and `event`, the leaf.
const ARROWS: &[(&str, &[&str])] = &[
    ("event", &[]),
    ("secret", &[]),
    ("section", &[]),
    ("clock", &[]),
    ("attempt", &[]),
    ("effects", &[]),
    ("pace", &[]),
    // Tells of what others did, and knows none of them.
    ("telemetry", &["secret"]),
    ("outbound", &["pace", "secret"]),
    ("schedule", &["attempt"]),
    ("provider", &["secret", "section"]),
    // Never the runtime and never plugins: what comes in knows nothing of what goes out.
    ("ingress", &["listen", "pace", "provider", "queue", "telemetry"]),
    ("queue", &["attempt", "effects", "schedule"]),
    // Outgoing webhooks, and who may register them.
    ("webhooks", &["attempt", "outbound", "queue", "secret"]),
    ("keys", &["queue", "secret"]),
    ("api", &["attempt", "keys", "queue", "secret", "telemetry", "webhooks"]),
    // Never the queue: code that runs knows nothing of what is promised.
    ("runtime", &["attempt", "effects", "outbound", "pace"]),
    ("plugins", &["effects", "outbound", "pace", "runtime"]),
    ("dispatch", &["attempt", "effects", "plugins", "queue", "runtime", "schedule", "telemetry", "webhooks"]),
    ("listen", &[]),
    // What is shown: standings, counts and counters.
    ("admin", &["api", "clock", "keys", "queue", "plugins", "provider", "ingress", "dispatch", "secret"]),
    // What it reads into.
    (
        "config",
        &[
            "effects",
            "ingress",
            "listen",
            "outbound",
            "plugins",
            "provider",
            "queue",
            "runtime",
            "schedule",
            "secret",
            "section",
            "telemetry",
            "webhooks",
        ],
    ),
    // What of a new config can be taken while it runs.
    ("reload", &["config", "ingress", "plugins"]),
    // Puts everything together.
    (
        "run",
        &[
            "admin",
            "api",
            "clock",
            "config",
            "dispatch",
            "ingress",
            "keys",
            "listen",
            "outbound",
            "plugins",
            "queue",
            "reload",
            "runtime",
            "telemetry",
            "webhooks",
        ],
    ),
];

/// Functions never have more lines than this.
const FUNCTION_LINES: usize = 70;

/// Files rarely have more lines than this before their tests.
const FILE_LINES: usize = 400;

/// Those that do, each one subject that would be harder to read in pieces.
const LONG_FILES: &[(&str, usize)] = &[("host/src/queue/store.rs", 490), ("tests/tests/it/house_rules.rs", 450)];

/// One file of Rust, with what is neither code nor ours to judge taken out.
struct Source {
    path: String,
    text: String,
    /// Without comments and without what stands in texts, line for line.
    code: String,
}

impl Source {
    fn read(path: &Path) -> Source {
        let text = std::fs::read_to_string(path).unwrap();
        let path = path.strip_prefix(ROOT).unwrap().to_string_lossy().into_owned();
        Source { path, code: code_only(&text), text }
    }

    /// The code before the tests.
    fn before_tests(&self) -> &str {
        if self.path.ends_with("/tests.rs") {
            return "";
        }
        self.code.split("#[cfg(test)]").next().unwrap_or_default()
    }

    /// The room that a file of the host belongs to.
    fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("host/src/")?;
        let room = inside.split('/').next()?;
        Some(room.strip_suffix(".rs").unwrap_or(room))
    }

    /// Which rooms of the host it names.
    fn uses(&self) -> BTreeSet<String> {
        let mut used = BTreeSet::new();
        for (at, found) in self.before_tests().match_indices("crate::") {
            let after = &self.before_tests()[at + found.len()..];
            match after.strip_prefix('{') {
                Some(list) => used.extend(heads_of_list(list)),
                None => used.extend(word(after)),
            }
        }
        used
    }
}

/// The first words of the entries of a `use` list.
fn heads_of_list(list: &str) -> Vec<String> {
    let (mut depth, mut heads, mut expects_head) = (0, Vec::new(), true);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expects_head = true,
            _ if c.is_alphabetic() && expects_head && depth == 0 => {
                heads.extend(word(&list[at..]));
                expects_head = false;
            }
            _ => {}
        }
    }
    heads
}

fn word(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

/// Blanks comments, texts and characters, and keeps the lines.
fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '"' => text_len(rest),
            'r' if (rest.starts_with("r\"") || rest.starts_with("r#")) && !ends_in_word(&code) => raw_text_len(rest),
            '\'' => char_len(rest),
            _ => 0,
        };
        if skipped == 0 {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            code.extend(rest[..skipped].matches('\n'));
            rest = &rest[skipped..];
        }
    }
    code
}

fn ends_in_word(code: &str) -> bool {
    code.ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

fn text_len(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_text_len(text: &str) -> usize {
    let fence = text[1..].chars().take_while(|c| *c == '#').count();
    if !text[1 + fence..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(fence));
    let begin = 2 + fence;
    text[begin..].find(&end).map_or(text.len(), |at| begin + at + end.len())
}

/// A lifetime is no character.
fn char_len(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, c))) => {
            at + c.len_utf8() + text[at + c.len_utf8()..].find('\'').map_or(0, |end| end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// Every Rust file below a folder of the repository that somebody wrote.
fn sources(folder: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut folders = vec![PathBuf::from(ROOT).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                _ if path.is_dir() && !path.ends_with("target") => folders.push(path),
                // What `wit-bindgen` wrote is not ours to judge.
                Some(extension) if extension == "rs" && !path.ends_with("src/bindings.rs") => {
                    sources.push(Source::read(&path))
                }
                _ => {}
            }
        }
    }
    assert!(!sources.is_empty());
    sources
}

fn all_sources() -> Vec<Source> {
    ["host/src", "plugin-sdk", "plugins", "tests", "xtask/src"].into_iter().flat_map(sources).collect()
}

#[test]
fn rooms_use_only_the_rooms_that_they_may() {
    let known: Vec<&str> = ARROWS.iter().map(|(room, _)| *room).collect();
    let mut broken = Vec::new();
    for source in sources("host/src") {
        let room = source.room().unwrap();
        // The commands stand outside: they use the library as anyone may.
        if ["lib", "main", "commands"].contains(&room) {
            continue;
        }
        let Some((_, may)) = ARROWS.iter().find(|(known, _)| *known == room) else {
            broken.push(format!("{}: the room `{room}` has no place on the map", source.path));
            continue;
        };
        let uses = source.uses();
        let others = uses.iter().filter(|used| known.contains(&used.as_str()) && *used != room && *used != "event");
        broken.extend(
            others.filter(|used| !may.contains(&used.as_str())).map(|used| format!("{}: uses {used}", source.path)),
        );
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_room_on_the_map_is_there_and_every_arrow_is_used() {
    let sources = sources("host/src");
    for (room, may) in ARROWS {
        let uses: BTreeSet<String> =
            sources.iter().filter(|source| source.room() == Some(room)).flat_map(Source::uses).collect();
        assert!(sources.iter().any(|source| source.room() == Some(room)), "there is no room `{room}`");
        let unused: Vec<_> = may.iter().filter(|used| !uses.contains(**used)).collect();
        assert!(unused.is_empty(), "`{room}` may use {unused:?} and does not: take it off the map");
    }
}

#[test]
fn functions_fit_a_screen() {
    let long: Vec<String> = all_sources().iter().flat_map(long_functions).collect();
    assert!(long.is_empty(), "{long:#?}");
}

fn long_functions(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.code.lines().collect();
    let begins =
        |line: &str| line.trim_start().split(' ').take(5).any(|word| word == "fn") && !line.trim_end().ends_with(';');
    let starts = lines.iter().enumerate().filter(|(_, line)| begins(line));
    let measured = starts.map(|(at, _)| (at, lines_of_block(&lines[at..])));
    measured
        .filter(|(_, length)| *length > FUNCTION_LINES)
        .map(|(at, length)| format!("{}:{}: {length} lines", source.path, at + 1))
        .collect()
}

/// How many lines it takes until the first brace that opens is closed.
fn lines_of_block(lines: &[&str]) -> usize {
    let (mut depth, mut opened) = (0i32, false);
    for (n, line) in lines.iter().enumerate() {
        for c in line.chars() {
            match c {
                '{' => (depth, opened) = (depth + 1, true),
                '}' => depth -= 1,
                ';' if !opened && depth == 0 => return n + 1,
                _ => {}
            }
            if opened && depth == 0 {
                return n + 1;
            }
        }
    }
    lines.len()
}

#[test]
fn files_have_one_subject_and_few_lines() {
    let long = |source: &Source| {
        let (_, most) = LONG_FILES.iter().find(|(path, _)| *path == source.path).unwrap_or(&("", FILE_LINES));
        let lines = source.before_tests().lines().count();
        (lines > *most).then(|| format!("{}: {lines} lines before its tests", source.path))
    };
    let long: Vec<String> = all_sources().iter().filter_map(long).collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn outside_tests_nothing_unwraps() {
    for source in sources("host/src").iter().chain(&sources("plugin-sdk/rust/src")) {
        for forbidden in [".unwrap()", ".expect(", "panic!(", "todo!(", "dbg!("] {
            assert!(!source.before_tests().contains(forbidden), "{} has {forbidden}", source.path);
        }
    }
}

#[test]
fn only_the_queues_store_and_reader_know_sql() {
    let verbs = ["SELECT ", "INSERT INTO ", "DELETE FROM ", "UPDATE delivery", "CREATE TABLE ", "PRAGMA ", "rusqlite"];
    for source in sources("host/src") {
        let knows = verbs.iter().find(|verb| source.text.contains(*verb));
        let may = [
            "store",
            "checksum",
            "old_log",
            "connection",
            "mover",
            "schema",
            "reader",
            "state",
            "records",
            "lanes",
            "retention",
            "copy",
            "track",
            "failure",
            "look",
            "events",
            "ids",
            "shown",
            "texts/keeping",
            "texts/tests",
            "tests",
        ];
        let may = may.iter().any(|file| source.path == format!("host/src/queue/{file}.rs"));
        assert!(knows.is_none() || may, "{} has {knows:?}", source.path);
    }
}

#[test]
fn only_the_config_reads_the_environment() {
    for source in sources("host/src") {
        let reads = source.before_tests().contains("env::var");
        assert!(!reads || source.path == "host/src/config.rs", "{} reads the environment", source.path);
    }
}

#[test]
fn the_unsafe_of_the_host_is_in_the_cache_and_that_of_tests_below_sqlite_and_the_c_library() {
    let may = ["host/src/runtime/cache.rs", "tests/disk/src/vfs.rs", "tests/syncs/src/lib.rs"];
    for source in all_sources() {
        // What is compiled there stands in for the gateway's own macro.
        let is_ui = source.path.contains("/tests/ui/");
        let is_unsafe = source.code.contains("unsafe {") || source.code.contains("allow(unsafe_code)");
        assert!(!is_unsafe || is_ui || may.contains(&source.path.as_str()), "{} has unsafe code", source.path);
    }
}

#[test]
fn only_the_runtime_knows_wasmtime_and_only_ingress_and_its_like_know_http() {
    let rooms_that_know = |word: &str| -> BTreeSet<String> {
        let sources = sources("host/src");
        let knowing = sources.iter().filter(|source| source.before_tests().contains(word));
        knowing.filter_map(|source| source.room().map(str::to_owned)).collect()
    };
    assert_eq!(rooms_that_know("wasmtime"), BTreeSet::from(["runtime".to_owned()]));
    assert_eq!(
        rooms_that_know("axum::"),
        BTreeSet::from(["admin", "api", "commands", "ingress", "listen"].map(str::to_owned))
    );
    assert_eq!(rooms_that_know("notify::"), BTreeSet::from(["plugins".to_owned()]));
}

#[test]
fn no_file_names_a_folder_of_somebodys_machine() {
    let tracked = std::process::Command::new("git").args(["ls-files", "-z"]).current_dir(ROOT).output().unwrap();
    let names = String::from_utf8(tracked.stdout).unwrap();
    // Spelled so that this file is clean itself.
    let folders = ["home", "root", "work", "Users"].map(|folder| format!("/{folder}/"));
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        let Ok(text) = std::fs::read_to_string(Path::new(ROOT).join(name)) else { continue };
        for folder in &folders {
            assert!(!text.contains(folder.as_str()), "{name} names {folder}");
        }
    }
}

#[test]
fn the_scanner_sees_code_only() {
    let code = code_only("a // fn {\n\"}\\\"{\" 'x' '\\'' r#\"{\"# b<'a> r\"}\" end");
    assert_eq!(code, "a \n    b<'a>  end");
    assert_eq!(heads_of_list("a::{b, c}, d, e::f}; g"), ["a", "d", "e"]);
    assert_eq!(lines_of_block(&["fn a() {", "if b { c }", "}", "fn d() {}"]), 3);
}
