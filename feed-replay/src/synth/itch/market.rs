//! The market behind the messages: instruments with a fair price that wanders, orders around it, trades through it.
//!
//! The displayed book is never crossed: a new bid stays below the best offer and a new offer above the best bid, and
//! when the fair price moves through a quote, the quote is traded away.

use super::orders::{InstrumentOrders, OrderPool, Place};
use super::tape::{Name, Tape};
use crate::synth::instruments::{TICK, first_price, shuffled, symbol, wander};
use crate::synth::rng::{Rng, Weighted};
use feed_common::event::Side;
use std::io;

/// Weights of what happens to an instrument, besides adds and deletes that balance its number of orders.
const WEIGHTS: [(Action, u64); 8] = [
    (Action::AddOrDelete, 79_500),
    (Action::Replace, 13_500),
    (Action::Aggress, 2_000),
    (Action::Shrink, 2_600),
    (Action::Hidden, 1_200),
    (Action::ImproveC, 500),
    (Action::NonPrintable, 200),
    (Action::Break, 5),
];

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    AddOrDelete,
    Replace,
    Aggress,
    Shrink,
    Hidden,
    ImproveC,
    NonPrintable,
    Break,
}

/// An instrument and its state.
struct Instrument {
    name: Name,
    category: u8,
    /// Where the price began, and where it is; multiples of the tick.
    base: u32,
    fair: u32,
    /// Distance of the innermost new quotes from the fair price, in ticks.
    half_spread: u32,
    /// Orders it tends to have.
    target: u64,
    orders: InstrumentOrders,
    /// A print that may still be broken.
    last_match: Option<u64>,
}

/// All instruments.
pub struct Market {
    rng: Rng,
    instruments: Vec<Instrument>,
    /// Draws an instrument by its activity.
    activity: Weighted,
    actions: Weighted,
    pool: OrderPool,
    next_order: u64,
    next_match: u64,
    /// The last instrument something happened to: bursts tend to stay with it.
    busy: usize,
}

impl Market {
    /// Orders an instrument has at most, on average.
    const TARGET_MAX: u64 = 400;

    /// `count` instruments that share `flow` order messages between them.
    pub fn new(mut rng: Rng, count: u16, flow: u64) -> Market {
        let count = usize::from(count);
        let zipf = Weighted::zipf(count);
        let rank = shuffled(&mut rng, count);
        let instruments = (0..count).map(|i| {
            let share = flow as u128 * zipf.weight(rank[i]) as u128 / zipf.total() as u128;
            Instrument::new(
                &mut rng,
                i as u16,
                (share as u64 / 8).clamp(6, Self::TARGET_MAX),
            )
        });
        let instruments = instruments.collect();
        Market {
            next_order: rng.between(1_000, 9_999),
            next_match: rng.between(1_000, 9_999),
            rng,
            instruments,
            activity: Weighted::new(rank.iter().map(|&r| zipf.weight(r))),
            actions: Weighted::new(WEIGHTS.iter().map(|w| w.1)),
            pool: OrderPool::default(),
            busy: 0,
        }
    }

    /// How many instruments there are.
    pub fn len(&self) -> usize {
        self.instruments.len()
    }

    /// Announces an instrument and its trading state: two messages.
    pub fn announce(&self, tape: &mut Tape, i: usize) -> io::Result<()> {
        let instrument = &self.instruments[i];
        tape.directory(instrument.name, instrument.category)?;
        tape.trading(instrument.name)
    }

    /// Before the open: orders gather, nothing trades. One message.
    pub fn gather(&mut self, tape: &mut Tape) -> io::Result<()> {
        let i = self.activity.draw(&mut self.rng);
        if self.rng.chance(1, 25) {
            return self.imbalance(tape, i, b'O');
        }
        self.add_or_delete(tape, i)
    }

    /// One thing happens: from 1 to `room` messages (`room` above 0).
    pub fn happen(&mut self, tape: &mut Tape, in_burst: bool, room: u64) -> io::Result<()> {
        let stay = in_burst && self.rng.chance(3, 5);
        let i = if stay {
            self.busy
        } else {
            self.activity.draw(&mut self.rng)
        };
        self.busy = i;
        if self.rng.chance(1, 40) {
            let instrument = &mut self.instruments[i];
            instrument.fair = wander(&mut self.rng, instrument.fair, instrument.base);
        }
        if let Some(side) = self.instruments[i].overtaken() {
            return self.give_way(tape, i, side, room);
        }
        let side = self.side();
        match WEIGHTS[self.actions.draw(&mut self.rng)].0 {
            Action::AddOrDelete => self.add_or_delete(tape, i),
            Action::Replace => self.replace(tape, i),
            Action::Aggress => self.aggress(tape, i, side, room),
            Action::Shrink => self.shrink(tape, i),
            Action::Hidden => self.hidden(tape, i),
            Action::ImproveC => self.executed_at(tape, i, side, true),
            Action::NonPrintable => self.executed_at(tape, i, side, false),
            Action::Break => self.break_trade(tape, i),
        }
    }

    /// State of the coming auction. One message.
    pub fn imbalance(&mut self, tape: &mut Tape, i: usize, kind: u8) -> io::Result<()> {
        let lots = |rng: &mut Rng, mean| rng.exponential(mean) * 100;
        let (paired, unpaired) = (lots(&mut self.rng, 300), lots(&mut self.rng, 60));
        let side = if unpaired == 0 { b'N' } else { self.side().0 };
        let instrument = &self.instruments[i];
        tape.imbalance(
            instrument.name,
            kind,
            side,
            paired,
            unpaired,
            instrument.fair,
        )
    }

    /// Whether the coming auction is reported instead of something happening.
    pub fn chance_of_imbalance(&mut self) -> bool {
        self.rng.chance(1, 100)
    }

    /// An instrument drawn by activity.
    pub fn draw(&mut self) -> usize {
        self.activity.draw(&mut self.rng)
    }

    /// The auction of an instrument: up to `room` displayed orders take part, then the bulk print.
    pub fn cross(&mut self, tape: &mut Tape, i: usize, kind: u8, room: u64) -> io::Result<()> {
        let side = self.side();
        let Some(price) = self.instruments[i].orders.best_price(side) else {
            let number = self.match_number();
            return tape.cross(self.instruments[i].name, kind, 0, 0, number);
        };
        let mut crossed = self.rng.between(1, 50) * 100; // orders that were never displayed
        for _ in 0..room {
            let instrument = &self.instruments[i];
            let first = instrument
                .orders
                .first_in_line(side)
                .map(|place| (place, *self.pool.get(place)));
            let Some((place, order)) = first.filter(|(_, order)| order.price == price) else {
                break;
            };
            let shares = self.part_of(order.shares, 3, 4);
            let number = self.match_number();
            let instrument = &mut self.instruments[i];
            tape.executed_at(instrument.name, &order, shares, number, price, false)?;
            self.pool.reduce(&mut instrument.orders, place, shares);
            crossed += u64::from(shares);
        }
        let number = self.match_number();
        tape.cross(self.instruments[i].name, kind, crossed, price, number)
    }

    fn add_or_delete(&mut self, tape: &mut Tape, i: usize) -> io::Result<()> {
        let instrument = &self.instruments[i];
        let (live, target) = (instrument.orders.len() as u64, instrument.target);
        // An even chance at the target, certainly an add when empty, hardly one at twice the target.
        let weight = (2 * target).saturating_sub(live).max(target / 8);
        if self.rng.chance(weight, 2 * target) {
            self.add(tape, i)
        } else {
            self.delete(tape, i)
        }
    }

    fn add(&mut self, tape: &mut Tape, i: usize) -> io::Result<()> {
        let side = self.side();
        let price = self.quote(i, side);
        let shares = self.size();
        let id = self.order_id();
        let participant = self.rng.chance(1, 28).then(|| {
            const PARTICIPANTS: [[u8; 4]; 6] =
                [*b"NITE", *b"CDRG", *b"ETMM", *b"HRTF", *b"UBSS", *b"MSCO"];
            PARTICIPANTS[self.rng.below(PARTICIPANTS.len() as u64) as usize]
        });
        let instrument = &mut self.instruments[i];
        let place = self
            .pool
            .add(&mut instrument.orders, id, side, shares, price);
        tape.add(instrument.name, self.pool.get(place), participant)
    }

    /// The fair price has reached the best quote of `side`: it is traded away, withdrawn, or moved.
    fn give_way(&mut self, tape: &mut Tape, i: usize, side: Side, room: u64) -> io::Result<()> {
        let first = self.instruments[i].orders.first_in_line(side);
        match (first, self.rng.below(4)) {
            (Some(place), 0 | 1) => self.delete_at(tape, i, place),
            (Some(place), 2) => self.replace_at(tape, i, place),
            _ => self.aggress(tape, i, side, room),
        }
    }

    fn delete(&mut self, tape: &mut Tape, i: usize) -> io::Result<()> {
        match self.any(i) {
            Some(place) => self.delete_at(tape, i, place),
            None => self.add(tape, i),
        }
    }

    fn delete_at(&mut self, tape: &mut Tape, i: usize, place: Place) -> io::Result<()> {
        let instrument = &mut self.instruments[i];
        tape.delete(instrument.name, self.pool.get(place))?;
        self.pool.remove(&mut instrument.orders, place);
        Ok(())
    }

    fn replace(&mut self, tape: &mut Tape, i: usize) -> io::Result<()> {
        match self.any(i) {
            Some(place) => self.replace_at(tape, i, place),
            None => self.add(tape, i),
        }
    }

    fn replace_at(&mut self, tape: &mut Tape, i: usize, place: Place) -> io::Result<()> {
        let old = *self.pool.get(place);
        self.pool.remove(&mut self.instruments[i].orders, place);
        let price = if self.rng.chance(1, 4) {
            old.price
        } else {
            self.quote(i, old.side)
        };
        let shares = if self.rng.chance(1, 2) {
            old.shares
        } else {
            self.size()
        };
        let id = self.order_id();
        let instrument = &mut self.instruments[i];
        let place = self
            .pool
            .add(&mut instrument.orders, id, old.side, shares, price);
        tape.replace(instrument.name, old.id, self.pool.get(place))
    }

    fn shrink(&mut self, tape: &mut Tape, i: usize) -> io::Result<()> {
        let Some(place) = self.any(i).filter(|&place| self.pool.get(place).shares > 1) else {
            return self.add(tape, i);
        };
        let order = *self.pool.get(place);
        let shares = self.rng.between(1, u64::from(order.shares) - 1) as u32;
        let instrument = &mut self.instruments[i];
        tape.cancel(instrument.name, &order, shares)?;
        self.pool.reduce(&mut instrument.orders, place, shares);
        Ok(())
    }

    /// Somebody takes from the best quotes of `side`: one message per resting order, all in one event.
    fn aggress(&mut self, tape: &mut Tape, i: usize, side: Side, room: u64) -> io::Result<()> {
        let mut wanted = self.size() * self.rng.between(1, 2) as u32;
        let limit = self.instruments[i].orders.best_price(side);
        let mut taken = 0;
        while wanted > 0 && taken < room && self.instruments[i].orders.best_price(side) == limit {
            let Some(place) = self.instruments[i].orders.first_in_line(side) else {
                break;
            };
            let number = self.match_number();
            let order = *self.pool.get(place);
            let shares = wanted.min(order.shares);
            let instrument = &mut self.instruments[i];
            tape.executed(instrument.name, &order, shares, number)?;
            self.pool.reduce(&mut instrument.orders, place, shares);
            instrument.last_match = Some(number);
            wanted -= shares;
            taken += 1;
        }
        if taken == 0 {
            self.add(tape, i)
        } else {
            Ok(())
        }
    }

    /// A resting order trades half a cent better than displayed, or in a way that does not count as a print.
    fn executed_at(
        &mut self,
        tape: &mut Tape,
        i: usize,
        side: Side,
        printable: bool,
    ) -> io::Result<()> {
        let Some(place) = self.instruments[i].orders.first_in_line(side) else {
            return self.add(tape, i);
        };
        let order = *self.pool.get(place);
        let shares = self.part_of(order.shares, 1, 2);
        let better = if side == Side::BUY {
            order.price - TICK / 2
        } else {
            order.price + TICK / 2
        };
        let number = self.match_number();
        let instrument = &mut self.instruments[i];
        tape.executed_at(instrument.name, &order, shares, number, better, printable)?;
        self.pool.reduce(&mut instrument.orders, place, shares);
        if printable {
            instrument.last_match = Some(number);
        }
        Ok(())
    }

    fn hidden(&mut self, tape: &mut Tape, i: usize) -> io::Result<()> {
        let (shares, number) = (self.size(), self.match_number());
        let instrument = &mut self.instruments[i];
        let bid = instrument.orders.best_price(Side::BUY);
        let offer = instrument.orders.best_price(Side::SELL);
        let price = bid
            .zip(offer)
            .map_or(instrument.fair, |(bid, offer)| (bid + offer) / 2);
        instrument.last_match = Some(number);
        tape.trade(instrument.name, shares, price, number)
    }

    fn break_trade(&mut self, tape: &mut Tape, i: usize) -> io::Result<()> {
        match self.instruments[i].last_match.take() {
            Some(number) => tape.broken(self.instruments[i].name, number),
            None => self.add(tape, i),
        }
    }

    /// Price of a new quote: near the fair price more often than far, and not through the other side.
    fn quote(&mut self, i: usize, side: Side) -> u32 {
        let away = self.rng.exponential(5).min(60) as u32;
        let instrument = &self.instruments[i];
        let distance = (instrument.half_spread + away) * TICK;
        let orders = &instrument.orders;
        if side == Side::BUY {
            let below = orders
                .best_price(Side::SELL)
                .map_or(u32::MAX, |offer| offer - TICK);
            (instrument.fair - distance).min(below)
        } else {
            let above = orders.best_price(Side::BUY).map_or(0, |bid| bid + TICK);
            (instrument.fair + distance).max(above)
        }
    }

    /// Displayed size: mostly round lots, now and then an odd one.
    fn size(&mut self) -> u32 {
        match self.rng.below(16) {
            0..=3 => self.rng.between(1, 99) as u32,
            4 => self.rng.between(5, 50) as u32 * 100,
            _ => self.rng.between(1, 5) as u32 * 100,
        }
    }

    /// All of `shares` `num` times in `den`, otherwise a part of it, never nothing.
    fn part_of(&mut self, shares: u32, num: u64, den: u64) -> u32 {
        if self.rng.chance(num, den) {
            shares
        } else {
            self.rng.between(1, shares.into()) as u32
        }
    }

    fn any(&mut self, i: usize) -> Option<Place> {
        let orders = &self.instruments[i].orders;
        (!orders.is_empty()).then(|| orders.any(self.rng.below(orders.len() as u64) as usize))
    }

    fn side(&mut self) -> Side {
        if self.rng.next_u64() >> 63 == 0 {
            Side::BUY
        } else {
            Side::SELL
        }
    }

    /// Reference numbers grow, with holes: other venues and hidden orders use some.
    fn order_id(&mut self) -> u64 {
        self.next_order += self.rng.between(1, 4);
        self.next_order
    }

    fn match_number(&mut self) -> u64 {
        self.next_match += 1;
        self.next_match
    }
}

impl Instrument {
    fn new(rng: &mut Rng, index: u16, target: u64) -> Instrument {
        let base = first_price(rng);
        let categories = b"QQQGSNP";
        Instrument {
            name: Name {
                locate: index + 1,
                symbol: symbol(index),
            },
            category: categories[rng.below(categories.len() as u64) as usize],
            base,
            fair: base,
            half_spread: rng.between(1, 3) as u32,
            target,
            orders: InstrumentOrders::default(),
            last_match: None,
        }
    }

    /// The side whose best quote the fair price has reached, if any.
    fn overtaken(&self) -> Option<Side> {
        if self
            .orders
            .best_price(Side::SELL)
            .is_some_and(|offer| offer <= self.fair)
        {
            return Some(Side::SELL);
        }
        self.orders
            .best_price(Side::BUY)
            .is_some_and(|bid| bid >= self.fair)
            .then_some(Side::BUY)
    }
}
