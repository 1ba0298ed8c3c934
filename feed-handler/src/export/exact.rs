//! Published records with what extension records say of them: exact quantities and whole names.

use super::NAMES_MAX;
use crate::publish::{NAME_BYTES, Publish};
use crate::subscribe::Filter;
use feed_common::event::{Flags, Kind, NO_INSTRUMENT, Name, Record};
use std::collections::HashMap;

/// Takes records, in order.
pub(super) trait TakeRecord {
    /// A record with its exact quantity and its instrument's name, as far as that is known.
    fn take(&mut self, record: &Record, quantity: u64, name: &Name);

    /// True when nothing more has to come.
    fn has_failed(&self) -> bool;
}

/// Puts records and their extensions together.
pub(super) struct Exact<S> {
    sink: S,
    /// Which symbols are handed on; records of no instrument always are.
    wanted: Filter,
    /// A record whose exact quantity follows.
    held: Option<Record>,
    /// An instrument whose name is being said.
    naming: Option<(Instrument, Vec<u8>)>,
    /// Names that are longer than a symbol.
    long: HashMap<Instrument, Name>,
}

/// Channel and number.
type Instrument = (u16, u32);

impl<S: TakeRecord> Exact<S> {
    pub(super) fn new(sink: S, wanted: Filter) -> Exact<S> {
        Exact {
            sink,
            wanted,
            held: None,
            naming: None,
            long: HashMap::new(),
        }
    }

    pub(super) fn sink(&self) -> &S {
        &self.sink
    }

    /// Nothing follows.
    pub(super) fn finish(mut self) -> S {
        self.settle();
        self.sink
    }

    /// What is held has lost its extension.
    pub(super) fn settle(&mut self) {
        if let Some(held) = self.held.take() {
            self.hand(&held, held.data.quantity.get().into());
        }
    }

    #[inline]
    fn hand(&mut self, record: &Record, quantity: u64) {
        let symbol = record.data.symbol;
        let name = match symbol[0] {
            b'#' => self.long.get(&instrument(record)).copied(),
            _ => None,
        };
        let name = name.unwrap_or_else(|| Name::new(&symbol));
        let is_wanted = self.wanted.wants_all()
            || record.instrument.get() == NO_INSTRUMENT
            || self.wanted.wants(name.as_bytes());
        if is_wanted {
            self.sink.take(record, quantity, &name);
        }
    }

    fn extend(&mut self, extension: &Record) {
        if let Some(mut held) = self.held.take() {
            // Together they end an event where the extension does.
            let ends = Flags(extension.data.flags.get() & Flags::END_OF_EVENT.0);
            let flags = Flags(held.data.flags.get()).with(ends);
            held.data.flags.set(flags.0);
            self.hand(&held, extension.order_id.get());
            return;
        }
        let Some((of, mut name)) = self.naming.take() else {
            return;
        };
        if of != instrument(extension) {
            return;
        }
        name.extend(extension.order_id.get().to_le_bytes());
        name.extend(extension.data.price.get().to_le_bytes());
        if self.long.len() < NAMES_MAX || self.long.contains_key(&of) {
            self.long.insert(of, Name::new(&name));
        }
        if name.len() < Name::MAX {
            self.naming = Some((of, name));
        }
    }
}

fn instrument(record: &Record) -> Instrument {
    (record.channel.get(), record.instrument.get())
}

impl<S: TakeRecord> Publish for Exact<S> {
    #[inline]
    fn publish(&mut self, record: &Record) {
        let kind = Kind(record.data.kind);
        if kind == Kind::EXTENSION {
            return self.extend(record);
        }
        self.settle();
        self.naming = None;
        if kind == Kind::DIRECTORY && record.data.symbol[0] == b'#' {
            let room = Vec::with_capacity(2 * NAME_BYTES);
            self.naming = Some((instrument(record), room));
        }
        if Flags(record.data.flags.get()).has(Flags::QUANTITY_SATURATED) {
            self.held = Some(*record);
        } else {
            self.hand(record, record.data.quantity.get().into());
        }
    }
}
