//! A file as atomic words that several processes share.

use super::{allocate, prefetch_read};
use memmap2::{Advice, MmapOptions, MmapRaw};
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a word.
const WORD: usize = size_of::<AtomicU64>();

/// The 8-byte words of a file, in place and shared with every process that maps it; or of memory that stands for a file.
///
/// The file must not be cut while it is mapped: touching a page behind the new end ends the process with SIGBUS. It may be
/// removed; what is mapped stays until nobody maps it.
#[derive(Debug)]
pub struct FileWords {
    first: NonNull<AtomicU64>,
    count: usize,
    writable: bool,
    memory: Memory,
}

/// What holds the words.
#[derive(Debug)]
enum Memory {
    Mapped(MmapRaw),
    #[expect(dead_code, reason = "it is held, and reached by the pointer")]
    Own(Vec<AtomicU64>),
}

// SAFETY: the words are in a mapping or a box that moves with the value and is not tied to a thread, and all that is
// handed out without a promise of the caller are atomic accesses to them.
unsafe impl Send for FileWords {}
// SAFETY: as above.
unsafe impl Sync for FileWords {}

impl FileWords {
    /// Makes a file of `bytes` zeros that is not there yet, and maps it for writing. All of its room is allocated before
    /// and its pages are there, so that a full disk is an error here and never a signal later.
    pub fn create(path: &Path, bytes: usize) -> io::Result<FileWords> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).open(path)?;
        allocate(&file, bytes as u64)?;
        FileWords::map_writable(&file)
    }

    /// Maps a file for reading and writing, and brings its pages in.
    pub fn open_writable(path: &Path) -> io::Result<FileWords> {
        FileWords::map_writable(&OpenOptions::new().read(true).write(true).open(path)?)
    }

    /// Maps a file for reading. An odd end of fewer bytes than a word is left out.
    pub fn open(path: &Path) -> io::Result<FileWords> {
        let file = File::open(path)?;
        let count = whole_words(&file)?;
        if count == 0 {
            return Ok(FileWords::from_bytes(&[]));
        }
        let map = MmapOptions::new()
            .len(count * WORD)
            .map_raw_read_only(&file)?;
        FileWords::mapped(map, count, false)
    }

    /// What a file of these bytes would be.
    pub fn from_bytes(bytes: &[u8]) -> FileWords {
        let words = bytes.as_chunks::<WORD>().0.iter();
        let words: Vec<AtomicU64> = words
            .map(|&word| AtomicU64::new(u64::from_ne_bytes(word)))
            .collect();
        FileWords {
            // The vector may be moved, and its words stay where they are.
            first: NonNull::from(&*words).cast(),
            count: words.len(),
            writable: true,
            memory: Memory::Own(words),
        }
    }

    fn map_writable(file: &File) -> io::Result<FileWords> {
        let count = whole_words(file)?;
        if count == 0 {
            return Ok(FileWords::from_bytes(&[]));
        }
        let map = MmapOptions::new().len(count * WORD).map_raw(file)?;
        match map.advise(Advice::PopulateWrite) {
            Ok(()) => {}
            // Kernels before 5.14: pages come as they are touched. Their room is allocated all the same.
            Err(e) if e.raw_os_error() == Some(libc::EINVAL) => {}
            Err(e) => return Err(e),
        }
        FileWords::mapped(map, count, true)
    }

    fn mapped(map: MmapRaw, count: usize, writable: bool) -> io::Result<FileWords> {
        let first = NonNull::new(map.as_mut_ptr()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(FileWords {
            first: first.cast(),
            count,
            writable,
            memory: Memory::Mapped(map),
        })
    }

    /// How many words there are.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.count
    }

    /// The words, to be written too; none when they were mapped for reading.
    #[inline(always)]
    pub fn cells(&self) -> &[AtomicU64] {
        let count = if self.writable { self.count } else { 0 };
        // SAFETY: `first` points to `count` words that live as long as `self`: a mapping of at least that many bytes, which
        // begins on a page and so is aligned, or a vector that is never touched again. Their
        // bytes are initialised and any value is one of an AtomicU64. In this process they are accessed only atomically,
        // but for `bytes`, whose caller promises that nobody writes there. Other processes may write them at any time,
        // which is what atomics are for. Pages that may not be written are not handed out.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), count) }
    }

    /// Word `i`.
    ///
    /// # Panics
    ///
    /// When there is no such word.
    #[inline(always)]
    pub fn load(&self, i: usize, order: Ordering) -> u64 {
        assert!(i < self.count, "word {i} of {}", self.count);
        // SAFETY: in range; otherwise as in `cells`. An atomic load of eight bytes is an ordinary load on every machine this
        // runs on, so that it may be of pages that are mapped for reading only.
        unsafe { self.first.add(i).as_ref().load(order) }
    }

    /// The bytes of some words, in place.
    ///
    /// # Safety
    ///
    /// As long as the result lives nobody may write these words, in any process that keeps the rules of the file, and
    /// what was written there must happen before this call.
    ///
    /// # Panics
    ///
    /// When there are no such words.
    #[inline(always)]
    pub unsafe fn bytes(&self, words: Range<usize>) -> &[u8] {
        assert!(words.start <= words.end && words.end <= self.count);
        // SAFETY: in range, initialised, and alive as long as `self`; not written meanwhile, as the caller promises. A
        // process that breaks the rules of the file can change what is read, as it can of any mapped file: readers of
        // these bytes load a length once and compare it with that of the slice before they use it.
        unsafe {
            let first = self.first.add(words.start).as_ptr().cast::<u8>();
            std::slice::from_raw_parts(first, (words.end - words.start) * WORD)
        }
    }

    /// Asks for the cache line of word `i`, whether or not there is one.
    #[inline(always)]
    pub fn prefetch(&self, i: usize) {
        prefetch_read(self.first.as_ptr().wrapping_add(i));
    }

    /// Waits until the disk has all that was written.
    pub fn sync(&self) -> io::Result<()> {
        match &self.memory {
            Memory::Mapped(map) => map.flush(),
            Memory::Own(_) => Ok(()),
        }
    }
}

fn whole_words(file: &File) -> io::Result<usize> {
    let bytes = usize::try_from(file.metadata()?.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
    Ok(bytes / WORD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_mapping_stores_another_loads() {
        let folder = std::env::temp_dir().join(format!("feed-words-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("words");
        let written = FileWords::create(&path, 8192).unwrap();
        assert!(
            FileWords::create(&path, 8192).is_err(),
            "it is there already"
        );
        let read = FileWords::open(&path).unwrap();
        assert_eq!((written.len(), read.len()), (1024, 1024));
        assert_eq!(read.load(1023, Ordering::Acquire), 0);
        written.cells()[1023].store(u64::from_ne_bytes(*b"together"), Ordering::Release);
        assert_eq!(
            read.load(1023, Ordering::Acquire).to_ne_bytes(),
            *b"together"
        );
        // SAFETY: nobody writes any more.
        assert_eq!(unsafe { read.bytes(1023..1024) }, b"together");
        assert!(read.cells().is_empty(), "mapped for reading");
        written.sync().unwrap();
        // Allocated, not a hole.
        use std::os::unix::fs::MetadataExt;
        assert!(std::fs::metadata(&path).unwrap().blocks() * 512 >= 8192);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(read.load(0, Ordering::Relaxed), 0, "still mapped");
    }

    #[test]
    fn odd_ends_are_left_out() {
        let words = FileWords::from_bytes(b"12345678rest");
        assert_eq!(words.len(), 1);
        assert_eq!(words.cells().len(), 1);
        words.prefetch(usize::MAX);
        assert_eq!(FileWords::from_bytes(b"").cells().len(), 0);
    }
}
