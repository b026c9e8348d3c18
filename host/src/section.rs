//! Reads a TOML table key by key and collects every mistake on the way, each with the path of its key.
//!
//! What is asked for is what is known: whatever is left in a table when it is finished is an unknown key, and the
//! nearest of those that were asked for is suggested.

use std::cell::RefCell;
use std::fmt;
use std::ops::RangeInclusive;

use serde::de::DeserializeOwned;
use toml::de::{DeArray, DeTable, DeValue};
use toml::{Table, Value};

/// All that is wrong with a file: the path of a key, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Mistakes(RefCell<Vec<(String, String)>>);

impl Mistakes {
    /// Notes one, by the path of its key.
    pub fn add(&self, path: &str, what: impl fmt::Display) {
        self.0.borrow_mut().push((path.to_owned(), what.to_string()));
    }

    /// All of them, each with its line in the text, or the thing that was read.
    pub fn none_or_in<T>(self, text: &str, read: T) -> Result<T, Vec<String>> {
        let mistakes = self.0.into_inner();
        if mistakes.is_empty() {
            return Ok(read);
        }
        let table = DeTable::parse(text).ok();
        let told = |(path, what): (String, String)| {
            let line = table.as_ref().and_then(|table| line_of(text, table.get_ref(), &path));
            let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            format!("{line}{path}: {what}")
        };
        Err(mistakes.into_iter().map(told).collect())
    }
}

/// The line, counted from 1, of the key that a path leads to, or of the last on the way that is there.
fn line_of(text: &str, table: &DeTable, path: &str) -> Option<usize> {
    let (mut at, mut here) = (None, Here::Table(table));
    for step in steps(path) {
        let found = match (&here, &step) {
            (Here::Table(table), Step::Key(key)) => table.iter().find(|(name, _)| name.get_ref() == key),
            (Here::Array(array), Step::Nth(nth)) => {
                let Some(value) = array.get(*nth) else { break };
                at = Some(value.span().start);
                here = Here::of(value.get_ref());
                continue;
            }
            _ => None,
        };
        let Some((name, value)) = found else { break };
        at = Some(name.span().start);
        here = Here::of(value.get_ref());
    }
    Some(text.get(..at?)?.matches('\n').count() + 1)
}

/// Where a walk through a file has come to.
enum Here<'a> {
    Table(&'a DeTable<'a>),
    Array(&'a DeArray<'a>),
    Value,
}

impl<'a> Here<'a> {
    fn of(value: &'a DeValue<'a>) -> Here<'a> {
        match value {
            DeValue::Table(table) => Here::Table(table),
            DeValue::Array(array) => Here::Array(array),
            _ => Here::Value,
        }
    }
}

enum Step {
    Key(String),
    Nth(usize),
}

/// The steps of a path as [`Section::path_of`] writes it.
fn steps(path: &str) -> Vec<Step> {
    let (mut steps, mut rest) = (Vec::new(), path);
    while !rest.is_empty() {
        if let Some((nth, after)) = rest.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
            steps.extend(nth.parse().map(Step::Nth));
            rest = after;
        } else if let Some((key, after)) = rest.strip_prefix('"').and_then(|inside| inside.split_once('"')) {
            steps.push(Step::Key(key.to_owned()));
            rest = after;
        } else {
            let (key, after) = rest.split_at(rest[1..].find(['.', '[']).map_or(rest.len(), |at| at + 1));
            steps.push(Step::Key(key.to_owned()));
            rest = after;
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
    }
    steps
}

/// One table that is being read.
pub struct Section<'a> {
    path: String,
    table: Table,
    known: Vec<String>,
    mistakes: &'a Mistakes,
}

impl<'a> Section<'a> {
    /// Begins with a whole file's table.
    pub fn root(table: Table, mistakes: &'a Mistakes) -> Section<'a> {
        Section { path: String::new(), table, known: Vec::new(), mistakes }
    }

    /// The path of a key in this table, as TOML writes it; of the table itself, where the key is empty.
    pub fn path_of(&self, key: &str) -> String {
        if key.is_empty() {
            return self.path.clone();
        }
        // `secrets[0]` is our own way to point into a list.
        let bare = key.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_[]".contains(&c));
        let key = if bare { key.to_owned() } else { format!("{key:?}") };
        if self.path.is_empty() { key } else { format!("{}.{key}", self.path) }
    }

    /// Notes a mistake about a key of this table.
    pub fn mistake(&self, key: &str, what: impl fmt::Display) {
        self.mistakes.add(&self.path_of(key), what);
    }

    /// Whether there is a value that was not asked for yet.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A value as it stands, where there is one.
    pub fn raw(&mut self, key: &str) -> Option<Value> {
        self.known.push(key.to_owned());
        self.table.remove(key)
    }

    /// A value, where there is one and it is of this type.
    pub fn optional<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let value = self.raw(key)?;
        match T::deserialize(value) {
            Ok(read) => Some(read),
            Err(error) => {
                self.mistake(key, error.message());
                None
            }
        }
    }

    /// A value, or what is meant where there is none.
    pub fn or<T: DeserializeOwned>(&mut self, key: &str, default: T) -> T {
        self.optional(key).unwrap_or(default)
    }

    /// A value that must be there; `hint` says what would be right.
    pub fn required<T: DeserializeOwned>(&mut self, key: &str, hint: &str) -> Option<T> {
        if !self.table.contains_key(key) {
            self.known.push(key.to_owned());
            self.mistake(key, format_args!("is missing: {hint}"));
            return None;
        }
        self.optional(key)
    }

    /// A whole number in a range, or what is meant where there is none.
    pub fn number(&mut self, key: &str, default: u64, range: RangeInclusive<u64>) -> u64 {
        let number = self.or(key, default);
        if range.contains(&number) {
            return number;
        }
        self.mistake(key, format_args!("{number} is out of range: take {} to {}", range.start(), range.end()));
        default
    }

    /// A whole number in a range, where there is one.
    pub fn optional_number(&mut self, key: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let start = *range.start();
        self.has(key).then(|| self.number(key, start, range))
    }

    /// A text in a form of its own, parsed by the form's own rules.
    pub fn parsed<T>(&mut self, key: &str) -> Option<T>
    where
        T: std::str::FromStr,
        T::Err: fmt::Display,
    {
        let text: String = self.optional(key)?;
        text.parse().map_err(|error| self.mistake(key, error)).ok()
    }

    /// A text in a form of its own that must be there; `hint` says what would be right.
    pub fn required_parsed<T>(&mut self, key: &str, hint: &str) -> Option<T>
    where
        T: std::str::FromStr,
        T::Err: fmt::Display,
    {
        let text: String = self.required(key, hint)?;
        text.parse().map_err(|error| self.mistake(key, error)).ok()
    }

    /// A table inside this one; an empty one where there is none.
    pub fn section(&mut self, key: &str) -> Section<'a> {
        let table = match self.raw(key) {
            Some(Value::Table(table)) => table,
            Some(_) => {
                self.mistake(key, format_args!("must be a table: write [{}]", self.path_of(key)));
                Table::new()
            }
            None => Table::new(),
        };
        self.with(key, table)
    }

    /// A table inside this one, where there is one.
    pub fn optional_section(&mut self, key: &str) -> Option<Section<'a>> {
        if self.table.contains_key(key) {
            return Some(self.section(key));
        }
        self.known.push(key.to_owned());
        None
    }

    /// A table that was taken out of this one, to be read on.
    pub fn with(&self, key: &str, table: Table) -> Section<'a> {
        Section { path: self.path_of(key), table, known: Vec::new(), mistakes: self.mistakes }
    }

    /// The tables of an array of tables.
    pub fn tables(&mut self, key: &str) -> Vec<Section<'a>> {
        let tables: Vec<Table> = self.or(key, Vec::new());
        let path = self.path_of(key);
        let numbered = tables.into_iter().enumerate();
        numbered
            .map(|(n, table)| Section {
                path: format!("{path}[{n}]"),
                table,
                known: Vec::new(),
                mistakes: self.mistakes,
            })
            .collect()
    }

    /// The tables inside this one, each by its name; everything in it must be one.
    pub fn sections(mut self) -> Vec<(String, Section<'a>)> {
        let names: Vec<String> = self.table.keys().cloned().collect();
        names.into_iter().map(|name| (name.clone(), self.section(&name))).collect()
    }

    /// Whatever is left, each key read alike: for tables whose keys are the user's own.
    pub fn rest_with<T>(mut self, mut read: impl FnMut(&mut Section<'a>, &str) -> T) -> Vec<(String, T)> {
        let names: Vec<String> = self.table.keys().cloned().collect();
        names
            .into_iter()
            .map(|name| {
                let value = read(&mut self, &name);
                (name, value)
            })
            .collect()
    }

    /// Everything was asked for: what is left is unknown.
    pub fn finish(self) {
        for key in self.table.keys() {
            let nearest =
                self.known.iter().max_by(|a, b| strsim::jaro_winkler(a, key).total_cmp(&strsim::jaro_winkler(b, key)));
            match nearest.filter(|nearest| strsim::jaro_winkler(nearest, key) > 0.7) {
                Some(nearest) => self.mistake(key, format_args!("is no key that there is; did you mean `{nearest}`?")),
                None => self.mistake(key, format_args!("is no key that there is; here go {}", self.known.join(", "))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_mistakes_are_told_at_once_each_with_its_key() {
        let text = "call_ms = \"30s\"\ncpu_mss = 3\nmemory_mib = 0\n[deep.\"a.b\"]\nx = 1\n[[list]]\n[[list]]\ny = 2";
        let table: Table = toml::from_str(text).unwrap();
        let mistakes = Mistakes::default();
        let mut root = Section::root(table, &mistakes);
        assert_eq!(root.number("call_ms", 7, 1..=9), 7);
        assert_eq!(root.number("cpu_ms", 5, 1..=9), 5);
        assert_eq!(root.number("memory_mib", 64, 1..=128), 64);
        let _: Option<String> = root.required("name", "give it one");
        for (_, deep) in root.section("deep").sections() {
            deep.finish();
        }
        root.tables("list").into_iter().for_each(Section::finish);
        root.finish();
        let told = mistakes.none_or_in(text, ()).unwrap_err();
        let expected = [
            "line 1: call_ms: invalid type",
            "line 3: memory_mib: 0 is out of range: take 1 to 128",
            "name: is missing: give it one",
            "line 5: deep.\"a.b\".x: is no key",
            "line 8: list[1].y: is no key",
            "line 2: cpu_mss: is no key that there is; did you mean `cpu_ms`?",
        ];
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{told:?} is not {expected:?}");
        }
        assert_eq!(told.len(), expected.len());
    }
}
