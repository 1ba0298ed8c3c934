//! The books as they are without faults after every packet, and those of a lane wherever its records say that they can be
//! believed.

use crate::oracle::{Failure, fail};
use feed_common::event::{Kind, NO_INSTRUMENT, Name, Record, Side, Trust};
use feed_handler::book::{Books, View};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// The books of a session after each of its packets.
#[derive(Debug, Default)]
pub struct CleanBooks {
    /// The number after each packet.
    ends: BTreeSet<u64>,
    /// By name: behind which number a book changed, and what it was then.
    states: BTreeMap<Vec<u8>, Vec<(u64, u64)>>,
}

impl CleanBooks {
    /// A packet has been handled: the next number is `next`, and these instruments had records.
    pub fn note(&mut self, next: u64, books: &Books, touched: &BTreeSet<u32>) {
        self.ends.insert(next);
        for (name, now) in hashes(books, touched) {
            let states = self.states.entry(name).or_default();
            if states.last().is_none_or(|&(_, before)| before != now) {
                states.push((next, now));
            }
        }
    }

    fn at(&self, name: &[u8], next: u64) -> u64 {
        let Some(states) = self.states.get(name) else {
            return 0;
        };
        let at = states.partition_point(|&(end, _)| end <= next);
        at.checked_sub(1).map_or(0, |at| states[at].1)
    }
}

/// What a consumer of a lane's records knows.
#[derive(Debug, Default)]
pub struct Believed {
    trust: BTreeMap<u32, Trust>,
}

impl Believed {
    /// Takes in new records; the instruments that they are about.
    pub fn take(&mut self, records: &[Record]) -> BTreeSet<u32> {
        let mut touched = BTreeSet::new();
        for record in records {
            let (kind, instrument) = (record.data.kind, record.instrument.get());
            if kind == Kind::GAP.0 {
                let all = self.trust.values_mut();
                all.for_each(|trust| *trust = Trust::RECOVERING);
            } else if instrument != NO_INSTRUMENT {
                touched.insert(instrument);
                self.trust.insert(instrument, Trust(record.trust));
            } else if kind == Kind::CLEAR.0 {
                self.trust.clear();
            }
        }
        touched
    }

    /// Holds the books of those instruments that can be believed against the clean ones, where `next` is between two of
    /// the clean run's packets.
    pub fn hold(
        &self,
        books: &Books,
        touched: &BTreeSet<u32>,
        clean: &CleanBooks,
        next: u64,
    ) -> Result<(), Failure> {
        if !clean.ends.contains(&next) {
            return Ok(());
        }
        let valid = |i: &&u32| self.trust.get(*i) == Some(&Trust::VALID);
        let valid: BTreeSet<u32> = touched.iter().filter(valid).copied().collect();
        for (name, now) in hashes(books, &valid) {
            if now != clean.at(&name, next) {
                let name = String::from_utf8_lossy(&name).into_owned();
                return fail("a book is not what it is said to be", (name, next));
            }
        }
        Ok(())
    }

    /// All instruments that had a record since everything was void.
    pub fn all(&self) -> BTreeSet<u32> {
        self.trust.keys().copied().collect()
    }

    /// How many there are, and how many can be believed.
    pub fn count(&self) -> (usize, usize) {
        let valid = self.trust.values().filter(|t| **t == Trust::VALID);
        (self.trust.len(), valid.count())
    }
}

fn hashes<'b>(
    books: &'b Books,
    of: &'b BTreeSet<u32>,
) -> impl Iterator<Item = (Vec<u8>, u64)> + 'b {
    let text = |name: Name| name.as_bytes().trim_ascii_end().to_vec();
    let all = books.instruments().into_iter();
    let all = all.filter(|(instrument, _)| of.contains(instrument));
    all.map(move |(instrument, name)| (text(name), hash(books, instrument)))
}

/// Over everything in an instrument's books; 0 when there is nothing.
fn hash(books: &Books, instrument: u32) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut any = false;
    for side in [Side::BUY, Side::SELL] {
        let mut prices = Vec::new();
        books.levels(instrument, side, &mut |number, level| {
            any = true;
            (0, number, side, level.price, level.quantity, level.orders).hash(&mut hasher);
            prices.push(level.price);
        });
        books.implied(instrument, side, &mut |number, level| {
            any = true;
            (1, number, side, level.price, level.quantity, level.orders).hash(&mut hasher);
        });
        books.beside(instrument, side, &mut |level| {
            any = true;
            (2, side, level.price, level.quantity, level.orders).hash(&mut hasher);
            prices.push(level.price);
        });
        for price in prices {
            books.queue(instrument, side, price, &mut |order| {
                (order.order_id, order.quantity).hash(&mut hasher);
            });
        }
    }
    if any { hasher.finish() } else { 0 }
}
