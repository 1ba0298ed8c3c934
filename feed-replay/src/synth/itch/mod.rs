//! A Nasdaq TotalView-ITCH 5.0 session: a trading day with the quiet hours left out.
//!
//! | phase | messages |
//! |---|---|
//! | start | `S`=O, `R` and `H` per instrument, `S`=S |
//! | before the open | orders gather (`A F D`), imbalances (`I`); then a second of silence |
//! | open, 09:30 | `S`=Q; per instrument executions without print (`C`) and the cross (`Q`) |
//! | market hours | everything that happens to orders, trades, imbalances towards the end |
//! | close | `S`=M; the closing crosses, some more orders; a second of silence |
//! | end | `S`=E, `S`=C |
//!
//! The open is at 09:30 New York time; the close comes when the messages are used up, not at 16:00, so that a session
//! of a million messages is ten seconds of busy trading and not a day of idling. The smallest session is 10 messages:
//! the frame around one instrument.

mod market;
mod orders;
mod tape;

use super::arrivals::Arrivals;
use super::rng::Rng;
use super::{MessageSink, OPEN, SECOND, Spec, Summary};
use feed_common::time::UnixNanos;
use market::Market;
use std::io;
use tape::Tape;

/// Messages a session has besides those about orders: six system events, and four per instrument.
const fn frame(symbols: u64) -> u64 {
    6 + 4 * symbols
}

/// Silence before the open and after the close: long enough for a heartbeat.
const SILENCE: u64 = SECOND + SECOND / 10;

/// Writes a session to `sink`. The specification has been checked.
pub(super) fn session(spec: &Spec, sink: &mut dyn MessageSink) -> io::Result<Summary> {
    let messages = spec.messages.max(frame(1));
    let most = ((messages - 6) / 8).max(1);
    let symbols = u64::from(spec.symbols).min(most);
    let flow = messages - frame(symbols);

    let mut rng = Rng::new(spec.seed);
    let market = Market::new(Rng::new(rng.next_u64()), symbols as u16, flow);
    let before_open = 2 * symbols + 2 + flow / 12;
    // Half as long again as these should take on average; a full day's worth still begins after midnight.
    let gathering = u128::from(before_open) * u128::from(SECOND) * 3 / 2 / u128::from(spec.rate);
    let start = OPEN - SILENCE - SILENCE / 4 - gathering as u64;
    let mut session = Session {
        market,
        tape: Tape::new(sink, messages),
        arrivals: Arrivals::new(Rng::new(rng.next_u64()), start, spec.rate, spec.bursts),
    };
    session.start()?;
    session.gather(flow / 12)?;
    session.open(symbols.min(flow / 20))?;
    // Reserved: M, the closing crosses, E and C; and a little for the close itself.
    let closing = flow / 20;
    session.trade(symbols + 3 + closing)?;
    session.close(closing / 2)?;
    session.end()?;
    Ok(session.summary(spec, symbols))
}

struct Session<'a> {
    market: Market,
    tape: Tape<'a>,
    arrivals: Arrivals,
}

impl Session<'_> {
    fn start(&mut self) -> io::Result<()> {
        self.step(1);
        self.tape.system(b'O')?;
        for i in 0..self.market.len() {
            self.step(2);
            self.market.announce(&mut self.tape, i)?;
        }
        self.step(1);
        self.tape.system(b'S')
    }

    fn gather(&mut self, messages: u64) -> io::Result<()> {
        for _ in 0..messages {
            self.step(1);
            self.market.gather(&mut self.tape)?;
        }
        Ok(())
    }

    /// `room` displayed orders may take part in the crosses.
    fn open(&mut self, room: u64) -> io::Result<()> {
        self.arrivals.skip_to((self.tape.now() + SILENCE).max(OPEN));
        self.step(0);
        self.tape.system(b'Q')?;
        self.crosses(b'O', room)
    }

    /// Market hours, until `reserve` messages are left.
    fn trade(&mut self, reserve: u64) -> io::Result<()> {
        let total = self.tape.left.saturating_sub(reserve);
        let mut last = 1;
        while self.tape.left > reserve {
            self.step(last);
            let room = self.tape.left - reserve;
            // In the last tenth the closing auction is announced.
            if room < total / 10 && self.market.chance_of_imbalance() {
                let i = self.market.draw();
                self.market.imbalance(&mut self.tape, i, b'C')?;
            } else {
                self.market
                    .happen(&mut self.tape, self.arrivals.in_burst(), room)?;
            }
            last = room - (self.tape.left - reserve);
        }
        Ok(())
    }

    fn close(&mut self, room: u64) -> io::Result<()> {
        self.step(1);
        self.tape.system(b'M')?;
        self.crosses(b'C', room)?;
        self.trade_after_close()
    }

    /// Whatever the crosses did not use, up to the last two messages.
    fn trade_after_close(&mut self) -> io::Result<()> {
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

    fn crosses(&mut self, kind: u8, mut room: u64) -> io::Result<()> {
        for i in 0..self.market.len() {
            self.step(1);
            let before = self.tape.left;
            self.market.cross(&mut self.tape, i, kind, room.min(3))?;
            room -= before - self.tape.left - 1;
        }
        Ok(())
    }

    /// On to the next event, when the one before it took `messages` messages.
    fn step(&mut self, messages: u64) {
        let now = self.arrivals.next(messages);
        self.tape.event(now);
    }

    fn summary(&self, spec: &Spec, symbols: u64) -> Summary {
        let midnight = spec.midnight().0;
        let by_type = &self.tape.by_type;
        let named = (0..=255u8).filter(|&t| by_type[usize::from(t)] > 0);
        Summary {
            messages: by_type.iter().sum(),
            bytes: self.tape.bytes,
            symbols,
            by_type: named
                .map(|t| ((t as char).to_string(), by_type[usize::from(t)]))
                .collect(),
            first: UnixNanos(midnight + self.tape.first.unwrap_or(0)),
            last: UnixNanos(midnight + self.tape.now()),
            ..Summary::default()
        }
    }
}
