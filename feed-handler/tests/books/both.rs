//! One list of operations on two books.

use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, Directory, ExecuteOrder, Flags, LevelUpdate, ModifyOrder,
    MsgCtx, NO_INSTRUMENT, Name, Price, QuoteUpdate, RankedOrder, ReplaceOrder, Side, SlotAction,
    SlotUpdate, Status, StatusKind, Trust,
};
use feed_common::time::{Ticks, UnixNanos};
use feed_handler::book::{
    BookLimits, Books, Change, Fault, Faults, Level, Queued, Quote, View, digest, oracle,
};
use std::fmt;

/// An event of an instrument. Prices are small numbers and mean themselves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum What {
    Add(u64, Side, Price, u64),
    Execute(u64, u64),
    Cancel(u64, u64),
    Delete(u64),
    Replace(u64, u64, Price, u64),
    Modify(u64, Price, u64),
    /// With its rank at the end.
    Ranked(u64, Side, Price, u64, u64),
    /// True for the implied book; then the level's number.
    Slot(bool, SlotAction, Side, u8, Price, u64),
    /// Depths of the real and the implied book; true with a name that is too long for a symbol.
    Define([u8; 2], bool),
    Level(Side, Level),
    Quote(Side, Quote),
    Quotes(Quote, Quote),
    Clear,
    Status(StatusKind, u8),
    /// Whether the instrument trades continuously.
    Says(bool),
    /// Whether all do.
    AllSay(bool),
    Cross,
    /// The end of an event of several messages; true for one that is of the instrument alone.
    End(bool),
    Restart,
}

/// An operation: printed as it is read aloud.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Op {
    /// Of which instrument.
    pub instrument: u32,
    /// After a gap.
    pub recovering: bool,
    /// In an event that goes on.
    pub open: bool,
    /// What happens.
    pub what: What,
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gap = if self.recovering { "(recovering) " } else { "" };
        let open = if self.open { "(open) " } else { "" };
        write!(f, "[{}] {gap}{open}{:?}", self.instrument, self.what)
    }
}

impl fmt::Debug for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |price: Price| match price {
            Price::NULL => "without a price".to_owned(),
            Price(p) => format!("at {p}"),
        };
        let side = |side: Side| match side.0 {
            letter @ (b'B' | b'S') => char::from(letter).to_string(),
            other => format!("side {other}"),
        };
        match *self {
            What::Add(id, s, p, q) => write!(f, "add {id}: {} {q} {}", side(s), at(p)),
            What::Execute(id, q) => write!(f, "execute {id}: {q}"),
            What::Cancel(id, q) => write!(f, "cancel {id}: {q}"),
            What::Delete(id) => write!(f, "delete {id}"),
            What::Replace(old, new, p, q) => write!(f, "replace {old} by {new}: {q} {}", at(p)),
            What::Modify(id, p, q) => write!(f, "modify {id}: {q} {}", at(p)),
            What::Ranked(id, s, p, q, rank) => {
                write!(f, "ranked {id}: {} {q} {} rank {rank}", side(s), at(p))
            }
            What::Slot(implied, action, s, level, p, q) => {
                let book = if implied { "implied" } else { "real" };
                write!(f, "{book} {action:?} {}{level}: {q} {}", side(s), at(p))
            }
            What::Define(depths, long) => write!(f, "define: depths {depths:?}, long {long}"),
            What::Level(s, l) => {
                let (quantity, orders) = (l.quantity, l.orders);
                write!(
                    f,
                    "level: {} {quantity} {orders:?} {}",
                    side(s),
                    at(l.price)
                )
            }
            What::Quote(s, q) => write!(f, "quote: {} {} {}", side(s), q.quantity, at(q.price)),
            What::Quotes(bid, ask) => write!(f, "quotes: {bid:?} {ask:?}"),
            What::Says(continuous) => write!(f, "says continuous: {continuous}"),
            What::AllSay(continuous) => write!(f, "all say continuous: {continuous}"),
            What::End(alone) => write!(f, "end, alone {alone}"),
            What::Clear => write!(f, "clear"),
            What::Status(what, value) => write!(f, "status {}: {}", what.0, char::from(value)),
            What::Cross => write!(f, "cross"),
            What::Restart => write!(f, "restart"),
        }
    }
}

/// Applies an operation to either book, which have the same methods without sharing a trait.
macro_rules! apply {
    ($books:expr, $op:expr) => {{
        let (books, cx) = ($books, context($op));
        match $op.what {
            What::Add(order_id, side, price, quantity) => books.add(
                &cx,
                &AddOrder {
                    order_id,
                    side,
                    price,
                    quantity,
                },
            ),
            What::Execute(order_id, quantity) => books.execute(
                &cx,
                &ExecuteOrder {
                    order_id,
                    quantity,
                    price: Price::NULL,
                    match_id: 0,
                    printable: true,
                },
            ),
            What::Cancel(order_id, quantity) => {
                books.cancel(&cx, &CancelOrder { order_id, quantity })
            }
            What::Delete(order_id) => books.delete(&cx, &DeleteOrder { order_id }),
            What::Replace(old_id, new_id, price, quantity) => books.replace(
                &cx,
                &ReplaceOrder {
                    old_id,
                    new_id,
                    price,
                    quantity,
                },
            ),
            What::Modify(order_id, price, quantity) => books.modify(
                &cx,
                &ModifyOrder {
                    order_id,
                    price,
                    quantity,
                },
            ),
            What::Ranked(order_id, side, price, quantity, rank) => books.ranked(
                &cx,
                &RankedOrder {
                    order_id,
                    side,
                    price,
                    quantity,
                    rank,
                    enters: true,
                },
            ),
            What::Slot(implied, action, side, level, price, quantity) => books.slot(
                &cx,
                &SlotUpdate {
                    implied,
                    side,
                    action,
                    level,
                    price,
                    quantity,
                    orders: (quantity % 2 == 0).then_some(level.into()),
                },
            ),
            What::Define(depths, long) => {
                books.directory(&cx, &directory(&cx, depths, long));
                Change::default()
            }
            What::Level(side, level) => books.level(
                &cx,
                &LevelUpdate {
                    side,
                    price: level.price,
                    quantity: level.quantity,
                    orders: level.orders,
                },
            ),
            What::Quote(side, quote) => books.quote(&cx, side, quote),
            What::Quotes(bid, ask) => books.quotes(
                &cx,
                &QuoteUpdate {
                    bid: bid.price,
                    bid_quantity: bid.quantity,
                    ask: ask.price,
                    ask_quantity: ask.quantity,
                },
            ),
            What::Says(continuous) => {
                books.status(&cx, &says(continuous));
                Change::default()
            }
            What::AllSay(continuous) => {
                let instrument = NO_INSTRUMENT;
                books.status(&MsgCtx { instrument, ..cx }, &says(continuous));
                Change::default()
            }
            What::End(alone) => {
                let flags = match alone {
                    true => cx.flags.with(Flags::OF_INSTRUMENT),
                    false => cx.flags,
                };
                books.end_event(&MsgCtx { flags, ..cx });
                Change::default()
            }
            What::Clear => books.clear(&cx),
            What::Status(what, value) => {
                books.status(&cx, &status(what, value));
                Change::default()
            }
            What::Cross => {
                books.cross(&cx);
                Change::default()
            }
            What::Restart => {
                books.restart();
                Change::default()
            }
        }
    }};
}

/// The two books.
pub struct Both {
    /// The one that is tested.
    pub fast: Books,
    /// The one that is believed.
    pub plain: oracle::Books,
}

/// A level: price, quantity, and the orders' numbers and quantities.
type Row = (i64, u64, Vec<(u64, u64)>);

/// One level of everything in books.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    pub instrument: u32,
    pub name: Name,
    pub side: Side,
    pub part: Part,
    pub number: u32,
    pub level: Level,
    pub queue: Vec<Queued>,
}

/// Which of an instrument's books a level is of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Part {
    Real,
    Implied,
    /// Orders that are kept beside numbered levels.
    Beside,
}

impl Both {
    pub fn new(limits: BookLimits) -> Both {
        Both {
            fast: Books::new(&limits).expect("memory"),
            plain: oracle::Books::new(&limits),
        }
    }

    /// Runs an operation on both; what differs afterwards is the error.
    pub fn run(&mut self, op: &Op) -> Result<Change, String> {
        let fast = apply!(&mut self.fast, op);
        let plain = apply!(&mut self.plain, op);
        same("change", fast, plain)?;
        self.compare()?;
        Ok(fast)
    }

    /// Runs an operation on both, which are to agree.
    #[track_caller]
    pub fn ok(&mut self, op: Op) -> Change {
        self.run(&op)
            .unwrap_or_else(|difference| panic!("{op:?}: {difference}"))
    }

    /// Compares everything that can be asked.
    pub fn compare(&self) -> Result<(), String> {
        let (fast, plain) = (&self.fast, &self.plain);
        same("faults", fast.faults(), plain.faults())?;
        same("live orders", fast.live_orders(), plain.live_orders())?;
        same("instruments", fast.instruments(), plain.instruments())?;
        let stock = inventory(plain);
        same("levels and queues", inventory(fast), stock.clone())?;
        for (i, _) in plain.instruments() {
            same("best prices", fast.bbo(i), plain.bbo(i))?;
            for side in [Side::BUY, Side::SELL] {
                compare_floats(fast, i, side)?;
            }
        }
        for Kept {
            instrument: i,
            queue,
            ..
        } in stock
        {
            for Queued { order_id, .. } in queue {
                same("order", fast.order(i, order_id), plain.order(i, order_id))?;
            }
            same("suspect", fast.is_suspect(i), plain.is_suspect(i))?;
        }
        Ok(())
    }

    /// Compares what stands for the whole books in the facts of a run.
    pub fn compare_digests(&self) -> Result<(), String> {
        same("digest", digest(&self.fast), digest(&self.plain))
    }

    /// What has been counted, the zeros left out.
    pub fn faults(&self) -> Vec<(Fault, u64)> {
        let faults: &Faults = self.fast.faults();
        faults.iter().filter(|&(_, n)| n > 0).collect()
    }

    /// Levels of a side, the best first.
    pub fn side(&self, instrument: u32, side: Side) -> Vec<Row> {
        let rows = self.part(instrument, side, Part::Real).into_iter();
        let row = |Kept { level, queue, .. }| {
            let orders = queue.iter().map(|o: &Queued| (o.order_id, o.quantity));
            (level.price.0, level.quantity, orders.collect())
        };
        rows.map(row).collect()
    }

    /// Number and price of the levels of a side.
    pub fn numbers(&self, instrument: u32, side: Side, part: Part) -> Vec<(u32, i64)> {
        let rows = self.part(instrument, side, part).into_iter();
        rows.map(|kept| (kept.number, kept.level.price.0)).collect()
    }

    fn part(&self, instrument: u32, side: Side, part: Part) -> Vec<Kept> {
        let wanted = |k: &Kept| (k.instrument, k.side, k.part) == (instrument, side, part);
        inventory(&self.fast).into_iter().filter(wanted).collect()
    }
}

fn inventory(books: &dyn View) -> Vec<Kept> {
    let mut all = Vec::new();
    for (i, name) in books.instruments() {
        for side in [Side::BUY, Side::SELL] {
            let mut levels = Vec::new();
            books.levels(i, side, &mut |n, level| {
                levels.push((Part::Real, n, level));
            });
            books.implied(i, side, &mut |n, level| {
                levels.push((Part::Implied, n, level));
            });
            books.beside(i, side, &mut |level| levels.push((Part::Beside, 0, level)));
            for (part, number, level) in levels {
                let mut queue = Vec::new();
                if part != Part::Implied {
                    books.queue(i, side, level.price, &mut |order| queue.push(order));
                }
                all.push(Kept {
                    instrument: i,
                    name,
                    side,
                    part,
                    number,
                    level,
                    queue,
                });
            }
        }
    }
    all
}

/// The depth as floating point, all of it and the best two, against the levels.
fn compare_floats(books: &Books, instrument: u32, side: Side) -> Result<(), String> {
    let mut levels = Vec::new();
    books.levels(instrument, side, &mut |number, level| {
        levels.push((number, level.price.0 as f64 / 1e9, level.quantity as f64));
    });
    for room in [2, levels.len() + 1] {
        let (mut prices, mut quantities) = (vec![0.0; room], vec![0.0; room + 1]);
        let n = books.depth_f64(instrument, side, &mut prices, &mut quantities);
        let floats: Vec<_> = prices.into_iter().zip(quantities).take(n).collect();
        let within = levels.iter().filter(|level| level.0 as usize <= room);
        let expected: Vec<_> = within.map(|level| (level.1, level.2)).collect();
        same("depth as floating point", floats, expected)?;
    }
    Ok(())
}

fn same<T: PartialEq + fmt::Debug>(what: &str, fast: T, plain: T) -> Result<(), String> {
    match fast == plain {
        true => Ok(()),
        false => Err(format!("{what}: {fast:?} instead of {plain:?}")),
    }
}

/// The context that a decoder would give.
pub fn context(op: &Op) -> MsgCtx {
    let mut symbol = *b"S       ";
    if op.instrument == 2 {
        symbol[0] = b'#'; // which stands for a longer name, where one has been said
    }
    symbol[1] = b'0' + (op.instrument % 10) as u8;
    MsgCtx {
        sequence: 1,
        skip: 0,
        channel: 0,
        rx: Ticks(0),
        trust: match op.recovering {
            true => Trust::RECOVERING,
            false => Trust::VALID,
        },
        midnight: UnixNanos::UNKNOWN,
        timestamp: UnixNanos(1),
        instrument: op.instrument,
        symbol,
        flags: match op.open {
            true => Flags::NONE,
            false => Flags::END_OF_EVENT,
        },
        ..MsgCtx::default()
    }
}

fn status(what: StatusKind, value: u8) -> Status {
    Status {
        what,
        value,
        detail: *b"    ",
        price: Price::NULL,
        continuous: None,
    }
}

fn says(continuous: bool) -> Status {
    Status {
        continuous: Some(continuous),
        ..status(StatusKind::TRADING, b'?')
    }
}

fn directory(cx: &MsgCtx, depths: [u8; 2], long: bool) -> Directory {
    let name = match long {
        true => Name::new(format!("{:?}-TOO-LONG", cx.instrument).as_bytes()),
        false => Name::new(&cx.symbol),
    };
    Directory {
        depths,
        ..Directory::of(name)
    }
}
