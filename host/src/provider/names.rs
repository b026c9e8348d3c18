//! Names of headers.

use std::fmt;
use std::str::FromStr;

use http::{HeaderMap, HeaderName};

/// A header by its name, or by the first of several that is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Names(Vec<HeaderName>);

impl Names {
    /// One name.
    pub fn of(name: HeaderName) -> Names {
        Names(vec![name])
    }

    /// The one that counts where none is there.
    pub fn first(&self) -> &HeaderName {
        &self.0[0]
    }

    /// All of them.
    pub fn all(&self) -> &[HeaderName] {
        &self.0
    }

    /// The first that is there.
    pub fn found_in(&self, headers: &HeaderMap) -> &HeaderName {
        match self.0.as_slice() {
            [only] => only,
            several => several.iter().find(|name| headers.contains_key(*name)).unwrap_or(self.first()),
        }
    }
}

impl FromStr for Names {
    type Err = ();

    fn from_str(text: &str) -> Result<Names, ()> {
        let names: Result<Vec<HeaderName>, _> = text.split('|').map(str::parse).collect();
        // What was split has one piece at the least.
        names.map(Names).map_err(|_| ())
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(HeaderName::as_str).collect();
        f.write_str(&names.join("|"))
    }
}
