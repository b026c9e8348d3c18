//! The library that has syncs fail in one process (`tests/syncs`), for tests.

use std::ffi::OsString;

use anyhow::Result;

use crate::process::{announce, run};
use crate::project::Project;

/// Builds it, and says where it is. Nothing where processes do not load libraries so, which is told.
pub fn build(project: &Project) -> Result<OsString> {
    if !cfg!(target_os = "linux") {
        announce("tests in which syncs of the disk fail are skipped: they need Linux");
        return Ok(OsString::new());
    }
    run(project.cargo().args(["build", "-p", "hookgate-syncs"]))?;
    Ok(project.target.join("debug/libhookgate_syncs.so").into())
}
