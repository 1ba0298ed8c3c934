//! Keeping the process's memory resident.

use std::io;

/// Why memory was not locked.
#[derive(Debug, thiserror::Error)]
pub enum MemlockError {
    /// Neither root, nor `CAP_IPC_LOCK`, nor any `RLIMIT_MEMLOCK`.
    #[error(
        "not permitted to lock memory: needs root, CAP_IPC_LOCK, or a memlock limit (ulimit -l)"
    )]
    NotPermitted,
    /// What is mapped already is more than `RLIMIT_MEMLOCK` allows.
    #[error("the process is larger than its memlock limit (ulimit -l)")]
    Limit,
    /// Anything else the system said.
    #[error("mlockall failed: {0}")]
    Io(#[source] io::Error),
}

/// Locks every page that is mapped now or will be mapped, so that none is ever written out.
///
/// Call it before the large mappings are made: pages are then faulted in as they are mapped. Under a finite
/// `RLIMIT_MEMLOCK` later mappings fail once the limit is reached.
pub fn lock_memory() -> Result<(), MemlockError> {
    // SAFETY: mlockall takes flags by value and changes only residency, never contents or addresses.
    if unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    Err(match error.raw_os_error() {
        Some(libc::EPERM) => MemlockError::NotPermitted,
        // mlockall(2): ENOMEM is the limit; EAGAIN is some pages that could not be locked, usually for the same reason.
        Some(libc::ENOMEM) => MemlockError::Limit,
        _ => MemlockError::Io(error),
    })
}
