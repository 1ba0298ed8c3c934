//! Order books: any list of events, sensible or not.

use super::choices::Choices;
use super::messages::context;
use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, Directory, ExecuteOrder, Flags, LevelUpdate, MarketHandler,
    ModifyOrder, MsgCtx, Name, Price, QuoteUpdate, RankedOrder, ReplaceOrder, Side, SlotAction,
    SlotUpdate, Status, StatusKind,
};
use feed_handler::book::{BookLimits, Books, Fault, Level, Queued, Quote, View, digest, oracle};
use feed_handler::publish::Outlet;

/// Small, so that they are reached.
const LIMITS: BookLimits = BookLimits {
    orders: 24,
    levels: 12,
    instruments: 3,
};

/// Events between two looks at whole books.
const LOOK: u64 = 16;

/// Five bytes an event, of few orders, prices and instruments, so that they meet.
pub fn book(data: &[u8]) {
    let mut keeper = Keeper::new();
    for event in data.chunks_exact(5) {
        keeper.event(event);
    }
    keeper.finish();
}

/// The book and its oracle, told the same. What an event changes is compared at once; what must hold of books is looked
/// at now and then, and at the end.
pub struct Keeper {
    books: Books,
    oracle: oracle::Books,
    /// By instrument: whether its levels are those of the exchange's numbers.
    numbered: [bool; LIMITS.instruments],
    events: u64,
}

/// Tells both books of an event: the same must come of it.
macro_rules! tell {
    ($keeper:expr, $cx:expr, $books:ident => $event:expr) => {{
        let (keeper, instrument) = ($keeper, $cx.instrument);
        keeper.events += 1;
        let before = keeper.books.bbo(instrument);
        let [change, expected] = {
            let change = {
                let $books = &mut keeper.books;
                $event
            };
            let $books = &mut keeper.oracle;
            [change, $event]
        };
        assert_eq!(change, expected);
        assert_eq!(change.bbo, before != keeper.books.bbo(instrument));
        // Whatever is wrong in a book stays wrong for a while, and looking at all of it takes long.
        if keeper.events % LOOK == 0 {
            keeper.check();
        }
    }};
}

impl Keeper {
    pub fn new() -> Keeper {
        Keeper {
            books: Books::new(&LIMITS).expect("memory for a few orders"),
            oracle: oracle::Books::new(&LIMITS),
            numbered: [false; LIMITS.instruments],
            events: 0,
        }
    }

    fn event(&mut self, event: &[u8]) {
        let mut choices = Choices(event);
        let [how, what, which, price, quantity] = [0; 5].map(|_| choices.small());
        let mut cx = context(self.events);
        cx.instrument = which as u32 >> 6;
        cx.symbol = [b'A' + cx.instrument as u8; 8];
        if cx.instrument == 2 {
            cx.symbol[0] = b'#'; // its name is longer
        }
        if how >> 6 == 3 {
            cx.flags = Flags::NONE;
        }
        let order_id = which & 63;
        let side = match price & 3 {
            0 => Side::BUY,
            3 if price >= 252 => Side::NONE,
            _ => Side::SELL,
        };
        let price = match price >> 2 & 15 {
            15 => Price::NULL,
            n => Price(n as i64 * 1_000_000 - 3_000_000),
        };
        let quantity = match quantity {
            255 => u64::MAX,
            n => n & 31,
        };
        match how & 15 {
            0 => return self.on_ranked(&cx, ranked(order_id, side, price, quantity, what)),
            1 | 2 => return self.on_slot(&cx, slot(what, side, price, quantity)),
            3 => return self.on_modify(&cx, modify(order_id, price, quantity)),
            4 => return self.on_quote(&cx, quotes(price, quantity, what)),
            5 if how & 16 == 0 => return self.on_directory(&cx, directory(what, which)),
            5 => {
                self.books.end_event(&cx);
                self.oracle.end_event(&cx);
            }
            _ => {}
        }
        match what & 15 {
            0..=4 => self.on_add(&cx, add(order_id, side, price, quantity)),
            5 => self.on_execute(&cx, execute(order_id, quantity)),
            6 | 7 => self.on_cancel(&cx, CancelOrder { order_id, quantity }),
            8 | 9 => self.on_delete(&cx, DeleteOrder { order_id }),
            10 | 11 => {
                let (old_id, new_id) = (order_id, quantity.wrapping_add(order_id) & 63);
                self.on_replace(&cx, replace(old_id, new_id, price, what >> 4));
            }
            12 => {
                let orders = (what & 16 != 0).then_some(3);
                let level = LevelUpdate {
                    side,
                    price,
                    quantity,
                    orders,
                };
                self.on_level(&cx, level);
            }
            13 => tell!(self, cx, books => books.quote(&cx, side, Quote { price, quantity })),
            14 if what >> 4 == 0 => self.on_restart(&cx),
            14 if what >> 4 < 4 => tell!(self, cx, books => books.clear(&cx)),
            14 => {
                self.books.cross(&cx);
                self.oracle.cross(&cx);
            }
            _ => self.on_status(&cx, status(what >> 4, quantity)),
        }
    }

    /// Looks at the books a last time.
    pub fn finish(&self) {
        self.check();
    }

    /// What must hold of books at any moment.
    fn check(&self) {
        assert_eq!(self.books.faults(), self.oracle.faults());
        assert_eq!(digest(&self.books), digest(&self.oracle));
        let instruments = self.books.instruments();
        assert!(instruments.len() <= LIMITS.instruments);
        let (mut levels, mut orders) = (0, 0);
        for (instrument, _) in instruments {
            let bbo = self.books.bbo(instrument);
            let numbered = self.numbered[instrument as usize];
            for (side, best) in [(Side::BUY, bbo.bid), (Side::SELL, bbo.ask)] {
                let quote = |&(
                    _,
                    Level {
                        price, quantity, ..
                    },
                ): &_| Quote { price, quantity };
                let of_side = self.side(instrument, side);
                let first = of_side.first().filter(|(number, _)| *number == 1);
                assert_eq!(first.map_or(Quote::EMPTY, quote), best);
                let of_side = match numbered {
                    true => self.beside(instrument, side),
                    false => of_side.into_iter().map(|(_, level)| level).collect(),
                };
                self.check_order(side, &of_side);
                levels += of_side.len();
                for level in of_side {
                    let queue = self.queue(instrument, side, level.price);
                    assert!(level.quantity > 0 && level.price.is_some());
                    if let [first, rest @ ..] = &queue[..] {
                        let total = rest.iter().map(|o| o.quantity).sum::<u64>() + first.quantity;
                        assert_eq!(total, level.quantity);
                        assert_eq!(level.orders, Some(queue.len() as u32));
                    }
                    for Queued { order_id, quantity } in &queue {
                        let order = self
                            .books
                            .order(instrument, *order_id)
                            .expect("it is queued");
                        assert_eq!((order.side, order.price), (side, level.price));
                        assert_eq!(order.quantity, *quantity);
                        assert!(*quantity > 0);
                    }
                    orders += queue.len();
                }
            }
        }
        assert_eq!(orders, self.books.live_orders());
        assert!(orders <= LIMITS.orders && levels <= LIMITS.levels);
    }

    /// The levels of one side; each number is higher than the one before it.
    fn side(&self, instrument: u32, side: Side) -> Vec<(u32, Level)> {
        let mut levels = Vec::<(u32, Level)>::new();
        self.books.levels(instrument, side, &mut |number, level| {
            assert!(number > levels.last().map_or(0, |(before, _)| *before));
            levels.push((number, level));
        });
        levels
    }

    fn beside(&self, instrument: u32, side: Side) -> Vec<Level> {
        let mut levels = Vec::new();
        let mut push = |level| levels.push(level);
        self.books.beside(instrument, side, &mut push);
        levels
    }

    /// Each level by price is worse than the one before it.
    fn check_order(&self, side: Side, levels: &[Level]) {
        for pair in levels.windows(2) {
            let falls = pair[0].price > pair[1].price;
            assert!(pair[0].price != pair[1].price && falls == (side == Side::BUY));
        }
    }

    fn queue(&self, instrument: u32, side: Side, price: Price) -> Vec<Queued> {
        let mut queue = Vec::new();
        let mut push = |order| queue.push(order);
        self.books.queue(instrument, side, price, &mut push);
        queue
    }
}

impl Outlet for Keeper {
    fn published(&self) -> u64 {
        self.events
    }
}

impl MarketHandler for Keeper {
    fn on_add(&mut self, cx: &MsgCtx, m: AddOrder) {
        tell!(self, cx, books => books.add(cx, &m));
    }

    fn on_execute(&mut self, cx: &MsgCtx, m: ExecuteOrder) {
        tell!(self, cx, books => books.execute(cx, &m));
    }

    fn on_cancel(&mut self, cx: &MsgCtx, m: CancelOrder) {
        tell!(self, cx, books => books.cancel(cx, &m));
    }

    fn on_delete(&mut self, cx: &MsgCtx, m: DeleteOrder) {
        tell!(self, cx, books => books.delete(cx, &m));
    }

    fn on_replace(&mut self, cx: &MsgCtx, m: ReplaceOrder) {
        tell!(self, cx, books => books.replace(cx, &m));
    }

    fn on_modify(&mut self, cx: &MsgCtx, m: ModifyOrder) {
        tell!(self, cx, books => books.modify(cx, &m));
    }

    fn on_ranked(&mut self, cx: &MsgCtx, m: RankedOrder) {
        tell!(self, cx, books => books.ranked(cx, &m));
    }

    fn on_level(&mut self, cx: &MsgCtx, m: LevelUpdate) {
        tell!(self, cx, books => books.level(cx, &m));
    }

    fn on_slot(&mut self, cx: &MsgCtx, m: SlotUpdate) {
        let refused = |keeper: &Keeper| {
            let faults = keeper.books.faults();
            faults.of(Fault::LevelRange) + faults.of(Fault::NoInstrument)
        };
        let before = refused(self);
        let change = self.books.slot(cx, &m);
        assert_eq!(change, self.oracle.slot(cx, &m));
        if refused(self) == before {
            self.numbered[cx.instrument as usize] = true;
        }
    }

    fn on_quote(&mut self, cx: &MsgCtx, m: QuoteUpdate) {
        tell!(self, cx, books => books.quotes(cx, &m));
    }

    fn on_directory(&mut self, cx: &MsgCtx, m: Directory) {
        self.books.directory(cx, &m);
        self.oracle.directory(cx, &m);
    }

    fn on_status(&mut self, cx: &MsgCtx, m: Status) {
        self.books.status(cx, &m);
        self.oracle.status(cx, &m);
    }

    fn on_restart(&mut self, _: &MsgCtx) {
        self.books.restart();
        self.oracle.restart();
        self.numbered = [false; LIMITS.instruments];
        assert_eq!(self.books.live_orders(), 0);
    }
}

fn add(order_id: u64, side: Side, price: Price, quantity: u64) -> AddOrder {
    AddOrder {
        order_id,
        side,
        price,
        quantity,
    }
}

fn execute(order_id: u64, quantity: u64) -> ExecuteOrder {
    ExecuteOrder {
        order_id,
        quantity,
        price: Price::NULL,
        match_id: 0,
        printable: true,
    }
}

fn replace(old_id: u64, new_id: u64, price: Price, quantity: u64) -> ReplaceOrder {
    ReplaceOrder {
        old_id,
        new_id,
        price,
        quantity,
    }
}

fn modify(order_id: u64, price: Price, quantity: u64) -> ModifyOrder {
    ModifyOrder {
        order_id,
        price,
        quantity,
    }
}

fn ranked(order_id: u64, side: Side, price: Price, quantity: u64, what: u64) -> RankedOrder {
    RankedOrder {
        order_id,
        side,
        price,
        quantity,
        rank: what & 7,
        enters: what & 8 != 0,
    }
}

fn slot(what: u64, side: Side, price: Price, quantity: u64) -> SlotUpdate {
    use SlotAction::*;
    let actions = [
        New, Change, Delete, DeleteThru, DeleteFrom, Overlay, New, New,
    ];
    SlotUpdate {
        implied: what & 8 != 0,
        side,
        action: actions[what as usize & 7],
        level: match what >> 4 {
            15 => 200,
            n => n as u8,
        },
        price,
        quantity,
        orders: (quantity & 1 != 0).then_some(3),
    }
}

fn quotes(price: Price, quantity: u64, what: u64) -> QuoteUpdate {
    QuoteUpdate {
        bid: price,
        bid_quantity: quantity,
        ask: Price(what as i64 * 100_000),
        ask_quantity: what & 3,
    }
}

fn directory(what: u64, which: u64) -> Directory {
    let name: &[u8] = match which & 1 {
        0 => b"SHORT",
        _ => b"LONGER-THAN-8",
    };
    Directory {
        depths: [what as u8 >> 3, what as u8 & 7],
        ..Directory::of(Name::new(name))
    }
}

fn status(what: u64, value: u64) -> Status {
    let values = b"QOSMECTHP";
    let continuous = (what > 11).then_some(value & 1 == 0);
    let what = match what & 3 {
        0 | 1 => StatusKind::SYSTEM,
        2 => StatusKind::TRADING,
        _ => StatusKind::OPERATIONAL,
    };
    Status {
        what,
        value: values[value as usize % values.len()],
        detail: *b"    ",
        price: Price::NULL,
        continuous,
    }
}
