//! What a client has subscribed to, and whether a record is of it.

use super::request::{RequestError, Subscribe};
use crate::subscribe::Glob;
use feed_common::event::Kind;

/// Instruments of a lane for which the answer is remembered; of those beyond, patterns are gone through each time.
const REMEMBERED: usize = 1 << 16;

/// The answer is known.
const KNOWN: u32 = 1 << 31;

/// All kinds.
const ALL: u32 = KNOWN - 1;

/// Kinds as bits. Those that no version knows yet share the last.
pub fn bit(kind: u8) -> u32 {
    1 << kind.min(30)
}

/// A checked wish for records.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The client's number for it.
    pub id: u32,
    /// Whether the latest quotes are wanted first.
    pub snapshot: bool,
    symbols: Vec<Glob>,
    kinds: u32,
}

impl Subscription {
    /// What a client asks for.
    pub fn of(asked: &Subscribe) -> Result<Subscription, RequestError> {
        let (symbols, kinds) = asked.names()?;
        let kinds = match kinds.is_empty() {
            true => ALL,
            false => kinds.iter().fold(0, |all, kind| all | bit(kind.0)),
        };
        Ok(Subscription {
            id: asked.id,
            snapshot: asked.snapshot && kinds & (bit(Kind::BID.0) | bit(Kind::OFFER.0)) != 0,
            symbols,
            kinds,
        })
    }

    /// Whether an instrument of that name is meant.
    pub fn means(&self, name: &str) -> bool {
        self.symbols
            .iter()
            .any(|glob| glob.matches(name.as_bytes()))
    }
}

/// The subscriptions of a client. A record that several of them mean is one record.
#[derive(Debug, Default)]
pub struct Interests {
    subscriptions: Vec<Subscription>,
    /// By lane and number of the instrument: kinds, with [`KNOWN`] where that has been worked out.
    known: Vec<Vec<u32>>,
    /// Kinds of any of them.
    any: u32,
}

impl Interests {
    /// All of them.
    pub fn subscriptions(&self) -> &[Subscription] {
        &self.subscriptions
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.subscriptions.len()
    }

    /// Whether one of that number is there.
    pub fn has(&self, id: u32) -> bool {
        self.subscriptions.iter().any(|s| s.id == id)
    }

    /// One more, or another in the place of one of that number.
    pub fn add(&mut self, subscription: Subscription) {
        self.subscriptions.retain(|s| s.id != subscription.id);
        self.subscriptions.push(subscription);
        self.changed();
    }

    /// One less; false where there is none of that number.
    pub fn remove(&mut self, id: u32) -> bool {
        let before = self.len();
        self.subscriptions.retain(|s| s.id != id);
        self.changed();
        self.len() < before
    }

    /// Kinds of any of them: those of records that concern a whole channel, which everybody hears who wants the kind.
    pub fn any(&self) -> u32 {
        self.any
    }

    /// Kinds that are wanted of an instrument of a lane, by its number there and its name.
    pub fn of(&mut self, lane: usize, number: usize, name: &str) -> u32 {
        if number >= REMEMBERED {
            return self.wanted(name);
        }
        if self.known.len() <= lane {
            self.known.resize(lane + 1, Vec::new());
        }
        if self.known[lane].len() <= number {
            self.known[lane].resize(number + 1, 0);
        }
        if self.known[lane][number] & KNOWN == 0 {
            self.known[lane][number] = self.wanted(name) | KNOWN;
        }
        self.known[lane][number] & !KNOWN
    }

    /// An instrument has another name.
    pub fn forget(&mut self, lane: usize, number: usize) {
        let there = self.known.get_mut(lane).and_then(|l| l.get_mut(number));
        if let Some(known) = there {
            *known = 0;
        }
    }

    /// All instruments of a lane are others.
    pub fn forget_lane(&mut self, lane: usize) {
        if let Some(known) = self.known.get_mut(lane) {
            known.clear();
        }
    }

    fn wanted(&self, name: &str) -> u32 {
        let those = self.subscriptions.iter().filter(|s| s.means(name));
        those.fold(0, |all, s| all | s.kinds)
    }

    fn changed(&mut self) {
        self.known.iter_mut().for_each(Vec::clear);
        self.any = self.subscriptions.iter().fold(0, |all, s| all | s.kinds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn subscription(id: u32, symbols: &[&str], kinds: &[&str]) -> Subscription {
        let owned = |texts: &[&str]| texts.iter().map(|&t| t.to_owned()).collect();
        let asked = Subscribe {
            id,
            symbols: owned(symbols),
            kinds: owned(kinds),
            snapshot: true,
        };
        Subscription::of(&asked).unwrap()
    }

    #[test]
    fn quotes_come_first_only_where_best_prices_are_wanted() {
        assert!(subscription(1, &["*"], &[]).snapshot);
        assert!(subscription(1, &["*"], &["trade", "offer"]).snapshot);
        assert!(!subscription(1, &["*"], &["trade", "gap"]).snapshot);
    }

    #[test]
    fn kinds_that_nobody_knows_are_wanted_by_who_wants_all() {
        let mut all = Interests::default();
        all.add(subscription(1, &["*"], &[]));
        let mut some = Interests::default();
        some.add(subscription(1, &["*"], &["bid"]));
        assert_ne!(all.of(0, 0, "A") & bit(200), 0);
        assert_eq!(some.of(0, 0, "A") & bit(200), 0);
    }

    const NAMES: [&str; 4] = ["A", "AB", "B", "#17"];
    const GLOBS: [&str; 5] = ["*", "A*", "?", "#*", "B"];
    const KINDS: [&str; 3] = ["bid", "trade", "gap"];

    proptest! {
        /// What is remembered is what the patterns say, whatever was asked and changed before.
        #[test]
        fn remembers_what_the_patterns_say(
            steps in prop::collection::vec((0u32..4, 0usize..5, 0usize..4, any::<bool>(), 0usize..3), 1..40),
        ) {
            let mut interests = Interests::default();
            let mut list: Vec<(u32, Glob, u32)> = Vec::new();
            for (id, glob, kind, add, lane) in steps {
                list.retain(|(i, ..)| *i != id);
                if add {
                    let kinds = KINDS.get(kind).map_or(vec![], |k| vec![*k]);
                    let s = subscription(id, &[GLOBS[glob]], &kinds);
                    list.push((id, GLOBS[glob].parse().unwrap(), s.kinds));
                    interests.add(s);
                } else {
                    interests.remove(id);
                    interests.forget_lane(lane);
                }
                prop_assert_eq!(interests.len(), list.len());
                for (number, name) in NAMES.iter().enumerate() {
                    let those = list.iter().filter(|(_, g, _)| g.matches(name.as_bytes()));
                    let want = those.fold(0, |all, (.., kinds)| all | kinds);
                    prop_assert_eq!(interests.of(lane, number, name), want);
                    prop_assert_eq!(interests.of(lane, REMEMBERED + number, name), want);
                }
            }
            // Another name under the same number.
            interests.forget(0, 0);
            let want = interests.of(0, REMEMBERED, "B");
            prop_assert_eq!(interests.of(0, 0, "B"), want);
        }
    }
}
