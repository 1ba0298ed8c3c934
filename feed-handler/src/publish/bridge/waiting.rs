//! What waits for a consumer that takes the newest state of each instrument: one record for each thing that can be said,
//! replaced by what is said later.
//!
//! States replace each other: a best price, the total at a price, a status, a statistic, an imbalance, and the last trade.
//! What says how far the rest can be believed (gaps, silences), what an instrument is, and which trade is void is kept as
//! it is. When a book is cleared, what waits of it is void. Single orders and levels that the exchange numbers cannot be
//! put together again from some of their changes: they are not kept, and count as lost.

use feed_common::event::{Kind, NO_INSTRUMENT, Record};
use std::collections::{HashMap, VecDeque};

/// What waits: a record, or something that carries one.
pub trait OfRecord: Clone {
    /// The record.
    fn record(&self) -> &Record;
}

impl OfRecord for Record {
    fn record(&self) -> &Record {
        self
    }
}

/// What a record is a state of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    channel: u16,
    instrument: u32,
    kind: u8,
    side: u8,
    /// What tells several of that kind apart.
    part: u64,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// It waits; if not, it is no state, or there is no room.
    pub waits: bool,
    /// So many that waited are void.
    pub replaced: u64,
}

/// Records in the order in which their states were first heard of.
#[derive(Debug)]
pub struct Waiting<T = Record> {
    /// `None` where a cleared book's were.
    records: VecDeque<Option<T>>,
    /// Place of each state, counted from the first record that ever waited.
    places: HashMap<Key, u64>,
    /// Records that have left in front.
    left: u64,
    room: usize,
}

impl<T: OfRecord> Waiting<T> {
    /// Room for so many records.
    pub fn with_room(room: usize) -> Waiting<T> {
        Waiting {
            records: VecDeque::new(),
            places: HashMap::new(),
            left: 0,
            room,
        }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Another room from now on; what waits stays.
    pub fn set_room(&mut self, room: usize) {
        self.room = room;
    }

    /// Lets go of everything; how many that were.
    pub fn clear(&mut self) -> u64 {
        let there = self.places.len() as u64;
        self.left += self.records.len() as u64;
        self.records.clear();
        self.places.clear();
        there
    }

    /// Takes a record.
    pub fn take(&mut self, item: &T) -> Taken {
        let record = item.record();
        let replaced = match record.data.kind == Kind::CLEAR.0 {
            true => self.void(record),
            false => 0,
        };
        let Some(key) = Key::of(record) else {
            return Taken {
                waits: false,
                replaced,
            };
        };
        if let Some(&place) = self.places.get(&key) {
            self.records[(place - self.left) as usize] = Some(item.clone());
            return Taken {
                waits: true,
                replaced: replaced + 1,
            };
        }
        let waits = self.records.len() < self.room;
        if waits {
            let place = self.left + self.records.len() as u64;
            self.places.insert(key, place);
            self.records.push_back(Some(item.clone()));
        }
        Taken { waits, replaced }
    }

    /// The one that has waited longest.
    pub fn first(&mut self) -> Option<T> {
        while let Some(None) = self.records.front() {
            self.records.pop_front();
            self.left += 1;
        }
        self.records.front()?.clone()
    }

    /// Lets that one go.
    pub fn pop(&mut self) {
        if let Some(record) = self.records.pop_front() {
            self.left += 1;
            if let Some(key) = record.and_then(|item| Key::of(item.record())) {
                self.places.remove(&key);
            }
        }
    }

    /// Lets go of what waits of a book that is void; how many that were.
    fn void(&mut self, clear: &Record) -> u64 {
        let all = clear.instrument.get() == NO_INSTRUMENT;
        let is_void = |key: &Key| {
            let of_book = [Kind::BID, Kind::OFFER, Kind::LEVEL].contains(&Kind(key.kind));
            let same = all || key.instrument == clear.instrument.get();
            of_book && same && key.channel == clear.channel.get()
        };
        let (records, left, mut voided) = (&mut self.records, self.left, 0);
        self.places.retain(|key, place| {
            let keep = !is_void(key);
            if !keep {
                records[(*place - left) as usize] = None;
                voided += 1;
            }
            keep
        });
        voided
    }
}

impl Key {
    /// `None` for what is no state of anything.
    fn of(record: &Record) -> Option<Key> {
        let order_id = record.order_id.get();
        let part = match Kind(record.data.kind) {
            Kind::BID | Kind::OFFER | Kind::TRADE | Kind::IMBALANCE => 0,
            // The two low bytes are number and action of a level that the exchange numbers.
            Kind::LEVEL if order_id & 0xFFFF == 0 => record.data.price.get() as u64,
            // Kind of status and kind of figure, without the value.
            Kind::STATUS => order_id >> 8,
            Kind::STATISTIC => order_id,
            Kind::GAP | Kind::CLEAR | Kind::TRUST | Kind::DIRECTORY | Kind::TRADE_BREAK => {
                record.sequence.get()
            }
            _ => return None,
        };
        Some(Key {
            channel: record.channel.get(),
            instrument: record.instrument.get(),
            kind: record.data.kind,
            // A trade's side is its aggressor, not a book's.
            side: match Kind(record.data.kind) {
                Kind::LEVEL => record.data.side,
                _ => 0,
            },
            part,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(kind: Kind, instrument: u32, sequence: u64) -> Record {
        let mut r = Record::default();
        r.data.kind = kind.0;
        r.instrument.set(instrument);
        r.sequence.set(sequence);
        r
    }

    const NO: Taken = Taken {
        waits: false,
        replaced: 0,
    };

    fn waits(replaced: u64) -> Taken {
        Taken {
            waits: true,
            replaced,
        }
    }

    fn drained(waiting: &mut Waiting<Record>) -> Vec<u64> {
        std::iter::from_fn(|| {
            let first = waiting.first();
            waiting.pop();
            first.map(|r| r.sequence.get())
        })
        .collect()
    }

    #[test]
    fn the_newest_state_waits_in_the_place_of_the_first() {
        let mut w = Waiting::with_room(8);
        assert_eq!(w.take(&record(Kind::BID, 1, 1)), waits(0));
        assert_eq!(w.take(&record(Kind::BID, 2, 2)), waits(0));
        assert_eq!(w.take(&record(Kind::OFFER, 1, 3)), waits(0));
        assert_eq!(w.take(&record(Kind::BID, 1, 4)), waits(1));
        assert_eq!(w.take(&record(Kind::ADD, 1, 5)), NO);
        assert_eq!(drained(&mut w), [4, 2, 3]);
        assert!(w.is_empty());
    }

    #[test]
    fn a_level_is_known_by_its_price_and_one_with_a_number_cannot_wait() {
        let mut w = Waiting::with_room(8);
        let level = |price: i64, sequence, number: u64| {
            let mut r = record(Kind::LEVEL, 1, sequence);
            r.data.price.set(price);
            r.order_id.set(number | 5 << 16);
            r
        };
        w.take(&level(100, 1, 0));
        w.take(&level(200, 2, 0));
        w.take(&level(100, 3, 0));
        assert_eq!(w.take(&level(100, 4, 1)), NO);
        assert_eq!(drained(&mut w), [3, 2]);
    }

    #[test]
    fn a_cleared_book_takes_what_waits_of_it_with_it() {
        let mut w = Waiting::with_room(8);
        w.take(&record(Kind::BID, 1, 1));
        w.take(&record(Kind::TRADE, 1, 2));
        w.take(&record(Kind::BID, 2, 3));
        let clear = record(Kind::CLEAR, 1, 4);
        assert_eq!(w.take(&clear), waits(1));
        w.take(&record(Kind::BID, 1, 5));
        assert_eq!(drained(&mut w), [2, 3, 4, 5]);
    }

    #[test]
    fn there_is_an_end_to_what_waits() {
        let mut w = Waiting::with_room(2);
        w.take(&record(Kind::BID, 1, 1));
        w.take(&record(Kind::BID, 2, 2));
        assert_eq!(w.take(&record(Kind::BID, 3, 3)), NO);
        assert_eq!(w.take(&record(Kind::BID, 2, 4)), waits(1));
        let full = Taken {
            waits: false,
            replaced: 1,
        };
        w.take(&record(Kind::TRADE, 2, 5));
        assert_eq!(w.take(&record(Kind::CLEAR, 2, 6)), full);
        assert_eq!(drained(&mut w), [1]);
    }

    #[test]
    fn without_room_states_are_replaced_and_nothing_else_waits() {
        let mut w = Waiting::with_room(8);
        w.take(&record(Kind::BID, 1, 1));
        w.set_room(0);
        assert_eq!(w.take(&record(Kind::BID, 1, 2)), waits(1));
        assert_eq!(w.take(&record(Kind::BID, 2, 3)), NO);
        assert_eq!(w.clear(), 1);
        assert!(w.is_empty());
        w.set_room(1);
        assert_eq!(w.take(&record(Kind::BID, 1, 4)), waits(0));
        assert_eq!(drained(&mut w), [4]);
    }

    proptest! {
        /// Against a plain list: the newest of each state, in the order of the first, and every record accounted for.
        #[test]
        fn agrees_with_a_list(moves in prop::collection::vec((0u8..4, 0u32..3, any::<bool>()), 0..60)) {
            let mut w = Waiting::with_room(1_000);
            let mut list: Vec<Record> = Vec::new();
            let (mut replaced, mut popped, mut taken) = (0, 0, 0);
            for (sequence, (kind, instrument, pop)) in moves.into_iter().enumerate() {
                if pop {
                    let expected = (!list.is_empty()).then(|| list.remove(0));
                    prop_assert_eq!(w.first(), expected);
                    w.pop();
                    popped += u64::from(expected.is_some());
                    continue;
                }
                let kind = [Kind::BID, Kind::OFFER, Kind::TRADE, Kind::CLEAR][usize::from(kind)];
                let r = record(kind, instrument, sequence as u64);
                if kind == Kind::CLEAR {
                    list.retain(|o| {
                        o.instrument.get() != instrument
                            || ![Kind::BID.0, Kind::OFFER.0].contains(&o.data.kind)
                    });
                }
                match list.iter_mut().find(|o| Key::of(o) == Key::of(&r)) {
                    Some(old) => *old = r,
                    None => list.push(r),
                }
                taken += 1;
                let what = w.take(&r);
                prop_assert!(what.waits, "there is room");
                replaced += what.replaced;
            }
            prop_assert_eq!(taken, replaced + popped + list.len() as u64);
            let rest: Vec<_> = list.iter().map(|r| r.sequence.get()).collect();
            prop_assert_eq!(drained(&mut w), rest);
        }
    }
}
