//! A record on its way to clients: made once, shared by all that wait for it, and written once as text.

use crate::publish::OfRecord;
use crate::tail::Row;
use feed_common::event::Record;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

/// A lane's file as one writer made it.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// Number of the lane among those of the gateway.
    pub index: usize,
    /// Its name, which is that of the file.
    pub lane: String,
    /// How many writers the gateway has seen under that name, this one included.
    pub generation: u32,
    /// What tells its file from others of the name.
    pub epoch: u64,
}

impl Source {
    /// Whether both are the same writer's.
    pub fn is(&self, other: &Source) -> bool {
        (self.index, self.generation) == (other.index, other.generation)
    }
}

/// Bytes that wait for clients, and how many may.
#[derive(Debug)]
pub struct Memory {
    used: AtomicUsize,
    limit: usize,
}

impl Memory {
    /// Nothing yet.
    pub fn new(limit: usize) -> Memory {
        Memory {
            used: AtomicUsize::new(0),
            limit,
        }
    }

    /// Bytes that wait.
    pub fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    /// Whether no more should.
    pub fn is_full(&self) -> bool {
        self.used() >= self.limit
    }

    /// Counts bytes until it is dropped.
    pub fn hold(self: &Arc<Memory>, bytes: usize) -> Held {
        self.used.fetch_add(bytes, Relaxed);
        Held {
            memory: self.clone(),
            bytes,
        }
    }
}

/// Bytes that are counted.
#[derive(Debug)]
pub struct Held {
    memory: Arc<Memory>,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.used.fetch_sub(self.bytes, Relaxed);
    }
}

/// A record and what it does not say itself.
#[derive(Debug)]
pub struct Update {
    /// Whose.
    pub source: Arc<Source>,
    /// Its number among all that its writer published.
    pub position: u64,
    /// The record and its names.
    pub row: Row,
    text: OnceLock<(Box<str>, Held)>,
    held: Held,
}

impl Update {
    /// Of a record that was just read.
    pub fn new(source: &Arc<Source>, position: u64, row: Row, memory: &Arc<Memory>) -> Update {
        let names = row.name.capacity() + row.channel.capacity();
        Update {
            source: source.clone(),
            position,
            row,
            text: OnceLock::new(),
            held: memory.hold(size_of::<Update>() + names),
        }
    }

    /// As an object: what `tail --format json` prints, behind its position. Written when it is first asked for.
    pub fn text(&self) -> &str {
        let (text, _) = self.text.get_or_init(|| {
            // Strings and numbers alone: nothing that cannot be written.
            let facts = serde_json::to_string(&self.row).unwrap_or_else(|_| "{}".into());
            let text = format!("{{\"position\":{},{}", self.position, &facts[1..]);
            let held = self.held.memory.hold(text.len());
            (text.into(), held)
        });
        text
    }
}

impl OfRecord for Arc<Update> {
    fn record(&self) -> &Record {
        &self.row.record
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use feed_common::event::Kind;

    pub fn source(index: usize, generation: u32) -> Arc<Source> {
        Arc::new(Source {
            index,
            lane: format!("lane{index}"),
            generation,
            epoch: 7,
        })
    }

    pub fn update(kind: Kind, instrument: u32, position: u64, memory: &Arc<Memory>) -> Arc<Update> {
        let mut record = Record::default();
        record.data.kind = kind.0;
        record.data.symbol = *b"AAPL    ";
        record.instrument.set(instrument);
        record.sequence.set(position);
        let row = Row {
            record,
            name: "AAPL".into(),
            channel: "c".into(),
        };
        Arc::new(Update::new(&source(0, 1), position, row, memory))
    }

    #[test]
    fn what_waits_is_counted_until_nobody_waits_for_it() {
        let memory = Arc::new(Memory::new(1_000));
        let one = update(Kind::BID, 1, 77, &memory);
        let before = memory.used();
        assert!(before >= 64 && !memory.is_full());
        let text = one.text().to_owned();
        assert!(
            text.starts_with("{\"position\":77,\"channel\":\"c\",\"seq\":77,"),
            "{text}"
        );
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
        assert_eq!(memory.used(), before + text.len());
        assert_eq!(one.text(), text);
        let again = one.clone();
        drop(one);
        assert_eq!(memory.used(), before + text.len());
        drop(again);
        assert_eq!(memory.used(), 0);
        let _all = memory.hold(1_000);
        assert!(memory.is_full());
    }
}
