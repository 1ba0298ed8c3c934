//! One line with faults, as a state machine in virtual time.

use super::spec::LineFaults;
use crate::synth::rng::{Rng, splitmix64};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// A line: packets go in as they are sent and come out as they arrive.
///
/// Everything follows from the faults, the seed, and the packets with their times. It does not matter how often or when
/// arrivals are asked for. Each kind of fault draws from numbers of its own, so that adding one leaves what the others do
/// as it was: the same packets are lost with and without a delay.
///
/// Times are nanoseconds after the start, and neither [`send`](Self::send) nor [`next`](Self::next) may be given one
/// before that of an earlier call. Memory is bounded: a packet that finds [`FaultyLine::PACKETS_MAX`] packets or
/// [`FaultyLine::BYTES_MAX`] bytes under way is lost for that reason.
#[derive(Debug)]
pub struct FaultyLine {
    faults: LineFaults,
    loss: Losses,
    dups: Rng,
    order: Rng,
    delays: Rng,
    damage: Rng,
    /// Packets sent so far: the place of the next one in their order.
    sent: u64,
    /// Packets that wait for others to overtake them, in the order in which they were sent.
    held: VecDeque<Held>,
    flying: BinaryHeap<Reverse<Flying>>,
    /// Packets that have left, held ones included when they were let go: their order where times are equal.
    left: u64,
    /// Bytes held and flying.
    bytes: usize,
    /// Buffers to be used again.
    spare: Vec<Vec<u8>>,
    arrived: Vec<u8>,
}

/// What a line did with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It does not arrive.
    Lost(Cause),
    /// It arrives.
    Carried {
        /// With one byte changed.
        corrupted: bool,
        /// Twice.
        duplicated: bool,
        /// It waits for others to overtake it.
        held: bool,
    },
}

/// Why a packet was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// By chance, alone or in a burst.
    Loss,
    /// The line was silent.
    Silence,
    /// Too much was under way.
    Full,
}

/// A packet that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival<'a> {
    /// When, in nanoseconds after the start.
    pub at: u64,
    /// The packet.
    pub payload: &'a [u8],
}

impl FaultyLine {
    /// Most packets under way.
    pub const PACKETS_MAX: usize = 1 << 16;

    /// Most bytes under way.
    pub const BYTES_MAX: usize = 64 << 20;

    /// Longest time that a packet waits for others to overtake it: reordering is a matter of moments, and the last
    /// packets before a pause must not wait for its end.
    pub const HELD_NS: u64 = 1_000_000;

    /// A line with these faults, in the order of nature where they meet: silence and loss first, then damage, then the
    /// second copy, and each copy's own way.
    pub fn new(faults: &LineFaults, seed: u64) -> FaultyLine {
        let rng = |kind: u64| Rng::new(splitmix64(seed).wrapping_add(kind));
        FaultyLine {
            loss: Losses::new(faults, rng(1)),
            dups: rng(2),
            order: rng(3),
            delays: rng(4),
            damage: rng(5),
            faults: faults.clone(),
            sent: 0,
            held: VecDeque::new(),
            flying: BinaryHeap::new(),
            left: 0,
            bytes: 0,
            spare: Vec::new(),
            arrived: Vec::new(),
        }
    }

    /// Sends a packet at a time.
    pub fn send(&mut self, at: u64, packet: &[u8]) -> Fate {
        self.let_go(at);
        let fate = self.fate(at, packet);
        // Numbers are drawn for lost packets and for copies that there are not, so that each packet has its own.
        let change = self.damage.next_u64();
        let ways = [self.way(), self.way()];
        if let Fate::Carried {
            corrupted,
            duplicated,
            ..
        } = fate
        {
            for &way in &ways[..1 + usize::from(duplicated)] {
                let mut bytes = self.spare.pop().unwrap_or_default();
                bytes.clear();
                bytes.extend_from_slice(packet);
                if corrupted {
                    damage(&mut bytes, change);
                }
                self.depart(at, way, bytes);
            }
        }
        self.overtaken(at);
        self.sent += 1;
        match fate {
            Fate::Carried {
                corrupted,
                duplicated,
                ..
            } => Fate::Carried {
                corrupted,
                duplicated,
                held: ways[0].behind > 0,
            },
            lost => lost,
        }
    }

    /// When the next packet arrives if nothing is sent before; `None` when nothing is under way.
    pub fn due(&self) -> Option<u64> {
        let flying = self.flying.peek().map(|Reverse(packet)| packet.at);
        let held = self
            .held
            .iter()
            .map(|held| held.until.saturating_add(held.delay))
            .min();
        flying.into_iter().chain(held).min()
    }

    /// The next packet that arrives by `now`, in order of their times.
    pub fn next(&mut self, now: u64) -> Option<Arrival<'_>> {
        self.let_go(now);
        let Reverse(next) = self.flying.peek()?;
        if next.at > now {
            return None;
        }
        let Reverse(packet) = self.flying.pop()?;
        self.bytes -= packet.bytes.len();
        self.spare
            .push(std::mem::replace(&mut self.arrived, packet.bytes));
        Some(Arrival {
            at: packet.at,
            payload: &self.arrived,
        })
    }

    fn fate(&mut self, at: u64, packet: &[u8]) -> Fate {
        // All are drawn, whatever comes of them.
        let lost = self.loss.lost();
        let corrupted = self.faults.corrupt.happens(&mut self.damage) && !packet.is_empty();
        let duplicated = self.faults.dup.happens(&mut self.dups);
        let copies = 1 + usize::from(duplicated);
        if self.faults.silences.iter().any(|s| s.covers(at)) {
            Fate::Lost(Cause::Silence)
        } else if lost {
            Fate::Lost(Cause::Loss)
        } else if self.held.len() + self.flying.len() + copies > Self::PACKETS_MAX
            || self.bytes + copies * packet.len() > Self::BYTES_MAX
        {
            Fate::Lost(Cause::Full)
        } else {
            Fate::Carried {
                corrupted,
                duplicated,
                held: false,
            }
        }
    }

    fn way(&mut self) -> Way {
        let reorder = self.faults.reorder;
        let reordered = reorder.rate.happens(&mut self.order);
        let behind = self.order.between(0, reorder.by);
        Way {
            behind: if reordered { behind } else { 0 },
            delay: self.faults.delay.draw(&mut self.delays) + self.faults.skew,
        }
    }

    /// A copy sets out, or waits until so many others were sent after it.
    fn depart(&mut self, at: u64, way: Way, bytes: Vec<u8>) {
        self.bytes += bytes.len();
        if way.behind > 0 {
            self.held.push_back(Held {
                last: self.sent + way.behind,
                until: at.saturating_add(Self::HELD_NS),
                delay: way.delay,
                bytes,
            });
        } else {
            self.fly(at.saturating_add(way.delay), bytes);
        }
    }

    fn fly(&mut self, at: u64, bytes: Vec<u8>) {
        self.flying.push(Reverse(Flying {
            at,
            place: self.left,
            bytes,
        }));
        self.left += 1;
    }

    /// Lets go what has waited long enough at `now`.
    fn let_go(&mut self, now: u64) {
        while self.held.front().is_some_and(|held| held.until <= now)
            && let Some(held) = self.held.pop_front()
        {
            self.fly(held.until.saturating_add(held.delay), held.bytes);
        }
    }

    /// Lets go what waited for the packet just sent, behind it.
    fn overtaken(&mut self, now: u64) {
        let mut i = 0;
        while let Some(held) = self.held.get(i) {
            if held.last > self.sent {
                i += 1;
            } else if let Some(held) = self.held.remove(i) {
                self.fly(now.saturating_add(held.delay), held.bytes);
            }
        }
    }
}

/// Which packets are lost by chance.
#[derive(Debug)]
struct Losses {
    rng: Rng,
    faults: LineFaults,
    /// Whether a burst goes on.
    losing: bool,
}

impl Losses {
    fn new(faults: &LineFaults, mut rng: Rng) -> Losses {
        Losses {
            losing: faults.in_bursts() && faults.loss.happens(&mut rng),
            faults: faults.clone(),
            rng,
        }
    }

    /// Whether the next packet is lost. Bursts are those of Gilbert: one begins and ends by chance with every packet, so
    /// that its mean length is what was asked for and so is the share of packets lost.
    fn lost(&mut self) -> bool {
        if !self.faults.in_bursts() {
            return self.faults.loss.happens(&mut self.rng);
        }
        let (loss, burst) = (
            u64::from(self.faults.loss.billionths()),
            u64::from(self.faults.burst),
        );
        self.losing = match self.losing {
            true => !self.rng.chance(1, burst),
            false => self
                .rng
                .chance(loss, burst * (u64::from(super::Rate::SCALE) - loss)),
        };
        self.losing
    }
}

/// How a copy of a packet travels.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// Packets that overtake it.
    behind: u64,
    /// How long it takes once it is on its way.
    delay: u64,
}

/// A packet that lets others overtake it.
#[derive(Debug)]
struct Held {
    /// Place of the last packet that overtakes it.
    last: u64,
    /// When it goes in any case.
    until: u64,
    delay: u64,
    bytes: Vec<u8>,
}

/// A packet on its way. Ordered by time, then by when it set out.
#[derive(Debug)]
struct Flying {
    at: u64,
    place: u64,
    bytes: Vec<u8>,
}

impl PartialEq for Flying {
    fn eq(&self, other: &Flying) -> bool {
        (self.at, self.place) == (other.at, other.place)
    }
}

impl Eq for Flying {}

impl PartialOrd for Flying {
    fn partial_cmp(&self, other: &Flying) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Flying {
    fn cmp(&self, other: &Flying) -> std::cmp::Ordering {
        (self.at, self.place).cmp(&(other.at, other.place))
    }
}

/// Changes one byte of a packet that has some.
fn damage(bytes: &mut [u8], random: u64) {
    let mut rng = Rng::new(random);
    let at = rng.below(bytes.len() as u64) as usize;
    bytes[at] ^= rng.between(1, 255) as u8;
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
