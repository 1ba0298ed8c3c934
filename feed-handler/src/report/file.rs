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
    pub(crate) fn new(path: &Path, source: io::Error) -> WriteError {
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

/// A file on its way: it is written under a hidden name beside its own, so that a reader never sees half a file and an
/// older one stays when something fails. A path that exists and is no regular file (a device, a pipe) is written to
/// directly: renaming would replace it.
#[derive(Debug)]
pub struct Replacement {
    path: PathBuf,
    file: File,
    /// The hidden name, as long as there is a file of it.
    hidden: Option<PathBuf>,
}

impl Replacement {
    /// Nothing is written yet.
    pub fn create(path: &Path) -> Result<Replacement, WriteError> {
        let special = fs::metadata(path).is_ok_and(|m| !m.is_file());
        let begun = match special {
            true => fs::OpenOptions::new()
                .write(true)
                .open(path)
                .map(|file| (file, None)),
            false => hidden(path)
                .and_then(|hidden| File::create(&hidden).map(|file| (file, Some(hidden)))),
        };
        let (file, hidden) = begun.map_err(|source| WriteError::new(path, source))?;
        Ok(Replacement {
            path: path.to_owned(),
            file,
            hidden,
        })
    }

    /// What is written to.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// All is written: the file gets its name. One that is dropped instead goes away.
    pub fn keep(mut self) -> Result<(), WriteError> {
        let Some(hidden) = &self.hidden else {
            return Ok(());
        };
        // Some file systems report a full disk only here.
        let synced = self.file.sync_all();
        let kept = synced.and_then(|()| fs::rename(hidden, &self.path));
        kept.map_err(|source| WriteError::new(&self.path, source))?;
        self.hidden = None;
        Ok(())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if let Some(hidden) = &self.hidden {
            // Nothing better can be done when this fails, and why it is not kept is the thing to tell.
            let _ = fs::remove_file(hidden);
        }
    }
}

fn hidden(path: &Path) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a file name"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.tmp", std::process::id()));
    Ok(path.with_file_name(hidden))
}

/// Writes `bytes` so that they are there whole or not at all; see [`Replacement`].
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let out = Replacement::create(path)?;
    let written = out.file().write_all(bytes);
    written.map_err(|source| WriteError::new(path, source))?;
    out.keep()
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
