//! The bytes of a file: mapped where the system can. What it cannot map is copied to a file that it can.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek};
use std::ops::{Deref, Range};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use memmap2::{Advice, Mmap, UncheckedAdvice};

/// A file's bytes, read only.
///
/// A mapped file must not be cut while it is in use: touching a page behind the new end ends the process with SIGBUS.
/// Files that grow are safe: the bytes are those of the moment of opening. So are pipes: their bytes are mapped from a
/// file that nobody else can reach.
#[derive(Debug)]
pub enum FileBytes {
    /// Pages of a file.
    Mapped(Mmap),
    /// Memory of this process.
    Memory(Vec<u8>),
}

/// A file that was opened to be read once.
#[derive(Debug)]
pub enum Opened {
    /// It could be mapped.
    Whole(FileBytes),
    /// A pipe, or what else has no length, from its first byte on.
    Pipe(File),
}

impl FileBytes {
    /// Opens a file for reading from front to back; `-` is standard input. A pipe is kept as it comes in the temporary
    /// folder (`TMPDIR`, else `/tmp`), so that memory does not grow with it.
    pub fn open(path: &Path) -> io::Result<FileBytes> {
        match FileBytes::open_once(path)? {
            Opened::Whole(bytes) => Ok(bytes),
            Opened::Pipe(pipe) => keep(pipe, &std::env::temp_dir()),
        }
    }

    /// Opens a file for reading once, from front to back; `-` is standard input.
    pub fn open_once(path: &Path) -> io::Result<Opened> {
        let mut file = match path.as_os_str() == "-" {
            true => File::from(io::stdin().as_fd().try_clone_to_owned()?),
            false => File::open(path)?,
        };
        // What standard input was read of before this program began is not part of it.
        let at_start = file.stream_position().is_ok_and(|position| position == 0);
        match map(&file).filter(|_| at_start) {
            Some(mapped) => Ok(Opened::Whole(FileBytes::Mapped(mapped))),
            None => Ok(Opened::Pipe(file)),
        }
    }
}

impl FileBytes {
    /// Lets the system have back the memory of mapped bytes, which come from the file again when they are looked at.
    /// Whatever is not a range of them is left alone.
    pub fn release(&self, range: Range<usize>) {
        let FileBytes::Mapped(mapped) = self else {
            return;
        };
        if range.start < range.end && range.end <= mapped.len() {
            // SAFETY: the mapping is private, of a file, and never written, so that its pages are those of the file
            // whether or not they are in memory: who holds a slice of them reads the same bytes as before. That the file
            // itself stays as it is, is what `map` relies on already.
            let _ = unsafe {
                mapped.unchecked_advise_range(
                    UncheckedAdvice::DontNeed,
                    range.start,
                    range.end - range.start,
                )
            };
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

/// Copies a pipe to its end into a file of `folder` that has no name, and maps that.
fn keep(pipe: File, folder: &Path) -> io::Result<FileBytes> {
    let explain = |e: io::Error| {
        let (kind, folder) = (e.kind(), folder.display());
        io::Error::new(kind, format!("keeping it in {folder} (TMPDIR): {e}"))
    };
    let kept = nameless(folder).map_err(explain)?;
    match fill(pipe, kept) {
        // A folder, for one, opens and does not read: that has nothing to do with where it would have been kept.
        Err(e) if e.kind() == io::ErrorKind::IsADirectory => Err(e),
        other => other.map_err(explain),
    }
}

fn fill(mut pipe: File, mut kept: File) -> io::Result<FileBytes> {
    if io::copy(&mut pipe, &mut kept)? == 0 {
        return Ok(FileBytes::Memory(Vec::new()));
    }
    let mapped = map(&kept).map(FileBytes::Mapped);
    mapped.ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// A file that is gone when it is closed.
fn nameless(folder: &Path) -> io::Result<File> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let process = std::process::id();
    // A name can be left over only from a process of the same number that died between the next two steps.
    for _ in 0..64 {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path: PathBuf = folder.join(format!(".feed-capture-{process}-{number}"));
        let mut options = OpenOptions::new();
        match options.read(true).write(true).create_new(true).open(&path) {
            Ok(file) => {
                fs::remove_file(&path)?;
                return Ok(file);
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::OwnedFd;

    #[test]
    fn what_is_released_is_read_again() {
        let this = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sys/file.rs");
        let bytes = FileBytes::open(&this).unwrap();
        let want = fs::read(&this).unwrap();
        let end = bytes.len();
        let held = &bytes[..100];
        for range in [
            0..end,
            5000..5001,
            0..0,
            1..end + 1,
            usize::MAX - 1..usize::MAX,
        ] {
            bytes.release(range);
            assert_eq!((held, &bytes[..]), (&want[..100], &want[..]));
        }
        FileBytes::Memory(want).release(0..10);
    }

    #[test]
    fn a_regular_file_is_mapped() {
        let this = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sys/file.rs");
        let bytes = FileBytes::open(&this).expect("this source file");
        assert!(matches!(bytes, FileBytes::Mapped(_)));
        assert_eq!(&bytes[..], include_bytes!("file.rs"));
    }

    #[test]
    fn what_has_no_length_is_kept_in_a_file_without_a_name() {
        let bytes = FileBytes::open(Path::new("/proc/self/stat")).expect("proc");
        assert!(matches!(bytes, FileBytes::Mapped(_)));
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
    fn a_pipe_is_kept_whole() {
        let (from, mut to) = io::pipe().expect("a pipe");
        let writer = std::thread::spawn(move || to.write_all(&[7; 300_000]));
        let bytes = keep(File::from(OwnedFd::from(from)), &std::env::temp_dir()).expect("kept");
        writer.join().expect("no panic").expect("written");
        assert!(bytes.len() == 300_000 && bytes.iter().all(|&b| b == 7));
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let (from, mut to) = io::pipe().expect("a pipe");
        to.write_all(b"x").expect("room for a byte");
        drop(to);
        let full = OpenOptions::new().write(true).open("/dev/full");
        let refused = fill(File::from(OwnedFd::from(from)), full.expect("/dev/full"));
        let refused = refused.expect_err("no room");
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn a_folder_that_takes_no_file_is_named() {
        let (from, _to) = io::pipe().expect("a pipe");
        let refused = keep(File::from(OwnedFd::from(from)), Path::new("/proc/self"));
        let says = refused.expect_err("no file can be made there").to_string();
        assert!(says.starts_with("keeping it in /proc/self"), "{says}");
    }
}
