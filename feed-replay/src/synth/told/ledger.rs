//! The books of the simulated market, kept as plainly as can be: they are what a handler's books are compared with.

use super::{Event, Order, Print, Row, What};
use crate::synth::MessageSink;
use feed_common::event::Side;
use feed_common::wire::itch50::{Head, Message};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::io;

/// All instruments with their orders.
#[derive(Clone, Debug, Default)]
pub(in crate::synth) struct Ledger {
    instruments: Vec<Instrument>,
    /// Live orders by number. Nothing goes through them in an order, which would not be the same on every run.
    orders: HashMap<u64, Order>,
    /// The newest prints by match number.
    prints: BTreeMap<u64, Print>,
}

#[derive(Clone, Debug)]
struct Instrument {
    symbol: [u8; 8],
    /// Bids and offers by price.
    sides: [BTreeMap<u32, Level>; 2],
}

/// Orders of one price.
#[derive(Clone, Debug, Default)]
struct Level {
    shares: u64,
    /// Their numbers, oldest first.
    queue: Vec<u64>,
}

/// What a price level has in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::synth) struct Total {
    /// With 4 decimals.
    pub price: u32,
    /// Shares of all its orders.
    pub shares: u64,
    /// How many there are, above 0.
    pub orders: u32,
}

impl Ledger {
    /// Prints that can still be broken: the market breaks none but the newest of those whose numbers leave the same
    /// remainder by 16.
    const PRINTS: usize = 4_096;

    /// How many instruments were announced.
    pub fn instruments(&self) -> usize {
        self.instruments.len()
    }

    /// An instrument's symbol, padded with blanks.
    pub fn symbol(&self, instrument: usize) -> [u8; 8] {
        self.instruments[instrument].symbol
    }

    /// A live order.
    #[cfg(test)]
    pub fn order(&self, id: u64) -> Option<&Order> {
        self.orders.get(&id)
    }

    /// The price levels of a side, best first.
    pub fn levels(&self, instrument: usize, side: Side) -> impl Iterator<Item = Total> {
        let mut levels = self.side(instrument, side).iter();
        let next = move || match side {
            Side::BUY => levels.next_back(),
            _ => levels.next(),
        };
        std::iter::from_fn(next).map(|(&price, level)| level.total(price))
    }

    /// The level at a price, if there is one.
    pub fn level(&self, instrument: usize, side: Side, price: u32) -> Option<Total> {
        let level = self.side(instrument, side).get(&price)?;
        Some(level.total(price))
    }

    /// The best level of a side.
    pub fn best(&self, instrument: usize, side: Side) -> Option<Total> {
        let levels = self.side(instrument, side);
        let (&price, level) = match side {
            Side::BUY => levels.last_key_value()?,
            _ => levels.first_key_value()?,
        };
        Some(level.total(price))
    }

    /// How many levels are better than `price`: the place of its level, from 0, whether or not it is there.
    #[cfg(test)]
    pub fn rank(&self, instrument: usize, side: Side, price: u32) -> usize {
        let levels = self.side(instrument, side);
        match side {
            Side::BUY => levels.range(price + 1..).count(),
            _ => levels.range(..price).count(),
        }
    }

    /// The numbers of the orders at a price, oldest first.
    #[cfg(test)]
    pub fn queue(&self, instrument: usize, side: Side, price: u32) -> &[u64] {
        let level = self.side(instrument, side).get(&price);
        level.map_or(&[], |level| &level.queue)
    }

    /// The books as `book --format csv` prints them, with at most `depth` levels of each side.
    pub fn rows(&self, depth: usize) -> Vec<Row> {
        let mut order: Vec<usize> = (0..self.instruments.len()).collect();
        order.sort_by_key(|&i| self.instruments[i].symbol);
        let mut rows = Vec::new();
        for instrument in order {
            for side in [Side::BUY, Side::SELL] {
                let levels = self.levels(instrument, side).take(depth);
                rows.extend((1..).zip(levels).map(|(level, total)| Row {
                    symbol: self.symbol(instrument),
                    side,
                    level,
                    price: total.price,
                    quantity: total.shares,
                    orders: total.orders,
                }));
            }
        }
        rows
    }

    /// What an ITCH message of the market says happens.
    pub fn apply(&mut self, message: &[u8]) -> Event {
        let head = Head::of(message).expect("the market sends whole messages");
        let message = Message::parse(message).expect("the market sends known messages");
        let instrument = usize::from(head.locate.saturating_sub(1));
        let what = self.happen(instrument, message);
        Event {
            time: head.timestamp,
            instrument,
            symbol: match head.locate {
                0 => *b"        ",
                _ => self.symbol(instrument),
            },
            more: false,
            what,
        }
    }

    fn happen(&mut self, instrument: usize, message: Message<'_>) -> What {
        match message {
            Message::SystemEvent(m) => What::System(m.event_code),
            Message::MwcbStatus(m) => What::Breaker(m.breached_level),
            Message::StockDirectory(m) => {
                assert_eq!(instrument, self.instruments.len(), "announced in turn");
                self.instruments.push(Instrument {
                    symbol: m.stock,
                    sides: Default::default(),
                });
                What::Directory {
                    round_lot: m.round_lot_size.get(),
                    class: m.issue_classification,
                }
            }
            Message::StockTradingAction(m) => What::Status {
                trading: m.trading_state == b'T',
                state: m.trading_state,
                reason: m.reason,
            },
            Message::OperationalHalt(m) => What::Operational {
                market: m.market_code,
                halted: m.action == b'H',
            },
            Message::RegShoRestriction(m) => What::ShortSale(m.reg_sho_action),
            Message::LuldAuctionCollar(m) => What::Collar {
                reference: m.reference_price.get(),
                upper: m.upper_price.get(),
                lower: m.lower_price.get(),
                extension: m.extension.get(),
            },
            Message::AddOrder(m) => {
                let (id, shares, price) = (m.order_ref.get(), m.shares.get(), m.price.get());
                self.add(Order::new(id, instrument, Side(m.side), shares, price))
            }
            Message::AddOrderMpid(m) => {
                let (id, shares, price) = (m.order_ref.get(), m.shares.get(), m.price.get());
                self.add(Order {
                    participant: Some(m.attribution),
                    ..Order::new(id, instrument, Side(m.side), shares, price)
                })
            }
            Message::OrderExecuted(m) => {
                let (shares, number) = (m.executed_shares.get(), m.match_number.get());
                self.execute(m.order_ref.get(), shares, number, None, true)
            }
            Message::OrderExecutedWithPrice(m) => {
                let (shares, number) = (m.executed_shares.get(), m.match_number.get());
                let (price, printable) = (m.execution_price.get(), m.printable == b'Y');
                self.execute(m.order_ref.get(), shares, number, Some(price), printable)
            }
            Message::OrderCancel(m) => {
                let shares = m.cancelled_shares.get();
                let order = self.reduce(m.order_ref.get(), shares);
                What::Cancel { order, shares }
            }
            Message::OrderDelete(m) => {
                let order = self.remove(m.order_ref.get());
                What::Delete { order }
            }
            Message::OrderReplace(m) => {
                let old = self.remove(m.original_ref.get());
                let new = Order {
                    id: m.new_ref.get(),
                    shares: m.shares.get(),
                    price: m.price.get(),
                    ..old
                };
                self.enter(new);
                What::Replace { old, new }
            }
            Message::Trade(m) => {
                let (shares, price) = (m.shares.get(), m.price.get());
                let number = m.match_number.get();
                self.print(number, shares.into(), price);
                What::Hidden {
                    shares,
                    price,
                    number,
                }
            }
            Message::CrossTrade(m) => {
                let (shares, price) = (m.shares.get(), m.cross_price.get());
                let number = m.match_number.get();
                if shares > 0 {
                    self.print(number, shares, price);
                }
                What::Cross {
                    shares,
                    price,
                    number,
                    auction: m.cross_type,
                }
            }
            Message::BrokenTrade(m) => {
                let number = m.match_number.get();
                let print = self.prints.get(&number).copied();
                What::Broken { number, print }
            }
            Message::NetOrderImbalance(m) => What::Imbalance {
                paired: m.paired_shares.get(),
                imbalance: m.imbalance_shares.get(),
                side: m.imbalance_direction,
                far: m.far_price.get(),
                near: m.near_price.get(),
                reference: m.reference_price.get(),
                auction: m.cross_type,
            },
            Message::RetailPriceImprovement(m) => What::Retail(m.interest_flag),
            Message::MarketParticipantPosition(_)
            | Message::MwcbDeclineLevel(_)
            | Message::QuotingPeriodUpdate(_)
            | Message::DirectListing(_) => What::Other,
        }
    }

    fn add(&mut self, order: Order) -> What {
        self.enter(order);
        What::Add(order)
    }

    fn execute(
        &mut self,
        id: u64,
        shares: u32,
        number: u64,
        price: Option<u32>,
        printable: bool,
    ) -> What {
        let order = self.reduce(id, shares);
        if printable {
            self.print(number, shares.into(), price.unwrap_or(order.price));
        }
        What::Execute {
            order,
            shares,
            number,
            price,
            printable,
        }
    }

    /// A new order, last in the queue of its price.
    fn enter(&mut self, order: Order) {
        let level = self.side_mut(&order).entry(order.price).or_default();
        level.shares += u64::from(order.shares);
        level.queue.push(order.id);
        let before = self.orders.insert(order.id, order);
        assert_eq!(before, None, "order numbers are unique");
    }

    /// Takes shares off an order, which leaves when it has none left. The order as it was.
    fn reduce(&mut self, id: u64, shares: u32) -> Order {
        let live = self.orders.get_mut(&id).expect("a live order");
        if shares == live.shares {
            return self.remove(id);
        }
        let order = *live;
        live.shares -= shares;
        let levels = self.side_mut(&order);
        let level = levels.get_mut(&order.price).expect("an order has a level");
        level.shares -= u64::from(shares);
        order
    }

    /// Takes an order out. The order as it was.
    fn remove(&mut self, id: u64) -> Order {
        let order = self.orders.remove(&id).expect("a live order");
        let Entry::Occupied(mut at) = self.side_mut(&order).entry(order.price) else {
            panic!("an order has a level");
        };
        let level = at.get_mut();
        level.shares -= u64::from(order.shares);
        let place = level.queue.iter().rposition(|&queued| queued == id);
        level.queue.remove(place.expect("an order is in its queue"));
        if level.queue.is_empty() {
            at.remove();
        }
        order
    }

    fn print(&mut self, number: u64, shares: u64, price: u32) {
        self.prints.insert(number, Print { shares, price });
        if self.prints.len() > Self::PRINTS {
            self.prints.pop_first();
        }
    }

    fn side(&self, instrument: usize, side: Side) -> &BTreeMap<u32, Level> {
        &self.instruments[instrument].sides[usize::from(side == Side::SELL)]
    }

    fn side_mut(&mut self, order: &Order) -> &mut BTreeMap<u32, Level> {
        &mut self.instruments[order.instrument].sides[usize::from(order.side == Side::SELL)]
    }
}

/// The market's own session has books too.
impl MessageSink for Ledger {
    fn message(&mut self, _time: u64, message: &[u8]) -> io::Result<()> {
        self.apply(message);
        Ok(())
    }
}

impl Level {
    fn total(&self, price: u32) -> Total {
        Total {
            price,
            shares: self.shares,
            orders: self.queue.len() as u32,
        }
    }
}

impl Order {
    /// The first of its chain, without a participant.
    pub(super) fn new(id: u64, instrument: usize, side: Side, shares: u32, price: u32) -> Order {
        Order {
            id,
            origin: id,
            instrument,
            side,
            shares,
            price,
            participant: None,
        }
    }
}
