//! A large array of a power of two of elements, whose indices wrap around: no index is out of bounds, so none is checked.

use super::{MapError, Mapping, prefetch_read};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};
use std::ptr::NonNull;
use zerocopy::FromZeros;

/// Zeroed elements on huge pages where the machine gives them; those never used cost no memory.
///
/// Index `i` is the element `i` modulo the length. The table of a hash with linear probing wants exactly that; whoever
/// uses it as an ordinary array keeps its indices in range itself, and a mistake hits a wrong element and never other
/// memory.
pub struct Circle<T> {
    first: NonNull<T>,
    /// The length less one.
    mask: u32,
    memory: Mapping,
    owns: PhantomData<T>,
}

// SAFETY: a Circle owns its elements as a boxed slice would: sending it sends them.
unsafe impl<T: Send> Send for Circle<T> {}
// SAFETY: through &Circle<T> there is only &T; the mapping is never written behind its back.
unsafe impl<T: Sync> Sync for Circle<T> {}

impl<T: FromZeros + Copy> Circle<T> {
    /// The longest there can be.
    pub const LEN_MAX: usize = 1 << 31;

    /// `len` elements, rounded up to a power of two; all zero. Refused above [`Circle::LEN_MAX`].
    pub fn zeroed(len: usize) -> Result<Circle<T>, MapError> {
        const { assert!(size_of::<T>() > 0 && align_of::<T>() <= 4096) }
        let too_large = MapError::Size { bytes: usize::MAX };
        if len > Self::LEN_MAX {
            return Err(too_large);
        }
        let len = len.max(1).next_power_of_two();
        let bytes = len.checked_mul(size_of::<T>()).ok_or(too_large)?;
        let memory = Mapping::untouched(bytes)?;
        Ok(Circle {
            first: memory.as_ptr().cast(),
            mask: (len - 1) as u32,
            memory,
            owns: PhantomData,
        })
    }
}

impl<T> Circle<T> {
    /// The length less one: an index masked with it is the element's place.
    #[inline(always)]
    pub fn mask(&self) -> u32 {
        self.mask
    }

    /// How many elements there are, always a power of two.
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        self.mask as usize + 1
    }

    /// Asks for the cache line in which an element begins.
    #[inline(always)]
    pub fn prefetch(&self, i: u32) {
        prefetch_read(self.place(i).as_ptr());
    }

    #[inline(always)]
    fn place(&self, i: u32) -> NonNull<T> {
        // SAFETY: the masked index is at most `mask`, and the mapping holds `mask + 1` elements from `first` on, so the
        // result stays inside of it.
        unsafe { self.first.add((i & self.mask) as usize) }
    }
}

impl<T> Index<u32> for Circle<T> {
    type Output = T;

    #[inline(always)]
    fn index(&self, i: u32) -> &T {
        // SAFETY: `place` is inside the mapping and a multiple of T's size from its start, which is aligned to a page
        // and so for T; zero bytes are a valid T (`zeroed` asks for FromZeros), and whatever was stored since was a T.
        // The mapping lives as long as `self`, and the result borrows `self`.
        unsafe { self.place(i).as_ref() }
    }
}

impl<T> IndexMut<u32> for Circle<T> {
    #[inline(always)]
    fn index_mut(&mut self, i: u32) -> &mut T {
        // SAFETY: as for `index`; `&mut self` excludes every other reference.
        unsafe { self.place(i).as_mut() }
    }
}

impl<T> fmt::Debug for Circle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circle")
            .field("len", &self.len())
            .field("memory", &self.memory)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_wrap_around_a_power_of_two() {
        for (asked, len) in [(0, 1), (1, 1), (3, 4), (4, 4), (5, 8), (1000, 1024)] {
            let mut circle = Circle::<u64>::zeroed(asked).unwrap();
            assert_eq!((circle.len(), circle.mask() as usize), (len, len - 1));
            for i in 0..len as u32 {
                assert_eq!(circle[i], 0);
                circle[i] = u64::from(i) + 1;
            }
            for i in [0, 1, len as u32, u32::MAX] {
                circle.prefetch(i);
                assert_eq!(circle[i], u64::from(i) % len as u64 + 1);
            }
        }
    }

    #[test]
    fn elements_are_aligned_and_far_ones_cost_nothing() {
        #[derive(Clone, Copy, FromZeros)]
        #[repr(C, align(64))]
        struct Line([u8; 64]);
        let mut circle = Circle::<Line>::zeroed(1 << 31).unwrap();
        for i in [0, 77, u32::MAX >> 1] {
            circle[i].0[63] = 1;
            assert_eq!(&raw const circle[i] as usize % 64, 0);
            assert_eq!(circle[i].0.iter().map(|&b| u32::from(b)).sum::<u32>(), 1);
        }
        assert!(Circle::<Line>::zeroed((1 << 31) + 1).is_err());
    }
}
