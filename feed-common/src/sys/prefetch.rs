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

/// Asks for the cache line that `place` points into, to be written soon: what other cores have of it is taken from them
/// meanwhile, and not when the store is due.
///
/// The pointer may be anything, as for [`prefetch_read`]. On processors other than x86-64 this compiles to nothing.
#[inline(always)]
pub fn prefetch_write<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: PREFETCHW is a hint that raises no exception and changes no architectural state whatever the address, so
    // nothing is asked of `place`. Every 64-bit processor of AMD has it, and those of Intel that do not, the oldest ones,
    // do nothing (Intel's manual, volume 2, PREFETCHW). The intrinsic would become a PREFETCHT0 where the program is
    // compiled for every x86-64.
    unsafe {
        std::arch::asm!("prefetchw [{}]", in(reg) place, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
