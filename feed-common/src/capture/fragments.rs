//! Puts datagrams that were sent in parts together again (RFC 791, section 3.2; RFC 8200, section 4.5).
//!
//! Any order will do. A fragment that repeats bytes already there is ignored; one that overlaps others and says anything
//! else ends its datagram (RFC 5722), and so does a contradiction. A datagram that was ended or completed keeps its
//! place until its time is up, so that fragments of it still to come are not taken for another's.
//!
//! Time is that of the capture. Memory is bounded: [`Fragments::DATAGRAMS`] places, each made when it is first needed.

mod place;

use std::fmt;
use std::net::IpAddr;

use self::place::{Outcome, Place, State};
use crate::time::UnixNanos;
use crate::wire::frame::{Fragment, Skip, UdpDatagram};
use crate::wire::{ipv6, udp};

/// The datagrams that are being put together.
#[derive(Clone, Default)]
pub struct Fragments {
    places: Vec<Place>,
    /// Datagrams begun so far.
    begun: u64,
    counters: FragmentCounters,
}

/// What became of fragments. A datagram is counted when its end is known, under one cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FragmentCounters {
    /// Datagrams put together.
    pub completed: u64,
    /// Datagrams given up because fragments overlap.
    pub overlapping: u64,
    /// Datagrams given up because fragments contradict each other or themselves, or what they came to is not UDP.
    pub bad: u64,
    /// Datagrams given up because the whole does not have its UDP checksum: most likely a fragment of another one that
    /// had the same number (RFC 4963).
    pub checksum: u64,
    /// Datagrams given up [`Fragments::PATIENCE`] after they began.
    pub timed_out: u64,
    /// Datagrams given up because newer ones needed their place.
    pub pushed_out: u64,
    /// Fragments that were there already; no loss.
    pub duplicates: u64,
    /// Fragments of datagrams that had been given up for what was in them.
    pub late: u64,
}

impl FragmentCounters {
    /// Datagrams that were begun and given up.
    pub fn lost(&self) -> u64 {
        self.overlapping + self.bad + self.checksum + self.timed_out + self.pushed_out
    }
}

/// What the fragments of one datagram have in common. The protocol is not among it: that of IPv4 is UDP or it is no
/// fragment, that of IPv6 need not be the same in all (RFC 8200).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    id: u32,
    src: IpAddr,
    dst: IpAddr,
}

impl Fragments {
    /// Datagrams in the making at once. Feeds send a datagram's fragments back to back, so that even many senders
    /// seldom have more than one each under way.
    pub const DATAGRAMS: usize = 64;

    /// Most bytes of a datagram, its headers behind the IP header included.
    pub const DATAGRAM_MAX: usize = u16::MAX as usize;

    /// Nanoseconds from a datagram's first fragment until it is given up.
    pub const PATIENCE: u64 = 30_000_000_000;

    /// Nothing under way; no memory yet.
    pub fn new() -> Fragments {
        Fragments::default()
    }

    /// Takes a fragment captured at `time`. When it was the last one missing, the datagram; it is whole.
    pub fn add(&mut self, fragment: &Fragment<'_>, time: UnixNanos) -> Option<UdpDatagram<'_>> {
        self.expire(time);
        let key = Key {
            id: fragment.id,
            src: fragment.src,
            dst: fragment.dst,
        };
        let under_way = |p: &Place| p.state != State::Free && p.key == key;
        let at = match self.places.iter().position(under_way) {
            Some(at) => at,
            None => self.begin(key, time),
        };
        let place = &mut self.places[at];
        if place.state == State::Completed && !place.holds(fragment) {
            // The number has come round again.
            self.begun += 1;
            place.begin(key, time, self.begun);
        }
        let counters = &mut self.counters;
        match place.take(fragment) {
            Outcome::Kept => {}
            Outcome::Duplicate => counters.duplicates += 1,
            Outcome::Late => counters.late += 1,
            Outcome::Overlap => counters.overlapping += 1,
            Outcome::Contradiction => counters.bad += 1,
            Outcome::Whole => return finish(place, counters),
        }
        None
    }

    /// What became of the fragments so far.
    pub fn counters(&self) -> &FragmentCounters {
        &self.counters
    }

    /// Datagrams of which something is still missing: at the end of the input these are lost too.
    pub fn incomplete(&self) -> u64 {
        let open = self.places.iter().filter(|p| p.state == State::Open);
        open.count() as u64
    }

    /// Frees the places whose time is up.
    fn expire(&mut self, now: UnixNanos) {
        for place in &mut self.places {
            if place.state != State::Free && now.0.saturating_sub(place.since.0) > Self::PATIENCE {
                self.counters.timed_out += u64::from(place.state == State::Open);
                place.state = State::Free;
            }
        }
    }

    /// A place for a new datagram: a free one, a new one, one that only waits for its time, or the oldest.
    fn begin(&mut self, key: Key, time: UnixNanos) -> usize {
        let free = self.places.iter().position(|p| p.state == State::Free);
        let at = match free {
            Some(at) => at,
            None if self.places.len() < Self::DATAGRAMS => {
                self.places.push(Place::new(key));
                self.places.len() - 1
            }
            None => {
                let age = |i: &usize| (self.places[*i].state == State::Open, self.places[*i].order);
                (0..self.places.len()).min_by_key(age).unwrap_or(0)
            }
        };
        self.counters.pushed_out += u64::from(self.places[at].state == State::Open);
        self.begun += 1;
        self.places[at].begin(key, time, self.begun);
        at
    }
}

impl fmt::Debug for Fragments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fragments")
            .field("incomplete", &self.incomplete())
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

/// The datagram in a place that is whole, unless it is none after all.
fn finish<'a>(place: &'a mut Place, counters: &mut FragmentCounters) -> Option<UdpDatagram<'a>> {
    let (key, protocol) = (place.key, place.protocol);
    let (whole, state) = place.whole();
    let cause = match datagram(key, protocol, whole) {
        Ok(datagram) => {
            counters.completed += 1;
            return Some(datagram);
        }
        Err(Refusal::NotADatagram) => &mut counters.bad,
        Err(Refusal::Checksum) => &mut counters.checksum,
    };
    *cause += 1;
    *state = State::GivenUp;
    None
}

/// Why what was put together is not handed out.
enum Refusal {
    NotADatagram,
    Checksum,
}

impl From<Skip> for Refusal {
    fn from(_: Skip) -> Refusal {
        Refusal::NotADatagram
    }
}

/// The datagram in what was put together. Here the checksum is enforced: nothing else shows that fragments of two
/// datagrams came together, and no device computes it for a datagram in parts.
fn datagram(key: Key, protocol: u8, whole: &[u8]) -> Result<UdpDatagram<'_>, Refusal> {
    let segment = match key.src {
        IpAddr::V4(_) => whole,
        IpAddr::V6(_) => ipv6::segment(protocol, whole)?,
    };
    let datagram = udp::datagram(key.src, key.dst, segment, segment.len())?;
    let length = segment.len().min(8 + datagram.payload.len());
    match udp::checksum_holds(key.src, key.dst, &segment[..length]) {
        true => Ok(datagram),
        false => Err(Refusal::Checksum),
    }
}

#[cfg(test)]
#[path = "fragments_tests.rs"]
mod tests;
