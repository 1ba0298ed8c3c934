//! Anonymous memory on the largest pages the machine gives, faulted in before it is used or as it is used.

use std::fs;
use std::io;
use std::ptr::{self, NonNull};

/// Size of the huge pages asked for: 2 MiB, the x86-64 default and the unit of transparent huge pages.
const HUGE_PAGE: usize = 2 << 20;

/// Below this, rounding up to a huge page would waste more than it could save in address translation.
const HUGE_FROM: usize = HUGE_PAGE / 2;

/// What a mapping lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pages {
    /// Huge pages from the reserved pool (`MAP_HUGETLB`).
    Huge,
    /// Ordinary memory that the kernel has backed with huge pages, all of it, as read back from smaps.
    Transparent,
    /// Ordinary pages.
    Small,
}

/// Why no memory was mapped.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// Zero bytes, or more than an address can count.
    #[error("cannot map {bytes} bytes")]
    Size {
        /// What was asked for.
        bytes: usize,
    },
    /// The system refused; usually there is not so much memory, or a limit is reached.
    #[error("mapping {bytes} bytes failed: {source}")]
    Io {
        /// What was asked for.
        bytes: usize,
        /// What the system said.
        source: io::Error,
    },
}

/// Private zeroed memory, page-aligned, unmapped on drop; between two inaccessible guards unless it lies on reserved huge
/// pages.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    len: usize,
    /// What is unmapped in the end: guards included, where there are any.
    reserved: (NonNull<u8>, usize),
    pages: Pages,
    reason: String,
}

// SAFETY: a Mapping owns its memory as a Box would, and that memory is not tied to the thread that mapped it.
unsafe impl Send for Mapping {}
// SAFETY: through &Mapping only the address, the length and the report can be read, never the memory itself.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps at least `bytes` zeroed bytes and touches every page: reserved huge pages if there are enough, else
    /// ordinary memory with huge pages asked for, else whatever comes. [`Mapping::pages`] and [`Mapping::reason`]
    /// say which it was.
    pub fn anonymous(bytes: usize) -> Result<Mapping, MapError> {
        // The margin keeps all arithmetic below in range.
        if bytes == 0 || bytes > isize::MAX as usize - 4 * HUGE_PAGE {
            return Err(MapError::Size { bytes });
        }
        if bytes < HUGE_FROM {
            let len = bytes.next_multiple_of(page_size());
            let mut map = Mapping::ordinary(len, page_size())?;
            map.reason = format!("{len} bytes are too few for huge pages");
            return Ok(map);
        }
        let len = bytes.next_multiple_of(HUGE_PAGE);
        let why_not_reserved = match Mapping::reserved_pool(len) {
            Ok(map) => return Ok(map),
            Err(error) => error,
        };
        let mut map = Mapping::ordinary(len, HUGE_PAGE)?;
        let no_pool = format!("no reserved huge pages ({why_not_reserved})");
        map.reason = match map.huge_bytes() {
            Some(huge) if huge >= len => {
                map.pages = Pages::Transparent;
                format!("{no_pool}; the kernel gave transparent ones")
            }
            Some(huge) => format!(
                "{no_pool}, and transparent ones for {huge} of {len} bytes (transparent_hugepage/enabled is {})",
                transparent_setting()
            ),
            None => format!("{no_pool}, and whether there are transparent ones cannot be read"),
        };
        Ok(map)
    }

    /// Maps at least `bytes` zeroed bytes and touches none: a page costs memory from its first access on, a huge one
    /// where the kernel gives them. For what is sized for the worst day and seldom filled; memory that is locked
    /// ([`super::lock_memory`]) is there from the beginning all the same.
    pub fn untouched(bytes: usize) -> Result<Mapping, MapError> {
        if bytes == 0 || bytes > isize::MAX as usize - 4 * HUGE_PAGE {
            return Err(MapError::Size { bytes });
        }
        let align = match bytes {
            ..HUGE_FROM => page_size(),
            _ => HUGE_PAGE,
        };
        let len = bytes.next_multiple_of(align);
        let area = Mapping::writable(len, align)?;
        let mut map = area.into_mapping(len);
        map.reason = "not touched yet: huge pages as the kernel has them".into();
        Ok(map)
    }

    /// First byte; aligned to the page size of [`Mapping::pages`], at least 4096.
    #[inline]
    pub fn as_ptr(&self) -> NonNull<u8> {
        self.start
    }

    /// Bytes mapped: what was asked for, rounded up to whole pages.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Never: a mapping of nothing is refused.
    #[inline]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// All of it, for whoever has it alone.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: `len` bytes from `start` are mapped readable and writable as long as `self` lives, zeroed at first, so
        // initialised whatever was written since. `&mut self` is the only safe way to them, and the result borrows it; who
        // writes through the pointer of `as_ptr` meanwhile breaks the promise that is theirs to keep.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    /// What it lies on.
    #[inline]
    pub fn pages(&self) -> Pages {
        self.pages
    }

    /// Why it lies on that, in words for people.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// `len` bytes, a multiple of [`HUGE_PAGE`], from the pool of reserved huge pages. Without guards: a fixed mapping into
    /// a reservation discards the reservation also when it then fails for want of pages, and another thread's mapping
    /// may be in the hole before it is given back.
    fn reserved_pool(len: usize) -> io::Result<Mapping> {
        // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
        let at = unsafe {
            libc::mmap(
                ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_HUGETLB | libc::MAP_HUGE_2MB,
                -1,
                0,
            )
        };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(at.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        let map = Mapping {
            start,
            len,
            reserved: (start, len),
            pages: Pages::Huge,
            reason: "reserved huge pages".into(),
        };
        // Populating by madvise reports a pool that a control group limits as an error; touching would be a SIGBUS.
        advise(start, len, libc::MADV_POPULATE_WRITE)?;
        Ok(map)
    }

    /// `len` bytes of ordinary memory aligned to `align`, faulted in; huge pages are asked for when `align` is one.
    fn ordinary(len: usize, align: usize) -> Result<Mapping, MapError> {
        let area = Mapping::writable(len, align)?;
        match advise(area.start, len, libc::MADV_POPULATE_WRITE) {
            Ok(()) => {}
            // Kernels before 5.14.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                for offset in (0..len).step_by(page_size()) {
                    // SAFETY: the offset is below `len`, all of which is mapped writable and known to nobody else.
                    unsafe { area.start.add(offset).write_volatile(0) };
                }
            }
            Err(source) => return Err(MapError::Io { bytes: len, source }),
        }
        Ok(area.into_mapping(len))
    }

    /// `len` writable bytes aligned to `align`, none of them touched; huge pages are asked for when `align` is one.
    fn writable(len: usize, align: usize) -> Result<Reservation, MapError> {
        let failed = |source| MapError::Io { bytes: len, source };
        let area = Reservation::new(len, align).map_err(failed)?;
        // SAFETY: the range lies inside the reservation just made, which nothing else knows of.
        let status = unsafe {
            libc::mprotect(
                area.start.as_ptr().cast(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
            )
        };
        if status != 0 {
            return Err(failed(io::Error::last_os_error()));
        }
        if align == HUGE_PAGE {
            // A kernel without transparent huge pages says EINVAL; what was really given is read back later.
            let _ = advise(area.start, len, libc::MADV_HUGEPAGE);
        }
        Ok(area)
    }

    /// Bytes of this mapping on transparent huge pages, from `/proc/self/smaps`; `None` when it cannot be read.
    ///
    /// The guards on both sides keep the kernel from merging the mapping with others, so its entry is its own.
    fn huge_bytes(&self) -> Option<usize> {
        let smaps = fs::read_to_string("/proc/self/smaps").ok()?;
        let head = format!("{:x}-", self.start.as_ptr() as usize);
        let figure = smaps
            .lines()
            .skip_while(|line| !line.starts_with(&head))
            .find_map(|line| line.strip_prefix("AnonHugePages:"))?;
        let kib: usize = figure.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1024)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        unmap(self.reserved);
    }
}

/// Address space without memory behind it: an aligned hole for a mapping, with a guard on each side.
struct Reservation {
    start: NonNull<u8>,
    whole: (NonNull<u8>, usize),
}

impl Reservation {
    /// Reserves room for `len` bytes at a multiple of `align` with at least one page before and after.
    fn new(len: usize, align: usize) -> io::Result<Reservation> {
        let size = len + align + 2 * page_size();
        // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
        let at = unsafe {
            libc::mmap(
                ptr::null_mut(),
                size,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(at.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        let address = base.as_ptr() as usize;
        let offset = (address + page_size()).next_multiple_of(align) - address;
        Ok(Reservation {
            // SAFETY: offset < page + align, so `offset + len` and a page after it stay inside the `size` bytes mapped.
            start: unsafe { base.add(offset) },
            whole: (base, size),
        })
    }

    fn into_mapping(self, len: usize) -> Mapping {
        let mapping = Mapping {
            start: self.start,
            len,
            reserved: self.whole,
            pages: Pages::Small,
            reason: String::new(),
        };
        std::mem::forget(self);
        mapping
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        unmap(self.whole);
    }
}

fn unmap((base, size): (NonNull<u8>, usize)) {
    // SAFETY: called once, from the drop of the only owner of the range, whose borrowers are gone by then. Failing
    // (which these arguments cannot) would leak the range and nothing else.
    unsafe { libc::munmap(base.as_ptr().cast(), size) };
}

fn advise(start: NonNull<u8>, len: usize, advice: libc::c_int) -> io::Result<()> {
    // SAFETY: every caller passes a range it has just mapped and not yet shared; the advice used here (huge pages,
    // populate) changes what backs the range, not its contents.
    match unsafe { libc::madvise(start.as_ptr().cast(), len, advice) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn page_size() -> usize {
    // SAFETY: sysconf takes a name by value and touches no memory.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}

/// The kernel's setting, such as "always [madvise] never".
fn transparent_setting() -> String {
    fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled")
        .map_or_else(|_| "unreadable".into(), |text| text.trim().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes and reads the first and last byte of every page.
    fn exercise(map: &Mapping) {
        let start = map.as_ptr();
        for page in (0..map.len()).step_by(4096) {
            for offset in [page, page + 4095] {
                // SAFETY: below `len`; the mapping is this test's alone.
                unsafe {
                    assert_eq!(start.add(offset).read(), 0, "not zeroed at {offset}");
                    start.add(offset).write(0xA5);
                    assert_eq!(start.add(offset).read(), 0xA5);
                }
            }
        }
    }

    #[test]
    fn small_mappings_lie_on_small_pages_and_say_why() {
        let map = Mapping::anonymous(1).unwrap();
        assert_eq!((map.len(), map.pages()), (page_size(), Pages::Small));
        assert!(map.reason().contains("too few"), "{}", map.reason());
        exercise(&map);
    }

    #[test]
    fn untouched_memory_takes_no_room_until_it_is_used() {
        // Far more than the machine has.
        let map = Mapping::untouched(1 << 44).unwrap();
        assert_eq!((map.len(), map.pages()), (1 << 44, Pages::Small));
        assert_eq!(map.as_ptr().as_ptr() as usize % HUGE_PAGE, 0);
        for offset in [0, 1 << 43, (1 << 44) - 1] {
            // SAFETY: below `len`; the mapping is this test's alone.
            unsafe {
                assert_eq!(map.as_ptr().add(offset).read(), 0);
                map.as_ptr().add(offset).write(1);
            }
        }
        exercise(&Mapping::untouched(3 * 4096).unwrap());
        assert!(matches!(
            Mapping::untouched(0),
            Err(MapError::Size { bytes: 0 })
        ));
    }

    #[test]
    fn large_mappings_are_whole_huge_pages_and_say_what_they_got() {
        let map = Mapping::anonymous(3 * HUGE_PAGE - 5).unwrap();
        assert_eq!(map.len(), 3 * HUGE_PAGE);
        assert_eq!(map.as_ptr().as_ptr() as usize % HUGE_PAGE, 0);
        assert!(!map.reason().is_empty());
        exercise(&map);
        let read_back = map.huge_bytes();
        match map.pages() {
            Pages::Transparent => assert_eq!(read_back, Some(map.len())),
            Pages::Small => assert_ne!(read_back, Some(map.len())),
            Pages::Huge => assert_eq!(map.reason(), "reserved huge pages"),
        }
    }

    #[test]
    fn the_bytes_are_those_that_the_pointer_leads_to() {
        let mut map = Mapping::anonymous(5_000).unwrap();
        let bytes = map.bytes_mut();
        assert!(bytes.len() == 2 * page_size() && bytes.iter().all(|&b| b == 0));
        bytes[8_191] = 7;
        // SAFETY: below `len`; the mapping is this test's alone.
        assert_eq!(unsafe { map.as_ptr().add(8_191).read() }, 7);
    }

    #[test]
    fn sizes_nothing_can_have_are_refused() {
        for bytes in [0, usize::MAX, isize::MAX as usize] {
            assert!(matches!(
                Mapping::anonymous(bytes),
                Err(MapError::Size { .. })
            ));
        }
        // Fits an address, not a machine.
        assert!(matches!(
            Mapping::anonymous(1 << 52),
            Err(MapError::Io { .. })
        ));
    }

    /// Falling back from reserved huge pages must not touch what other threads map meanwhile.
    #[test]
    fn mappings_of_several_threads_leave_each_other_alone() {
        let work = |bytes: usize, times: u64| {
            for mark in 1..=times {
                let map = Mapping::anonymous(bytes).unwrap();
                let word = map.as_ptr().cast::<u64>();
                // SAFETY: the mapping is this thread's alone, aligned to a page and at least one long.
                unsafe {
                    assert_eq!(word.read_volatile(), 0);
                    word.write_volatile(mark);
                    std::thread::yield_now();
                    assert_eq!(word.read_volatile(), mark);
                }
            }
        };
        std::thread::scope(|threads| {
            threads.spawn(move || work(HUGE_PAGE, 1_500));
            threads.spawn(move || work(HUGE_PAGE, 1_500));
            threads.spawn(move || work(1, 30_000));
        });
    }

    #[test]
    fn dropping_gives_the_address_space_back() {
        // More in total than fits 47 bits of address space, unless each is given back.
        for _ in 0..64 {
            let area = Reservation::new(1 << 43, HUGE_PAGE).unwrap();
            drop(area);
        }
    }
}
