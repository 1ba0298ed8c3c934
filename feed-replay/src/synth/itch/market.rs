//! The market behind the messages: all instruments, and what their orders have in common.

use super::action::Actions;
use super::instrument::{Halt, Instrument, Listing, State};
use super::orders::{OrderPool, Place};
use super::tape::{Execution, Name, Tape};
use crate::synth::Mix;
use crate::synth::instruments::shuffled;
use crate::synth::rng::{Rng, Weighted};
use feed_common::event::Side;
use std::io;

/// All instruments.
pub struct Market {
    pub(super) rng: Rng,
    pub(super) instruments: Vec<Instrument>,
    pub(super) pool: OrderPool,
    /// Draws an instrument by its activity.
    activity: Weighted,
    /// Draws what happens while an instrument trades.
    pub(super) actions: Actions,
    /// One add in so many, in millionths, names its participant.
    pub(super) attributed: u64,
    /// Executions by which sweeps of several orders are ahead of the mix.
    pub(super) executions_ahead: u64,
    next_order: u64,
    next_match: u64,
    /// The last instrument something happened to: bursts tend to stay with it.
    busy: usize,
    /// Some of the last prints: what may be broken.
    prints: [Option<(usize, u64)>; 16],
}

impl Market {
    /// Orders an instrument has at most, on average.
    const TARGET_MAX: u64 = 3_000;

    /// `count` instruments that share `flow` order messages, of the given mix, between them.
    pub fn new(mut rng: Rng, count: u16, flow: u64, mix: &Mix) -> Market {
        let count = usize::from(count);
        let zipf = Weighted::zipf(count);
        let rank = shuffled(&mut rng, count);
        let instruments = (0..count).map(|i| {
            let share = flow as u128 * zipf.weight(rank[i]) as u128 / zipf.total() as u128;
            let target = (share as u64 / 20).clamp(6, Self::TARGET_MAX);
            Instrument::new(&mut rng, i as u16, rank[i], target)
        });
        let instruments = instruments.collect();
        let adds = u64::from(mix.balance()) / 2;
        Market {
            next_order: rng.between(1_000, 9_999),
            next_match: rng.between(1_000, 9_999),
            rng,
            instruments,
            pool: OrderPool::default(),
            activity: Weighted::new(rank.iter().map(|&r| zipf.weight(r))),
            actions: Actions::new(mix),
            attributed: u64::from(mix.attributed) * 1_000_000 / adds,
            executions_ahead: 0,
            busy: 0,
            prints: [None; 16],
        }
    }

    /// How many instruments there are.
    pub fn len(&self) -> usize {
        self.instruments.len()
    }

    /// Locate and symbol of an instrument.
    pub fn name(&self, i: usize) -> Name {
        self.instruments[i].name
    }

    /// The second market maker of an instrument.
    pub fn maker(&self, i: usize) -> [u8; 4] {
        self.instruments[i].makers[1]
    }

    /// Whether an instrument waits for its opening cross.
    pub fn is_opening(&self, i: usize) -> bool {
        self.instruments[i].state == State::Opening
    }

    /// The auction of an instrument is over: what may happen to it now.
    pub fn set_state(&mut self, i: usize, state: State) {
        self.instruments[i].state = state;
    }

    /// Some instrument is listed as `listing` today and does not trade yet; there must be one that is not listed so.
    pub fn list(&mut self, listing: Listing) -> usize {
        let mut i = self.rng.below(self.instruments.len() as u64) as usize;
        while self.instruments[i].listing != Listing::Ordinary {
            i = (i + 1) % self.instruments.len();
        }
        self.instruments[i].listing = listing;
        self.instruments[i].state = State::Halted(Halt::Listing);
        i
    }

    /// One thing happens: from 1 to `room` messages (`room` above 0). False when nothing can: all instruments are
    /// stopped and empty.
    pub fn happen(&mut self, tape: &mut Tape, in_burst: bool, room: u64) -> io::Result<bool> {
        let Some(i) = self.pick(in_burst) else {
            return Ok(false);
        };
        let instrument = &mut self.instruments[i];
        instrument.fair.step(&mut self.rng);
        match instrument.state {
            State::Trading => self.trade(tape, i, room)?,
            State::Opening | State::Quoting(_) => self.gather(tape, i)?,
            State::Halted(_) | State::Suspended => self.withdraw(tape, i)?,
            State::Closed => self.wind_down(tape, i)?,
        }
        Ok(true)
    }

    /// An instrument by its activity. Within a burst it tends to be the same; one that is stopped is rarely it.
    fn pick(&mut self, in_burst: bool) -> Option<usize> {
        for _ in 0..8 {
            let stay = in_burst && self.rng.chance(3, 5);
            let i = match stay {
                true => self.busy,
                false => self.draw(),
            };
            let instrument = &self.instruments[i];
            let can = !instrument.is_stopped()
                || (!instrument.orders.is_empty() && self.rng.chance(1, 4));
            if can {
                self.busy = i;
                return Some(i);
            }
            self.busy = self.draw();
        }
        let can = |i: &Instrument| !i.is_stopped() || !i.orders.is_empty();
        self.instruments.iter().position(can)
    }

    /// An instrument drawn by activity.
    pub fn draw(&mut self) -> usize {
        self.activity.draw(&mut self.rng)
    }

    /// An instrument that trades, drawn by activity; none when few do.
    pub fn draw_trading(&mut self) -> Option<usize> {
        for _ in 0..16 {
            let i = self.draw();
            if self.instruments[i].state == State::Trading {
                return Some(i);
            }
        }
        None
    }

    /// Enters an order.
    pub(super) fn enter(
        &mut self,
        tape: &mut Tape,
        i: usize,
        order: NewOrder,
        participant: Option<[u8; 4]>,
    ) -> io::Result<()> {
        let id = self.order_id();
        let instrument = &mut self.instruments[i];
        let NewOrder {
            side,
            shares,
            price,
        } = order;
        let place = self
            .pool
            .add(&mut instrument.orders, id, side, shares, price);
        let order = self.pool.get(place);
        match participant {
            None => tape.add(instrument.name, order),
            Some(participant) => tape.add_of(instrument.name, order, participant),
        }
    }

    /// Takes an order out.
    pub(super) fn delete(&mut self, tape: &mut Tape, i: usize, place: Place) -> io::Result<()> {
        let instrument = &mut self.instruments[i];
        tape.delete(instrument.name, self.pool.get(place))?;
        self.pool.remove(&mut instrument.orders, place);
        Ok(())
    }

    /// A match of `shares`, under its own number.
    pub(super) fn execution(&mut self, shares: u32) -> Execution {
        self.next_match += 1;
        Execution {
            shares,
            number: self.next_match,
        }
    }

    /// Remembers a print of an instrument, in the place of an older one.
    pub(super) fn printed(&mut self, i: usize, number: u64) {
        self.prints[number as usize % self.prints.len()] = Some((i, number));
    }

    /// A print that is broken now: its instrument and its match number.
    pub(super) fn breakable(&mut self) -> Option<(Name, u64)> {
        let at = self.rng.below(self.prints.len() as u64) as usize;
        let (i, number) = self.prints[at].take()?;
        Some((self.instruments[i].name, number))
    }

    /// One side or the other.
    pub(super) fn any_side(&mut self) -> Side {
        match self.rng.chance(1, 2) {
            true => Side::BUY,
            false => Side::SELL,
        }
    }

    /// Reference numbers grow, with holes: other venues and hidden orders use some.
    pub(super) fn order_id(&mut self) -> u64 {
        self.next_order += self.rng.between(1, 4);
        self.next_order
    }
}

/// An order to enter.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewOrder {
    pub side: Side,
    pub shares: u32,
    pub price: u32,
}

/// The other side.
pub(super) fn opposite(side: Side) -> Side {
    match side {
        Side::BUY => Side::SELL,
        _ => Side::BUY,
    }
}
