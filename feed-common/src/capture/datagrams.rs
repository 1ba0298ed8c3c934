//! The datagrams of a capture in file order, for everything that reads one from front to back: the one way from frames
//! to payloads.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use super::cut::Cut;
use super::faults::Faults;
use super::file::CaptureFile;
use super::fragments::{FragmentCounters, Fragments};
use super::interfaces::LinkSeen;
use super::parsed::FrameAt;
use super::records::{Records, Stepped};
use super::skipped::Skipped;
use super::window::Window;
use crate::time::UnixNanos;
use crate::wire::frame::{Contents, Fragment, Skip, UdpDatagram, contents, plain_datagram};

/// Bytes of a BinaryFILE that are handed out at once: small enough to be in the second cache when they are decoded.
pub const CHUNK_BYTES: usize = 64 << 10;

/// A UDP payload of a capture, or a run of records of a BinaryFILE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Number of its frame in the file, from 1 (of the last of its frames, if it was sent in parts); of a run, the number
    /// of its first record.
    pub number: u64,
    /// When it was captured; unknown in a BinaryFILE.
    pub time: UnixNanos,
    /// Group and port it was sent to; none in a BinaryFILE.
    pub dst: Option<SocketAddr>,
    /// Who sent it; none in a BinaryFILE.
    pub src: Option<SocketAddr>,
    /// The payload, whole.
    pub payload: &'a [u8],
}

/// What gives datagrams one after another, each until the next is asked for. A slice of them does, from its front.
pub trait Lend {
    /// The next one, until there are no more.
    fn lend(&mut self) -> Option<Datagram<'_>>;
}

impl Lend for &[Datagram<'_>] {
    fn lend(&mut self) -> Option<Datagram<'_>> {
        let (first, rest) = self.split_first()?;
        *self = rest;
        Some(*first)
    }
}

/// A datagram by its place, so that several can be had at once: see [`Datagrams::advance`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// As in [`Datagram`].
    pub number: u64,
    /// As in [`Datagram`].
    pub time: UnixNanos,
    /// As in [`Datagram`].
    pub dst: Option<SocketAddr>,
    /// As in [`Datagram`].
    pub src: Option<SocketAddr>,
    /// Payload bytes the datagram had and the capture lacks. Unless 0 the payload must not be decoded.
    pub missing: u16,
    /// Records of a run, known to be whole; 0 for a datagram.
    pub records: u32,
    /// Where the payload is.
    pub place: Place,
}

/// Where a payload is, for [`Payloads::at`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// In the window, or [`ASSEMBLED`].
    start: usize,
    len: usize,
}

/// Of a payload that was sent in parts and lies beside the window.
const ASSEMBLED: usize = usize::MAX;

/// One step of [`Datagrams::advance`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advance {
    /// A datagram. Its place holds until more bytes are asked for.
    Datagram(Located),
    /// A datagram that was put together of its parts. Its place holds until the next step.
    Assembled(Located),
    /// A frame or block that gave none, and was counted.
    Passed,
    /// What follows is not there: [`Datagrams::more`] gets it, and ends the lives of all places.
    Short,
    /// There are no more.
    End,
}

/// The payloads of places.
#[derive(Clone, Copy, Debug)]
pub struct Payloads<'a> {
    window: &'a [u8],
    assembled: &'a [u8],
}

impl<'a> Payloads<'a> {
    /// The payload at a place that still holds.
    #[inline]
    pub fn at(self, place: Place) -> &'a [u8] {
        match place.start {
            ASSEMBLED => self.assembled,
            start => &self.window[start..][..place.len],
        }
    }
}

impl Place {
    /// Bytes of the payload.
    #[inline]
    pub fn len(self) -> usize {
        self.len
    }

    /// True for an empty payload.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }
}

/// Gives the datagrams of a file. After the end, [`Datagrams::skipped`] and [`Datagrams::cut`] tell what it left out.
#[derive(Debug)]
pub struct Datagrams<'f> {
    records: Records<'f>,
    walk: Walk,
}

/// From a record to a datagram.
#[derive(Debug, Default)]
struct Walk {
    frames: u64,
    cut_frames: u64,
    skipped: Skipped,
    fragments: Fragments,
    /// The last payload that was put together.
    assembled: Vec<u8>,
    /// What the last step found that was not plain. A call that gave it back would keep the plain ones out of registers.
    found: Located,
}

/// What [`Datagrams::step`] came to: an [`Advance`] without its datagram.
enum Step {
    Datagram,
    Assembled,
    Passed,
    Short,
    End,
}

impl<'f> Datagrams<'f> {
    /// From the first frame on.
    pub fn new(file: &'f CaptureFile) -> Datagrams<'f> {
        Datagrams {
            records: file.records(),
            walk: Walk::default(),
        }
    }

    /// The next datagram; those that the capture cut are counted as [`Skip::Truncated`].
    #[inline(always)]
    #[allow(clippy::should_implement_trait)] // an iterator's items outlive its next step
    pub fn next(&mut self) -> Option<Datagram<'_>> {
        let found = self.locate()?;
        Some(self.at(&found))
    }

    /// The next datagram by its place, which holds until the next is asked for.
    #[inline(always)]
    pub fn locate(&mut self) -> Option<Located> {
        loop {
            match self.advance(CHUNK_BYTES) {
                Advance::Datagram(found) if found.missing == 0 => return Some(found),
                Advance::Assembled(found) => return Some(found),
                Advance::Datagram(_) => self.walk.skipped.count(Skip::Truncated),
                Advance::Passed => {}
                Advance::Short => {
                    self.more(None);
                }
                Advance::End => return None,
            }
        }
    }

    /// The datagram at a place that holds.
    #[inline]
    pub fn at(&self, found: &Located) -> Datagram<'_> {
        Datagram {
            number: found.number,
            time: found.time,
            dst: found.dst,
            src: found.src,
            payload: self.payloads().at(found.place),
        }
    }

    /// One step through the file, for those who take several datagrams at once; a run of a BinaryFILE has as many records
    /// as fit `run` bytes, and at least one. A datagram that the capture cut is handed out and says so.
    #[inline(always)]
    pub fn advance(&mut self, run: usize) -> Advance {
        if let Some(found) = self.plain() {
            return Advance::Datagram(found);
        }
        match self.step(run) {
            Step::Datagram => Advance::Datagram(self.walk.found),
            Step::Assembled => Advance::Assembled(self.walk.found),
            Step::Passed => Advance::Passed,
            Step::Short => Advance::Short,
            Step::End => Advance::End,
        }
    }

    /// The datagram of the next frame, if that is a plain one in a pcap file; else nothing has happened.
    #[inline(always)]
    fn plain(&mut self) -> Option<Located> {
        let Records { window, cursor } = &mut self.records;
        let bytes = window.bytes();
        let frame = cursor.whole_frame(bytes)?;
        let udp = plain_datagram(&bytes[frame.bytes.clone()], frame.link)?;
        cursor.take(&frame);
        self.walk.count(&frame);
        Some(located(&frame, &udp, Place::of(udp.payload, bytes)))
    }

    /// One step of any kind; its datagram is in [`Walk::found`].
    #[inline(never)]
    fn step(&mut self, run: usize) -> Step {
        let Records { window, cursor } = &mut self.records;
        match &cursor.step(window, run) {
            Stepped::Frame(frame) => self.walk.frame(window.bytes(), frame),
            Stepped::Run(run) => {
                self.walk.frames += 1;
                self.walk.found = Located {
                    number: run.first_record,
                    time: UnixNanos::UNKNOWN,
                    dst: None,
                    src: None,
                    missing: 0,
                    records: run.records,
                    place: Place {
                        start: run.bytes.start,
                        len: run.bytes.len(),
                    },
                };
                Step::Datagram
            }
            Stepped::Unusable(reason) => {
                self.walk.frames += 1;
                self.walk.skipped.count(*reason);
                Step::Passed
            }
            Stepped::Passed => Step::Passed,
            Stepped::Short => Step::Short,
            Stepped::End => Step::End,
        }
    }

    /// Gets what was [`Advance::Short`]; false when nothing came within `wait`, where one is given.
    pub fn more(&mut self, wait: Option<Duration>) -> bool {
        self.records.refill(wait)
    }

    /// The payloads of the places that hold.
    #[inline]
    pub fn payloads(&self) -> Payloads<'_> {
        Payloads {
            window: self.records.window.bytes(),
            assembled: &self.walk.assembled,
        }
    }

    /// The payload at a place that holds, for longer than the place does: borrowed from a file that is mapped, else copied.
    pub fn lasting(&self, found: &Located) -> Cow<'f, [u8]> {
        match self.mapped(found) {
            Some(payload) => Cow::Borrowed(payload),
            None => Cow::Owned(self.payloads().at(found.place).to_vec()),
        }
    }

    /// The payload at a place that holds, for longer than the place does, if it lies in a file that is mapped.
    #[inline]
    pub fn mapped(&self, found: &Located) -> Option<&'f [u8]> {
        match (&self.records.window, found.place.start) {
            (Window::Whole(bytes), start) if start != ASSEMBLED => {
                Some(&bytes[start..][..found.place.len])
            }
            _ => None,
        }
    }

    /// See [`Records::taken`].
    pub fn taken(&self) -> u64 {
        self.records.taken()
    }

    /// Frames read so far, skipped ones included; of a BinaryFILE, runs.
    pub fn frames(&self) -> u64 {
        self.walk.frames
    }

    /// Frames so far of which the capture holds only the beginning. Most still have all of their datagram or none.
    pub fn cut_frames(&self) -> u64 {
        self.walk.cut_frames
    }

    /// Frames that gave no datagram so far. Fragments are not among them.
    pub fn skipped(&self) -> &Skipped {
        &self.walk.skipped
    }

    /// What became of fragments so far.
    pub fn fragments(&self) -> &FragmentCounters {
        self.walk.fragments.counters()
    }

    /// Datagrams of which some fragments came and others did not, so far.
    pub fn incomplete(&self) -> u64 {
        self.walk.fragments.counters().lost() + self.walk.fragments.incomplete()
    }

    /// Why the datagrams ended before the end of the file, where they did.
    pub fn cut(&self) -> Option<Cut> {
        self.records.cut()
    }

    /// See [`Records::faults`].
    pub fn faults(&self) -> Faults {
        self.records.faults()
    }

    /// See [`Records::links`].
    pub fn links(&self) -> Vec<LinkSeen> {
        self.records.links()
    }

    /// The records they come from, for what else these say.
    pub fn records(&self) -> &Records<'f> {
        &self.records
    }
}

impl Lend for Datagrams<'_> {
    #[inline(always)]
    fn lend(&mut self) -> Option<Datagram<'_>> {
        self.next()
    }
}

impl Walk {
    #[inline(always)]
    fn count(&mut self, frame: &FrameAt) {
        self.frames += 1;
        self.cut_frames += u64::from((frame.bytes.len() as u64) < u64::from(frame.orig_len));
    }

    #[inline]
    fn frame(&mut self, window: &[u8], frame: &FrameAt) -> Step {
        self.count(frame);
        match contents(&window[frame.bytes.clone()], frame.link) {
            Ok(Contents::Datagram(udp)) => {
                self.found = located(frame, &udp, Place::of(udp.payload, window));
                Step::Datagram
            }
            Ok(Contents::Fragment(fragment)) => self.fragment(frame, &fragment),
            Err(reason) => {
                self.skipped.count(reason);
                Step::Passed
            }
        }
    }

    #[cold]
    fn fragment(&mut self, frame: &FrameAt, fragment: &Fragment<'_>) -> Step {
        let Some(udp) = self.fragments.add(fragment, frame.time) else {
            return Step::Passed;
        };
        self.assembled.clear();
        self.assembled.extend_from_slice(udp.payload);
        let place = Place {
            start: ASSEMBLED,
            len: udp.payload.len(),
        };
        self.found = located(frame, &udp, place);
        Step::Assembled
    }
}

#[inline(always)]
fn located(frame: &FrameAt, udp: &UdpDatagram<'_>, place: Place) -> Located {
    Located {
        number: frame.number,
        time: frame.time,
        dst: Some(SocketAddr::new(udp.dst, udp.dst_port)),
        src: Some(SocketAddr::new(udp.src, udp.src_port)),
        missing: udp.missing,
        records: 0,
        place,
    }
}

impl Place {
    /// Of a payload that lies in `window`.
    #[inline(always)]
    fn of(payload: &[u8], window: &[u8]) -> Place {
        Place {
            start: payload.as_ptr().addr() - window.as_ptr().addr(),
            len: payload.len(),
        }
    }
}

#[cfg(test)]
#[path = "datagrams_tests.rs"]
mod tests;
