//! What nobody who reads the database may know: sealed with a key that lies elsewhere.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::secret::{Secret, random_bytes, read_secret};

/// The file in the data folder that holds the key, where the config names none.
pub const KEY_FILE: &str = "outgoing.key";

/// What the key is derived for.
const PURPOSE: &[u8] = b"hookgate outgoing webhooks, seal 1";

/// Seals and opens, with ChaCha20-Poly1305 (RFC 8439).
pub struct Vault(LessSafeKey);

/// What cannot be opened.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it was sealed with another key, or was changed: give [outgoing] the key that it was sealed with")]
pub struct Closed;

impl Vault {
    /// A vault under a key that the operator chose.
    pub fn new(key: &Secret) -> Vault {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key.expose())
            .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        mac.update(PURPOSE);
        let derived = Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
        match UnboundKey::new(&CHACHA20_POLY1305, &*derived) {
            Ok(key) => Vault(LessSafeKey::new(key)),
            Err(_) => unreachable!("its keys have 32 bytes"),
        }
    }

    /// A vault under the key in the data folder, which is made where there is none.
    pub fn in_folder(folder: &Path) -> anyhow::Result<Vault> {
        let file = folder.join(KEY_FILE);
        if !file.exists() {
            make_key(&file)
                .with_context(|| format!("cannot write the key of webhooks' secrets, {}", file.display()))?;
        }
        read_secret(&file).map(|key| Vault::new(&key)).map_err(anyhow::Error::msg)
    }

    /// Seals a text that belongs to somebody: it opens for nobody else.
    pub fn seal(&self, owner: &str, text: &[u8]) -> anyhow::Result<String> {
        let nonce = *random_bytes::<NONCE_LEN>().map_err(anyhow::Error::msg)?;
        let mut sealed = text.to_vec();
        let owner = Aad::from(owner.as_bytes());
        let done = self.0.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), owner, &mut sealed);
        done.map_err(|_| anyhow::anyhow!("it cannot be sealed"))?;
        Ok(STANDARD.encode([&nonce[..], &sealed].concat()))
    }

    /// Opens what was sealed for the same owner.
    pub fn open(&self, owner: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, Closed> {
        let mut sealed = Zeroizing::new(STANDARD.decode(sealed).map_err(|_| Closed)?);
        let (nonce, text) = sealed.split_at_mut_checked(NONCE_LEN).ok_or(Closed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Closed)?;
        let text = self.0.open_in_place(nonce, Aad::from(owner.as_bytes()), text).map_err(|_| Closed)?;
        Ok(Zeroizing::new(text.to_vec()))
    }
}

/// Writes a fresh key that only we can read: whole, or not at all.
fn make_key(file: &Path) -> anyhow::Result<()> {
    let key = random_bytes::<32>().map_err(anyhow::Error::msg)?;
    let draft = file.with_extension("key.new");
    let mut open = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    let text = Zeroizing::new(STANDARD.encode(*key));
    open.write_all(text.as_bytes())?;
    open.sync_all()?;
    std::fs::rename(&draft, file)?;
    // Without the name, too, no secret could be opened after a loss of power.
    if let Some(folder) = file.parent() {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_owner_under_its_key_and_unchanged() {
        let vault = Vault::new(&Secret::new("one"));
        let sealed = vault.seal("whk_1", b"whsec_x").unwrap();
        assert_ne!(sealed, vault.seal("whk_1", b"whsec_x").unwrap());
        assert_eq!(&**vault.open("whk_1", &sealed).unwrap(), b"whsec_x");
        assert!(vault.open("whk_2", &sealed).is_err());
        assert!(Vault::new(&Secret::new("two")).open("whk_1", &sealed).is_err());
        for (at, _) in sealed.char_indices().filter(|(_, c)| *c != 'A' && *c != '=') {
            let changed = [&sealed[..at], "A", &sealed[at + 1..]].concat();
            // The last digits of Base64 may mean nothing.
            let same = STANDARD.decode(&changed).ok() == STANDARD.decode(&sealed).ok();
            assert!(same || vault.open("whk_1", &changed).is_err(), "{at}");
        }
        for nothing in ["", "AAAA", "?"] {
            assert!(vault.open("whk_1", nothing).is_err());
        }
    }

    #[test]
    fn the_key_in_the_folder_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let sealed = Vault::in_folder(folder.path()).unwrap().seal("a", b"b").unwrap();
        assert!(Vault::in_folder(folder.path()).unwrap().open("a", &sealed).is_ok());
        std::fs::write(folder.path().join(KEY_FILE), "").unwrap();
        assert!(Vault::in_folder(folder.path()).is_err());
    }
}
