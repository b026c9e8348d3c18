//! libfaketime, by which tests set the wall clock of one process: the machine's own where it has one, or Debian's package in the cache folder.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::debian;
use crate::process::announce;
use crate::wasm;

/// What programs with threads load.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// Where the library is. Nothing where it cannot be had, which is told; where `CI` is set, that is a failure.
pub fn set_up() -> Result<OsString> {
    match find() {
        Ok(library) => Ok(library.into()),
        Err(error) if env::var_os("CI").is_some() => Err(error),
        Err(error) => {
            announce(format!("tests that set the clock are skipped: {error:#}"));
            Ok(OsString::new())
        }
    }
}

fn find() -> Result<PathBuf> {
    if let Some(installed) = below(Path::new("/usr/lib")) {
        return Ok(installed);
    }
    let folder = wasm::cache()?.join("faketime");
    if let Some(unpacked) = below(&folder.join("usr/lib")) {
        return Ok(unpacked);
    }
    announce("setting up libfaketime");
    fs::create_dir_all(wasm::cache()?)?;
    debian::unpack("libfaketime", &folder).context("install libfaketime (on Debian: apt-get install libfaketime)")?;
    let Some(unpacked) = below(&folder.join("usr/lib")) else { bail!("Debian's libfaketime has no {LIBRARY}") };
    Ok(unpacked)
}

/// The library in a folder of libraries, or in one of its folders by architecture.
fn below(libraries: &Path) -> Option<PathBuf> {
    let folders = fs::read_dir(libraries).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut places = folders.chain([libraries.to_owned()]).map(|folder| folder.join(LIBRARY));
    places.find(|library| library.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_with_and_without_a_folder_by_architecture() -> Result<()> {
        let root = env::temp_dir().join(format!("xtask-faketime-{}", std::process::id()));
        assert_eq!(below(&root), None);
        for libraries in [root.join("plain"), root.join("multi/x86_64-linux-gnu")] {
            fs::create_dir_all(libraries.join("faketime"))?;
            fs::write(libraries.join(LIBRARY), "")?;
        }
        assert_eq!(below(&root.join("plain")), Some(root.join("plain").join(LIBRARY)));
        assert_eq!(below(&root.join("multi")), Some(root.join("multi/x86_64-linux-gnu").join(LIBRARY)));
        fs::remove_dir_all(&root)?;
        Ok(())
    }
}
