//! What is to happen in market hours besides order flow, and when: halts and their ends, listings, notices. Times are
//! messages since the open, so a session of any length has the same course.

use super::instrument::Halt;
use super::market::Market;
use super::tape::Tape;
use crate::synth::rng::Rng;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

/// Something that is to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Happening {
    /// Some instrument stops.
    Stop(Halt),
    /// The orders of an instrument begin to gather for its cross.
    Quote(usize),
    /// More is told about an instrument that is quoted; the number of the telling.
    Discover(usize, u8),
    /// An instrument trades again, or for the first time.
    Reopen(usize),
    /// A market stops trading some instrument.
    Suspend,
    /// The market with this letter goes on trading an instrument.
    Lift(usize, u8),
    /// The circuit breaker stops everything, its instruments are quoted, and trade again.
    Break,
    BreakerQuote,
    BreakerReopen,
    /// A notice of some kind.
    Notice(Notice),
}

/// Messages that change nothing but what receivers know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notice {
    /// Retail orders wait for an instrument.
    Retail,
    /// A market maker withdraws, or is active again.
    Participant,
    /// An instrument fell so far that short sales are restricted.
    ShortSale,
    /// A print is void.
    Broken,
}

impl Notice {
    /// Draws one; broken trades are the rarest.
    fn draw(rng: &mut Rng) -> Notice {
        match rng.below(32) {
            0..=21 => Notice::Retail,
            22..=28 => Notice::Participant,
            29..=30 => Notice::ShortSale,
            _ => Notice::Broken,
        }
    }
}

/// The course of market hours.
pub struct Day {
    rng: Rng,
    /// Messages of market hours.
    length: u64,
    /// What is to happen and when, the next at the top; what was planned first breaks ties.
    plan: BinaryHeap<Reverse<(u64, u32, Happening)>>,
    planned: u32,
}

/// What a session's day has besides its order flow.
pub struct Features<'a> {
    /// Messages of market hours.
    pub length: u64,
    /// Halts for news and pauses for volatility, in turn.
    pub halts: u64,
    /// Whether all instruments are halted once.
    pub breaker: bool,
    /// Instruments that are listed today.
    pub listings: &'a [usize],
}

impl Day {
    /// One event in so many is a notice.
    const NOTICE_ONE_IN: u64 = 2_000;
    /// Market hours below this length have no notices and no suspension.
    const EVENTFUL: u64 = 1_000;

    /// Plans a day.
    pub fn new(mut rng: Rng, features: &Features) -> Day {
        let mut day = Day {
            rng: Rng::new(rng.next_u64()),
            length: features.length,
            plan: BinaryHeap::new(),
            planned: 0,
        };
        for (nth, &i) in features.listings.iter().enumerate() {
            let quoted = 8 + 4 * nth as u64;
            day.at(quoted, Happening::Quote(i));
            day.at(quoted + 3, Happening::Discover(i, 1));
            day.at(quoted + 5, Happening::Discover(i, 2));
            day.at(quoted + 6, Happening::Reopen(i));
        }
        for nth in 0..features.halts {
            let halt = if nth % 2 == 0 {
                Halt::Volatility
            } else {
                Halt::News
            };
            // Spread over what lies between 12 and 80 percent, with some luck.
            let at = 12_000 + (nth * 1_000 + rng.below(1_000)) * 68 / features.halts;
            day.at_part(at, Happening::Stop(halt));
        }
        if features.breaker {
            day.at(50, Happening::Break);
            day.at(53, Happening::BreakerQuote);
            day.at(57, Happening::BreakerReopen);
        }
        if features.length >= Self::EVENTFUL {
            day.at_part(rng.between(25_000, 60_000), Happening::Suspend);
            use Notice::{Broken, Participant, Retail, ShortSale};
            for notice in [Retail, Participant, ShortSale, Broken] {
                day.at_part(rng.between(15_000, 90_000), Happening::Notice(notice));
            }
        }
        day
    }

    /// What is due after `done` messages of market hours.
    pub fn due(&mut self, done: u64) -> Option<Happening> {
        match self.plan.peek() {
            Some(&Reverse((at, _, what))) if at <= done => {
                self.plan.pop();
                Some(what)
            }
            _ => None,
        }
    }

    /// Whatever is next, without waiting for its time.
    pub fn hasten(&mut self) -> Option<Happening> {
        self.plan.pop().map(|Reverse((_, _, what))| what)
    }

    /// Now and then, a notice.
    pub fn notice(&mut self) -> Option<Happening> {
        let now = self.length >= Self::EVENTFUL && self.rng.chance(1, Self::NOTICE_ONE_IN);
        now.then(|| Happening::Notice(Notice::draw(&mut self.rng)))
    }

    /// When the quotation of an instrument opens, in messages of market hours.
    pub fn quotation_of(&self, i: usize) -> Option<u64> {
        self.plan
            .iter()
            .find_map(|&Reverse((at, _, what))| (what == Happening::Quote(i)).then_some(at))
    }

    /// It happens, after `done` messages of market hours. `room` messages may be written.
    pub fn perform(
        &mut self,
        what: Happening,
        market: &mut Market,
        tape: &mut Tape,
        done: u64,
        room: u64,
    ) -> io::Result<()> {
        if room < Market::STOP_MAX {
            return Ok(());
        }
        match what {
            Happening::Stop(halt) => {
                if let Some(i) = market.draw_trading() {
                    self.follow(done, halt, i);
                    market.stop(tape, i, halt)?;
                }
            }
            Happening::Quote(i) => {
                market.open_quotation(tape, i)?;
            }
            Happening::Discover(i, step) => market.discover(tape, i, step)?,
            Happening::Reopen(i) => market.reopen(tape, i, room)?,
            Happening::Suspend => {
                if let Some(i) = market.draw_trading() {
                    let code = b"QBX"[self.rng.below(3) as usize];
                    self.after(done, 4, Happening::Lift(i, code));
                    market.operational(tape, i, code, true)?;
                }
            }
            Happening::Lift(i, code) => market.operational(tape, i, code, false)?,
            Happening::Break => {
                if room > market.len() as u64 {
                    market.stop_all(tape)?;
                }
            }
            Happening::BreakerQuote | Happening::BreakerReopen => {
                let end = tape.left - room;
                for i in market.stopped_by_breaker() {
                    let room = tape.left - end;
                    if room < Market::STOP_MAX {
                        break;
                    }
                    match what {
                        Happening::BreakerQuote => market.open_quotation(tape, i)?,
                        _ => market.reopen(tape, i, room)?,
                    }
                }
            }
            Happening::Notice(notice) => self.tell(notice, market, tape)?,
        }
        Ok(())
    }

    /// The course of a halt that begins now, in percent of the day.
    fn follow(&mut self, done: u64, halt: Halt, i: usize) {
        let (quoted, reopened) = match halt {
            Halt::Volatility => (2, 4),
            _ => (5, 8),
        };
        self.after(done, quoted, Happening::Quote(i));
        if halt == Halt::Volatility && self.rng.chance(1, 2) {
            self.after(done, quoted + 1, Happening::Discover(i, 1));
        }
        self.after(done, reopened, Happening::Reopen(i));
    }

    fn tell(&mut self, notice: Notice, market: &mut Market, tape: &mut Tape) -> io::Result<()> {
        let i = market.draw();
        let name = market.name(i);
        match notice {
            Notice::Retail => tape.retail(name, b"BSAN"[self.rng.below(4) as usize]),
            Notice::Participant => {
                let state = b"AAEW"[self.rng.below(4) as usize];
                tape.participant(name, market.maker(i), false, state)
            }
            Notice::ShortSale => tape.short_sale(name, b'1'),
            Notice::Broken => match market.breakable() {
                Some((name, number)) => tape.broken(name, number),
                None => Ok(()),
            },
        }
    }

    fn at(&mut self, percent: u64, what: Happening) {
        self.at_part(percent * 1_000, what);
    }

    /// Plans for a part of the day in thousandths of a percent.
    fn at_part(&mut self, part: u64, what: Happening) {
        let at = u128::from(self.length) * u128::from(part) / 100_000;
        self.push(at as u64, what);
    }

    fn after(&mut self, done: u64, percent: u64, what: Happening) {
        self.push(done + self.length * percent / 100, what);
    }

    fn push(&mut self, at: u64, what: Happening) {
        self.planned += 1;
        self.plan.push(Reverse((at, self.planned, what)));
    }
}
