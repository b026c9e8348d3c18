//! Secrets: from the environment or a file, never printed, zeroed when dropped.

use std::fmt;

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
    fn equality_is_of_all_bytes() {
        let secret = Secret::new("token");
        assert!(secret.equals(b"token"));
        for other in [&b"tokem"[..], b"toke", b"token2", b""] {
            assert!(!secret.equals(other));
        }
    }
}
