//! A lane's shared memory as the gateway follows it: who is meant by each record, and the best prices as of the position it
//! has read to.
//!
//! The table of quotes in shared memory is written by another thread than the records, so it stands at no position that
//! could be named. The gateway keeps its own, from the records alone: what it hands out is exactly as of the position that
//! is said with it. It begins with the table and with the oldest records that are still there. Whatever the table knew
//! had been published by then, so when the records have been read up to where they stood after the table was read, every
//! best price is that of the last record: from there on the lane is settled. The same is done after an overrun.

use super::queue::State;
use super::update::Source;
use crate::publish::{BestOf, BestPrices, Places};
use crate::tail::{Tail, Taken};
use feed_common::event::{NO_INSTRUMENT, Record};
use feed_common::ring::shared::{Instrument, Quote, Standing};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// Instruments of a lane that are followed; what is beyond has no quote, and its names are looked up each time.
const INSTRUMENTS_MAX: usize = 1 << 20;

/// Numbers instruments as they come.
#[derive(Debug, Default)]
struct Ids(HashMap<(u16, u32), usize>);

impl Places for Ids {
    fn find(&self, _: &[BestPrices], record: &Record) -> Option<usize> {
        let key = (record.channel.get(), record.instrument.get());
        self.0.get(&key).copied()
    }

    fn admit(&mut self, rows: &[BestPrices], record: &Record) -> bool {
        let (channel, instrument) = (record.channel.get(), record.instrument.get());
        let is_one = instrument != NO_INSTRUMENT && rows.len() < INSTRUMENTS_MAX;
        if is_one {
            self.0.insert((channel, instrument), rows.len());
        }
        is_one
    }
}

/// What an instrument is called.
struct Known {
    symbol: [u8; 8],
    name: String,
}

/// The instrument of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// None: it is about its channel.
    Channel,
    /// The one of this number in the lane.
    Number(usize),
    /// One that has no number.
    Unnumbered,
}

/// The latest quote of an instrument.
#[derive(Clone, Debug)]
pub struct Quoted {
    /// Its numbers, and its symbol as in the records.
    pub instrument: Instrument,
    /// Its whole name.
    pub name: String,
    /// The name of its channel.
    pub channel: String,
    /// The quote.
    pub quote: Quote,
}

/// A lane being followed, as one writer makes it.
pub struct Lane {
    tail: Tail,
    source: Arc<Source>,
    state: State,
    best: BestOf<Ids>,
    known: Vec<Known>,
    settled_at: u64,
}

impl Lane {
    /// Follows a file that was opened, from its oldest record.
    pub fn new(source: Source, mut tail: Tail) -> Lane {
        tail.measure();
        let mut lane = Lane {
            tail,
            source: Arc::new(source),
            state: State::Live,
            best: BestOf::over(Ids::default()),
            known: Vec::new(),
            settled_at: 0,
        };
        lane.seed();
        lane
    }

    /// Whose records these are.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        self.tail.path()
    }

    /// How it stands with its writer.
    pub fn state(&self) -> State {
        self.state
    }

    /// Position of the next record.
    pub fn position(&self) -> u64 {
        self.tail.position()
    }

    /// Whether best prices are those of the position.
    pub fn is_settled(&self) -> bool {
        self.position() >= self.settled_at
    }

    /// The shared memory.
    pub fn tail(&mut self) -> &mut Tail {
        &mut self.tail
    }

    /// Instruments that were heard of.
    pub fn instruments(&self) -> usize {
        self.known.len()
    }

    /// Reads what is there.
    pub fn read(&mut self, batch: &mut [Record]) -> Taken {
        let taken = self.tail.read(batch);
        match taken {
            Taken::Lost(lost) => {
                self.best.lose(lost);
                self.seed();
            }
            Taken::Ended(standing) => {
                self.state = match standing {
                    Standing::Dead => State::Died,
                    Standing::Superseded => State::Replaced,
                    _ => State::Ended,
                };
            }
            _ => {}
        }
        taken
    }

    /// Takes a record that was read: whose it is, and whether that instrument has another name than before.
    pub fn take(&mut self, record: &Record) -> (Of, bool) {
        let of = self.identify(record);
        self.best.take(record);
        of
    }

    /// The name of an instrument; empty for a channel.
    pub fn name(&mut self, of: Of, record: &Record) -> String {
        match of {
            Of::Channel => String::new(),
            Of::Number(number) => self.known[number].name.clone(),
            Of::Unnumbered => self.tail.name(record),
        }
    }

    /// The name of a numbered instrument.
    pub fn name_of(&self, number: usize) -> &str {
        &self.known[number].name
    }

    /// The latest quotes of the instruments that are meant, by name.
    pub fn quotes(&self, means: impl Fn(&str) -> bool) -> Vec<Quoted> {
        let meant = self.known.iter().enumerate();
        let meant = meant.filter(|(_, known)| means(&known.name));
        let quoted = meant.filter_map(|(number, known)| {
            let best = self.best.row(number).filter(BestPrices::is_known)?;
            Some(Quoted {
                instrument: Instrument {
                    channel: best.channel,
                    instrument: best.instrument,
                    symbol: known.symbol,
                    name: feed_common::event::Name::new(known.name.as_bytes()),
                },
                name: known.name.clone(),
                channel: self.tail.channel(best.channel),
                quote: best.quote(),
            })
        });
        let mut quoted: Vec<_> = quoted.collect();
        quoted.sort_by(|a, b| (&a.name, &a.channel).cmp(&(&b.name, &b.channel)));
        quoted
    }

    /// Takes the table of latest quotes over.
    fn seed(&mut self) {
        let (table, _) = self.tail.table();
        for (it, quote) in table {
            let Some(number) = self.best.restore(&it, &quote) else {
                break; // no more are followed
            };
            if number == self.known.len() {
                self.known.push(Known {
                    symbol: it.symbol,
                    name: String::from_utf8_lossy(it.name.as_bytes()).into_owned(),
                });
            }
        }
        self.settled_at = self.tail.published();
    }

    fn identify(&mut self, record: &Record) -> (Of, bool) {
        if record.instrument.get() == NO_INSTRUMENT {
            return (Of::Channel, false);
        }
        let Some(number) = self.best.place(record) else {
            return (Of::Unnumbered, false);
        };
        let symbol = record.data.symbol;
        let there = self.known.get(number);
        // A long name may come later than the first record, and is not said again.
        let is_right = there.is_some_and(|k| k.symbol == symbol && !k.name.starts_with('#'));
        if is_right {
            return (Of::Number(number), false);
        }
        let name = self.tail.name(record);
        let changed = match self.known.get_mut(number) {
            None => {
                self.known.push(Known { symbol, name });
                false
            }
            Some(known) => {
                let changed = known.name != name;
                *known = Known { symbol, name };
                changed
            }
        };
        (Of::Number(number), changed)
    }
}
