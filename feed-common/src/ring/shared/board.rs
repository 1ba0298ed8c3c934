//! Quotes and the directory: what their rows say, and their writer.

use super::layout::{CHANNEL, field, text};
use crate::event::{Name, Price, Trust};
use crate::ring::latest::{Latest, ROW_WORDS, Unsettled, Value};
use crate::ring::primitive::{Ordering, Words};
use crate::time::{Ticks, UnixNanos};
use zerocopy::IntoBytes;

/// Best prices of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Best bid; null where there is none.
    pub bid: Price,
    /// Quantity there, exact.
    pub bid_quantity: u64,
    /// Best offer; null where there is none.
    pub ask: Price,
    /// Quantity there, exact.
    pub ask_quantity: u64,
    /// Exchange time of the last change.
    pub timestamp: UnixNanos,
    /// Its message.
    pub sequence: u64,
    /// When its packet was received.
    pub rx: Ticks,
    /// How far it can be believed.
    pub trust: Trust,
    /// What else is to be known of it.
    pub flags: QuoteFlags,
}

/// Bits of [`Quote::flags`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct QuoteFlags(pub u8);

impl QuoteFlags {
    /// No flag.
    pub const NONE: QuoteFlags = QuoteFlags(0);
    /// Something was missed since a side was last heard of: it may have changed.
    pub const UNSURE: QuoteFlags = QuoteFlags(1);
    /// `timestamp` counts from midnight because the session date is not known.
    pub const NO_DATE: QuoteFlags = QuoteFlags(1 << 1);
}

impl Default for Quote {
    /// Of an instrument that has neither bid nor offer.
    fn default() -> Quote {
        Quote {
            bid: Price::NULL,
            bid_quantity: 0,
            ask: Price::NULL,
            ask_quantity: 0,
            timestamp: UnixNanos::UNKNOWN,
            sequence: 0,
            rx: Ticks(0),
            trust: Trust::VALID,
            flags: QuoteFlags::NONE,
        }
    }
}

impl Quote {
    #[inline(always)]
    pub(super) fn to_value(self) -> Value {
        let tag = u16::from_le_bytes([self.trust.0, self.flags.0]);
        let words = [
            self.bid.0 as u64,
            self.bid_quantity,
            self.ask.0 as u64,
            self.ask_quantity,
            self.timestamp.0,
            self.sequence,
            self.rx.0,
        ];
        (tag, words)
    }

    #[inline(always)]
    pub(super) fn of_value((tag, words): Value) -> Quote {
        let [trust, flags] = tag.to_le_bytes();
        let [
            bid,
            bid_quantity,
            ask,
            ask_quantity,
            timestamp,
            sequence,
            rx,
        ] = words;
        Quote {
            bid: Price(bid as i64),
            bid_quantity,
            ask: Price(ask as i64),
            ask_quantity,
            timestamp: UnixNanos(timestamp),
            sequence,
            rx: Ticks(rx),
            trust: Trust(trust),
            flags: QuoteFlags(flags),
        }
    }
}

/// Whose quote a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// Channel number within the configuration, as in the records.
    pub channel: u16,
    /// Its number in the channel, as in the records.
    pub instrument: u32,
    /// As in the records: padded with spaces; longer names are `#` and the number.
    pub symbol: [u8; 8],
    /// The whole name.
    pub name: Name,
}

impl Instrument {
    pub(super) fn to_value(self) -> Value {
        let name = self.name.as_bytes();
        let mut bytes = [0; 24];
        bytes[..name.len()].copy_from_slice(name);
        let [a, b, c]: [u64; 3] = zerocopy::transmute!(bytes);
        let numbers = u64::from(self.channel) << 32 | u64::from(self.instrument);
        let symbol = u64::from_ne_bytes(self.symbol);
        (name.len() as u16, [symbol, numbers, a, b, c, 0, 0])
    }

    /// A name longer than one can be is cut: what another process wrote is taken as it is.
    pub(super) fn of_value((len, words): Value) -> Instrument {
        let [symbol, numbers, a, b, c, _, _] = words;
        let bytes: [u8; 24] = zerocopy::transmute!([a, b, c]);
        Instrument {
            channel: (numbers >> 32) as u16,
            instrument: numbers as u32,
            symbol: symbol.to_ne_bytes(),
            name: Name::new(&bytes[..usize::from(len).min(Name::MAX)]),
        }
    }
}

/// A channel of the configuration whose records are in the ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// As in the records.
    pub number: u16,
    /// Its name; 40 bytes of it are kept.
    pub name: String,
    /// The protocol that it speaks; 16 bytes of it are kept.
    pub protocol: String,
}

impl Channel {
    pub(super) fn to_bytes(&self) -> [u8; CHANNEL as usize] {
        let mut bytes = [0; CHANNEL as usize];
        bytes[..8].copy_from_slice(&u64::from(self.number).to_ne_bytes());
        bytes[8..48].copy_from_slice(&field::<40>(&self.name));
        bytes[48..].copy_from_slice(&field::<16>(&self.protocol));
        bytes
    }

    pub(super) fn of_words(words: &[u64; CHANNEL as usize / 8]) -> Channel {
        let bytes = words.as_bytes();
        Channel {
            number: words[0] as u16,
            name: text(&bytes[8..48]),
            protocol: text(&bytes[48..]),
        }
    }
}

/// Writes quotes and the directory. One thread's; neither allocates nor waits.
#[derive(Debug)]
pub struct Board {
    quotes: Latest,
    directory: Latest,
    rows: Words,
    used: u32,
    /// Row by channel and instrument: open addressing, at most half full. Only the part in use is ever looked at.
    index: Box<[(u64, u32)]>,
    turned_away: u64,
}

/// No row.
const NONE: u32 = u32::MAX;

impl Board {
    pub(super) fn new(quotes: Latest, directory: Latest, rows: Words) -> Board {
        let places = (quotes.rows() as usize * 2).next_power_of_two();
        Board {
            quotes,
            directory,
            rows,
            used: 0,
            index: vec![(0, NONE); places].into(),
            turned_away: 0,
        }
    }

    /// The row of an instrument, the next free one when it is new; it stays its own. Says its names, which may change.
    /// `None` when all rows are taken, which is counted.
    pub fn announce(&mut self, instrument: &Instrument) -> Option<u32> {
        let key = key(instrument.channel, instrument.instrument);
        let at = self.find(key);
        let (_, row) = self.index[at];
        if row != NONE {
            self.directory.write(row, instrument.to_value());
            return Some(row);
        }
        let row = self.used;
        if !self.directory.write(row, instrument.to_value()) {
            self.turned_away += 1;
            return None;
        }
        self.index[at] = (key, row);
        self.used += 1;
        // Release: whoever sees the number sees the rows below it.
        self.rows.all()[0].store(self.used.into(), Ordering::Release);
        Some(row)
    }

    /// The row of an instrument that was announced.
    #[inline]
    pub fn row(&self, channel: u16, instrument: u32) -> Option<u32> {
        let (_, row) = self.index[self.find(key(channel, instrument))];
        (row != NONE).then_some(row)
    }

    /// Writes a quote over the last. False when there is no such row.
    #[inline]
    pub fn put(&mut self, row: u32, quote: &Quote) -> bool {
        self.quotes.write(row, quote.to_value())
    }

    /// The last quote of a row.
    pub fn quote(&self, row: u32) -> Result<Option<Quote>, Unsettled> {
        Ok(self.quotes.read(row)?.map(Quote::of_value))
    }

    /// Rows taken.
    pub fn used(&self) -> u32 {
        self.used
    }

    /// Announcements of instruments for which there was no row.
    pub fn turned_away(&self) -> u64 {
        self.turned_away
    }

    /// Where the key is, or the free place where it would be.
    #[inline(always)]
    fn find(&self, key: u64) -> usize {
        let mask = self.index.len() - 1;
        let mut at = (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize & mask;
        // Ends: never more than half of them are taken.
        loop {
            let (held, row) = self.index[at];
            if row == NONE || held == key {
                return at;
            }
            at = (at + 1) & mask;
        }
    }
}

#[inline(always)]
fn key(channel: u16, instrument: u32) -> u64 {
    u64::from(channel) << 32 | u64::from(instrument)
}

const _: () = assert!(ROW_WORDS * 8 == super::layout::ROW as usize);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn board(rows: usize) -> Board {
        let table = || match rows {
            // Memory of no bytes is none.
            0 => Latest::new(Words::zeroed(1).unwrap()),
            rows => Latest::new(Words::zeroed(rows * ROW_WORDS).unwrap()),
        };
        Board::new(table(), table(), Words::zeroed(1).unwrap())
    }

    fn instrument(channel: u16, instrument: u32) -> Instrument {
        Instrument {
            channel,
            instrument,
            symbol: *b"ABC     ",
            name: Name::new(b"ABC"),
        }
    }

    proptest! {
        #[test]
        fn quotes_come_back_as_they_were_put(words: [u64; 7], tag: u16) {
            let quote = Quote::of_value((tag, words));
            prop_assert_eq!(quote.to_value(), (tag, words));
            let mut board = board(1);
            board.announce(&instrument(1, 2));
            prop_assert!(board.put(0, &quote));
            prop_assert_eq!(board.quote(0), Ok(Some(quote)));
        }

        #[test]
        fn instruments_come_back_as_they_were_announced(
            channel: u16, instrument: u32, symbol: [u8; 8], name in prop::collection::vec(any::<u8>(), 0..30),
        ) {
            // Twice: one that was cut may end in what is padding.
            let name = Name::new(Name::new(&name).as_bytes());
            let it = Instrument { channel, instrument, symbol, name };
            prop_assert_eq!(Instrument::of_value(it.to_value()), it);
        }

        #[test]
        fn no_value_of_another_process_is_too_much(value: Value) {
            let _ = (Quote::of_value(value), Instrument::of_value(value));
        }

        /// Against a map, with more instruments than rows.
        #[test]
        fn rows_agree_with_a_map(
            rows in 0usize..12,
            steps in prop::collection::vec((0u16..3, prop_oneof![0u32..6, Just(u32::MAX)], any::<bool>()), 0..80),
        ) {
            let mut board = board(rows);
            let mut map = BTreeMap::new();
            let mut away = 0;
            for (channel, number, announce) in steps {
                let there = map.get(&(channel, number)).copied();
                if !announce {
                    prop_assert_eq!(board.row(channel, number), there);
                    continue;
                }
                let row = board.announce(&instrument(channel, number));
                let want = there.or_else(|| (map.len() < rows).then_some(map.len() as u32));
                prop_assert_eq!(row, want);
                match row {
                    Some(row) => _ = map.insert((channel, number), row),
                    None => away += 1,
                }
                prop_assert_eq!((board.used(), board.turned_away()), (map.len() as u32, away));
            }
        }
    }
}
