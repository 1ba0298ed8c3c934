//! A hint to the cache.

/// Asks for the cache line that `place` points into, to be read soon.
///
/// The pointer may be anything: a prefetch of an address that is not mapped does nothing. On processors other than
/// x86-64 this compiles to nothing.
#[inline(always)]
pub fn prefetch_read<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: PREFETCHT0 needs SSE, which every x86-64 processor has. It is a hint: by the processor's manual it
        // raises no exception and changes no architectural state whatever the address, so nothing is asked of `place`.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(place.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
