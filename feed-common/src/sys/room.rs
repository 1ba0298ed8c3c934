//! Room on the disk.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Gives a file its length and all of its room, so that a full disk is an error here ([`io::ErrorKind::StorageFull`] and its
/// like) and never a signal when a mapping of it is written. A file system that copies on write (Btrfs, ZFS) can promise no
/// such thing.
pub(crate) fn allocate(file: &File, len: u64) -> io::Result<()> {
    let len = libc::off_t::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
    loop {
        // SAFETY: takes a descriptor that is open as long as `file` lives, and numbers.
        match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, len) } {
            0 => return Ok(()),
            libc::EINTR => {}
            error => return Err(io::Error::from_raw_os_error(error)),
        }
    }
}
