//! A slow, plain reader of ITCH sessions that knows only the specification and what an exchange does, and stops at
//! anything wrong.

use feed_common::wire::itch50::Message;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A live order.
pub struct Order {
    pub locate: u16,
    pub side: u8,
    pub shares: u32,
    pub price: u32,
    /// Messages about its instrument before it.
    born: u64,
}

/// An instrument as the reader sees it.
pub struct Instrument {
    pub name: [u8; 8],
    ipo_flag: u8,
    /// Last trading state and the reason with it.
    pub state: u8,
    reason: [u8; 4],
    /// Nasdaq itself has stopped.
    suspended: bool,
    /// Had the cross that lets it trade, and its closing cross.
    opened: bool,
    closed: bool,
    /// Price levels, orders in the sequence of their arrival.
    bids: BTreeMap<u32, VecDeque<u64>>,
    offers: BTreeMap<u32, VecDeque<u64>>,
    messages: u64,
}

impl Instrument {
    fn side(&mut self, side: u8) -> &mut BTreeMap<u32, VecDeque<u64>> {
        match side {
            b'B' => &mut self.bids,
            _ => &mut self.offers,
        }
    }

    pub fn best(&self, side: u8) -> Option<u32> {
        match side {
            b'B' => self.bids.keys().next_back().copied(),
            _ => self.offers.keys().next().copied(),
        }
    }

    pub fn is_crossed(&self) -> bool {
        let best = self.best(b'B').zip(self.best(b'S'));
        best.is_some_and(|(bid, offer)| bid >= offer)
    }
}

/// The executions of a cross that has not been printed yet.
struct OpenCross {
    locate: u16,
    timestamp: u64,
    price: u32,
}

/// Everything read so far.
#[derive(Default)]
pub struct Reader {
    pub instruments: BTreeMap<u16, Instrument>,
    pub orders: BTreeMap<u64, Order>,
    /// System events so far.
    pub events: String,
    pub by_type: BTreeMap<u8, u64>,
    /// The same in market hours alone.
    pub in_hours: BTreeMap<u8, u64>,
    /// Crosses by type, with shares and without.
    pub crosses: BTreeMap<(u8, bool), u64>,
    /// Halts by the reason of their beginning.
    pub halts: BTreeMap<[u8; 4], u64>,
    /// Books that were crossed when their cross came.
    pub uncrossed: u64,
    /// Ages of deleted orders, in messages about their instrument.
    pub ages: Vec<u64>,
    /// Distances of new orders from the best of their side, in ticks, while trading; and their shares.
    pub distances: Vec<(u64, u32)>,
    /// Sweeps: executions of an instrument at one instant, by how many there are.
    pub sweeps: BTreeMap<u64, u64>,
    sweep: (u16, u64, u64),
    last_ref: u64,
    /// Prints by match number that are not broken, with their instrument.
    prints: BTreeMap<u64, u16>,
    matches: BTreeSet<u64>,
    cross: Option<OpenCross>,
    /// An instrument whose cross has ended a halt, and that must be told to trade now.
    reopened: Option<u16>,
    breached: bool,
}

impl Reader {
    pub fn message(&mut self, bytes: &[u8]) {
        let kind = bytes[0];
        *self.by_type.entry(kind).or_default() += 1;
        if self.is_open() {
            *self.in_hours.entry(kind).or_default() += 1;
        }
        let locate = u16::from_be_bytes([bytes[1], bytes[2]]);
        let time = bytes[5..11].iter().fold(0, |t, &b| t << 8 | u64::from(b));
        if let Some(cross) = &self.cross {
            assert_eq!((cross.locate, cross.timestamp), (locate, time));
            assert!(b"CQ".contains(&kind), "executions of a cross end with it");
        }
        if let Some(reopened) = self.reopened {
            assert_eq!((kind, locate), (b'H', reopened));
        }
        if let Some(instrument) = self.instruments.get_mut(&locate) {
            instrument.messages += 1;
        }
        if self.sweep.0 != locate || self.sweep.1 != time || kind != b'E' {
            if self.sweep.2 > 0 {
                *self.sweeps.entry(self.sweep.2).or_default() += 1;
            }
            self.sweep = (locate, time, 0);
        }
        self.sweep.2 += u64::from(kind == b'E');
        self.read(locate, time, Message::parse(bytes).unwrap());
    }

    fn read(&mut self, locate: u16, time: u64, message: Message) {
        match message {
            Message::SystemEvent(m) => {
                assert_eq!(locate, 0);
                self.events.push(m.event_code.into());
                assert!("OSQMEC".starts_with(&self.events));
            }
            Message::StockDirectory(m) => {
                assert_eq!(self.events, "O");
                let instrument = Instrument {
                    name: m.stock,
                    ipo_flag: m.ipo_flag,
                    state: 0,
                    reason: [0; 4],
                    suspended: false,
                    opened: false,
                    closed: false,
                    bids: BTreeMap::new(),
                    offers: BTreeMap::new(),
                    messages: 0,
                };
                assert!(self.instruments.insert(locate, instrument).is_none());
            }
            Message::StockTradingAction(m) => {
                self.known(locate, m.stock);
                self.state(locate, m.trading_state, m.reason);
            }
            Message::RegShoRestriction(m) => {
                self.known(locate, m.stock);
                assert!(b"012".contains(&m.reg_sho_action));
            }
            Message::MarketParticipantPosition(m) => self.known(locate, m.stock),
            Message::MwcbDeclineLevel(m) => {
                assert!(locate == 0 && self.events == "OS");
                assert!(m.level1.get() > m.level2.get() && m.level2.get() > m.level3.get());
            }
            Message::MwcbStatus(m) => {
                assert!(locate == 0 && m.breached_level == b'1' && self.is_open());
                self.breached = true;
            }
            Message::QuotingPeriodUpdate(m) => {
                self.known(locate, m.stock);
                let instrument = &self.instruments[&locate];
                assert!(instrument.ipo_flag == b'Y' && !instrument.opened);
                assert!(m.ipo_price.get() > 0 && m.release_time.get() >= 34_200);
            }
            Message::LuldAuctionCollar(m) => {
                self.known(locate, m.stock);
                let instrument = &self.instruments[&locate];
                assert!(b"PQ".contains(&instrument.state) && instrument.reason == *b"LUDP");
                assert!(m.lower_price.get() < m.reference_price.get());
                assert!(m.reference_price.get() < m.upper_price.get());
            }
            Message::OperationalHalt(m) => {
                self.known(locate, m.stock);
                let instrument = self.instruments.get_mut(&locate).unwrap();
                if m.market_code == b'Q' {
                    assert_ne!(instrument.suspended, m.action == b'H');
                    instrument.suspended = m.action == b'H';
                }
            }
            Message::RetailPriceImprovement(m) => self.known(locate, m.stock),
            Message::DirectListing(m) => {
                self.known(locate, m.stock);
                let instrument = &self.instruments[&locate];
                assert!(instrument.ipo_flag == b'Z' && !instrument.opened);
                assert_eq!(m.near_execution_time.get(), time);
            }
            Message::NetOrderImbalance(m) => {
                self.known(locate, m.stock);
                let instrument = &self.instruments[&locate];
                assert_eq!(
                    m.cross_type,
                    match (instrument.opened, instrument.state) {
                        (_, b'Q') => b'H',
                        (false, b'T') => b'O',
                        (true, b'T') => b'C',
                        (_, other) => panic!("imbalance in state {other}"),
                    }
                );
            }
            Message::AddOrder(m) => {
                self.known(locate, m.stock);
                self.enter(
                    m.order_ref.get(),
                    locate,
                    m.side,
                    m.shares.get(),
                    m.price.get(),
                );
            }
            Message::AddOrderMpid(m) => {
                self.known(locate, m.stock);
                assert!(m.attribution.iter().all(u8::is_ascii_uppercase));
                self.enter(
                    m.order_ref.get(),
                    locate,
                    m.side,
                    m.shares.get(),
                    m.price.get(),
                );
            }
            Message::OrderReplace(m) => {
                let old = self.remove(m.original_ref.get(), locate);
                self.enter(
                    m.new_ref.get(),
                    locate,
                    old.side,
                    m.shares.get(),
                    m.price.get(),
                );
            }
            Message::OrderDelete(m) => {
                let gone = self.remove(m.order_ref.get(), locate);
                self.ages
                    .push(self.instruments[&locate].messages - gone.born);
            }
            Message::OrderCancel(m) => {
                let left = self.take(m.order_ref.get(), locate, m.cancelled_shares.get());
                assert!(left > 0, "X leaves something");
            }
            Message::OrderExecuted(m) => {
                assert!(self.trades(locate), "E of what does not trade");
                self.first_in_line(m.order_ref.get(), locate);
                self.take(m.order_ref.get(), locate, m.executed_shares.get());
                self.matched(m.match_number.get(), Some(locate));
            }
            Message::OrderExecutedWithPrice(m) => {
                let (id, price) = (m.order_ref.get(), m.execution_price.get());
                self.first_in_line(id, locate);
                if m.printable == b'Y' {
                    assert!(self.trades(locate), "C of what does not trade");
                    self.matched(m.match_number.get(), Some(locate));
                } else {
                    self.in_cross(locate, time, price);
                    let order = &self.orders[&id];
                    let within = match order.side {
                        b'B' => order.price >= price,
                        _ => order.price <= price,
                    };
                    assert!(
                        within,
                        "the price of the cross is no worse than the order's"
                    );
                    self.matched(m.match_number.get(), None);
                }
                self.take(id, locate, m.executed_shares.get());
            }
            Message::Trade(m) => {
                self.known(locate, m.stock);
                assert!(self.trades(locate), "P of what does not trade");
                assert!(m.side == b'B' && m.order_ref.get() == 0 && m.shares.get() > 0);
                self.matched(m.match_number.get(), Some(locate));
            }
            Message::CrossTrade(m) => {
                self.known(locate, m.stock);
                assert_eq!(m.shares.get() == 0, m.cross_price.get() == 0);
                self.crossed(locate, m.cross_type, m.shares.get(), m.cross_price.get());
                let print = (m.shares.get() > 0).then_some(locate);
                self.matched(m.match_number.get(), print);
            }
            Message::BrokenTrade(m) => {
                let number = m.match_number.get();
                assert_eq!(self.prints.remove(&number), Some(locate), "B of a print");
            }
        }
    }

    /// Between the open and the close of the market.
    fn is_open(&self) -> bool {
        self.events == "OSQ"
    }

    /// Whether continuous trading in an instrument is on.
    fn trades(&self, locate: u16) -> bool {
        let instrument = &self.instruments[&locate];
        self.is_open() && instrument.opened && instrument.state == b'T' && !instrument.suspended
    }

    fn known(&self, locate: u16, symbol: [u8; 8]) {
        assert_eq!(self.instruments[&locate].name, symbol);
    }

    fn state(&mut self, locate: u16, state: u8, reason: [u8; 4]) {
        let before = self.instruments[&locate].state;
        match (before, state) {
            (0, b'T' | b'H') => assert_eq!(self.events, "O"),
            (b'T', b'H' | b'P') => {
                assert!(self.trades(locate));
                assert_eq!(self.breached && reason == *b"MWC1", reason == *b"MWC1");
            }
            (b'H' | b'P', b'Q') => assert!(self.is_open()),
            (b'Q', b'T') => assert_eq!(self.reopened.take(), Some(locate), "after the cross"),
            other => panic!("{other:?}"),
        }
        if b"HP".contains(&state) {
            *self.halts.entry(reason).or_default() += 1;
        }
        let instrument = self.instruments.get_mut(&locate).unwrap();
        (instrument.state, instrument.reason) = (state, reason);
        if state == b'T' && before == b'Q' {
            instrument.opened = true;
            assert!(!instrument.is_crossed());
        }
    }

    fn enter(&mut self, id: u64, locate: u16, side: u8, shares: u32, price: u32) {
        assert!(id > self.last_ref, "references grow, none is used again");
        self.last_ref = id;
        assert!(shares > 0 && b"BS".contains(&side));
        let tick = if price < 10_000 { 1 } else { 100 };
        assert!(price > 0 && price.is_multiple_of(tick), "{price}");
        let trades = self.trades(locate);
        let instrument = self.instruments.get_mut(&locate).unwrap();
        assert!(
            b"TQ".contains(&instrument.state) && !instrument.suspended,
            "no order of what is halted"
        );
        if trades && let Some(best) = instrument.best(side) {
            let behind = match side {
                b'B' => i64::from(best) - i64::from(price),
                _ => i64::from(price) - i64::from(best),
            };
            self.distances
                .push((behind.max(0) as u64 / u64::from(tick), shares));
        }
        instrument
            .side(side)
            .entry(price)
            .or_default()
            .push_back(id);
        assert!(
            !trades || !instrument.is_crossed(),
            "crossed while it trades"
        );
        let order = Order {
            locate,
            side,
            shares,
            price,
            born: instrument.messages,
        };
        self.orders.insert(id, order);
    }

    fn remove(&mut self, id: u64, locate: u16) -> Order {
        let order = self.orders.remove(&id).expect("a live order");
        assert_eq!(order.locate, locate);
        let levels = self.instruments.get_mut(&locate).unwrap().side(order.side);
        let queue = levels.get_mut(&order.price).unwrap();
        // References grow, so a queue is sorted by them.
        queue.remove(queue.binary_search(&id).unwrap());
        if queue.is_empty() {
            levels.remove(&order.price);
        }
        order
    }

    /// Takes shares of an order; what is left of it.
    fn take(&mut self, id: u64, locate: u16, shares: u32) -> u32 {
        let order = self.orders.get_mut(&id).expect("a live order");
        assert_eq!(order.locate, locate);
        assert!(shares > 0 && shares <= order.shares, "no more than remains");
        order.shares -= shares;
        let left = order.shares;
        if left == 0 {
            self.remove(id, locate);
        }
        left
    }

    /// The order is the oldest of the best level of its side.
    fn first_in_line(&mut self, id: u64, locate: u16) {
        let (side, price) = {
            let order = &self.orders[&id];
            (order.side, order.price)
        };
        let instrument = self.instruments.get_mut(&locate).unwrap();
        assert_eq!(instrument.best(side), Some(price), "the best level first");
        assert_eq!(
            instrument.side(side)[&price].front(),
            Some(&id),
            "the oldest first"
        );
    }

    fn matched(&mut self, number: u64, print: Option<u16>) {
        assert!(self.matches.insert(number), "match numbers are used once");
        if let Some(locate) = print {
            self.prints.insert(number, locate);
        }
    }

    /// An execution without print: it belongs to a cross.
    fn in_cross(&mut self, locate: u16, timestamp: u64, price: u32) {
        match &self.cross {
            Some(cross) => assert_eq!(cross.price, price),
            None => {
                self.uncrossed += u64::from(self.instruments[&locate].is_crossed());
                self.cross = Some(OpenCross {
                    locate,
                    timestamp,
                    price,
                });
            }
        }
    }

    fn crossed(&mut self, locate: u16, kind: u8, shares: u64, price: u32) {
        if let Some(cross) = self.cross.take() {
            assert_eq!(cross.price, price);
            assert!(shares > 0);
        }
        *self.crosses.entry((kind, shares > 0)).or_default() += 1;
        let events = self.events.clone();
        let instrument = self.instruments.get_mut(&locate).unwrap();
        match kind {
            b'O' => {
                assert!(events == "OSQ" && instrument.state == b'T' && !instrument.opened);
                instrument.opened = true;
            }
            b'H' => {
                assert!(events == "OSQ" && instrument.state == b'Q');
                self.reopened = Some(locate);
            }
            b'C' => {
                assert!(events == "OSQM" && !instrument.closed);
                assert!(shares == 0 || (instrument.state == b'T' && !instrument.suspended));
                instrument.closed = true;
            }
            other => panic!("cross {other}"),
        }
        if instrument.state == b'T' || kind == b'H' {
            assert!(!instrument.is_crossed(), "a cross leaves nothing crossed");
        }
    }

    /// What must hold when the session has ended.
    pub fn finish(&self) {
        assert_eq!(self.events, "OSQMEC");
        assert!(self.cross.is_none() && self.reopened.is_none());
        for instrument in self.instruments.values() {
            assert!(instrument.closed, "every instrument has its closing cross");
            if instrument.ipo_flag == b'N' {
                assert!(instrument.opened, "every instrument has its opening cross");
            }
        }
    }

    /// All types that were read, in the order of their letters.
    pub fn types(&self) -> String {
        self.by_type.keys().map(|&kind| char::from(kind)).collect()
    }

    /// The counts under the names that facts use.
    pub fn named(&self) -> BTreeMap<String, u64> {
        let named = |(&kind, &n): (&u8, &u64)| (char::from(kind).to_string(), n);
        self.by_type.iter().map(named).collect()
    }

    /// A type's messages in market hours, in hundredths of a percent of all of them.
    pub fn part_in_hours(&self, kinds: &[u8]) -> u64 {
        let all: u64 = self.in_hours.values().sum();
        let these: u64 = kinds.iter().filter_map(|k| self.in_hours.get(k)).sum();
        these * 10_000 / all
    }
}
