//! Changes of books, judged when their event ends: for ITCH with each message.
//!
//! What an event changes and changes back is no change; else there is one for each instrument, in the order in which the
//! event touched them, at the message that ended it; an event of one instrument alone ends no other's. A new session
//! empties the books, which is judged of every instrument that has been told of, at no known time.

use super::kept::Watch;
use crate::book::{Books, Change};
use feed_common::event::{Flags, MsgCtx, NO_INSTRUMENT, NO_SYMBOL, Name, Trust};
use feed_common::time::UnixNanos;

/// Judges what has become of an instrument.
pub trait Judge {
    /// What was told last of an instrument; its default is what an instrument begins with.
    type Told: Clone + Default;

    /// Whether a change can be one that is told.
    fn concerns(&self, change: Change) -> bool;

    /// The event that changed an instrument has ended: tells what is other than it was told.
    fn judge(&mut self, books: &Books, at: &At, told: &mut Self::Told);
}

/// Which instrument, and the message that ended the event.
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// The channel's number.
    pub channel: u16,
    /// The instrument's number in it.
    pub instrument: u32,
    /// Its symbol.
    pub symbol: [u8; 8],
    /// Sequence number of the message.
    pub sequence: u64,
    /// Its time, or unknown.
    pub time: UnixNanos,
    /// The time counts from midnight.
    pub undated: bool,
    /// How far the instrument can be believed.
    pub trust: Trust,
}

impl At {
    /// The whole name, as far as it is known by now.
    pub fn name(&self, books: &Books) -> Name {
        books.name(self.instrument, self.symbol)
    }
}

/// Watches books for a [`Judge`].
#[derive(Debug)]
pub struct Changes<J: Judge> {
    judge: J,
    /// By channel and instrument.
    seen: Vec<Vec<Seen<J::Told>>>,
    /// By channel: the instruments that the event at hand has changed, each once.
    open: Vec<Vec<u32>>,
    undated: bool,
}

#[derive(Clone, Debug)]
struct Seen<T> {
    symbol: [u8; 8],
    told: T,
    /// Where a change was made that its event has not ended.
    open: Option<Open>,
}

/// What is known of an event that does not end.
#[derive(Clone, Copy, Debug)]
struct Open {
    sequence: u64,
    time: UnixNanos,
    undated: bool,
    trust: Trust,
}

impl Open {
    fn of(cx: &MsgCtx) -> Open {
        Open {
            sequence: cx.sequence,
            time: cx.timestamp,
            undated: cx.flags.has(Flags::NO_DATE),
            trust: cx.trust,
        }
    }
}

impl<J: Judge> Changes<J> {
    /// Nothing has been told.
    pub fn new(judge: J) -> Changes<J> {
        Changes {
            judge,
            seen: Vec::new(),
            open: Vec::new(),
            undated: false,
        }
    }

    /// Who judges.
    pub fn judge(&self) -> &J {
        &self.judge
    }

    /// True when there were times without a date.
    pub fn is_undated(&self) -> bool {
        self.undated
    }

    /// Who judges, in the end.
    pub fn into_judge(self) -> J {
        self.judge
    }

    /// The end of the capture is the end of every event. `books` by channel.
    pub fn finish(&mut self, books: &[Books]) -> &mut J {
        for (channel, books) in books.iter().enumerate() {
            for instrument in self.take_open(channel) {
                if let Some(open) = self.at(channel, instrument).open {
                    self.judged(books, channel, instrument, open);
                }
            }
        }
        &mut self.judge
    }

    fn at(&mut self, channel: usize, instrument: u32) -> &mut Seen<J::Told> {
        if self.seen.len() <= channel {
            self.seen.resize(channel + 1, Vec::new());
            self.open.resize(channel + 1, Vec::new());
        }
        let (seen, at) = (&mut self.seen[channel], instrument as usize);
        if seen.len() <= at {
            let nothing = Seen {
                symbol: NO_SYMBOL,
                told: J::Told::default(),
                open: None,
            };
            seen.resize(at + 1, nothing);
        }
        &mut seen[at]
    }

    /// The instruments whose changes have not been judged, which they are now.
    fn take_open(&mut self, channel: usize) -> Vec<u32> {
        self.open
            .get_mut(channel)
            .map_or_else(Vec::new, std::mem::take)
    }

    fn judged(&mut self, books: &Books, channel: usize, instrument: u32, end: Open) {
        let seen = &mut self.seen[channel][instrument as usize];
        seen.open = None;
        let at = At {
            channel: channel as u16,
            instrument,
            symbol: seen.symbol,
            sequence: end.sequence,
            time: end.time,
            undated: end.undated,
            trust: match books.is_suspect(instrument) {
                true => Trust::SUSPECT,
                false => end.trust,
            },
        };
        self.judge.judge(books, &at, &mut seen.told);
    }
}

impl<J: Judge> Watch for Changes<J> {
    #[inline]
    fn changed(&mut self, _: &Books, cx: &MsgCtx, change: Change) {
        let (channel, instrument) = (usize::from(cx.channel), cx.instrument);
        if instrument == NO_INSTRUMENT || !self.judge.concerns(change) {
            return;
        }
        self.undated |= cx.flags.has(Flags::NO_DATE);
        let seen = self.at(channel, instrument);
        seen.symbol = cx.symbol;
        let before = seen.open.replace(Open::of(cx));
        if before.is_none() {
            self.open[channel].push(instrument);
        }
    }

    #[inline]
    fn ended(&mut self, books: &Books, cx: &MsgCtx) {
        let channel = usize::from(cx.channel);
        if self.open.get(channel).is_none_or(Vec::is_empty) {
            return;
        }
        let end = Open::of(cx);
        if cx.flags.has(Flags::OF_INSTRUMENT) {
            let open = &mut self.open[channel];
            // Most often the last: what stays open longer has lost its end.
            if let Some(at) = open.iter().rposition(|&i| i == cx.instrument) {
                open.remove(at);
                self.judged(books, channel, cx.instrument, end);
            }
            return;
        }
        let mut open = self.take_open(channel);
        for instrument in open.drain(..) {
            self.judged(books, channel, instrument, end);
        }
        self.open[channel] = open; // for its memory
    }

    fn restarted(&mut self, books: &Books, cx: &MsgCtx) {
        let channel = usize::from(cx.channel);
        self.take_open(channel);
        let end = Open {
            time: UnixNanos::UNKNOWN,
            ..Open::of(cx)
        };
        for instrument in 0..self.seen.get(channel).map_or(0, Vec::len) {
            self.judged(books, channel, instrument as u32, end);
        }
    }
}
