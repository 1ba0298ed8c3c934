//! The kernels read nothing behind the last value: the byte after it is on a page nobody may read.

use super::{Endian, Path, PriceDecoder, PriceLayout};

/// Two pages, the second of which cannot be touched.
struct Guarded {
    pages: *mut libc::c_void,
    page: usize,
}

impl Guarded {
    fn new() -> Guarded {
        // SAFETY: sysconf has no preconditions.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let (access, kind) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
        );
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice overlaps nothing.
        let pages = unsafe { libc::mmap(std::ptr::null_mut(), 2 * page, access, kind, -1, 0) };
        assert_ne!(pages, libc::MAP_FAILED);
        // SAFETY: the second page lies within the mapping of two.
        let second = unsafe { pages.byte_add(page) };
        // SAFETY: the second page is ours and nothing refers to it.
        let refused = unsafe { libc::mprotect(second, page, libc::PROT_NONE) };
        assert_eq!(refused, 0);
        Guarded { pages, page }
    }

    /// The last `len` bytes of the first page.
    fn tail(&mut self, len: usize) -> &mut [u8] {
        assert!(len <= self.page);
        // SAFETY: the first page is `page` bytes, of which the last `len` begin here.
        let start = unsafe { self.pages.cast::<u8>().add(self.page - len) };
        // SAFETY: `len` bytes from `start` are the rest of the first page, readable, writable and zeroed by the
        // kernel, and borrowed through `self` alone.
        unsafe { std::slice::from_raw_parts_mut(start, len) }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, of two pages, and no borrow of it outlives `self`.
        unsafe { libc::munmap(self.pages, 2 * self.page) };
    }
}

#[test]
fn nothing_behind_the_last_value_is_read() {
    let mut memory = Guarded::new();
    for width in [4, 8] {
        for endian in [Endian::Little, Endian::Big] {
            for stride in [width, width + 1, 28, 32, 36] {
                for decimals in [4, 9] {
                    let layout = PriceLayout::new(width, true, endian, decimals).unwrap();
                    let layout = layout.with_stride(stride).unwrap();
                    for count in 0..=17 {
                        let array = memory.tail(layout.bytes(count));
                        array.fill(0);
                        for path in [Path::Portable, Path::Avx2] {
                            let decoder = PriceDecoder::with_path(layout, path);
                            let mut canonical = [1; 17];
                            decoder.decode(array, &mut canonical[..count]);
                            assert!(canonical[..count].iter().all(|p| *p == 0));
                            assert!(canonical[count..].iter().all(|p| *p == 1));
                            let mut doubles = [1.0; 17];
                            decoder.decode_f64(array, &mut doubles[..count]);
                            assert!(doubles[..count].iter().all(|p| *p == 0.0));
                            assert!(doubles[count..].iter().all(|p| *p == 1.0));
                        }
                    }
                }
            }
        }
    }
}
