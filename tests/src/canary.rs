//! No secret of any test shows anywhere: in an answer, a log, a metric, a file of the data folder. Whatever else a test is about, the
//! harness looks.

use std::path::Path;

use crate::frameio::TOKEN;
use crate::home::SECRETS;

/// What a secret looks like where it shows: as it is, or as its bytes in hex or Base64.
fn forms() -> Vec<Vec<u8>> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let secrets = SECRETS.iter().map(|(_, secret)| *secret).chain([TOKEN]);
    let forms = secrets.flat_map(|secret| [secret.to_owned(), hex::encode(secret), STANDARD.encode(secret)]);
    forms.map(String::into_bytes).collect()
}

/// Fails the test where a secret shows.
pub fn assert_none_in(place: &str, bytes: &[u8]) {
    // A test that failed already must not fail twice.
    if std::thread::panicking() {
        return;
    }
    let shown = forms().into_iter().find(|form| memchr::memmem::find(bytes, form).is_some());
    assert!(shown.is_none(), "{place} shows a secret: {:?}", String::from_utf8_lossy(&shown.unwrap_or_default()));
}

/// The same for every file of a folder.
pub fn assert_none_below(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            // Code, and not what anybody said.
            Ok(kind) if kind.is_dir() && entry.file_name() != "compiled" => assert_none_below(&path),
            Ok(kind) if kind.is_file() => {
                assert_none_in(&path.display().to_string(), &std::fs::read(&path).unwrap_or_default());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "the log shows a secret")]
    fn a_secret_that_shows_is_noticed() {
        assert_none_in("the log", format!("x {TOKEN} y").as_bytes());
    }

    #[test]
    #[should_panic(expected = "shows a secret")]
    fn a_secret_in_a_file_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        std::fs::write(folder.path().join("deep/file"), SECRETS[0].1).unwrap();
        assert_none_below(folder.path());
    }
}
