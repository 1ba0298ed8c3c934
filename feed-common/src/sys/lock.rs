//! A file that one process at a time holds.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

/// A lock on a file, given back when it is dropped and when the process ends, however it ends.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum FileLockError {
    /// Somebody has it.
    #[error("held by process {holder}")]
    Held {
        /// What the holder has written into the file: its process number.
        holder: String,
    },
    /// The file cannot be made or locked.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl FileLock {
    /// Takes the lock, makes the file if it is not there, and writes this process's number into it. Never waits.
    pub fn take(path: &Path) -> Result<FileLock, FileLockError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(error.into()),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // It may be about to write it.
                let _ = file.take(20).read_to_string(&mut holder);
                return Err(FileLockError::Held {
                    holder: holder.trim().into(),
                });
            }
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(FileLock { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let path = std::env::temp_dir().join(format!("feed-lock-{}", std::process::id()));
        let first = FileLock::take(&path).unwrap();
        match FileLock::take(&path) {
            Err(FileLockError::Held { holder }) => {
                assert_eq!(holder, std::process::id().to_string());
            }
            other => panic!("{other:?}"),
        }
        drop(first);
        drop(FileLock::take(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(
            FileLock::take(Path::new("/no/such/folder/lock")),
            Err(FileLockError::Io(_))
        ));
    }
}
