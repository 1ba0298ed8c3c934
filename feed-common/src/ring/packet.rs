//! The packet ring: one thread receives datagrams into slots, another reads them in place.
//!
//! # Protocol
//!
//! Positions count packets from 0 and never wrap (2^64). Two of them are shared: `head`, stored by the producer alone,
//! and `tail`, stored by the consumer alone, with `tail <= head <= tail + slots` at all times. Positions in
//! `tail..head` belong to the consumer, positions in `head..tail + slots` to the producer.
//!
//! # Why no slot is ever used by both
//!
//! - The producer writes position `p` only while `p < tail + slots` for a `tail` it has loaded with acquire. That `tail`
//!   was stored with release after the consumer's last use of every position below it, so the consumer's reads of
//!   `p - slots`, the last user of the slot, happen before the producer's writes.
//! - The consumer reads position `p` only while `p < head` for a `head` it has loaded with acquire, stored with release
//!   after the producer's writes to every position below it.
//! - Each side keeps the last value it saw of the other's position. An old value is only smaller, so it claims less.
//!
//! A batch costs one store on each side, and a load of the other side's cache line only when the kept value is used up.

use super::primitive::{Arc, AtomicBool, AtomicU64, Ordering, Padded};
use super::slots::{SlotConfig, SlotError, Slots};
use crate::packet::{Packet, PacketBatch, PacketSource, RxError, SlotMut, SlotWriter};
use crate::sys::Pages;
use std::fmt;

/// How many packets ahead of the one at hand the cache is asked for, on either side.
///
/// Slots lie too far apart for the processor to guess the next one. With about 200 ns of work on each packet this takes
/// a tenth off what the consumer does (2 KiB slots); one without work of its own gains nothing and loses nothing. The
/// producer gets the lines for itself before it writes, instead of waiting for them between two stores: packets of 200
/// bytes go over in 25 ns instead of 29, and one packet alone is there after 175 ns instead of 245 (cores 140 ns apart).
const PREFETCH_AHEAD: u64 = 4;

/// Makes a packet ring; the two ends go to one thread each.
///
/// All memory is mapped and touched here.
pub fn packet_ring(config: &SlotConfig) -> Result<(Producer, Consumer), SlotError> {
    let shared = Arc::new(Shared {
        head: Padded(Head {
            position: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        }),
        tail: Padded(AtomicU64::new(0)),
        dropped: Padded(AtomicU64::new(0)),
        slots: Slots::new(config)?,
    });
    let producer = Producer {
        shared: shared.clone(),
        head: 0,
        tail_seen: 0,
        granted: 0,
        dropped: 0,
    };
    let consumer = Consumer {
        shared,
        tail: 0,
        head_seen: 0,
        batch: config.batch as u64,
    };
    Ok((producer, consumer))
}

struct Shared {
    /// Stored by the producer.
    head: Padded<Head>,
    /// Stored by the consumer.
    tail: Padded<AtomicU64>,
    /// Stored by the producer, read by whoever reports.
    dropped: Padded<AtomicU64>,
    slots: Slots,
}

struct Head {
    position: AtomicU64,
    /// The producer is gone: `position` is final.
    closed: AtomicBool,
}

/// The writing end of a packet ring. Dropping it ends the input: the consumer drains what was committed, then sees
/// [`RxError::End`].
pub struct Producer {
    shared: Arc<Shared>,
    /// Our own position; what is shared may never differ after a commit.
    head: u64,
    /// Last value seen of the consumer's position.
    tail_seen: u64,
    /// Free slots promised by the last call of `free` and not yet committed.
    granted: u64,
    /// Our own count of dropped packets.
    dropped: u64,
}

impl Producer {
    /// Counts `n` packets that came while the ring was full and were thrown away.
    #[inline]
    pub fn count_drop(&mut self, n: u64) {
        self.dropped += n;
        // The only writer stores what it counted; a locked addition would cost ten times that.
        self.shared.dropped.store(self.dropped, Ordering::Relaxed);
    }

    /// A handle for the thread that reports.
    pub fn gauge(&self) -> Gauge {
        Gauge {
            shared: self.shared.clone(),
        }
    }
}

// SAFETY: `slot(i)` addresses the free position `i` behind the last committed one, by raw pointer; free positions are
// fewer than the slots, so they lie in distinct slots, and the consumer touches none before `commit` publishes it. The
// mapping is shared and lives as long as either end.
unsafe impl SlotWriter for Producer {
    #[inline]
    fn free(&mut self, want: usize) -> usize {
        let (want, count) = (want as u64, self.shared.slots.count());
        let mut free = self.tail_seen + count - self.head;
        if free < want {
            self.tail_seen = self.shared.tail.load(Ordering::Acquire);
            free = self.tail_seen + count - self.head;
        }
        self.granted = free.min(want);
        self.granted as usize
    }

    #[inline]
    fn slot(&mut self, i: usize) -> SlotMut<'_> {
        assert!((i as u64) < self.granted, "slot {i} is not free");
        let ahead = self.head + i as u64 + PREFETCH_AHEAD;
        self.shared.slots.prefetch_write(ahead);
        // SAFETY: `head + i` lies in `head..tail_seen + slots`, which is the producer's (see the module); the consumer's
        // earlier reads happen before by the acquire load of `tail_seen`. `&mut self` keeps this thread from taking the
        // slot twice or committing it while the result lives.
        unsafe { self.shared.slots.write(self.head + i as u64) }
    }

    #[inline]
    fn commit(&mut self, n: usize) {
        let n = n as u64;
        assert!(
            n <= self.granted,
            "commit of {n} slots, {} are free",
            self.granted
        );
        self.granted -= n;
        self.head += n;
        self.shared
            .head
            .position
            .store(self.head, Ordering::Release);
    }

    #[inline]
    fn capacity(&self) -> usize {
        self.shared.slots.capacity()
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        // Release: whoever sees the flag sees the last commit.
        self.shared.head.closed.store(true, Ordering::Release);
    }
}

/// The reading end of a packet ring.
pub struct Consumer {
    shared: Arc<Shared>,
    /// Our own position.
    tail: u64,
    /// Last value seen of the producer's position.
    head_seen: u64,
    /// Most packets a poll hands out.
    batch: u64,
}

impl Consumer {
    /// A handle for the thread that reports.
    pub fn gauge(&self) -> Gauge {
        Gauge {
            shared: self.shared.clone(),
        }
    }

    /// True when there is a packet to read; looks at the producer's position only when the last one seen is used up.
    #[inline]
    fn has_packets(&mut self) -> bool {
        if self.head_seen == self.tail {
            self.head_seen = self.shared.head.position.load(Ordering::Acquire);
        }
        self.head_seen != self.tail
    }

    /// Called when nothing was there: has the producer gone, and has it left nothing behind?
    #[cold]
    fn has_ended(&mut self) -> bool {
        // The order matters: only a head loaded after the flag was seen is the last one.
        self.shared.head.closed.load(Ordering::Acquire) && !self.has_packets()
    }
}

impl PacketSource for Consumer {
    type Batch<'a> = RingBatch<'a>;

    /// The packets that are there, at most the configured batch. [`RxError::End`] once the producer has been dropped and
    /// everything it committed was read.
    #[inline]
    fn poll(&mut self) -> Result<RingBatch<'_>, RxError> {
        if !self.has_packets() && self.has_ended() {
            return Err(RxError::End);
        }
        let len = (self.head_seen - self.tail).min(self.batch);
        for i in 0..PREFETCH_AHEAD.min(len) {
            self.shared.slots.prefetch(self.tail + i);
        }
        Ok(RingBatch {
            consumer: self,
            len,
        })
    }
}

/// Packets of one poll; dropping it gives their slots back to the producer, all with one store.
///
/// A batch that is leaked (`mem::forget`) gives nothing back: the next poll hands out the same packets again.
#[derive(Debug)]
pub struct RingBatch<'a> {
    consumer: &'a mut Consumer,
    len: u64,
}

impl PacketBatch for RingBatch<'_> {
    #[inline]
    fn len(&self) -> usize {
        self.len as usize
    }

    #[inline]
    fn get(&self, i: usize) -> Packet<'_> {
        let i = i as u64;
        assert!(i < self.len, "packet {i} of a batch of {}", self.len);
        let (slots, tail) = (&self.consumer.shared.slots, self.consumer.tail);
        // Never past what is committed: that would pull away the lines the producer is writing.
        if i + PREFETCH_AHEAD < self.len {
            slots.prefetch(tail + i + PREFETCH_AHEAD);
        }
        // SAFETY: `tail + i` lies in `tail..head_seen`, which is the consumer's until `tail` is stored, and that is done
        // by the drop of this batch, which the result borrows. The producer's writes happen before by the acquire load
        // of `head_seen`.
        unsafe { slots.read(tail + i) }
    }
}

impl Drop for RingBatch<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.len > 0 {
            self.consumer.tail += self.len;
            self.consumer
                .shared
                .tail
                .store(self.consumer.tail, Ordering::Release);
        }
    }
}

/// What can be told about a packet ring from outside, at any time and from any thread. Reading it slows the ring by a
/// cache miss or two: for reports, not for loops.
#[derive(Clone)]
pub struct Gauge {
    shared: Arc<Shared>,
}

impl Gauge {
    /// Packets thrown away because the ring was full.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Packets committed so far.
    pub fn committed(&self) -> u64 {
        self.shared.head.position.load(Ordering::Relaxed)
    }

    /// Packets waiting to be read, about: the two positions are not read at one moment.
    pub fn backlog(&self) -> u64 {
        let tail = self.shared.tail.load(Ordering::Relaxed);
        self.committed()
            .saturating_sub(tail)
            .min(self.shared.slots.count())
    }

    /// Number of slots.
    pub fn slots(&self) -> u64 {
        self.shared.slots.count()
    }

    /// What the slots lie on, and why.
    pub fn pages(&self) -> (Pages, &str) {
        self.shared.slots.pages()
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("head", &self.head)
            .field("granted", &self.granted)
            .field("dropped", &self.dropped)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("tail", &self.tail)
            .field("head_seen", &self.head_seen)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gauge")
            .field("slots", &self.slots())
            .field("backlog", &self.backlog())
            .field("dropped", &self.dropped())
            .finish()
    }
}
