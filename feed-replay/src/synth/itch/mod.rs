//! A Nasdaq TotalView-ITCH 5.0 session: a trading day with the quiet hours left out.
//!
//! | phase | messages |
//! |---|---|
//! | start | `S`=O; per instrument `R`, `H` and, but for short sessions, `Y` and two `L`; `K` of an offering; `S`=S, `V` |
//! | before the open | orders gather (`A F D U X`) and may cross each other, imbalances (`I`); then a second of silence |
//! | open, 09:30 | `S`=Q; per instrument executions without print (`C`) and the cross (`Q`) |
//! | market hours | order flow; halts, pauses, suspensions, listings ([`halts`]); notices (`N L Y B`); at last `I` |
//! | close | `S`=M; the closing crosses, orders leave; a second of silence |
//! | end | `S`=E, `S`=C |
//!
//! The open is at 09:30 New York time; the close comes when the messages are used up, not at 16:00, so that a session
//! of a million messages is ten seconds of busy trading and not a day of idling. The smallest session is 10 messages:
//! the frame around one instrument.
//!
//! [`market`] has the instruments, [`price`] what they are worth, [`orders`] their books, [`action`] what can
//! happen to the orders and [`flow`] how, [`auction`] the crosses, [`day`] what happens when.

mod action;
mod auction;
mod day;
mod flow;
mod halts;
mod instrument;
mod market;
mod notices;
mod orders;
mod price;
mod tape;

use super::arrivals::Arrivals;
use super::rng::Rng;
use super::{MessageSink, OPEN, SECOND, Spec, Summary};
use day::{Day, Features};
use feed_common::time::UnixNanos;
use instrument::{Listing, State};
use market::Market;
use std::io;
use tape::Tape;

/// Silence before the open and after the close: long enough for a heartbeat.
const SILENCE: u64 = SECOND + SECOND / 10;

/// How a session's messages are divided.
struct Budget {
    messages: u64,
    symbols: u64,
    /// Whether instruments are announced with all that is known about them.
    detailed: bool,
    /// Messages that are not the frame: about orders, nearly all of them.
    flow: u64,
}

impl Budget {
    /// System events.
    const SYSTEM: u64 = 6;
    /// Messages that each instrument has at least: announced, tradable, and its two crosses.
    const PLAIN: u64 = 4;
    /// The same with all details.
    const DETAILED: u64 = 7;
    /// Flow below this is too short for listings.
    const LISTINGS: u64 = 5_000;
    /// One halt at most per so many messages of flow.
    const HALT: u64 = 1_000;

    /// At least half of the messages are about orders.
    fn new(spec: &Spec) -> Budget {
        let messages = spec.messages.max(Self::SYSTEM + Self::PLAIN);
        let most = ((messages - Self::SYSTEM) / (2 * Self::PLAIN)).max(1);
        let symbols = u64::from(spec.symbols).min(most);
        let detailed = 2 * (Self::SYSTEM + 1 + Self::DETAILED * symbols) <= messages;
        let frame = match detailed {
            true => Self::SYSTEM + 1 + Self::DETAILED * symbols,
            false => Self::SYSTEM + Self::PLAIN * symbols,
        };
        Budget {
            messages,
            symbols,
            detailed,
            flow: messages - frame,
        }
    }

    /// Messages before the open, but for the announcements.
    fn gathering(&self) -> u64 {
        self.flow / 12
    }

    /// Executions in the closing crosses, and what happens after them.
    fn closing(&self) -> u64 {
        self.flow / 40
    }

    /// The closing crosses with what belongs to them, and `S`=M, E, C.
    fn reserve(&self) -> u64 {
        self.symbols + 3 + self.closing()
    }

    /// Instruments listed today: an offering and a direct listing, if there is time and company for them.
    fn has_listings(&self) -> bool {
        self.symbols >= 8 && self.flow >= Self::LISTINGS
    }

    fn halts(&self, spec: &Spec) -> u64 {
        u64::from(spec.halts).min(self.flow / Self::HALT)
    }

    /// The breaker takes a handful of messages per instrument, and its halt must leave most of the day.
    fn has_breaker(&self, spec: &Spec) -> bool {
        spec.breaker && self.flow >= 40 * self.symbols
    }
}

/// Writes a session to `sink`. The specification has been checked.
pub(super) fn session(spec: &Spec, sink: &mut dyn MessageSink) -> io::Result<Summary> {
    let budget = Budget::new(spec);
    let mut rng = Rng::new(spec.seed);
    let market = Rng::new(rng.next_u64());
    let market = Market::new(market, budget.symbols as u16, budget.flow, &spec.mix);
    // Twice what these take on average; a full day's worth still begins after midnight.
    let before_open = budget.messages - budget.flow + budget.gathering();
    let start = u128::from(before_open) * u128::from(SECOND) * 2 / u128::from(spec.rate);
    let start = OPEN - SILENCE - SILENCE / 4 - start as u64;
    let mut session = Session {
        market,
        tape: Tape::new(sink, budget.messages),
        arrivals: Arrivals::new(Rng::new(rng.next_u64()), start, spec.rate, spec.bursts),
        budget,
        rng,
    };
    let day = session.start(spec)?;
    session.gather()?;
    session.open()?;
    session.trade(day)?;
    session.close()?;
    session.end()?;
    Ok(session.summary(spec))
}

struct Session<'a> {
    budget: Budget,
    market: Market,
    tape: Tape<'a>,
    arrivals: Arrivals,
    rng: Rng,
}

impl Session<'_> {
    /// The announcements; the day that follows them.
    fn start(&mut self, spec: &Spec) -> io::Result<Day> {
        let mut listings = Vec::new();
        if self.budget.has_listings() {
            listings.push(self.market.list(Listing::Offering));
            listings.push(self.market.list(Listing::Direct));
        }
        let length = self.budget.flow - self.budget.gathering() - self.budget.closing();
        let features = Features {
            length,
            halts: self.budget.halts(spec),
            breaker: self.budget.has_breaker(spec),
            listings: &listings,
        };
        let day = Day::new(Rng::new(self.rng.next_u64()), &features);

        self.step(1);
        self.tape.system(b'O')?;
        let mut before = self.tape.left;
        for i in 0..self.market.len() {
            self.step(before - self.tape.left);
            before = self.tape.left;
            self.market
                .announce(&mut self.tape, i, self.budget.detailed)?;
        }
        if let Some(&offering) = listings.first()
            && let Some(quoted) = day.quotation_of(offering)
        {
            self.step(1);
            let release = OPEN / SECOND + quoted / spec.rate + 1;
            self.market
                .announce_quotation(&mut self.tape, offering, release as u32)?;
        }
        self.step(1);
        self.tape.system(b'S')?;
        if self.budget.detailed {
            self.step(1);
            let index = self.rng.between(550_000, 750_000);
            self.tape.breaker_levels(index)?;
        }
        Ok(day)
    }

    fn gather(&mut self) -> io::Result<()> {
        for _ in 0..self.budget.gathering() {
            self.step(1);
            self.market.happen(&mut self.tape, false, 1)?;
        }
        Ok(())
    }

    fn open(&mut self) -> io::Result<()> {
        self.arrivals.skip_to((self.tape.now() + SILENCE).max(OPEN));
        self.step(0);
        self.tape.system(b'Q')?;
        // Executions of hidden orders, besides those of displayed ones: each of these takes part once at most, and there
        // are no more of them than there have been messages.
        let mut hidden = self.budget.flow / 20;
        for i in 0..self.market.len() {
            if !self.market.is_opening(i) {
                continue; // listed later
            }
            self.step(1);
            let needs = self.market.cross_needs(i);
            let before = self.tape.left;
            self.market
                .cross(&mut self.tape, i, b'O', needs + hidden.min(4))?;
            hidden -= (before - self.tape.left - 1).saturating_sub(needs);
            self.market.set_state(i, State::Trading);
        }
        Ok(())
    }

    /// Market hours.
    fn trade(&mut self, mut day: Day) -> io::Result<()> {
        let total = self.room();
        let mut last = 1;
        while self.room() > 0 {
            self.step(last);
            let room = self.room();
            let done = total - room;
            let what = day.due(done).or_else(|| day.notice());
            if let Some(what) = what {
                day.perform(what, &mut self.market, &mut self.tape, done, room)?;
            } else if room < total / 10 && self.rng.chance(1, 150) {
                // In the last tenth the closing auctions are announced.
                if let Some(i) = self.market.draw_trading() {
                    self.market.imbalance(&mut self.tape, i)?;
                }
            } else {
                let in_burst = self.arrivals.in_burst();
                if !self.market.happen(&mut self.tape, in_burst, room)? {
                    self.wait(&mut day, done)?;
                }
            }
            last = room - self.room();
        }
        Ok(())
    }

    /// Nothing can happen to any order: on to what is planned next. One message at least.
    fn wait(&mut self, day: &mut Day, done: u64) -> io::Result<()> {
        let before = self.tape.left;
        while self.tape.left == before {
            let room = self.room();
            match day.hasten() {
                Some(what) => day.perform(what, &mut self.market, &mut self.tape, done, room)?,
                None => {
                    let i = self.market.draw();
                    self.tape.retail(self.market.name(i), b'N')?;
                }
            }
        }
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        self.step(1);
        self.tape.system(b'M')?;
        let mut executions = self.budget.closing() / 2;
        for i in 0..self.market.len() {
            self.step(1);
            let before = self.tape.left;
            self.market
                .cross(&mut self.tape, i, b'C', executions.min(6))?;
            executions -= before - self.tape.left - 1;
            self.market.set_state(i, State::Closed);
        }
        // Whatever is left, up to the last two messages.
        while self.tape.left > 2 {
            self.step(1);
            self.market.happen(&mut self.tape, false, 1)?;
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.arrivals.skip_to(self.tape.now() + SILENCE);
        self.step(0);
        self.tape.system(b'E')?;
        self.step(1);
        self.tape.system(b'C')
    }

    /// Messages up to the close.
    fn room(&self) -> u64 {
        self.tape.left.saturating_sub(self.budget.reserve())
    }

    /// On to the next event, when the one before it took `messages` messages.
    #[inline]
    fn step(&mut self, messages: u64) {
        let now = self.arrivals.next(messages);
        self.tape.event(now);
    }

    fn summary(&self, spec: &Spec) -> Summary {
        let midnight = spec.midnight().0;
        let by_type = &self.tape.by_type;
        let named = (0..=255u8).filter(|&t| by_type[usize::from(t)] > 0);
        Summary {
            messages: by_type.iter().sum(),
            bytes: self.tape.bytes,
            symbols: self.budget.symbols,
            by_type: named
                .map(|t| ((t as char).to_string(), by_type[usize::from(t)]))
                .collect(),
            first: UnixNanos(midnight + self.tape.first.unwrap_or(0)),
            last: UnixNanos(midnight + self.tape.now()),
            ..Summary::default()
        }
    }
}
