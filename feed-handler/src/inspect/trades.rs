//! What has traded, by symbol.
//!
//! Prints only: trades of hidden orders, crosses with shares, executions, and executions at another price when they are
//! printable. A break takes its print away from count and volume; the last price stays. An execution of an order that
//! is not in the book is a print all the same, at a price nobody knows.

use super::kept::{Broken, Print, Watch};
use super::rows::{Cell, Column, RowFormat, counts, header, row};
use super::text::separate;
use crate::book::Books;
use crate::publish::Outlet;
use feed_common::event::{
    MarketHandler, MsgCtx, NO_INSTRUMENT, NO_SYMBOL, Name, Price, TradeBreak,
};
use std::collections::HashMap;
use std::io::{self, Write};

/// Breaks that are taken account of; a day has a few hundred at most.
const BREAKS_MAX: usize = 1 << 20;

const COLUMNS: [Column; 4] = [
    Column("symbol", 8),
    Column("count", 12),
    Column("volume", 16),
    Column("last_price", 16),
];

/// Channel, session of the channel, match number.
type Match = (u16, u32, u64);

/// The match numbers that a capture breaks, gathered before its prints are counted: they are all of the prints that
/// have to be remembered.
#[derive(Debug, Default)]
pub struct Breaks {
    broken: HashMap<Match, Voided>,
    sessions: Vec<u32>,
    over: u64,
}

/// The prints of a match number that is going to be broken, once they have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Voided {
    /// Of which instrument.
    pub instrument: u32,
    /// Its symbol.
    pub symbol: [u8; 8],
    /// How many.
    pub prints: u64,
    /// What traded in them.
    pub quantity: u64,
}

impl Breaks {
    /// For so many channels.
    pub fn new(channels: usize) -> Breaks {
        Breaks {
            sessions: vec![0; channels],
            ..Breaks::default()
        }
    }

    /// The capture is about to be gone through again, for its prints.
    pub fn again(self) -> Breaks {
        let channels = self.sessions.len();
        Breaks {
            sessions: vec![0; channels],
            ..self
        }
    }

    /// Breaks beyond those that are taken account of.
    pub fn over(&self) -> u64 {
        self.over
    }

    /// A print, which is remembered if it is going to be broken.
    pub fn printed(&mut self, cx: &MsgCtx, print: &Print) {
        if let (Some(match_id), false) = (print.match_id, self.broken.is_empty()) {
            let key = (cx.channel, session(&self.sessions, cx), match_id);
            if let Some(voided) = self.broken.get_mut(&key) {
                voided.instrument = cx.instrument;
                voided.symbol = cx.symbol;
                voided.prints += 1;
                voided.quantity = voided.quantity.saturating_add(print.quantity);
            }
        }
    }

    /// What a break voids: no prints where they never came, or were broken before; `None` where it is one beyond those
    /// that are taken account of.
    pub fn broken(&mut self, cx: &MsgCtx, broken: Broken) -> Option<Voided> {
        match broken {
            Broken::Match(match_id) => {
                let key = (cx.channel, session(&self.sessions, cx), match_id);
                self.broken.get_mut(&key).map(std::mem::take)
            }
            Broken::Quantity(quantity) if cx.instrument != NO_INSTRUMENT => Some(Voided {
                instrument: cx.instrument,
                symbol: cx.symbol,
                prints: 1,
                quantity,
            }),
            Broken::Quantity(_) => Some(Voided::default()),
        }
    }

    /// A new session: its match numbers are others.
    pub fn restarted(&mut self, cx: &MsgCtx) {
        turn(&mut self.sessions, cx);
    }
}

impl Outlet for Breaks {
    fn published(&self) -> u64 {
        self.broken.len() as u64
    }
}

impl MarketHandler for Breaks {
    fn on_trade_break(&mut self, cx: &MsgCtx, m: TradeBreak) {
        let key = (cx.channel, session(&self.sessions, cx), m.match_id);
        if self.broken.len() < BREAKS_MAX || self.broken.contains_key(&key) {
            self.broken.entry(key).or_default();
        } else {
            self.over += 1;
        }
    }

    fn on_restart(&mut self, cx: &MsgCtx) {
        self.restarted(cx);
    }
}

fn session(sessions: &[u32], cx: &MsgCtx) -> u32 {
    sessions.get(usize::from(cx.channel)).copied().unwrap_or(0)
}

fn turn(sessions: &mut [u32], cx: &MsgCtx) {
    if let Some(session) = sessions.get_mut(usize::from(cx.channel)) {
        *session = session.wrapping_add(1);
    }
}

/// Counts prints.
#[derive(Debug)]
pub struct Trades {
    breaks: Breaks,
    /// By channel and instrument.
    totals: Vec<Vec<Total>>,
    unknown_breaks: u64,
}

/// What an instrument has traded.
#[derive(Clone, Copy, Debug)]
struct Total {
    symbol: [u8; 8],
    count: u64,
    volume: u64,
    last: Price,
}

impl Total {
    const NOTHING: Total = Total {
        symbol: NO_SYMBOL,
        count: 0,
        volume: 0,
        last: Price::NULL,
    };
}

impl Trades {
    /// Nothing has traded yet. The breaks are those of the same capture.
    pub fn new(breaks: Breaks) -> Trades {
        Trades {
            totals: vec![Vec::new(); breaks.sessions.len()],
            breaks: breaks.again(),
            unknown_breaks: 0,
        }
    }

    /// Breaks of prints that never came, or that were broken before.
    pub fn unknown_breaks(&self) -> u64 {
        self.unknown_breaks
    }

    /// Breaks beyond those that are taken account of.
    pub fn breaks_over(&self) -> u64 {
        self.breaks.over()
    }

    /// Prints the totals by name, then channel; in JSON one document with `trades` and `faults`. `books` are those that
    /// were watched, by channel: they know the names.
    pub fn write<'a>(
        &self,
        books: &[Books],
        format: RowFormat,
        faults: impl IntoIterator<Item = (&'a str, u64)>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let mut all: Vec<(Name, usize, &Total)> = Vec::new();
        for ((channel, totals), books) in self.totals.iter().enumerate().zip(books) {
            for (instrument, total) in (0..).zip(totals) {
                if total.symbol != NO_SYMBOL {
                    all.push((books.name(instrument, total.symbol), channel, total));
                }
            }
        }
        all.sort_by_key(|&(name, channel, _)| (name, channel));
        let mut to = Vec::new();
        if format == RowFormat::Json {
            to.extend(b"{\"trades\":[");
        }
        header(format, &COLUMNS, &mut to);
        for (i, (name, _, total)) in all.iter().enumerate() {
            if format == RowFormat::Json {
                separate(i, b',', &mut to);
                to.push(b'\n');
            }
            let cells = [
                Cell::Symbol(name.as_bytes()),
                Cell::Number(total.count),
                Cell::Number(total.volume),
                Cell::Price(total.last),
            ];
            row(format, &COLUMNS, &cells, &mut to);
            if format == RowFormat::Json {
                to.push(b'}');
            }
        }
        if format == RowFormat::Json {
            to.extend(b"],\n\"faults\":");
            counts(faults, &mut to);
            to.extend(b"}\n");
        }
        out.write_all(&to)?;
        out.flush()
    }

    fn total(&mut self, channel: u16, instrument: u32) -> Option<&mut Total> {
        let totals = self.totals.get_mut(usize::from(channel))?;
        let at = instrument as usize;
        if totals.len() <= at {
            totals.resize(at + 1, Total::NOTHING);
        }
        totals.get_mut(at)
    }

    fn void(&mut self, channel: u16, voided: Voided) {
        if let Some(total) = self.total(channel, voided.instrument) {
            total.count = total.count.saturating_sub(voided.prints);
            total.volume = total.volume.saturating_sub(voided.quantity);
        }
    }
}

impl Watch for Trades {
    fn printed(&mut self, _: &Books, cx: &MsgCtx, print: Print) {
        let symbol = cx.symbol;
        let Some(total) = self.total(cx.channel, cx.instrument) else {
            return;
        };
        total.symbol = symbol;
        total.count += 1;
        // Hostile quantities of 64 bits could leave the range.
        total.volume = total.volume.saturating_add(print.quantity);
        if print.price.is_some() {
            total.last = print.price;
        }
        self.breaks.printed(cx, &print);
    }

    fn broken(&mut self, _: &Books, cx: &MsgCtx, broken: Broken) {
        match self.breaks.broken(cx, broken) {
            Some(v) if v.prints > 0 => self.void(cx.channel, v),
            Some(_) => self.unknown_breaks += 1,
            None => {} // one beyond those that are gathered, which is counted there
        }
    }

    fn restarted(&mut self, _: &Books, cx: &MsgCtx) {
        self.breaks.restarted(cx);
    }
}
