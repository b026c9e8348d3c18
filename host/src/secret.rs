//! Secrets: from the environment or a file, never printed, zeroed when dropped.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use hmac::digest::CtOutput;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes that must not be seen. There is no way to print or serialise one.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Secret {
        Secret(Zeroizing::new(bytes.into()))
    }

    /// The bytes, for a key or a header; never for a log.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Compares in a time that does not depend on where the difference is.
    pub fn equals(&self, other: &[u8]) -> bool {
        // Both are hashed with a key first, so that not even the length shows.
        let hash = |bytes: &[u8]| -> CtOutput<Hmac<Sha256>> {
            let mut mac = keyed_hash();
            mac.update(bytes);
            mac.finalize()
        };
        hash(&self.0) == hash(other)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.equals(&other.0)
    }
}

/// A secret that is held for long: one from a file is read again when the file changes.
#[derive(Debug, Clone)]
pub enum Held {
    /// As it was when the config was read.
    Fixed(Secret),
    /// As it is now.
    File(Arc<SecretFile>),
}

impl Held {
    /// The secret as it is now. The error is a sentence without the secret.
    pub fn now(&self) -> Result<Secret, String> {
        match self {
            Held::Fixed(secret) => Ok(secret.clone()),
            Held::File(file) => file.now(),
        }
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Held) -> bool {
        match (self, other) {
            (Held::Fixed(one), Held::Fixed(other)) => one == other,
            (Held::File(one), Held::File(other)) => one.path == other.path,
            _ => false,
        }
    }
}

/// A file with a secret in it, and nothing else but white space at its end.
#[derive(Debug)]
pub struct SecretFile {
    path: PathBuf,
    read: Mutex<Option<(SystemTime, u64, Secret)>>,
}

impl SecretFile {
    /// The file at a path; it is read when it is needed.
    pub fn new(path: PathBuf) -> SecretFile {
        SecretFile { path, read: Mutex::default() }
    }

    fn now(&self) -> Result<Secret, String> {
        let failed = |error: std::io::Error| format!("cannot read the secret in {}: {error}", self.path.display());
        let meta = std::fs::metadata(&self.path).map_err(failed)?;
        let stamp = (meta.modified().map_err(failed)?, meta.len());
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, bytes, secret)) = &*read
            && (*at, *bytes) == stamp
        {
            return Ok(secret.clone());
        }
        let secret = read_secret(&self.path)?;
        *read = Some((stamp.0, stamp.1, secret.clone()));
        Ok(secret)
    }
}

/// Reads a secret from a file. The error is a sentence without the secret.
pub fn read_secret(path: &Path) -> Result<Secret, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let bytes = Zeroizing::new(bytes);
    match bytes.trim_ascii_end() {
        [] => Err(format!("{} is empty", path.display())),
        secret => Ok(Secret::new(secret)),
    }
}

/// So many random letters and digits, of 5 bits each. The error is a sentence.
pub fn random_letters(many: usize) -> Result<String, String> {
    let mut bytes = vec![0u8; many];
    getrandom::fill(&mut bytes).map_err(|error| format!("this system has no randomness: {error}"))?;
    let letters = b"0123456789abcdefghjkmnpqrstvwxyz";
    Ok(bytes.iter().map(|byte| letters[usize::from(byte & 31)] as char).collect())
}

/// So many random bytes. The error is a sentence.
pub fn random_bytes<const N: usize>() -> Result<Zeroizing<[u8; N]>, String> {
    let mut bytes = Zeroizing::new([0u8; N]);
    getrandom::fill(&mut *bytes).map_err(|error| format!("this system has no randomness: {error}"))?;
    Ok(bytes)
}

fn keyed_hash() -> Hmac<Sha256> {
    <Hmac<Sha256> as hmac::digest::KeyInit>::new(&Default::default())
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    }

    #[test]
    fn a_file_is_read_again_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let held = Held::File(Arc::new(SecretFile::new(path.clone())));
        assert!(held.now().unwrap_err().contains("cannot read"));
        std::fs::write(&path, "first\n").unwrap();
        assert!(held.now().unwrap().equals(b"first"));
        std::fs::write(&path, "the second\n").unwrap();
        assert!(held.now().unwrap().equals(b"the second"));
    }

    #[test]
    fn equality_is_of_all_bytes() {
        let secret = Secret::new("token");
        assert!(secret.equals(b"token"));
        for other in [&b"tokem"[..], b"toke", b"token2", b""] {
            assert!(!secret.equals(other));
        }
    }
}
