//! schemathesis, which asks the API all that its description allows, for tests: in the environment of Python in the cache folder.

use std::env;
use std::ffi::OsString;

use anyhow::Result;

use crate::process::announce;
use crate::project::Project;
use crate::tools::Tools;

/// Where the program is. Nothing where it cannot be had, which is told; where `CI` is set, that is a failure.
pub fn set_up(project: &Project) -> Result<OsString> {
    match find(project) {
        Ok(program) => Ok(program),
        Err(error) if env::var_os("CI").is_some() => Err(error),
        Err(error) => {
            announce(format!("tests of the API's description are skipped: {error:#}"));
            Ok(OsString::new())
        }
    }
}

fn find(project: &Project) -> Result<OsString> {
    let tools = Tools::find()?;
    tools.set_up_packages("tests-schema", &project.root.join("tests/schema/requirements.txt"))?;
    Ok(tools.program("schemathesis").into())
}
