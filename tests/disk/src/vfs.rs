//! The layer itself, in SQLite's own terms. It decides nothing: it asks the disk and passes on.
#![allow(
    unsafe_code,
    reason = "SQLite's files are a table of C functions over pointers of its own; here, and nowhere else in the tests, they are met"
)]

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::{Arc, OnceLock};

use rusqlite::ffi::{self, sqlite3, sqlite3_file, sqlite3_io_methods, sqlite3_vfs};

use crate::state::{Call, File, Lot, Refused};
use crate::{Shared, disk_of};

/// A file of a disk, as SQLite allocates it: behind it lies the one of the layer below.
#[repr(C)]
struct Layered {
    base: sqlite3_file,
    watched: *mut Watched,
}

struct Watched {
    disk: Arc<Shared>,
    path: PathBuf,
    /// Its first sync syncs the folder, too.
    syncs_folder: bool,
    /// Of how many failed syncs of the file whoever opened it knows.
    failed_syncs: u64,
}

/// The layer below, registered as long as the process lives.
struct Layer(*mut sqlite3_vfs);

// SAFETY: what is behind it is written while SQLite starts and only read afterwards.
unsafe impl Send for Layer {}
// SAFETY: as above.
unsafe impl Sync for Layer {}

static BELOW: OnceLock<Layer> = OnceLock::new();

/// Becomes the way in which this process's SQLite reaches files, once.
pub fn install() {
    BELOW.get_or_init(|| {
        // SAFETY: SQLite's table lives as long as the process and so does ours, which is leaked. Functions that are taken over know
        // the table by its `pAppData` alone, which is the same.
        unsafe {
            let below = ffi::sqlite3_vfs_find(ptr::null());
            let mut layer = *below;
            layer.pNext = ptr::null_mut();
            layer.zName = c"hookgate-disk".as_ptr();
            layer.szOsFile += size_of::<Layered>() as c_int;
            layer.xOpen = Some(open);
            layer.xDelete = Some(delete);
            layer.xAccess = Some(access);
            ffi::sqlite3_vfs_register(Box::leak(Box::new(layer)), 1);
            ffi::sqlite3_auto_extension(Some(relax));
            Layer(below)
        }
    });
}

fn below() -> *mut sqlite3_vfs {
    BELOW.get().map_or(ptr::null_mut(), |below| below.0)
}

/// What of SQLite's functions on files is not here goes to the layer below as it is. Version 2: no file is mapped into memory, since
/// nobody sees what is written there.
static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Passes a call on to the layer below, which has all functions of version 2.
macro_rules! pass {
    ($file:expr, $function:ident, $none:expr $(, $argument:expr)*) => {{
        let Below(real) = $file;
        // SAFETY: the file below was opened by the layer below, and its table lives as long as the process.
        unsafe {
            match (*(*real).pMethods).$function {
                Some(function) => function(real $(, $argument)*),
                None => $none,
            }
        }
    }};
}

/// The file of the layer below.
#[derive(Clone, Copy)]
struct Below(*mut sqlite3_file);

impl Below {
    fn of(file: *mut sqlite3_file) -> Below {
        // SAFETY: SQLite allocated `szOsFile` bytes, which is ours and then theirs; ours keeps the alignment.
        Below(unsafe { file.cast::<Layered>().add(1).cast() })
    }
}

fn watched<'a>(file: *mut sqlite3_file) -> &'a mut Watched {
    // SAFETY: `open` put a box there, `close` takes it away, and SQLite calls nothing else on a file at the same time as another.
    unsafe { &mut *(*file.cast::<Layered>()).watched }
}

impl File for Below {
    fn len(&self) -> Result<u64, Refused> {
        let mut len = 0;
        code(pass!(*self, xFileSize, ffi::SQLITE_ERROR, &mut len))?;
        Ok(len as u64)
    }

    fn read(&self, at: u64, bytes: usize) -> Result<Vec<u8>, Refused> {
        let mut read = vec![0; bytes];
        if bytes > 0 {
            code(pass!(*self, xRead, ffi::SQLITE_ERROR, read.as_mut_ptr().cast(), bytes as c_int, at as i64))?;
        }
        Ok(read)
    }

    fn write(&self, at: u64, bytes: &[u8]) -> Result<(), Refused> {
        code(pass!(*self, xWrite, ffi::SQLITE_ERROR, bytes.as_ptr().cast(), bytes.len() as c_int, at as i64))
    }

    fn resize(&self, to: u64) -> Result<(), Refused> {
        code(pass!(*self, xTruncate, ffi::SQLITE_ERROR, to as i64))
    }
}

fn code(code: c_int) -> Result<(), Refused> {
    if code == ffi::SQLITE_OK { Ok(()) } else { Err(Refused(code)) }
}

fn told(result: Result<(), Refused>) -> c_int {
    result.map_or_else(|refused| refused.0, |()| ffi::SQLITE_OK)
}

/// A path as SQLite gives it.
fn path_of<'a>(name: *const c_char) -> Option<&'a Path> {
    if name.is_null() {
        return None;
    }
    // SAFETY: SQLite's names end in a zero and live for the call.
    let bytes = unsafe { CStr::from_ptr(name) }.to_bytes();
    Some(Path::new(OsStr::from_bytes(bytes)))
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let open_below = |file| {
        // SAFETY: the arguments are SQLite's own, and there is room for a file of the layer below.
        unsafe { (*below()).xOpen.map_or(ffi::SQLITE_ERROR, |open| open(below(), name, file, flags, out_flags)) }
    };
    let Some((path, disk)) = path_of(name).and_then(|path| Some((path, disk_of(path)?))) else {
        return open_below(file);
    };
    // SAFETY: SQLite closes what has methods, even if opening it failed.
    unsafe { (*file).pMethods = ptr::null() };
    let mut state = disk.state();
    if state.meet(Call::Other, path) != Lot::Goes {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: the layer below may look at its methods before it sets them.
    unsafe { (*Below::of(file).0).pMethods = ptr::null() };
    let opened = open_below(Below::of(file).0);
    if opened == ffi::SQLITE_OK {
        let failed_syncs = state.opened(path);
        drop(state);
        // As the layer below does it: for those that may have been made, whether they were or not.
        let journals = ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL;
        let syncs_folder = flags & ffi::SQLITE_OPEN_CREATE != 0 && flags & journals != 0;
        let watched = Box::new(Watched { path: path.to_owned(), syncs_folder, failed_syncs, disk });
        // SAFETY: SQLite allocated room for ours.
        unsafe {
            (*file.cast::<Layered>()) =
                Layered { base: sqlite3_file { pMethods: &METHODS }, watched: Box::into_raw(watched) }
        };
    }
    opened
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    let delete_below = || {
        // SAFETY: the arguments are SQLite's own.
        unsafe { (*below()).xDelete.map_or(ffi::SQLITE_ERROR, |delete| delete(below(), name, sync_folder)) }
    };
    let Some((path, disk)) = path_of(name).and_then(|path| Some((path, disk_of(path)?))) else { return delete_below() };
    let mut state = disk.state();
    if state.meet(Call::Other, path) != Lot::Goes {
        return ffi::SQLITE_IOERR_DELETE;
    }
    state.deletes(path);
    let deleted = delete_below();
    if deleted == ffi::SQLITE_OK && sync_folder != 0 {
        state.synced_folder();
    }
    deleted
}

unsafe extern "C" fn access(_: *mut sqlite3_vfs, name: *const c_char, flags: c_int, answer: *mut c_int) -> c_int {
    let found = path_of(name).and_then(|path| Some((path, disk_of(path)?)));
    if found.is_some_and(|(path, disk)| disk.state().meet(Call::Other, path) != Lot::Goes) {
        return ffi::SQLITE_IOERR_ACCESS;
    }
    // SAFETY: the arguments are SQLite's own.
    unsafe { (*below()).xAccess.map_or(ffi::SQLITE_ERROR, |access| access(below(), name, flags, answer)) }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    let closed = pass!(Below::of(file), xClose, ffi::SQLITE_ERROR);
    // SAFETY: `open` put a box there, and nothing comes after the close.
    let watched = unsafe { Box::from_raw((*file.cast::<Layered>()).watched) };
    watched.disk.state().open -= 1;
    closed
}

unsafe extern "C" fn read(file: *mut sqlite3_file, into: *mut c_void, bytes: c_int, at: i64) -> c_int {
    let Watched { disk, path, .. } = watched(file);
    if disk.state().meet(Call::Read, path) != Lot::Goes {
        return ffi::SQLITE_IOERR_READ;
    }
    pass!(Below::of(file), xRead, ffi::SQLITE_ERROR, into, bytes, at)
}

unsafe extern "C" fn write(file: *mut sqlite3_file, from: *const c_void, bytes: c_int, at: i64) -> c_int {
    let Watched { disk, path, .. } = watched(file);
    // SAFETY: SQLite gives so many bytes.
    let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), bytes as usize) };
    let (mut state, at, real) = (disk.state(), at as u64, Below::of(file));
    match state.meet(Call::Write, path) {
        Lot::Goes => {}
        Lot::FailsHalfDone => {
            let _ = state.write(path, &real, at, &bytes[..bytes.len() / 2]);
            return ffi::SQLITE_IOERR_WRITE;
        }
        _ => return ffi::SQLITE_IOERR_WRITE,
    }
    // What is there already has its room.
    let grows = real.len().is_ok_and(|len| at + bytes.len() as u64 > len);
    if state.is_full && grows {
        return ffi::SQLITE_FULL;
    }
    told(state.write(path, &real, at, bytes))
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, to: i64) -> c_int {
    let Watched { disk, path, .. } = watched(file);
    let mut state = disk.state();
    match state.meet(Call::Other, path) {
        Lot::Goes => told(state.resize(path, &Below::of(file), to as u64)),
        _ => ffi::SQLITE_IOERR_TRUNCATE,
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _: c_int) -> c_int {
    let Watched { disk, path, syncs_folder, failed_syncs } = watched(file);
    let mut state = disk.state();
    let is_off = state.is_off();
    match state.meet(Call::Sync, path) {
        Lot::Goes => {
            state.synced(path);
            if std::mem::take(syncs_folder) {
                state.synced_folder();
            }
            // As Linux does it: what a sync failed on is told to each who has the file open, once, at the next sync.
            let failed = state.failed_syncs(path);
            let is_told = std::mem::replace(failed_syncs, failed) == failed;
            return if is_told { ffi::SQLITE_OK } else { ffi::SQLITE_IOERR_FSYNC };
        }
        Lot::FailsAndForgets => {
            let _ = state.forgotten(path, &Below::of(file));
        }
        _ if is_off || state.is_off() => {}
        _ => state.doomed(path),
    }
    *failed_syncs = state.failed_syncs(path);
    ffi::SQLITE_IOERR_FSYNC
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, len: *mut i64) -> c_int {
    let Watched { disk, path, .. } = watched(file);
    if disk.state().meet(Call::Other, path) != Lot::Goes {
        return ffi::SQLITE_IOERR_FSTAT;
    }
    pass!(Below::of(file), xFileSize, ffi::SQLITE_ERROR, len)
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    pass!(Below::of(file), xLock, ffi::SQLITE_ERROR, level)
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    pass!(Below::of(file), xUnlock, ffi::SQLITE_ERROR, level)
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, answer: *mut c_int) -> c_int {
    pass!(Below::of(file), xCheckReservedLock, ffi::SQLITE_ERROR, answer)
}

unsafe extern "C" fn file_control(file: *mut sqlite3_file, what: c_int, with: *mut c_void) -> c_int {
    pass!(Below::of(file), xFileControl, ffi::SQLITE_NOTFOUND, what, with)
}

unsafe extern "C" fn sector_size(file: *mut sqlite3_file) -> c_int {
    pass!(Below::of(file), xSectorSize, 512)
}

unsafe extern "C" fn device_characteristics(file: *mut sqlite3_file) -> c_int {
    pass!(Below::of(file), xDeviceCharacteristics, 0)
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    region: c_int,
    bytes: c_int,
    extend: c_int,
    at: *mut *mut c_void,
) -> c_int {
    pass!(Below::of(file), xShmMap, ffi::SQLITE_ERROR, region, bytes, extend, at)
}

unsafe extern "C" fn shm_lock(file: *mut sqlite3_file, from: c_int, count: c_int, flags: c_int) -> c_int {
    pass!(Below::of(file), xShmLock, ffi::SQLITE_ERROR, from, count, flags)
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    pass!(Below::of(file), xShmBarrier, ())
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, deletes: c_int) -> c_int {
    pass!(Below::of(file), xShmUnmap, ffi::SQLITE_OK, deletes)
}

/// Is called on each connection of the process when it was opened.
unsafe extern "C" fn relax(db: *mut sqlite3, _: *mut *mut c_char, _: *const ffi::sqlite3_api_routines) -> c_int {
    // SAFETY: the connection is open, and its name lives as long.
    let name = unsafe { ffi::sqlite3_db_filename(db, c"main".as_ptr()) };
    let disk = path_of(name).and_then(disk_of);
    if disk.is_some_and(|disk| disk.state().is_relaxed) {
        // SAFETY: as above. A connection that cannot be told so has no power, and does nothing any more.
        unsafe {
            ffi::sqlite3_exec(db, c"PRAGMA synchronous = NORMAL".as_ptr(), None, ptr::null_mut(), ptr::null_mut());
            ffi::sqlite3_set_authorizer(db, Some(authorize), ptr::null_mut());
        }
    }
    ffi::SQLITE_OK
}

/// Has `PRAGMA synchronous = ..` do nothing.
unsafe extern "C" fn authorize(
    _: *mut c_void,
    action: c_int,
    pragma: *const c_char,
    value: *const c_char,
    _: *const c_char,
    _: *const c_char,
) -> c_int {
    let is_synchronous = || path_of(pragma).is_some_and(|name| name.as_os_str().eq_ignore_ascii_case("synchronous"));
    if action == ffi::SQLITE_PRAGMA && !value.is_null() && is_synchronous() {
        ffi::SQLITE_IGNORE
    } else {
        ffi::SQLITE_OK
    }
}
