//! From the file as written to a plan: defaults, references, and every rule that a type cannot say.
//!
//! A wrong value is noted with its place and replaced by a stand-in, so that one pass finds everything; a plan comes
//! out only when nothing was noted.

use super::defaults::*;
use super::file::{self, File};
use super::plan::*;
use crate::book::BookLimits;
use crate::subscribe::{Filter, Glob};
use feed_common::config::{ByteSize, place};
use feed_common::journal::JournalOptions;
use feed_common::time::{DateError, ZoneError};
use std::collections::HashMap;
use std::net::SocketAddrV4;
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use toml::Spanned;

mod channels;
mod lanes;
mod services;
mod shared;

type Problems = Vec<(Range<usize>, String)>;

/// The plan, or everything that is wrong with the file by its place in `text`.
pub(super) fn resolve(file: File, text: &str) -> Result<Plan, Problems> {
    let mut r = Resolver {
        text,
        problems: Vec::new(),
    };
    let plan = r.plan(&file);
    if r.problems.is_empty() {
        Ok(plan)
    } else {
        Err(r.problems)
    }
}

struct Resolver<'t> {
    text: &'t str,
    problems: Problems,
}

/// Names already given, with where.
type Taken = HashMap<String, Range<usize>>;

impl Resolver<'_> {
    fn plan(&mut self, file: &File) -> Plan {
        let channels = self.channels(&file.channels);
        let lanes = self.lanes(&file.lanes, &channels);
        self.lane_references(file);
        self.unicast_ports(&file.channels);
        let sample = number(&file.latency.sample_messages, SAMPLE_MESSAGES as usize);
        Plan {
            session: self.session(&file.session),
            lock_memory: file.process.lock_memory,
            book: self.book(&file.book),
            publish_slots: self.power_of_two(
                "slots",
                &file.publish.slots,
                PUBLISH_SLOTS,
                64..=PUBLISH_SLOTS_MAX,
            ),
            shared_memory: self.shared_memory(file.shared_memory.as_ref()),
            digest_every: self.digest_every(&file.publish.digest_every),
            symbols: self.symbols(&file.subscribe.symbols),
            control: self.socket(&file.control.socket),
            metrics: self.metrics(&file.metrics),
            journal: file.journal.as_ref().map(|journal| self.journal(journal)),
            consumers: self.consumers(&file.consumers, &file.lanes),
            latency: LatencyPlan {
                sample_messages: self.within("sample_messages", sample, 0..=1_000_000_000) as u32,
                digits: self.within("digits", number(&file.latency.digits, DIGITS.into()), 2..=3)
                    as u8,
                inject: None,
            },
            output_dir: file.output.dir.clone(),
            record: None,
            lanes,
        }
    }

    fn session(&mut self, session: &file::Session) -> SessionPlan {
        let date = session.date.as_ref().and_then(|text| {
            let parsed = text.get_ref().0.parse();
            let wrong = |_: DateError| "expected a date such as \"2026-11-20\"";
            parsed.map_err(|e| self.wrong(text, wrong(e))).ok()
        });
        let zone = session.zone.as_ref().and_then(|text| {
            let parsed = text.get_ref().parse();
            parsed.map_err(|e: ZoneError| self.wrong(text, e)).ok()
        });
        SessionPlan { date, zone }
    }

    fn symbols(&mut self, symbols: &[Spanned<String>]) -> Vec<Glob> {
        let mut globs = Vec::new();
        for text in symbols {
            match text.get_ref().parse::<Glob>() {
                Ok(glob) => globs.push(glob),
                Err(e) => self.wrong(text, e),
            }
            if let Err(e) = Filter::of(globs.clone()) {
                self.wrong(text, e);
                break;
            }
        }
        globs
    }

    fn socket(&mut self, socket: &Option<Spanned<PathBuf>>) -> Option<PathBuf> {
        let path = socket.as_ref()?;
        let length = path.get_ref().as_os_str().len();
        if !(1..=SOCKET_PATH_BYTES_MAX).contains(&length) {
            self.wrong(
                path,
                format!("socket: expected a path of 1 to {SOCKET_PATH_BYTES_MAX} bytes"),
            );
        }
        Some(path.get_ref().clone())
    }

    /// What a run says of itself is for this machine.
    fn metrics(&mut self, metrics: &file::Metrics) -> Option<SocketAddrV4> {
        let listen = metrics.listen.as_ref()?;
        if !listen.get_ref().ip().is_loopback() {
            self.wrong(
                listen,
                "listen: expected an address of the loopback interface",
            );
        }
        Some(*listen.get_ref())
    }

    fn journal(&mut self, journal: &file::Journal) -> JournalPlan {
        let plan = JournalPlan::new(journal.dir.get_ref().clone());
        if journal.dir.get_ref().as_os_str().is_empty() {
            self.wrong(&journal.dir, "dir: expected the name of a folder");
        }
        JournalPlan {
            segment: match &journal.segment {
                Some(text) => self.journal_segment(text),
                None => plan.segment,
            },
            keep: journal.keep.as_ref().map(|keep| {
                let n = (*keep.get_ref(), keep.span());
                self.within("keep", n, 1..=1 << 32) as u64
            }),
            queue: self.power_of_two("queue", &journal.queue, plan.queue, 64..=JOURNAL_QUEUE_MAX),
            sync: journal.sync,
            ..plan
        }
    }

    /// A segment of at most so many bytes: a header and whole blocks.
    fn journal_segment(&mut self, text: &Spanned<ByteSize>) -> usize {
        let options = JournalOptions::new(0);
        let bytes = text.get_ref().0;
        if !(JOURNAL_SEGMENT_MIN..=JOURNAL_SEGMENT_MAX).contains(&bytes) {
            self.wrong(text, "`segment` is out of range: expected 68KiB to 16GiB");
            return options.segment;
        }
        let header = options.segment % options.block;
        let bytes = bytes as usize;
        header + (bytes - header) / options.block * options.block
    }

    fn book(&mut self, book: &file::Book) -> BookPlan {
        let mut room = |key, value, default, most| {
            let n = number(value, default);
            self.within(key, n, 1..=most)
        };
        BookPlan {
            keep: book.keep,
            limits: BookLimits {
                orders: room("orders", &book.orders, BOOK_ORDERS, BOOK_ORDERS_MAX),
                levels: room("levels", &book.levels, BOOK_LEVELS, BOOK_ORDERS_MAX),
                instruments: room(
                    "instruments",
                    &book.instruments,
                    BOOK_INSTRUMENTS,
                    BOOK_INSTRUMENTS_MAX,
                ),
            },
            publish_bbo: book.publish_bbo.unwrap_or(true),
        }
    }

    fn consumers(
        &mut self,
        consumers: &[file::Consumer],
        lanes: &[file::Lane],
    ) -> Vec<ConsumerPlan> {
        let mut taken = Taken::new();
        let mut all = Vec::with_capacity(consumers.len());
        for c in consumers {
            let file::ConsumerKind::Blocking = c.kind;
            all.push(ConsumerPlan {
                name: self.name("consumer", &c.name, &mut taken),
                queue: self.within(
                    "queue",
                    number(&c.queue, CONSUMER_QUEUE),
                    1..=CONSUMER_QUEUE_MAX,
                ),
                when_full: c.when_full,
                trust: c.trust,
                lanes: self.consumer_lanes(c, lanes),
            });
        }
        all
    }

    fn consumer_lanes(&mut self, consumer: &file::Consumer, lanes: &[file::Lane]) -> Vec<usize> {
        let Some(names) = &consumer.lanes else {
            return (0..lanes.len()).collect();
        };
        if names.get_ref().is_empty() {
            self.wrong(
                names,
                "a consumer of no lane: expected names of lanes, or no `lanes` for all",
            );
        }
        let mut heard = Vec::new();
        for name in names.get_ref() {
            match self.lane_index(name, lanes) {
                Some(i) if heard.contains(&i) => {
                    self.wrong(name, format!("lane `{}` is named twice", name.get_ref()));
                }
                Some(i) => heard.push(i),
                None => {}
            }
        }
        heard.sort_unstable();
        heard
    }

    /// Nothing is a number here too: that there are no digests.
    fn digest_every(&mut self, value: &Option<Spanned<u64>>) -> u64 {
        match value {
            Some(every) if *every.get_ref() == 0 => 0,
            _ => {
                let (default, range) = (DIGEST_EVERY as usize, 1..=DIGEST_EVERY_MAX);
                self.power_of_two("digest_every", value, default, range) as u64
            }
        }
    }

    fn name(&mut self, what: &str, name: &Spanned<String>, taken: &mut Taken) -> String {
        let text = name.get_ref();
        let letters = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
        if text.is_empty() || text.len() > NAME_BYTES_MAX || !text.bytes().all(letters) {
            self.wrong(
                name,
                format!("{what} name {text:?}: expected 1 to {NAME_BYTES_MAX} letters, digits, `_`, `.` or `-`"),
            );
        } else if let Some(first) = taken.get(text) {
            let at = self.line_of(first.clone());
            self.wrong(
                name,
                format!("{what} `{text}` already exists (line {at}): expected another name"),
            );
        }
        taken.entry(text.clone()).or_insert(name.span());
        text.clone()
    }

    fn power_of_two(
        &mut self,
        key: &str,
        value: &Option<Spanned<u64>>,
        default: usize,
        range: RangeInclusive<usize>,
    ) -> usize {
        let n = self.within(key, number(value, default), range);
        if let Some(text) = value
            && !n.is_power_of_two()
        {
            self.wrong(text, format!("`{key}` is {n}: expected a power of two"));
            return default;
        }
        n
    }

    /// The number when it lies in `range`, else the range's start after noting it.
    fn within(&mut self, key: &str, n: (u64, Range<usize>), range: RangeInclusive<usize>) -> usize {
        match usize::try_from(n.0) {
            Ok(value) if range.contains(&value) => value,
            _ => {
                let (low, high) = (range.start(), range.end());
                self.note(n.1, format!("`{key}` is {}: expected {low} to {high}", n.0));
                *low
            }
        }
    }

    fn wrong<T>(&mut self, at: &Spanned<T>, message: impl ToString) {
        self.note(at.span(), message.to_string());
    }

    fn note(&mut self, at: Range<usize>, message: String) {
        self.problems.push((at, message));
    }

    fn line_of(&self, at: Range<usize>) -> usize {
        place(self.text, at.start).0
    }
}

/// A number and where it stands, or its default, which stands nowhere.
fn number(value: &Option<Spanned<u64>>, default: usize) -> (u64, Range<usize>) {
    match value {
        Some(v) => (*v.get_ref(), v.span()),
        None => (default as u64, 0..0),
    }
}
