//! One list of operations on two books.

use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, ExecuteOrder, Flags, MsgCtx, Price, ReplaceOrder, Side,
    Status, StatusKind, Trust,
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
    Level(Side, Level),
    Quote(Side, Quote),
    Clear,
    Status(StatusKind, u8),
    Cross,
    Restart,
}

/// An operation: printed as it is read aloud.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Op {
    /// Of which instrument.
    pub instrument: u32,
    /// After a gap.
    pub recovering: bool,
    /// What happens.
    pub what: What,
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gap = if self.recovering { "(recovering) " } else { "" };
        write!(f, "[{}] {gap}{:?}", self.instrument, self.what)
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
            What::Level(side, level) => books.level(&cx, side, level),
            What::Quote(side, quote) => books.quote(&cx, side, quote),
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

/// Everything in books, in words.
type Inventory = Vec<(u32, [u8; 8], Side, Level, Vec<Queued>)>;

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
        }
        for (i, _, _, _, queue) in stock {
            for Queued { order_id, .. } in queue {
                same("order", fast.order(i, order_id), plain.order(i, order_id))?;
            }
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
        inventory(&self.fast)
            .into_iter()
            .filter(|row| (row.0, row.2) == (instrument, side))
            .map(|(_, _, _, level, queue)| {
                let orders = queue.iter().map(|o| (o.order_id, o.quantity)).collect();
                (level.price.0, level.quantity, orders)
            })
            .collect()
    }
}

fn inventory(books: &dyn View) -> Inventory {
    let mut all = Vec::new();
    for (i, symbol) in books.instruments() {
        for side in [Side::BUY, Side::SELL] {
            let first = all.len();
            books.levels(i, side, &mut |level| {
                all.push((i, symbol, side, level, vec![]));
            });
            for (_, _, _, level, queue) in &mut all[first..] {
                books.queue(i, side, level.price, &mut |order| queue.push(order));
            }
        }
    }
    all
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
        flags: Flags::END_OF_EVENT,
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
