use super::*;
use proptest::prelude::*;
use std::collections::HashSet;
use std::sync::mpsc;
use std::thread;

#[test]
fn sizes_nothing_can_have_are_refused() {
    for (buffers, capacity) in [(0, 1), (1, 0), (Pool::MAX_BUFFERS + 1, 1), (2, usize::MAX)] {
        let error = Pool::new(buffers, capacity).unwrap_err();
        assert!(
            matches!(error, RingError::Pool { buffers: b, capacity: c } if (b, c) == (buffers, capacity))
        );
    }
    let pool = Pool::new(Pool::MAX_BUFFERS, 1).unwrap();
    assert_eq!(pool.available(), Pool::MAX_BUFFERS);
}

#[test]
fn the_last_buffer_given_back_is_the_first_taken() {
    let pool = Pool::new(3, 100).unwrap();
    let mut buffer = pool.get();
    buffer.extend_from_slice(&[7; 100]);
    let address = buffer.as_ptr();
    assert_eq!(pool.available(), 2);
    drop(buffer);
    let again = pool.get();
    assert_eq!((again.as_ptr(), again.len()), (address, 0));
    assert_eq!((pool.misses(), pool.regrown()), (0, 0));
}

#[test]
fn whoever_comes_too_late_gets_a_fresh_buffer() {
    let pool = Pool::new(2, 10).unwrap();
    let all: Vec<_> = (0..5).map(|_| pool.get()).collect();
    assert_eq!(all.iter().filter(|b| b.is_fresh()).count(), 3);
    assert!(all.iter().all(|b| b.capacity() == 10));
    assert_eq!((pool.available(), pool.misses()), (0, 3));
    drop(all);
    assert_eq!((pool.available(), pool.misses()), (2, 3));
}

#[test]
fn memory_stays_what_it_was() {
    let pool = Pool::new(1, 10).unwrap();
    let mut buffer = pool.get();
    buffer.write_all(&[1; 11]).unwrap();
    drop(buffer);
    assert_eq!((pool.get().capacity(), pool.regrown()), (10, 1));
    let mut buffer = pool.get();
    buffer.push(5);
    assert_eq!(buffer.into_vec(), [5]);
    assert_eq!((pool.get().capacity(), pool.regrown()), (10, 2));
    assert_eq!(pool.available(), 1);
}

#[test]
fn a_leaked_pool_lends_to_threads_that_no_scope_bounds() {
    let pool = Pool::leaked(2, 10).unwrap();
    let mut buffer = pool.get();
    buffer.push(1);
    let thread = thread::spawn(move || assert_eq!(**buffer, [1]));
    thread.join().unwrap();
    assert_eq!(pool.available(), 2);
}

/// Four threads pass buffers on to each other; every one that is held has marks of its holder only.
#[test]
fn threads_never_hold_the_same_buffer() {
    const THREADS: usize = 4;
    let pool = Pool::new(8, 64).unwrap();
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..THREADS)
        .map(|_| mpsc::channel::<PoolBuffer<'_>>())
        .unzip();
    thread::scope(|scope| {
        for (mark, inbox) in receivers.into_iter().enumerate() {
            let (pool, next) = (&pool, senders[(mark + 1) % THREADS].clone());
            scope.spawn(move || {
                for round in 0..5_000 {
                    let mut buffer = pool.get();
                    assert!(buffer.is_empty());
                    buffer.resize(64, mark as u8);
                    if round % 64 == 0 {
                        thread::yield_now();
                    }
                    assert!(buffer.iter().all(|&b| b == mark as u8));
                    match round % 3 {
                        0 => drop(next.send(buffer)), // whose receiver may have ended
                        _ => drop(buffer),
                    }
                    // Dropped here, far from where it was taken.
                    drop(inbox.try_recv());
                }
            });
        }
        drop(senders);
    });
    assert_eq!((pool.available(), pool.regrown()), (8, 0));
}

proptest! {
    /// Whatever is taken and given back in whatever order: no buffer twice, and none lost.
    #[test]
    fn every_buffer_is_in_one_place(steps in prop::collection::vec(any::<(bool, u8)>(), 0..200)) {
        let pool = Pool::new(5, 8).unwrap();
        let (mut held, mut misses) = (Vec::<PoolBuffer<'_>>::new(), 0);
        for (take, which) in steps {
            if take {
                misses += u64::from(pool.available() == 0);
                held.push(pool.get());
            } else if !held.is_empty() {
                held.swap_remove(usize::from(which) % held.len());
            }
            let owned = held.iter().filter(|b| !b.is_fresh());
            let addresses: HashSet<_> = owned.map(|b| b.as_ptr()).collect();
            prop_assert_eq!(addresses.len() + pool.available(), 5);
            prop_assert_eq!(pool.misses(), misses);
        }
    }
}
