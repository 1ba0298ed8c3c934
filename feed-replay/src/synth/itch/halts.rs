//! Instruments stop and start: halts, pauses, listings, and the circuit breaker.
//!
//! | state | message | orders |
//! |---|---|---|
//! | stopped | `H`=H, or `H`=P with a collar `J` | can be withdrawn |
//! | quoted | `H`=Q, `K` for a new listing, `J` when the collar is widened, `I` | gather, and may cross |
//! | trades again | the cross, then `H`=T, all at once | trade |

use super::instrument::{Halt, Listing, State};
use super::market::Market;
use super::tape::Tape;
use std::io;

impl Market {
    /// Messages that [`Market::stop`] and [`Market::open_quotation`] write at most.
    pub const STOP_MAX: u64 = 2;

    /// Announces an instrument: two messages, or five with what receivers may want to know besides.
    pub fn announce(&self, tape: &mut Tape, i: usize, detailed: bool) -> io::Result<()> {
        let instrument = &self.instruments[i];
        let name = instrument.name;
        tape.directory(instrument)?;
        match instrument.state {
            State::Halted(halt) => {
                let (state, reason) = halt.stop();
                tape.trading(name, state, reason)?;
            }
            _ => tape.trading(name, b'T', b"    ")?,
        }
        if detailed {
            let still = i % 50 == 17; // some fell yesterday
            tape.short_sale(name, if still { b'2' } else { b'0' })?;
            tape.participant(name, instrument.makers[0], true, b'A')?;
            tape.participant(name, instrument.makers[1], false, b'A')?;
        }
        Ok(())
    }

    /// When the quotation of a new listing will open. One message.
    pub fn announce_quotation(&self, tape: &mut Tape, i: usize, release: u32) -> io::Result<()> {
        let instrument = &self.instruments[i];
        let price = instrument.fair.below() as u32 * instrument.tick;
        tape.quoting_period(instrument.name, release, price)
    }

    /// An instrument that trades stops.
    pub fn stop(&mut self, tape: &mut Tape, i: usize, halt: Halt) -> io::Result<()> {
        let instrument = &mut self.instruments[i];
        instrument.state = State::Halted(halt);
        let (state, reason) = halt.stop();
        tape.trading(instrument.name, state, reason)?;
        if halt == Halt::Volatility {
            tape.collar(instrument, 0)?;
        }
        Ok(())
    }

    /// Orders may gather for the cross; news have moved the price.
    pub fn open_quotation(&mut self, tape: &mut Tape, i: usize) -> io::Result<()> {
        let instrument = &mut self.instruments[i];
        let State::Halted(halt) = instrument.state else {
            return Ok(());
        };
        instrument.state = State::Quoting(halt);
        let ticks = 3 + self.rng.exponential(12);
        instrument.fair.jump(&mut self.rng, ticks);
        tape.trading(instrument.name, b'Q', halt.quote())?;
        if instrument.listing == Listing::Offering && halt == Halt::Listing {
            let second = (tape.now() / crate::synth::SECOND) as u32;
            self.announce_quotation(tape, i, second)?;
        }
        Ok(())
    }

    /// What is told while orders gather: a wider collar, price discovery of a direct listing. At most one message.
    pub fn discover(&mut self, tape: &mut Tape, i: usize, step: u8) -> io::Result<()> {
        let instrument = &self.instruments[i];
        match instrument.state {
            State::Quoting(Halt::Volatility) => tape.collar(instrument, step.into()),
            State::Quoting(Halt::Listing) if instrument.listing == Listing::Direct => {
                tape.direct_listing(instrument, step > 1)
            }
            _ => Ok(()),
        }
    }

    /// The cross, and the instrument trades again; if `room` does not hold all that has to trade, it stays as it is.
    pub fn reopen(&mut self, tape: &mut Tape, i: usize, room: u64) -> io::Result<()> {
        let needs = self.cross_needs(i);
        let quoting = matches!(self.instruments[i].state, State::Quoting(_));
        if !quoting || room < needs + 2 {
            return Ok(());
        }
        // Hidden orders may take some more, but not all that is left of the day.
        let executions = (room - 2).min(needs + 8);
        self.cross(tape, i, b'H', executions)?;
        let instrument = &mut self.instruments[i];
        instrument.state = State::Trading;
        tape.trading(instrument.name, b'T', b"    ")
    }

    /// Another market than the listing one stops trading an instrument, or goes on. If it is this one, orders can only
    /// be withdrawn meanwhile. One message.
    pub fn operational(
        &mut self,
        tape: &mut Tape,
        i: usize,
        market: u8,
        stops: bool,
    ) -> io::Result<()> {
        let instrument = &mut self.instruments[i];
        if market == b'Q' {
            instrument.state = match (instrument.state, stops) {
                (State::Trading, true) => State::Suspended,
                (State::Suspended, false) => State::Trading,
                (other, _) => other,
            };
        }
        let action = if stops { b'H' } else { b'T' };
        tape.operational_halt(instrument.name, market, action)
    }

    /// The circuit breaker: all that trades stops. One message, and one per instrument.
    pub fn stop_all(&mut self, tape: &mut Tape) -> io::Result<()> {
        tape.breaker(b'1')?;
        for i in 0..self.len() {
            if self.instruments[i].state == State::Trading {
                self.stop(tape, i, Halt::Breaker)?;
            }
        }
        Ok(())
    }

    /// What the circuit breaker stopped, for what follows.
    pub fn stopped_by_breaker(&self) -> Vec<usize> {
        let stopped = [State::Halted(Halt::Breaker), State::Quoting(Halt::Breaker)];
        (0..self.len())
            .filter(|&i| stopped.contains(&self.instruments[i].state))
            .collect()
    }
}
