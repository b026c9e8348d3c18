//! Stands before the C library in one process (`LD_PRELOAD`) and has its syncs fail with `EIO`, as they do where a disk loses what it was given.
//!
//! `HOOKGATE_SYNCS_FAIL` names a file. While it is there, the syncs of those files fail whose names end with what it says; that one has
//! failed is told by a file beside it, with `.told` behind its name.

#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "functions of the C library are replaced")]

use std::ffi::{OsString, c_int, c_long};
use std::fs;
use std::path::Path;

/// `fsync(2)`.
#[unsafe(no_mangle)]
pub extern "C" fn fsync(file: c_int) -> c_int {
    sync(libc::SYS_fsync, file)
}

/// `fdatasync(2)`.
#[unsafe(no_mangle)]
pub extern "C" fn fdatasync(file: c_int) -> c_int {
    sync(libc::SYS_fdatasync, file)
}

fn sync(call: c_long, file: c_int) -> c_int {
    if fails(file) {
        // SAFETY: it is this thread's own, and always there.
        unsafe { *libc::__errno_location() = libc::EIO };
        return -1;
    }
    // SAFETY: both calls take one descriptor, and say by an error that it is none.
    unsafe { libc::syscall(call, file) as c_int }
}

/// Whether this file's syncs are to fail. If so, it is told.
fn fails(file: c_int) -> bool {
    let Some(control) = std::env::var_os("HOOKGATE_SYNCS_FAIL") else { return false };
    let Ok(end) = fs::read_to_string(&control) else { return false };
    let name = fs::read_link(Path::new("/proc/self/fd").join(file.to_string())).unwrap_or_default();
    let fails = name.to_string_lossy().ends_with(end.trim());
    if fails {
        let told: OsString = [&control, &".told".into()].into_iter().cloned().collect();
        let _ = fs::write(told, "");
    }
    fails
}
