//! Events to records.

use super::digests::Digests;
use super::fields::Fields;
use super::{Digest, Marks, Outlet, Publish, UnitPrint};
use crate::book::{Bbo, Quote};
use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, Directory, ExecuteOrder, Flags, Gap, Imbalance, Kind,
    LevelUpdate, MarketData, MarketHandler, ModifyOrder, MsgCtx, Price, QuoteUpdate, RankedOrder,
    Record, ReplaceOrder, Side, SlotUpdate, Statistic, Status, Trade, TradeBreak, Trust,
};
use feed_common::record::{SensorReading, TimeSeriesPoint};
use zerocopy::byteorder::little_endian::U64;

/// Builds records, digests them and hands them to a [`Publish`].
#[derive(Debug)]
pub struct Records<K> {
    sink: K,
    digests: Digests,
    published: u64,
}

/// Bytes of a name that an extension record holds.
pub const NAME_BYTES: usize = 16;

/// What an event's records have in common besides its context.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub trust: Trust,
    /// Those of the context, or without [`Flags::END_OF_EVENT`] when more of the event follows.
    pub flags: Flags,
}

impl Mark {
    /// As the context says.
    #[inline(always)]
    fn of(cx: &MsgCtx) -> Mark {
        Mark {
            trust: cx.trust,
            flags: cx.flags,
        }
    }

    /// For a record behind which more of the event follows.
    #[inline(always)]
    pub fn open(self) -> Mark {
        Mark {
            flags: Flags(self.flags.0 & !Flags::END_OF_EVENT.0),
            ..self
        }
    }
}

impl<K: Publish> Records<K> {
    /// Publishes to `sink`, with a digest for each of `channels` channels.
    pub fn new(sink: K, channels: usize) -> Records<K> {
        Records {
            sink,
            digests: Digests::new(channels),
            published: 0,
        }
    }

    /// Notes marks of the records, which have to be none yet.
    pub fn with_marks(mut self, marks: Marks) -> Records<K> {
        self.digests = self.digests.with_marks(marks);
        self
    }

    /// Where the records went.
    pub fn into_sink(self) -> K {
        self.sink
    }

    /// Where the records go.
    pub fn sink(&self) -> &K {
        &self.sink
    }

    /// The record of an event that has one.
    #[inline(always)]
    pub(super) fn emit(&mut self, cx: &MsgCtx, mark: Mark, f: Fields) {
        if f.kind == Kind::GAP {
            self.digests
                .gap(cx.channel, cx.unit, cx.sequence, f.order_id);
        }
        if f.quantity <= u32::MAX as u64 {
            self.put(cx, mark, f.quantity as u32, &f);
        } else {
            self.emit_wide(cx, mark, f);
        }
    }

    /// A quantity above 32 bits saturates, and an extension record behind it says the exact one.
    #[cold]
    fn emit_wide(&mut self, cx: &MsgCtx, mark: Mark, mut f: Fields) {
        f.flags = f.flags.with(Flags::QUANTITY_SATURATED);
        self.put(cx, mark.open(), u32::MAX, &f);
        let exact = Fields {
            order_id: f.quantity,
            side: f.side,
            ..Fields::of(Kind::EXTENSION)
        };
        self.put(cx, mark, 0, &exact);
    }

    /// The two records of a replacement.
    #[inline(always)]
    pub(super) fn replace(&mut self, cx: &MsgCtx, mark: Mark, m: ReplaceOrder) {
        let old = Fields {
            order_id: m.old_id,
            ..Fields::of(Kind::REPLACE_OLD)
        };
        self.put(cx, mark.open(), 0, &old);
        let new = Fields {
            price: m.price,
            quantity: m.quantity,
            order_id: m.new_id,
            ..Fields::of(Kind::REPLACE_NEW)
        };
        self.emit(cx, mark, new);
    }

    /// The record of an announcement, and those of a name that the symbol is too short for.
    pub(super) fn directory(&mut self, cx: &MsgCtx, mark: Mark, m: Directory) {
        let name = m.name.as_bytes();
        let more = if m.name.symbol().is_some() { &[] } else { name };
        let last = more.len().div_ceil(NAME_BYTES);
        let of = |nth| if nth == last { mark } else { mark.open() };
        self.emit(cx, of(0), m.into());
        for (nth, part) in (1..).zip(more.chunks(NAME_BYTES)) {
            let mut bytes = [0; NAME_BYTES];
            bytes[..part.len()].copy_from_slice(part);
            let word = u128::from_le_bytes(bytes);
            let extension = Fields {
                order_id: word as u64,
                price: Price((word >> 64) as i64),
                ..Fields::of(Kind::EXTENSION)
            };
            self.put(cx, of(nth), 0, &extension);
        }
    }

    /// The pair of records of a feed's own best prices.
    #[inline]
    pub(super) fn quote(&mut self, cx: &MsgCtx, mark: Mark, m: QuoteUpdate) {
        let quote = |price, quantity| Quote { price, quantity };
        let bbo = Bbo {
            bid: quote(m.bid, m.bid_quantity),
            ask: quote(m.ask, m.ask_quantity),
        };
        self.best(cx, mark, bbo);
    }

    /// A record that came as one.
    #[inline(always)]
    pub(super) fn data(&mut self, cx: &MsgCtx, mark: Mark, m: MarketData, order_id: u64) {
        let event: [U64; 4] = zerocopy::transmute!(m);
        let [symbol, price, what, timestamp] = event.map(U64::get);
        let what = what & (u64::MAX >> 16) | u64::from(mark.flags.0) << 48;
        self.record(cx, mark.trust, [symbol, price, what, timestamp], order_id);
    }

    /// The pair of records that says the best prices of the context's instrument.
    pub(super) fn best(&mut self, cx: &MsgCtx, mark: Mark, bbo: Bbo) {
        let bid = Fields::best(Kind::BID, Side::BUY, bbo.bid);
        self.emit(cx, mark.open(), bid);
        let offer = Fields::best(Kind::OFFER, Side::SELL, bbo.ask);
        self.emit(cx, mark, offer);
    }

    #[inline(always)]
    fn put(&mut self, cx: &MsgCtx, mark: Mark, quantity: u32, f: &Fields) {
        self.record(cx, mark.trust, event(cx, mark, quantity, f), f.order_id);
    }

    #[inline(always)]
    fn record(&mut self, cx: &MsgCtx, trust: Trust, event: [u64; 4], order_id: u64) {
        let record = record(cx, trust, event, order_id);
        self.digests.update(cx.channel, cx.unit, &record);
        self.published += 1;
        self.sink.publish(&record);
    }
}

/// A [`MarketData`] as the first words of [`Record::from_words`].
#[inline(always)]
fn event(cx: &MsgCtx, mark: Mark, quantity: u32, f: &Fields) -> [u64; 4] {
    let what = u64::from(quantity)
        | u64::from(f.kind.0) << 32
        | u64::from(f.side.0) << 40
        | u64::from(mark.flags.with(f.flags).0) << 48;
    let symbol = u64::from_le_bytes(cx.symbol);
    [symbol, f.price.0 as u64, what, cx.timestamp.0]
}

/// An event with where it is from.
#[inline(always)]
fn record(cx: &MsgCtx, trust: Trust, event: [u64; 4], order_id: u64) -> Record {
    let [symbol, price, what, timestamp] = event;
    let whence = u64::from(cx.instrument) | u64::from(cx.channel) << 32 | u64::from(trust.0) << 48;
    Record::from_words([
        symbol,
        price,
        what,
        timestamp,
        cx.sequence,
        order_id,
        cx.rx.0,
        whence,
    ])
}

impl<K: Publish> Outlet for Records<K> {
    #[inline]
    fn flush(&mut self) {
        self.sink.flush();
    }

    #[inline]
    fn prepare(&mut self) {
        self.sink.prepare();
    }

    #[inline]
    fn published(&self) -> u64 {
        self.published
    }

    fn digest(&self, channel: u16) -> Digest {
        self.digests.of(channel)
    }

    fn prints(&self, channel: u16) -> Vec<UnitPrint> {
        self.digests.prints(channel)
    }
}

// The events of order flow are part of their decoder's code: as calls they would pass the context and the event through
// memory, twice for messages that come in two forms.
impl<K: Publish> MarketHandler for Records<K> {
    #[inline(always)]
    fn on_add(&mut self, cx: &MsgCtx, m: AddOrder) {
        self.emit(cx, Mark::of(cx), m.into());
    }

    #[inline(always)]
    fn on_execute(&mut self, cx: &MsgCtx, m: ExecuteOrder) {
        self.emit(cx, Mark::of(cx), m.into());
    }

    #[inline(always)]
    fn on_cancel(&mut self, cx: &MsgCtx, m: CancelOrder) {
        self.emit(cx, Mark::of(cx), m.into());
    }

    #[inline(always)]
    fn on_delete(&mut self, cx: &MsgCtx, m: DeleteOrder) {
        self.emit(cx, Mark::of(cx), m.into());
    }

    #[inline(always)]
    fn on_replace(&mut self, cx: &MsgCtx, m: ReplaceOrder) {
        self.replace(cx, Mark::of(cx), m);
    }

    #[inline]
    fn on_trade(&mut self, cx: &MsgCtx, m: Trade) {
        self.emit(cx, Mark::of(cx), m.into());
    }

    #[inline]
    fn on_modify(&mut self, cx: &MsgCtx, m: ModifyOrder) {
        self.emit(cx, Mark::of(cx), m.into());
    }

    #[inline]
    fn on_ranked(&mut self, cx: &MsgCtx, m: RankedOrder) {
        self.emit(cx, Mark::of(cx), m.into());
    }

    #[inline]
    fn on_level(&mut self, cx: &MsgCtx, m: LevelUpdate) {
        self.emit(cx, Mark::of(cx), m.into());
    }

    #[inline]
    fn on_slot(&mut self, cx: &MsgCtx, m: SlotUpdate) {
        self.emit(cx, Mark::of(cx), m.into());
    }

    #[inline]
    fn on_quote(&mut self, cx: &MsgCtx, m: QuoteUpdate) {
        self.quote(cx, Mark::of(cx), m);
    }

    fn on_trade_break(&mut self, cx: &MsgCtx, m: TradeBreak) {
        self.emit(cx, Mark::of(cx), m.into());
    }

    fn on_imbalance(&mut self, cx: &MsgCtx, m: Imbalance) {
        self.emit(cx, Mark::of(cx), m.into());
    }

    fn on_status(&mut self, cx: &MsgCtx, m: Status) {
        self.emit(cx, Mark::of(cx), m.into());
    }

    fn on_directory(&mut self, cx: &MsgCtx, m: Directory) {
        self.directory(cx, Mark::of(cx), m);
    }

    fn on_statistic(&mut self, cx: &MsgCtx, m: Statistic) {
        self.emit(cx, Mark::of(cx), m.into());
    }

    fn on_gap(&mut self, cx: &MsgCtx, m: Gap) {
        self.emit(cx, Mark::of(cx), m.into());
    }

    fn on_trust(&mut self, cx: &MsgCtx) {
        let event = event(cx, Mark::of(cx), 0, &Fields::of(Kind::TRUST));
        self.published += 1;
        self.sink.publish(&record(cx, cx.trust, event, 0));
    }

    fn on_restart(&mut self, cx: &MsgCtx) {
        self.digests.restart(cx.channel, cx.unit);
        self.emit(cx, Mark::of(cx), Fields::of(Kind::CLEAR));
    }

    fn on_clear(&mut self, cx: &MsgCtx) {
        self.emit(cx, Mark::of(cx), Fields::of(Kind::CLEAR));
    }

    fn on_end(&mut self, cx: &MsgCtx) {
        self.emit(cx, Mark::of(cx), Fields::of(Kind::END));
    }

    #[inline]
    fn on_market_data(&mut self, cx: &MsgCtx, m: MarketData) {
        let mark = Mark {
            trust: cx.trust,
            flags: Flags(m.flags.get()),
        };
        self.data(cx, mark, m, 0);
    }

    fn on_sensor(&mut self, cx: &MsgCtx, m: SensorReading) {
        let record = m.to_record();
        self.data(cx, Mark::of(cx), record.data, record.order_id.get());
    }

    fn on_point(&mut self, cx: &MsgCtx, m: TimeSeriesPoint) {
        let record = m.to_record();
        self.data(cx, Mark::of(cx), record.data, record.order_id.get());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use feed_common::event::{NO_SYMBOL, Name};
    use feed_common::time::{Ticks, UnixNanos};

    impl Publish for Vec<Record> {
        fn publish(&mut self, record: &Record) {
            self.push(*record);
        }
    }

    fn cx() -> MsgCtx {
        MsgCtx {
            sequence: 7,
            skip: 0,
            channel: 0,
            rx: Ticks(5),
            trust: Trust::VALID,
            midnight: UnixNanos(1),
            timestamp: UnixNanos(9),
            instrument: 3,
            symbol: NO_SYMBOL,
            flags: Flags::END_OF_EVENT,
            ..MsgCtx::default()
        }
    }

    #[test]
    fn a_replace_is_two_records_and_ends_with_the_second() {
        let mut r = Records::new(Vec::new(), 1);
        let m = ReplaceOrder {
            old_id: 1,
            new_id: 2,
            price: Price(10),
            quantity: 100,
        };
        r.on_replace(&cx(), m);
        assert_eq!(r.published(), 2);
        let out = r.into_sink();
        assert_eq!(
            out.iter()
                .map(|r| (r.data.kind, r.order_id.get(), r.data.flags.get()))
                .collect::<Vec<_>>(),
            [
                (Kind::REPLACE_OLD.0, 1, 0),
                (Kind::REPLACE_NEW.0, 2, Flags::END_OF_EVENT.0)
            ]
        );
    }

    #[test]
    fn a_long_name_follows_its_directory_record() {
        let mut r = Records::new(Vec::new(), 1);
        r.on_directory(&cx(), Directory::of(Name::new(b"GEZ5-2GEH6+GEM6-GEU")));
        r.on_directory(&cx(), Directory::of(Name::new(b"ESZ5    ")));
        let out = r.into_sink();
        let kinds: Vec<_> = out.iter().map(|r| r.data.kind).collect();
        let (directory, extension) = (Kind::DIRECTORY.0, Kind::EXTENSION.0);
        assert_eq!(kinds, [directory, extension, extension, directory]);
        let name: Vec<u8> = out[1..3]
            .iter()
            .flat_map(|r| [r.order_id.get(), r.data.price.get() as u64].map(u64::to_le_bytes))
            .flatten()
            .collect();
        assert_eq!(name[..19], *b"GEZ5-2GEH6+GEM6-GEU");
        let ends: Vec<_> = out.iter().map(|r| r.data.flags.get()).collect();
        assert_eq!(ends, [0, 0, 1, 1]);
    }

    #[test]
    fn a_wide_quantity_saturates_and_is_said_exactly_behind() {
        let mut r = Records::new(Vec::new(), 1);
        let m = Trade {
            match_id: 4,
            side: Side::NONE,
            price: Price(1),
            quantity: 1 << 40,
            flags: Flags::CROSS,
        };
        r.on_trade(&cx(), m);
        let out = r.into_sink();
        let main = Flags(out[0].data.flags.get());
        assert!(
            main.has(Flags::QUANTITY_SATURATED)
                && main.has(Flags::CROSS)
                && !main.has(Flags::END_OF_EVENT)
        );
        assert_eq!(
            (out[0].data.quantity.get(), out[1].order_id.get()),
            (u32::MAX, 1 << 40)
        );
        assert_eq!(
            (out[1].data.kind, out[1].data.flags.get()),
            (Kind::EXTENSION.0, Flags::END_OF_EVENT.0)
        );
    }
}
