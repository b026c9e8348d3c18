//! Why the engine did not do what it was to do: for now, for good, or since the file is not what was written.

use std::path::PathBuf;

use rusqlite::ErrorCode;

use crate::event::EventId;

/// Why something could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written, and it may be tried again: there is no room, or another program holds the file.
    #[error("{0}")]
    NotNow(&'static str),
    /// What is on disk is not what was written.
    #[error("the stored body of {0} is damaged")]
    Damaged(EventId),
    /// What was written is in a file that nobody finds any more.
    #[error("{0} was moved or deleted while it was in use: put it back and start again")]
    Gone(PathBuf),
    /// The system did not get what was written to the disk.
    #[error("what was written does not reach the disk: {0}")]
    Unsynced(std::io::Error),
    /// What the last process left in the log cannot be made durable.
    #[error("the log cannot be written again: {0}")]
    Log(std::io::Error),
    /// Anything else. After it nothing can be promised any more.
    #[error(transparent)]
    Broken(rusqlite::Error),
}

const NO_ROOM: &str = "the disk is full";

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            _ if is_no_room(&error) => StoreError::NotNow(NO_ROOM),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                StoreError::NotNow("another program holds the database")
            }
            _ => StoreError::Broken(error),
        }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> StoreError {
        match error.kind() {
            std::io::ErrorKind::StorageFull => StoreError::NotNow(NO_ROOM),
            _ => StoreError::Log(error),
        }
    }
}

pub(super) type Result<T> = std::result::Result<T, StoreError>;

/// What can wait, waits.
pub(super) fn only_not_now(error: StoreError) -> Result<()> {
    match error {
        StoreError::NotNow(_) => Ok(()),
        broken => Err(broken),
    }
}

/// Whether an error that ended an opening says that there was no room.
pub(super) fn is_of_room(error: &anyhow::Error) -> bool {
    error.downcast_ref().is_some_and(is_no_room) || matches!(error.downcast_ref(), Some(StoreError::NotNow(NO_ROOM)))
}

/// Whether an error that ended an opening says that the disk failed.
pub(super) fn is_of_disk(error: &anyhow::Error) -> bool {
    let is_failure =
        |error: &rusqlite::Error| error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) && !is_no_room(error);
    match error.downcast_ref() {
        Some(StoreError::Broken(cause)) => is_failure(cause),
        Some(StoreError::Unsynced(_) | StoreError::Log(_)) => true,
        Some(_) => false,
        None => error.downcast_ref().is_some_and(is_failure),
    }
}

fn is_no_room(error: &rusqlite::Error) -> bool {
    let of_memory = |error: &rusqlite::ffi::Error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
    // The latter where the memory that is shared with readers cannot grow.
    error.sqlite_error_code() == Some(ErrorCode::DiskFull) || error.sqlite_error().is_some_and(of_memory)
}

/// Whether an error that ended an opening says that the file is not what was written.
pub(super) fn is_of_damage(error: &anyhow::Error) -> bool {
    let stored = error.downcast_ref().map(|error| match error {
        StoreError::Broken(cause) => Some(cause),
        _ => None,
    });
    let cause = stored.flatten().or_else(|| error.downcast_ref());
    cause.is_some_and(|cause| {
        let code = cause.sqlite_error_code();
        // Our statements are right: one that is not understood is of a table that is not what it was.
        let is_not_understood = matches!(cause, rusqlite::Error::SqlInputError { .. });
        is_not_understood
            || is_of_values(cause)
            || matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
    })
}

/// Whether a row was read, and its values are not what they must be.
pub(super) fn is_of_values(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    matches!(error, FromSqlConversionFailure(..) | InvalidColumnType(..) | IntegralValueOutOfRange(..) | Utf8Error(..))
}
