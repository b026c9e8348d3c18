//! Which files are taken for plugins: any, those whose digest stands in the config, or those that somebody trusted signed.

use minisign_verify::{PublicKey, Signature};

use super::Grant;
use crate::runtime::Generation;

/// Which files are taken for plugins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Any.
    Any,
    /// Those whose digest the plugin's section has (`sha256`).
    Pinned,
    /// Those that one of these keys signed, in minisign's form, in a file beside the plugin's.
    Signed(Vec<PublicKey>),
}

/// The ending of a signature's file, behind the whole name of the plugin's.
pub(super) const SIGNATURE: &str = ".minisig";

/// What a file is trusted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trusted {
    /// Nobody asked.
    Unasked,
    /// Its digest.
    Pinned,
    /// The signature of this key.
    By(PublicKey),
}

impl Trust {
    /// What a file is trusted for; the error is a sentence that says how it can be.
    pub(super) fn check(
        &self,
        name: &str,
        bytes: &[u8],
        generation: Generation,
        signature: Option<&str>,
        grant: &Grant,
    ) -> Result<Trusted, String> {
        match self {
            Trust::Any => Ok(Trusted::Unasked),
            Trust::Pinned => pinned(name, generation, grant),
            Trust::Signed(keys) => signed(name, bytes, signature, keys),
        }
    }

    /// Whether what was trusted for this is so still.
    pub(super) fn holds(
        &self,
        name: &str,
        generation: Generation,
        trusted: &Trusted,
        grant: &Grant,
    ) -> Result<(), String> {
        match (self, trusted) {
            (Trust::Any, _) => Ok(()),
            (Trust::Pinned, _) => pinned(name, generation, grant).map(drop),
            (Trust::Signed(keys), Trusted::By(key)) if keys.contains(key) => Ok(()),
            (Trust::Signed(_), _) => Err("its code was not signed by a key that is trusted now".into()),
        }
    }
}

fn pinned(name: &str, generation: Generation, grant: &Grant) -> Result<Trusted, String> {
    if grant.sha256.contains(&generation.0) {
        return Ok(Trusted::Pinned);
    }
    let digest = hex::encode(generation.0);
    Err(format!(
        "its digest is not pinned: if it is the file that you mean, add to the config\n[plugins.{name}]\nsha256 = \"{digest}\""
    ))
}

fn signed(name: &str, bytes: &[u8], signature: Option<&str>, keys: &[PublicKey]) -> Result<Trusted, String> {
    let Some(signature) = signature else {
        return Err(format!(
            "it is not signed: `minisign -Sm {name}.wasm` writes the signature, to {name}.wasm{SIGNATURE} beside it"
        ));
    };
    let signature =
        Signature::decode(signature).map_err(|_| format!("{name}.wasm{SIGNATURE} is no signature of minisign's"))?;
    let by = keys.iter().find(|key| key.verify(bytes, &signature, false).is_ok());
    let by = by.ok_or_else(|| format!("{name}.wasm{SIGNATURE} is not a signature of this file by a trusted key"))?;
    Ok(Trusted::By(by.clone()))
}
