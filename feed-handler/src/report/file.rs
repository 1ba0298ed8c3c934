//! Writing an output so that it is there whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// An output that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {}", path.display(), reason(source))]
pub struct WriteError {
    path: PathBuf,
    source: io::Error,
}

impl WriteError {
    pub(super) fn new(path: &Path, source: io::Error) -> WriteError {
        WriteError {
            path: path.to_owned(),
            source,
        }
    }

    /// What the system said.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

fn reason(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        _ => source.to_string(),
    }
}

/// Writes `bytes` to a temporary file beside `path` and renames it, so that a reader never sees half a file and an
/// older one stays when something fails. A path that exists and is no regular file (a device, a pipe) is written to
/// directly: renaming would replace it.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let special = fs::metadata(path).is_ok_and(|m| !m.is_file());
    let result = if special {
        fs::OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|mut out| out.write_all(bytes))
    } else {
        replace(path, bytes)
    };
    result.map_err(|source| WriteError::new(path, source))
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a file name"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(hidden);
    let written = File::create(&temporary)
        .and_then(|mut out| {
            out.write_all(bytes)?;
            // Some file systems report a full disk only here.
            out.sync_all()
        })
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // Nothing better can be done when this fails too, and the first error is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("feed-report-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn replaces_and_leaves_nothing_behind() {
        let dir = scratch("replace");
        let path = dir.join("out.txt");
        write_atomically(&path, b"a long first version").unwrap();
        write_atomically(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_full_disk_says_so() {
        let error = write_atomically(Path::new("/dev/full"), b"x").expect_err("it is full");
        assert_eq!(
            error.to_string(),
            "cannot write /dev/full: the disk is full"
        );
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(!fs::metadata("/dev/full").unwrap().is_file(), "replaced");
    }

    #[test]
    fn failing_keeps_the_old_file_and_removes_the_temporary_one() {
        let dir = scratch("fail");
        let target = dir.join("missing").join("out.txt");
        let error = write_atomically(&target, b"x").expect_err("no such directory");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
        fs::remove_dir_all(dir).unwrap();
    }
}
