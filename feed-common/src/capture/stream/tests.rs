//! Tests of the blocks between the two threads.

use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts from 0 to `len`, a byte each, and then ends as told.
struct Counting {
    len: usize,
    at: usize,
    end: Option<CutReason>,
    given: Arc<AtomicUsize>,
}

impl Source for Counting {
    fn read(&mut self, out: &mut [u8]) -> Progress {
        let n = out.len().min(self.len - self.at);
        if n == 0 {
            return Progress::End(self.end);
        }
        for (i, byte) in out[..n].iter_mut().enumerate() {
            *byte = (self.at + i) as u8;
        }
        self.at += n;
        self.given.fetch_add(n, Ordering::Relaxed);
        Progress::Bytes(n)
    }

    fn taken(&self) -> u64 {
        self.at as u64
    }

    fn is_live(&self) -> bool {
        false
    }
}

fn stream(len: usize, block: usize, end: Option<CutReason>) -> (Stream, Arc<AtomicUsize>) {
    let given = Arc::new(AtomicUsize::new(0));
    let source = Counting {
        len,
        at: 0,
        end,
        given: given.clone(),
    };
    (Stream::with_block(Box::new(source), block), given)
}

#[test]
fn windows_join_without_a_seam() {
    for block in [1, 3, 100] {
        for step in [1, 2, 7, 250] {
            let (mut stream, _) = stream(1000, block, Some(CutReason::PartialRecord));
            let (mut at, mut taken) = (0, 0);
            let end = loop {
                while stream.bytes().len() - at >= step {
                    for (i, &byte) in stream.bytes()[at..at + step].iter().enumerate() {
                        assert_eq!(byte, (taken + i) as u8);
                    }
                    at += step;
                    taken += step;
                }
                assert_eq!(stream.base() + at as u64, taken as u64);
                match stream.refill(&mut at, None) {
                    Refill::More => {}
                    Refill::Pending => panic!("it waits without end"),
                    Refill::End(reason) => break reason,
                }
            };
            assert_eq!(end, Some(CutReason::PartialRecord));
            assert_eq!(taken, 1000 / step * step);
            assert_eq!(stream.refill(&mut at, None), Refill::End(end));
        }
    }
}

/// The thread waits for blocks to come back, so that no more than these are ever filled.
#[test]
fn it_does_not_run_ahead() {
    let (mut stream, given) = stream(100_000, 10, None);
    let mut at = 0;
    for _ in 0..200 {
        assert_eq!(stream.refill(&mut at, None), Refill::More);
        at = stream.bytes().len();
        let taken = stream.base() as usize + at;
        let ahead = given.load(Ordering::Relaxed) - taken;
        assert!(ahead <= BLOCKS * 10, "{ahead}");
    }
}

#[test]
fn a_slow_source_leaves_the_reader_free() {
    struct Slow(std::io::PipeReader);
    impl Source for Slow {
        fn read(&mut self, out: &mut [u8]) -> Progress {
            match std::io::Read::read(&mut self.0, out) {
                Ok(n) if n > 0 => Progress::Bytes(n),
                _ => Progress::End(None),
            }
        }
        fn taken(&self) -> u64 {
            0
        }
        fn is_live(&self) -> bool {
            true
        }
    }
    let (from, to) = std::io::pipe().expect("a pipe");
    let mut stream = Stream::new(Box::new(Slow(from)));
    let mut at = 0;
    let short = Some(Duration::from_millis(1));
    assert_eq!(stream.refill(&mut at, short), Refill::Pending);
    std::io::Write::write_all(&mut &to, b"x").expect("taken");
    assert_eq!(stream.refill(&mut at, None), Refill::More);
    assert_eq!(stream.bytes(), b"x");
    drop(to);
    at = 1;
    assert_eq!(stream.refill(&mut at, None), Refill::More);
    assert_eq!(stream.refill(&mut at, None), Refill::End(None));
}
