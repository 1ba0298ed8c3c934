//! What single messages took, by type and by instrument: of those that are sampled, so that the others pay nothing.
//!
//! One thread fills it and reads it when it has ended; nothing is shared. All memory is taken and touched when it is made,
//! and its tables are bounded: what has no place in them is counted.

use super::Resolution;
use super::set::Figure;
use super::summary::Quantiles;
use crate::event::NO_SYMBOL;
use crate::time::{TickScale, Ticks};

/// Message types told apart: more than any protocol here has.
pub const TYPES_MAX: usize = 64;

/// Messages of an instrument from which its quantiles say something.
const SPOKEN_FOR: u32 = 10;

/// Reads a message's type off its bytes.
pub type TypeCode = fn(&[u8]) -> u32;

/// The figures of one lane's sampled messages.
#[derive(Debug)]
pub struct MessageFigures {
    code: TypeCode,
    scale: TickScale,
    /// Those of the first `known` types are taken.
    types: Box<[(u32, Figure)]>,
    known: usize,
    highest: u64,
    channels: Box<[Tallies]>,
    /// The number of the first of them.
    first: u16,
    untyped: u64,
    unattributed: u64,
}

/// By instrument number.
#[derive(Debug)]
struct Tallies {
    tallies: Box<[Tally]>,
    symbols: Box<[[u8; 8]]>,
}

/// What the messages of one instrument took, in a cache line.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Tally {
    count: u32,
    /// ns; what does not fit is the most that does.
    max: u32,
    /// How they are spread, in halves of factors of two. Shares: all are halved when one is full.
    parts: [u16; PARTS],
}

const _: () = assert!(size_of::<Tally>() == 64);

/// Parts of a spread: 12 factors of two from [`FLOOR`] on.
const PARTS: usize = 24;

/// Where they begin, as a power of two: below 16 ns nothing is told apart.
const FLOOR: u32 = 4;

/// An instrument whose messages took long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowInstrument {
    /// Its channel's number.
    pub channel: u16,
    /// Its number in the channel.
    pub instrument: u32,
    /// Its symbol when it was first sampled.
    pub symbol: [u8; 8],
    /// Messages sampled.
    pub count: u64,
    /// Half took that or less, in ns: to within a quarter.
    pub p50: u64,
    /// 90 %, to within a quarter.
    pub p90: u64,
    /// The longest, in ns.
    pub max: u64,
}

impl MessageFigures {
    /// Of channels numbered from `first` on, with room for so many `instruments` each.
    pub fn new(
        code: TypeCode,
        scale: TickScale,
        first: u16,
        channels: usize,
        instruments: usize,
    ) -> MessageFigures {
        let resolution = Resolution::new(100_000_000, 2).expect("within what is allowed");
        let tallies = |_| Tallies {
            tallies: vec![Tally::default(); instruments].into(),
            symbols: vec![NO_SYMBOL; instruments].into(),
        };
        MessageFigures {
            code,
            scale,
            types: (0..TYPES_MAX)
                .map(|_| (0, Figure::new(resolution)))
                .collect(),
            known: 0,
            highest: resolution.highest_nanos(),
            channels: (0..channels).map(tallies).collect(),
            first,
            untyped: 0,
            unattributed: 0,
        }
    }

    /// Counts a message of a channel that was begun at one tick and done at the other. The instrument and its symbol are
    /// those of its last event.
    pub fn take(
        &mut self,
        message: &[u8],
        channel: u16,
        (instrument, symbol): (u32, [u8; 8]),
        from: Ticks,
        to: Ticks,
    ) {
        let nanos = self.scale.nanos(to.since(from));
        match self.figure((self.code)(message)) {
            Some(at) => self.types[at].1.record(nanos, self.highest),
            None => self.untyped += 1,
        }
        let at = usize::from(channel.wrapping_sub(self.first));
        let places = self.channels.get_mut(at);
        let place = places.and_then(|c| {
            let symbols = c.symbols.get_mut(instrument as usize)?;
            Some((c.tallies.get_mut(instrument as usize)?, symbols))
        });
        match place {
            Some((tally, known)) => {
                if tally.count == 0 {
                    *known = symbol;
                }
                tally.record(nanos);
            }
            None => self.unattributed += 1,
        }
    }

    /// The place of a type, which is given one if there is one left.
    fn figure(&mut self, code: u32) -> Option<usize> {
        let known = &self.types[..self.known];
        if let Some(at) = known.iter().position(|(c, _)| *c == code) {
            return Some(at);
        }
        let at = self.known;
        self.types.get_mut(at)?.0 = code;
        self.known += 1;
        Some(at)
    }

    /// The types that were seen, each with its figures in ns: to 1 %, the largest exactly.
    pub fn types(&self) -> impl Iterator<Item = (u32, Quantiles)> {
        self.types[..self.known].iter().map(|(code, figure)| {
            let quantiles = Quantiles {
                max: figure.largest,
                ..Quantiles::of(&figure.counters.histogram())
            };
            (*code, quantiles)
        })
    }

    /// At most so many instruments whose 90 % are the longest, the longest first; those with at least ten messages.
    pub fn slowest(&self, most: usize) -> Vec<SlowInstrument> {
        let mut all: Vec<SlowInstrument> = Vec::new();
        for (channel, of) in (self.first..).zip(&self.channels) {
            let rows = (0..).zip(of.tallies.iter().zip(&of.symbols));
            let spoken = rows.filter(|(_, (tally, _))| tally.count >= SPOKEN_FOR);
            all.extend(spoken.map(|(instrument, (tally, symbol))| SlowInstrument {
                channel,
                instrument,
                symbol: *symbol,
                count: tally.count.into(),
                p50: tally.quantile(0.5),
                p90: tally.quantile(0.9),
                max: tally.max.into(),
            }));
        }
        all.sort_by_key(|i| std::cmp::Reverse((i.p90, i.p50, i.max)));
        all.truncate(most);
        all
    }

    /// Messages of types there was no place for.
    pub fn untyped(&self) -> u64 {
        self.untyped
    }

    /// Messages about no instrument, or one that has no place.
    pub fn unattributed(&self) -> u64 {
        self.unattributed
    }
}

impl Tally {
    #[inline]
    fn record(&mut self, nanos: u64) {
        self.count = self.count.saturating_add(1);
        self.max = self.max.max(u32::try_from(nanos).unwrap_or(u32::MAX));
        let part = &mut self.parts[part_of(nanos)];
        *part += 1;
        if *part == u16::MAX {
            self.parts.iter_mut().for_each(|n| *n /= 2);
        }
    }

    /// Within its part values are taken to be evenly spread; none is above the largest.
    fn quantile(&self, share: f64) -> u64 {
        let total: f64 = self.parts.iter().map(|n| f64::from(*n)).sum();
        let mut left = share * total;
        for (part, count) in self.parts.iter().enumerate() {
            let count = f64::from(*count);
            if count > 0.0 && left <= count {
                let (low, high) = bounds(part);
                let within = low as f64 + (high - low) as f64 * left / count;
                return (within.round() as u64).min(self.max.into());
            }
            left -= count;
        }
        self.max.into()
    }
}

/// The part of a spread that a value falls into.
#[inline]
fn part_of(nanos: u64) -> usize {
    let Some(octave) = nanos.max(1).ilog2().checked_sub(FLOOR) else {
        return 0;
    };
    let upper_half = nanos >> (octave + FLOOR - 1) & 1;
    (2 * octave as usize + upper_half as usize).min(PARTS - 1)
}

/// From where to where a part goes. The first begins at nothing; the last has all that is longer.
fn bounds(part: usize) -> (u64, u64) {
    let half = 1u64 << (part / 2 + FLOOR as usize - 1);
    let low = half * (2 + part as u64 % 2);
    match part {
        0 => (0, low + half),
        _ => (low, low + half),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::NO_INSTRUMENT;
    use proptest::prelude::*;

    fn first_byte(message: &[u8]) -> u32 {
        message.first().copied().unwrap_or(0).into()
    }

    /// Of channels 3 and 4, four instruments each, in ticks of a nanosecond.
    fn figures() -> MessageFigures {
        MessageFigures::new(first_byte, TickScale::from_ratio(1, 1), 3, 2, 4)
    }

    fn take(f: &mut MessageFigures, code: u8, channel: u16, instrument: u32, nanos: u64) {
        let about = (instrument, *b"SYMBOL  ");
        f.take(&[code], channel, about, Ticks(1_000), Ticks(1_000 + nanos));
    }

    #[test]
    fn types_and_instruments_have_figures_of_their_own() {
        let mut f = figures();
        for i in 0..100 {
            take(&mut f, b'A', 3, 0, 100);
            take(&mut f, b'E', 4, 0, 1_000 + i);
        }
        take(&mut f, b'S', 4, NO_INSTRUMENT, 50);
        take(&mut f, b'A', 9, 1, 50);
        let types: Vec<_> = f.types().map(|(c, q)| (c, q.count, q.p50, q.max)).collect();
        assert_eq!(types[0], (u32::from(b'A'), 101, 100, 100));
        assert_eq!((types[1].1, types[1].3), (100, 1_099));
        assert!((1_040..=1_060).contains(&types[1].2), "{types:?}");
        assert_eq!(types[2].1, 1);
        assert_eq!((f.untyped(), f.unattributed()), (0, 2));
        let slow = f.slowest(10);
        assert_eq!(slow.len(), 2);
        let found = (
            slow[0].channel,
            slow[0].instrument,
            slow[0].count,
            slow[0].max,
        );
        assert_eq!(found, (4, 0, 100, 1_099));
        assert_eq!(&slow[1].symbol, b"SYMBOL  ");
        assert_eq!(slow[1].p90, 100, "no more than the largest");
        assert_eq!(f.slowest(1), slow[..1]);
    }

    #[test]
    fn a_stall_does_not_make_an_instrument_the_slowest() {
        let mut f = figures();
        for i in 0..50 {
            take(&mut f, b'A', 3, 1, 300);
            take(&mut f, b'A', 3, 2, if i == 7 { u64::MAX / 2 } else { 80 });
        }
        // Too few to be spoken for.
        (0..9).for_each(|_| take(&mut f, b'A', 3, 3, 10_000));
        let slow = f.slowest(5);
        let found: Vec<_> = slow.iter().map(|i| i.instrument).collect();
        assert_eq!(found, [1, 2]);
        assert_eq!(slow[1].max, u32::MAX.into());
    }

    #[test]
    fn tables_are_bounded() {
        let mut f = figures();
        for code in 0..=u8::MAX {
            take(&mut f, code, 3, code.into(), 100);
        }
        assert_eq!(f.types().count(), TYPES_MAX);
        assert_eq!(f.untyped(), 256 - TYPES_MAX as u64);
        assert_eq!(f.unattributed(), 252);
    }

    #[test]
    fn parts_lie_on_each_other() {
        let mut end = 0;
        for part in 0..PARTS {
            let (low, high) = bounds(part);
            assert_eq!(low, end, "{part}");
            assert_eq!((part_of(low), part_of(high - 1)), (part, part));
            end = high;
        }
        assert_eq!(end, 1 << 16);
        assert_eq!(part_of(u64::MAX), PARTS - 1);
    }

    proptest! {
        /// Against sorting: quantiles are off by no more than half a part is wide.
        #[test]
        fn quantiles_agree_with_sorting(
            mut values in prop::collection::vec(24u64..65_000, 10..300),
            share in prop::sample::select(vec![0.5, 0.9]),
        ) {
            let mut tally = Tally::default();
            values.iter().for_each(|v| tally.record(*v));
            values.sort_unstable();
            let rank = (share * values.len() as f64).ceil() as usize;
            let want = values[rank - 1];
            let (low, high) = bounds(part_of(want));
            let got = tally.quantile(share);
            prop_assert!((low..=high).contains(&got), "{} for {}", got, want);
        }

        /// However many there are, the spread keeps its shape.
        #[test]
        fn a_full_part_halves_all(more in 0u64..200_000) {
            let mut tally = Tally::default();
            for i in 0..65_536 + more {
                tally.record(if i % 4 == 0 { 5_000 } else { 100 });
            }
            let (median, tail) = (tally.quantile(0.5), tally.quantile(0.9));
            prop_assert!((96..=128).contains(&median) && (4_096..=6_144).contains(&tail));
        }
    }
}
