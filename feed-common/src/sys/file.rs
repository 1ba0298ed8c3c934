//! The bytes of a file: mapped where the system can, read into memory where it cannot.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Deref;
use std::path::Path;

use memmap2::{Advice, Mmap};

/// Most bytes taken from a pipe, 16 GiB: what cannot be mapped has to fit into memory, and an endless stream must not
/// take all of it.
pub const PIPE_MAX: u64 = 16 << 30;

/// A file's bytes, read only.
///
/// A mapped file must not be cut while it is in use: touching a page behind the new end ends the process with SIGBUS.
/// Files that grow are safe (the bytes are those of the moment of opening); pipes, and what the system refuses to map,
/// are in memory.
#[derive(Debug)]
pub enum FileBytes {
    /// Pages of the file itself.
    Mapped(Mmap),
    /// A copy.
    Memory(Vec<u8>),
}

impl FileBytes {
    /// Opens a file for reading from front to back; `-` is standard input. A pipe above [`PIPE_MAX`] bytes is
    /// refused as `FileTooLarge`.
    pub fn open(path: &Path) -> io::Result<FileBytes> {
        if path.as_os_str() == "-" {
            return read_whole(io::stdin().lock(), PIPE_MAX).map(FileBytes::Memory);
        }
        let file = File::open(path)?;
        match map(&file) {
            Some(mapped) => Ok(FileBytes::Mapped(mapped)),
            None => read_whole(file, PIPE_MAX).map(FileBytes::Memory),
        }
    }
}

impl Deref for FileBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            FileBytes::Mapped(mapped) => mapped,
            FileBytes::Memory(bytes) => bytes,
        }
    }
}

/// Maps a regular file that has bytes; `None` where reading is the way. Files under /proc claim to be empty.
fn map(file: &File) -> Option<Mmap> {
    let facts = file.metadata().ok()?;
    if !facts.is_file() || facts.len() == 0 {
        return None;
    }
    // SAFETY: `Mmap` hands out `&[u8]` over pages of a private, read-only mapping that lives as long as the `Mmap`;
    // nothing in this process can write through it. What the type system cannot exclude is another process changing
    // the file meanwhile. Every reader of these bytes treats them as hostile: a length is loaded once into a local,
    // compared with the slice's length, which is the mapping's and does not change, and only then used, so changed
    // bytes give wrong values and never an access outside the slice. A file cut short meanwhile raises SIGBUS, which
    // ends the process without running further on bad data; the type's documentation states the condition.
    let mapped = unsafe { Mmap::map(file) }.ok()?;
    // Only advice: a system that refuses it reads ahead as it sees fit.
    let _ = mapped.advise(Advice::Sequential);
    Some(mapped)
}

fn read_whole(from: impl Read, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("more than {max} bytes from a pipe: write them to a file first"),
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regular_file_is_mapped() {
        let this = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sys/file.rs");
        let bytes = FileBytes::open(&this).expect("this source file");
        assert!(matches!(bytes, FileBytes::Mapped(_)));
        assert_eq!(&bytes[..], include_bytes!("file.rs"));
    }

    #[test]
    fn what_has_no_length_is_read() {
        let bytes = FileBytes::open(Path::new("/proc/self/stat")).expect("proc");
        assert!(matches!(bytes, FileBytes::Memory(_)));
        assert!(!bytes.is_empty());
        let empty = FileBytes::open(Path::new("/dev/null")).expect("null");
        assert!(empty.is_empty());
    }

    #[test]
    fn directories_and_missing_files_are_errors() {
        assert!(FileBytes::open(Path::new("/")).is_err());
        assert!(FileBytes::open(Path::new("/no/such/file")).is_err());
    }

    #[test]
    fn a_pipe_is_bounded() {
        assert_eq!(read_whole(&[1u8, 2, 3][..], 3).expect("fits"), [1, 2, 3]);
        let refused = read_whole(&[1u8, 2, 3, 4][..], 3).expect_err("too long");
        assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge);
    }
}
