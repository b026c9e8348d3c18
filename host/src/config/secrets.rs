//! Secrets that the config names: in the environment, in the `.env` beside it, or in files.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::{Reading, stamp};
use crate::secret::{Held, Secret, SecretFile, read_secret};
use crate::section::Section;

impl Reading<'_> {
    /// Reads `{ env = "NAME" }` or `{ file = "/path" }`, as it is now.
    pub(super) fn secret(&self, section: Section) -> Option<Secret> {
        let held = self.held(section)?;
        held.now().ok()
    }

    /// The same for a secret that is read again when its file changes.
    pub(super) fn held(&self, mut section: Section) -> Option<Held> {
        let env: Option<String> = section.optional("env");
        let file: Option<String> = section.optional("file");
        let held = match (&env, &file) {
            (Some(name), None) => match (self.variable)(name).filter(|value| !value.is_empty()) {
                Some(value) => Some(Held::Fixed(Secret::new(value))),
                None if self.secrets_may_be_missing => None,
                None => {
                    section.mistake("env", format_args!("the variable {name} is not set: set it, or add it to .env"));
                    None
                }
            },
            (None, Some(path)) => self.secret_file(&section, path),
            _ => {
                section
                    .mistake("", "take one of env = \"NAME\" and file = \"/path\"; a secret never stands in this file");
                None
            }
        };
        section.finish();
        held
    }

    fn secret_file(&self, section: &Section, path: &str) -> Option<Held> {
        let path = self.folder.join(path);
        self.files.borrow_mut().push((path.clone(), stamp(&path)));
        match read_secret(&path) {
            Ok(_) => Some(Held::File(Arc::new(SecretFile::new(path)))),
            Err(_) if self.secrets_may_be_missing => None,
            Err(why) => {
                section.mistake("file", why);
                None
            }
        }
    }
}

/// Reads the `.env` beside a config, where there is one.
pub(super) fn dotenv(file: &Path) -> Result<HashMap<String, String>, String> {
    let lines = match dotenvy::from_path_iter(file) {
        Ok(lines) => lines,
        Err(error) if error.not_found() => return Ok(HashMap::new()),
        Err(error) => return Err(error.to_string()),
    };
    // The error of a line would print the line, and a secret may stand in it.
    lines.collect::<Result<_, _>>().map_err(|_| "a line is not of the form NAME=value".to_owned())
}
