//! What waits, made into messages of the form that a client wants. Records are written once (as text) or are as they are
//! (in batches); a message is put together in a buffer of the pool, which gets it back when the message is sent.

use super::binary::{self, PublishedRow, ROWS_MAX};
use super::hub::Snapshot;
use super::queue::Item;
use super::request::Form;
use super::text;
use super::update::Source;
use crate::tail::QuoteRow;
use bytes::Bytes;
use feed_common::ring::{Pool, PoolBuffer};
use std::collections::VecDeque;
use std::sync::Arc;
use zerocopy::IntoBytes;

/// Bytes of a buffer: a message is no longer.
pub const MESSAGE_MAX: usize = 64 << 10;

/// A message to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// A JSON object.
    Text(Bytes),
    /// A native batch.
    Binary(Bytes),
    /// A sign of life is asked for.
    Heartbeat,
}

impl Outgoing {
    /// A text that was made for one client.
    pub fn text(text: String) -> Outgoing {
        Outgoing::Text(Bytes::from(text))
    }

    /// Bytes of it.
    pub fn len(&self) -> usize {
        match self {
            Outgoing::Text(bytes) | Outgoing::Binary(bytes) => bytes.len(),
            Outgoing::Heartbeat => 0,
        }
    }
}

/// Makes the messages of snapshots.
#[derive(Clone, Copy, Debug)]
pub struct Quotes {
    form: Form,
    pool: &'static Pool,
}

/// Makes the messages of one client.
#[derive(Debug)]
pub struct Packer {
    form: Form,
    pool: &'static Pool,
    /// By lane: the writer that the numbers are of, and the next number of a record.
    numbers: Vec<Option<(Arc<Source>, u64)>>,
}

impl Packer {
    /// Of a form.
    pub fn new(form: Form, pool: &'static Pool) -> Packer {
        Packer {
            form,
            pool,
            numbers: Vec::new(),
        }
    }

    /// The next message of what waits.
    pub fn pack(&mut self, items: &mut VecDeque<Item>) -> Option<Outgoing> {
        match items.front()? {
            Item::Update(update) => {
                let source = update.source.clone();
                return Some(match self.form {
                    Form::Json => self.text(&source, items),
                    Form::Binary => self.batch(&source, items),
                });
            }
            Item::Missing { source, count, .. } => *self.number(&source.clone()) += count,
            Item::State { .. } => {}
        }
        match items.pop_front()? {
            Item::Missing { source, why, count } => {
                Some(Outgoing::text(text::missing(&source, why, count)))
            }
            Item::State {
                source,
                state,
                position,
            } => Some(Outgoing::text(text::lane_state(&source, state, position))),
            Item::Update(_) => None,
        }
    }

    /// What makes the messages of snapshots of the same form.
    pub fn quotes(&self) -> Quotes {
        Quotes {
            form: self.form,
            pool: self.pool,
        }
    }

    fn text(&mut self, source: &Arc<Source>, items: &mut VecDeque<Item>) -> Outgoing {
        let mut buffer = self.pool.get();
        buffer.extend_from_slice(text::updates_head(source).as_bytes());
        let mut is_first = true;
        while let Some(Item::Update(update)) = items.front()
            && update.source.is(source)
        {
            if !append(&mut buffer, update.text(), &mut is_first) {
                break;
            }
            items.pop_front();
        }
        buffer.extend_from_slice(b"]}");
        Outgoing::Text(Bytes::from_owner(buffer))
    }

    fn batch(&mut self, source: &Arc<Source>, items: &mut VecDeque<Item>) -> Outgoing {
        let mut buffer = self.pool.get();
        binary::begin(&mut buffer);
        let mut rows = 0;
        while rows < ROWS_MAX
            && let Some(Item::Update(update)) = items.front()
            && update.source.is(source)
        {
            let row = PublishedRow::new(&update.row.record, update.position, &update.row.name);
            buffer.extend_from_slice(row.as_bytes());
            rows += 1;
            items.pop_front();
        }
        let number = self.number(source);
        let first = *number;
        *number += rows as u64;
        binary::finish(&mut buffer, binary::session(b'U', source), first, rows);
        Outgoing::Binary(Bytes::from_owner(buffer))
    }

    /// The number of the next record of a lane: from 1 for each of its writers, and over those that are missing.
    fn number(&mut self, source: &Arc<Source>) -> &mut u64 {
        if self.numbers.len() <= source.index {
            self.numbers.resize(source.index + 1, None);
        }
        let there = &mut self.numbers[source.index];
        if there.as_ref().is_some_and(|(of, _)| !of.is(source)) {
            *there = None;
        }
        let (_, next) = there.get_or_insert_with(|| (source.clone(), 1));
        next
    }
}

impl Quotes {
    /// The messages of a snapshot, one after the other.
    pub fn messages<'a>(
        &'a self,
        snapshot: &'a Snapshot,
    ) -> Box<dyn Iterator<Item = Outgoing> + Send + 'a> {
        match self.form {
            Form::Json => Box::new(self.in_text(snapshot)),
            Form::Binary => {
                let head = |last| {
                    let head = text::snapshot_head(snapshot, last, false);
                    Outgoing::text(head)
                };
                let quotes = self.in_batches(snapshot);
                let all = std::iter::once(head(false)).chain(quotes);
                Box::new(all.chain(std::iter::once(head(true))))
            }
        }
    }

    fn in_text(&self, snapshot: &Snapshot) -> impl Iterator<Item = Outgoing> + Send {
        let mut rest = snapshot.quotes.iter().peekable();
        let mut over = false;
        std::iter::from_fn(move || {
            if over {
                return None;
            }
            let mut buffer = self.pool.get();
            // What is last is only known behind the quotes: it has the room that the longer word takes.
            let head = text::snapshot_head(snapshot, false, true);
            buffer.extend_from_slice(head.as_bytes());
            let mut is_first = true;
            while let Some(quoted) = rest.peek() {
                let row = QuoteRow {
                    name: quoted.name.clone(),
                    channel: quoted.channel.clone(),
                    quote: quoted.quote,
                };
                if !append(&mut buffer, &row.facts().to_string(), &mut is_first) {
                    break;
                }
                rest.next();
            }
            buffer.extend_from_slice(b"]}");
            over = rest.peek().is_none();
            if over {
                let last = text::snapshot_head(snapshot, true, true);
                buffer.splice(..head.len(), last.into_bytes());
            }
            Some(Outgoing::Text(Bytes::from_owner(buffer)))
        })
    }

    fn in_batches(&self, snapshot: &Snapshot) -> impl Iterator<Item = Outgoing> + Send {
        let session = binary::session(b'S', &snapshot.source);
        let mut rest = snapshot.quotes.iter();
        let mut next = 1;
        std::iter::from_fn(move || {
            let mut buffer = self.pool.get();
            binary::begin(&mut buffer);
            let mut rows = 0;
            // A quote is four records at most.
            while rows + 4 <= ROWS_MAX
                && let Some(quoted) = rest.next()
            {
                for record in binary::pair(quoted) {
                    let row = PublishedRow::new(&record, snapshot.position, &quoted.name);
                    buffer.extend_from_slice(row.as_bytes());
                    rows += 1;
                }
            }
            if rows == 0 {
                return None;
            }
            binary::finish(&mut buffer, session, next, rows);
            next += rows as u64;
            Some(Outgoing::Binary(Bytes::from_owner(buffer)))
        })
    }
}

/// One more object of a list, if there is room for it and for what ends the list.
fn append(buffer: &mut PoolBuffer<'_>, text: &str, is_first: &mut bool) -> bool {
    // A single one always goes: it is a thousandth of the room.
    if !*is_first && buffer.len() + text.len() + 3 > MESSAGE_MAX {
        return false;
    }
    if !std::mem::replace(is_first, false) {
        buffer.push(b',');
    }
    buffer.extend_from_slice(text.as_bytes());
    true
}

#[cfg(test)]
#[path = "pack_tests.rs"]
mod tests;
