//! A place for one boxed value between two threads: putting and taking are each one atomic swap.
//!
//! A hot thread can give away or receive a prepared structure here without a lock, an allocation or a wait. Nothing
//! is ever dropped by [`Slot::put`] or [`Slot::take`] themselves; what a put displaces is handed back.

#[cfg(not(loom))]
use std::sync::atomic::{AtomicPtr, Ordering};

#[cfg(loom)]
use loom::sync::atomic::{AtomicPtr, Ordering};

use std::marker::PhantomData;
use std::ptr;

/// Holds one `Box<T>` or nothing. Any thread may put or take; both are wait-free.
pub struct Slot<T> {
    held: AtomicPtr<T>,
    /// Owns a `T` through a raw pointer: neither `Send` nor `Sync` by itself, so the bounds below are the only ones.
    owns: PhantomData<*mut T>,
}

// SAFETY: the pointer in `held` comes from `Box::into_raw` and is owned by the slot alone, so sending the slot sends
// the box, which `T: Send` allows.
unsafe impl<T: Send> Send for Slot<T> {}

// SAFETY: through `&Slot<T>` a thread can only move a whole box in or out by an atomic swap; no two threads ever hold
// a reference to the same `T` by it. Moving a `T` between threads is what `T: Send` allows; `T: Sync` is not needed.
unsafe impl<T: Send> Sync for Slot<T> {}

impl<T> Slot<T> {
    /// An empty slot.
    pub fn new() -> Slot<T> {
        Slot {
            held: AtomicPtr::new(ptr::null_mut()),
            owns: PhantomData,
        }
    }

    /// Puts `value` in and returns what it displaced, if the slot was not empty.
    #[inline]
    pub fn put(&self, value: Box<T>) -> Option<Box<T>> {
        // Release publishes what this thread wrote to the value; acquire is for the box that may come back.
        let old = self.held.swap(Box::into_raw(value), Ordering::AcqRel);
        Self::own(old)
    }

    /// Takes what is there.
    #[inline]
    pub fn take(&self) -> Option<Box<T>> {
        Self::own(self.held.swap(ptr::null_mut(), Ordering::AcqRel))
    }

    /// True when nothing seems to be there: one relaxed load, a hint that only [`Slot::take`] makes certain.
    #[inline]
    pub fn seems_empty(&self) -> bool {
        self.held.load(Ordering::Relaxed).is_null()
    }

    fn own(raw: *mut T) -> Option<Box<T>> {
        if raw.is_null() {
            return None;
        }
        // SAFETY: the only values ever stored in `held` are null and results of `Box::into_raw`. `raw` is not null and
        // has just been swapped out of `held`; a swap is one atomic step, so no other thread can obtain the same
        // pointer until it is stored again, which needs the box we are about to make. Hence `raw` is owned here exactly
        // once. The acquire side of the swap synchronises with the release of the `put` that stored it, so the
        // writes to `*raw` made before that `put` are visible.
        Some(unsafe { Box::from_raw(raw) })
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Slot::new()
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl<T> std::fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot")
            .field("empty", &self.seems_empty())
            .finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn what_goes_in_comes_out_once() {
        let slot = Slot::new();
        assert!(slot.seems_empty() && slot.take().is_none());
        assert!(slot.put(Box::new(1)).is_none());
        assert_eq!(slot.put(Box::new(2)).as_deref(), Some(&1));
        assert!(!slot.seems_empty());
        assert_eq!(slot.take().as_deref(), Some(&2));
        assert!(slot.take().is_none());
    }

    #[test]
    fn every_value_is_dropped_exactly_once() {
        struct Counted(Arc<AtomicUsize>);
        impl Drop for Counted {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let drops = Arc::new(AtomicUsize::new(0));
        let slot = Slot::new();
        for _ in 0..3 {
            slot.put(Box::new(Counted(drops.clone())));
        }
        assert_eq!(drops.load(Ordering::Relaxed), 2, "displaced ones only");
        drop(slot);
        assert_eq!(drops.load(Ordering::Relaxed), 3);
    }

    /// Four threads throw boxes through one slot; each box must arrive whole, and none twice or never.
    #[test]
    fn boxes_survive_a_crowd() {
        const EACH: u64 = 50_000;
        let slot = Arc::new(Slot::<[u64; 4]>::new());
        let threads: Vec<_> = (0..4u64)
            .map(|t| {
                let slot = slot.clone();
                std::thread::spawn(move || {
                    let (mut sum, mut seen) = (0u64, 0u64);
                    let mut tally = |got: Option<Box<[u64; 4]>>| {
                        if let Some(b) = got {
                            assert!(b.iter().all(|w| *w == b[0]), "torn: {b:?}");
                            sum = sum.wrapping_add(b[0]);
                            seen += 1;
                        }
                    };
                    for i in 0..EACH {
                        tally(slot.put(Box::new([t * EACH + i; 4])));
                        if i % 3 == 0 {
                            tally(slot.take());
                        }
                    }
                    (sum, seen)
                })
            })
            .collect();
        let (mut sum, mut seen) = (0u64, 0u64);
        for t in threads {
            let (s, n) = t.join().expect("no panic");
            sum += s;
            seen += n;
        }
        if let Some(last) = slot.take() {
            sum += last[0];
            seen += 1;
        }
        let total = 4 * EACH;
        assert_eq!((seen, sum), (total, total * (total - 1) / 2));
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::cell::Cell;
    use loom::sync::Arc;

    /// Every interleaving of a giver and a taker: the value is seen by one side only, and not before it is written (the
    /// cell reports accesses that nothing orders).
    #[test]
    fn one_giver_one_taker() {
        loom::model(|| {
            let slot = Arc::new(Slot::new());
            let giver = {
                let slot = slot.clone();
                loom::thread::spawn(move || {
                    let value = Box::new(Cell::new(0u32));
                    value.set(7);
                    assert!(slot.put(value).is_none());
                })
            };
            let early = slot.take().map(|value| value.get());
            giver.join().unwrap();
            let late = slot.take().map(|value| value.get());
            assert_eq!(early.is_some() as u32 + late.is_some() as u32, 1);
            assert_eq!(early.or(late), Some(7));
        });
    }

    /// The recorder's exchange: an empty set goes one way, a full one the other, whoever is faster.
    #[test]
    fn exchange_of_two_sets() {
        loom::model(|| {
            let offered = Arc::new(Slot::new());
            let filled = Arc::new(Slot::new());
            let hot = {
                let (offered, filled) = (offered.clone(), filled.clone());
                loom::thread::spawn(move || {
                    let mut active = Box::new(1u32);
                    if let Some(empty) = offered.take() {
                        let full = std::mem::replace(&mut active, empty);
                        assert!(filled.put(full).is_none());
                    }
                    *active
                })
            };
            assert!(offered.put(Box::new(2u32)).is_none());
            let early = filled.take();
            let kept = hot.join().unwrap();
            let got = early.or_else(|| filled.take());
            match kept {
                2 => assert_eq!(got.as_deref(), Some(&1)),
                1 => assert!(got.is_none() && offered.take().as_deref() == Some(&2)),
                other => panic!("unexpected set {other}"),
            }
        });
    }
}
