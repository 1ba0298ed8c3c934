//! Files that several processes have mapped: made so that nobody can be tricked, opened so that nobody can be blocked.
//!
//! Nothing in here knows what is in them. Whoever maps one shares it with processes that may be of other users, so its
//! bytes are used as atomic words only (the rings' `Words`).

use super::allocate;
use memmap2::{MmapOptions, MmapRaw};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

/// A mapped file; its bytes are seen by whoever else has mapped it.
///
/// The file must not be cut while it is mapped: touching a page behind its new end ends the process with SIGBUS. Its owner
/// alone can do that; the programs of this project never do.
#[derive(Debug)]
pub(crate) struct SharedMap {
    start: NonNull<u8>,
    map: MmapRaw,
}

// SAFETY: only the address and the length are given out; what lies there is used by the rules of whoever dereferences
// the address. The mapping is not tied to a thread.
unsafe impl Send for SharedMap {}
// SAFETY: as above.
unsafe impl Sync for SharedMap {}

impl SharedMap {
    /// The whole file, for loads only.
    pub fn read_only(file: &File, len: usize) -> io::Result<SharedMap> {
        SharedMap::over(MmapOptions::new().len(len).map_raw_read_only(file)?)
    }

    /// The whole file, every page there already.
    pub fn writable(file: &File, len: usize) -> io::Result<SharedMap> {
        SharedMap::over(MmapOptions::new().len(len).populate().map_raw(file)?)
    }

    fn over(map: MmapRaw) -> io::Result<SharedMap> {
        let start = NonNull::new(map.as_mut_ptr()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(SharedMap { start, map })
    }

    /// First byte, at a page.
    #[inline(always)]
    pub fn as_ptr(&self) -> NonNull<u8> {
        self.start
    }

    #[inline(always)]
    pub fn len(&self) -> usize {
        self.map.len()
    }
}

/// Opens a regular file and nothing else: no link is followed, no pipe waited for, no device touched.
pub(crate) fn open_regular(path: &Path, write: bool) -> io::Result<(File, fs::Metadata)> {
    let file = OpenOptions::new()
        .read(true)
        .write(write)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .map_err(explain)?;
    let facts = file.metadata()?;
    if !facts.is_file() {
        let reason = "it is not a regular file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    Ok((file, facts))
}

/// Makes a file that was not there, with all of its space, so that no write into its mapping can fail.
pub(crate) fn make(path: &Path, len: u64, mode: u32, group: Option<u32>) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
        .map_err(explain)?;
    let made = allocate(&file, len).and_then(|()| {
        if group.is_some() {
            fchown(&file, None, group)?;
        }
        // Not left to the creation mask.
        file.set_permissions(fs::Permissions::from_mode(mode))
    });
    match made {
        Ok(()) => Ok(file),
        Err(error) => {
            // What is left of it would be in the way of the next.
            let _ = fs::remove_file(path);
            Err(error)
        }
    }
}

/// A name that one process at a time can hold, through a file beside it that only its owner can open. The kernel lets go of
/// it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Held {
    _file: File,
}

impl Held {
    /// `None` where another process, or this one, has it.
    pub fn take(path: &Path) -> io::Result<Option<Held>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(path)
            .map_err(explain)?;
        let facts = file.metadata()?;
        if !facts.is_file() || facts.uid() != user() {
            let reason = format!("it is of user {}, or no file", facts.uid());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
        }
        match file.try_lock() {
            Ok(()) => Ok(Some(Held { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Who this process acts for.
pub(crate) fn user() -> u32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

/// Whether others than its owner could exchange what a folder holds.
pub(crate) fn is_open_to_all(folder: &Path) -> io::Result<bool> {
    const STICKY: u32 = 0o1000;
    let mode = fs::metadata(folder)?.mode();
    Ok(mode & 0o022 != 0 && mode & STICKY == 0)
}

/// `path` with something behind its name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn explain(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::ELOOP) => io::Error::new(error.kind(), "it is a symbolic link"),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("feed-sys-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        folder
    }

    #[test]
    fn what_is_made_has_its_space_and_its_permissions() {
        let folder = folder("made");
        let path = folder.join("it");
        let file = make(&path, 1 << 20, 0o640, None).unwrap();
        let facts = file.metadata().unwrap();
        assert_eq!((facts.len(), facts.mode() & 0o7777), (1 << 20, 0o640));
        assert!(facts.blocks() * 512 >= 1 << 20, "sparse");
        assert!(make(&path, 1, 0o600, None).is_err(), "it was there");
        // No file system takes that; nothing is left.
        assert!(make(&folder.join("huge"), i64::MAX as u64, 0o600, None).is_err());
        assert!(!folder.join("huge").exists());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn only_regular_files_are_opened() {
        let folder = folder("regular");
        let target = folder.join("target");
        fs::write(&target, "x").unwrap();
        let link = folder.join("link");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let refused = open_regular(&link, false).unwrap_err();
        assert!(refused.to_string().contains("symbolic link"), "{refused}");
        assert!(make(&link, 1, 0o600, None).is_err());
        assert!(Held::take(&link).is_err());
        assert_eq!(fs::read(&target).unwrap(), b"x");
        for other in [folder.as_path(), Path::new("/dev/null")] {
            let refused = open_regular(other, false).unwrap_err();
            assert!(refused.to_string().contains("regular"), "{refused}");
        }
        assert!(open_regular(&target, true).is_ok());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_name_has_one_holder() {
        let folder = folder("held");
        let path = folder.join("lock");
        let first = Held::take(&path).unwrap();
        assert!(first.is_some());
        assert!(Held::take(&path).unwrap().is_none());
        drop(first);
        assert!(Held::take(&path).unwrap().is_some());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn folders_that_anybody_can_change_are_known() {
        let folder = folder("open");
        let mode = |mode| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
        for (bits, open) in [
            (0o700, false),
            (0o755, false),
            (0o777, true),
            (0o1777, false),
            (0o775, true),
        ] {
            mode(bits);
            assert_eq!(is_open_to_all(&folder).unwrap(), open, "{bits:o}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
