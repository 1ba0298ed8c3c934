//! The packets that go next, with everything done for them that can be done before they are due.
//!
//! A packet is made ready while there is time: it is taken from its source, its bytes are touched (which may read a file),
//! and its frame is made. When it is due, what is left is the call. Only what comes in a burst longer than the window is
//! made ready between calls. All memory is taken beforehand.

use super::{Outgoing, Sender};
use crate::schedule::{Pacer, Speed};
use crate::sys::BATCH;
use std::collections::VecDeque;
use std::hint::black_box;

/// With less than this until the next packet is due, nothing else is begun: a page that has to be fetched from memory takes
/// a microsecond, a chunk that has to be unpacked up to some tens.
const LEISURE_NS: u64 = 20_000;

/// No packet is taken from its source much earlier than this before it is due, so that a source that makes its packets
/// when they are asked for has not made many that are never sent.
const AHEAD_NS: u64 = 2_000_000;

/// A packet that is ready.
#[derive(Debug)]
pub struct Ready<P> {
    /// When it is due, in nanoseconds after the start; 0 without a schedule.
    pub due: u64,
    /// Its sender.
    pub line: usize,
    /// Its payload.
    pub payload: P,
    /// Where its frame is, and the length of that; `None` when it goes through the sender's UDP socket.
    frame: Option<(usize, usize)>,
}

/// At most [`BATCH`] packets, in order.
#[derive(Debug)]
pub struct Window<'s, I, P> {
    packets: I,
    senders: &'s [Sender],
    speed: Speed,
    ready: VecDeque<Ready<P>>,
    /// Room for the frames of a full window, `stride` bytes each.
    frames: Vec<u8>,
    stride: usize,
    /// Packets made ready so far.
    number: u64,
}

impl<'s, P: AsRef<[u8]>, I: Iterator<Item = Outgoing<P>>> Window<'s, I, P> {
    /// Empty. `packets` are in the order of their offsets, and give `None` again after their end.
    pub fn new(packets: I, senders: &'s [Sender], speed: Speed) -> Self {
        let frame_max = senders.iter().map(Sender::frame_max).max().unwrap_or(0);
        let stride = frame_max.next_multiple_of(64);
        Window {
            packets,
            senders,
            speed,
            ready: VecDeque::with_capacity(BATCH),
            frames: vec![0; stride * BATCH],
            stride,
            number: 0,
        }
    }

    /// Before the start: makes ready what is due soon after it.
    pub fn begin(&mut self) {
        while self.has_room() && self.reaches(0) && self.make_ready() {}
    }

    /// Makes ready what there is time for, and the next packet in any case.
    #[inline]
    pub fn go_on(&mut self, pacer: &Pacer) {
        if self.speed == Speed::Max {
            while self.has_room() && self.make_ready() {}
            return;
        }
        if self.ready.is_empty() {
            self.make_ready();
        }
        while self.has_room() && self.at_leisure(pacer.now()) && self.make_ready() {}
    }

    /// Makes ready all that is due at `now`.
    pub fn catch_up(&mut self, now: u64) {
        while self.has_room()
            && self.ready.back().is_none_or(|last| last.due <= now)
            && self.make_ready()
        {}
    }

    /// When the next packet is due; `None` after the last.
    #[inline]
    pub fn due(&self) -> Option<u64> {
        self.ready.front().map(|packet| packet.due)
    }

    /// How many packets go in one call at `now`, at most `most`: those that are due and go the same way as the first.
    #[inline]
    pub fn together(&self, now: u64, most: usize) -> usize {
        let Some(first) = self.ready.front() else {
            return 0;
        };
        let along = |packet: &&Ready<P>| {
            let same = match (first.frame, packet.frame) {
                (Some(_), Some(_)) => true,
                (None, None) => first.line == packet.line,
                _ => false,
            };
            same && packet.due <= now
        };
        let others = self.ready.iter().skip(1).take(most.saturating_sub(1));
        1 + others.take_while(along).count()
    }

    /// What the first `slices.len()` packets are handed over as: frames, or datagrams.
    #[inline]
    pub fn slices<'a>(&'a self, slices: &mut [&'a [u8]]) {
        for (slice, packet) in slices.iter_mut().zip(&self.ready) {
            *slice = match packet.frame {
                Some((begin, length)) => &self.frames[begin..][..length],
                None => packet.payload.as_ref(),
            };
        }
    }

    /// The packets that are ready.
    #[inline]
    pub fn ready(&self) -> &VecDeque<Ready<P>> {
        &self.ready
    }

    /// The first `count` packets have gone.
    #[inline]
    pub fn pass(&mut self, count: usize) {
        self.ready.drain(..count);
    }

    fn has_room(&self) -> bool {
        self.ready.len() < BATCH
    }

    /// Whether the last packet that is ready is due soon after `now`.
    fn reaches(&self, now: u64) -> bool {
        let last = self.ready.back();
        last.is_none_or(|last| last.due <= now.saturating_add(AHEAD_NS))
    }

    fn at_leisure(&self, now: u64) -> bool {
        let first = self.ready.front();
        first.is_some_and(|first| first.due > now.saturating_add(LEISURE_NS)) && self.reaches(now)
    }

    /// Makes the next packet ready; false when there is none.
    #[inline]
    fn make_ready(&mut self) -> bool {
        let Some(packet) = self.packets.next() else {
            return false;
        };
        // No more than BATCH packets are ready at once, and they go in order: the place is free again.
        let begin = (self.number % BATCH as u64) as usize * self.stride;
        let room = &mut self.frames[begin..][..self.stride];
        let payload = packet.payload.as_ref();
        let sender = &self.senders[packet.line];
        let frame = sender.frame(payload, self.number as u16, room);
        if frame.is_none() {
            // What may have to be read from a file is read now.
            black_box(payload.last());
        }
        self.ready.push_back(Ready {
            due: self.speed.due(packet.offset).unwrap_or(0),
            line: packet.line,
            payload: packet.payload,
            frame: frame.map(|length| (begin, length)),
        });
        self.number += 1;
        true
    }
}

impl<P> Ready<P> {
    /// True when it leaves as a frame.
    #[inline]
    pub fn is_frame(&self) -> bool {
        self.frame.is_some()
    }
}
