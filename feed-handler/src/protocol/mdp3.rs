//! CME MDP 3.0 -> events: schema versions 5 to 13 side by side, market by price and market by order.
//!
//! **Books.** The entries of 46, 64 and 32 are numbered levels of two books, the real one and the implied one, which are
//! told as the exchange numbers them ([`SlotUpdate`](feed_common::event::SlotUpdate)); `J` empties both. Orders come in
//! their second group, where they refer to an entry of the first, and alone in 47 and 43; each says its place in the
//! queue. The prices of a message's entries go through [`feed_common::prices`] at once.
//!
//! **The end of an event.** An event of the exchange may change many instruments and span messages and packets. Its last
//! message says so, and the last event of that message has [`Flags::END_OF_EVENT`]. Where that would be of an instrument
//! that is not wanted, the end comes alone ([`MarketHandler::on_end`]).
//!
//! **Names.** Messages name instruments by a number. The name is in a definition, which may come late, on another stream
//! ([`Decode::refer`]), or never: until then the number in decimal is the symbol. When the definition comes, the
//! instrument keeps its number in events, and its book. Numbers keep their meaning when packets begin to count anew.
//!
//! **Trades** are those of 48, 65, 42 and 36. A change of a trade is a break and a trade, a delete is a break. The match
//! number is the exchange's number of the trade with the instrument's number above it (of which the exchange does not say
//! that trades of two instruments differ). Senders before version 7 number no trades in 42: there RptSeq takes the place,
//! so that prints can be told apart; what is taken back then cannot be found, and is counted.
//!
//! **Figures** that are deleted come with a null price and no quantity. The indicative opening price is
//! `AUCTION_CLEARING`, as other exchanges' are.
//!
//! **Status** of a group is that of no instrument; `symbol` has the group's name. `detail` is reason and event, two
//! bytes. Continuous trading is 17, "ready to trade".
//!
//! **RptSeq** counts the entries of an instrument. A step over some is counted as `rpt_seq_gap`, and the instrument is not
//! whole from then on. It begins anew with the packets' numbers and with a channel reset, which empties the books of all
//! instruments of the channel. Trust is that of each instrument: see `refresh`.
//!
//! Not in events, but in `decode`: the fills of a trade by order, tradeable sizes, quote requests, workups, collateral,
//! conflated snapshots of TCP, and of definitions all but name, tick, display factor and depths. Snapshots are of a feed
//! of their own and for recovery ([`Decode::refresh`]): among other messages they are counted and touch no book.

mod arrays;
mod book;
mod definition;
mod figures;
mod refresh;
mod sheet;
#[cfg(test)]
mod sheet_tests;
mod trades;

pub use sheet::Mdp3Sheet;

use super::{
    About, Ahead, Decode, DecodeError, Definitions, Described, Instruments, Known, Place, Protocol,
};
use crate::subscribe::{Filter, Standing};
use crate::transport::Mdp3Framing;
use arrays::Arrays;
use feed_common::event::{
    Directory, Flags, MarketHandler, MsgCtx, NO_INSTRUMENT, NO_SYMBOL, Name, Price, Status,
    StatusKind,
};
use feed_common::time::{UnixNanos, Zone};
use feed_common::wire::ProtocolName;
use feed_common::wire::mdp3::{
    BookEntry, BookLongEntry, EventRoot, Message, MessageError, NULL_I32, NULL_PRICE, NULL_U8,
    NULL_U64, SecurityStatusRoot, event, price_unit, template,
};
use refresh::{Head, Held, Tally};
use std::sync::Arc;

/// CME MDP 3.0 over UDP.
#[derive(Clone, Copy, Debug)]
pub struct Mdp3;

impl Protocol for Mdp3 {
    const NAME: ProtocolName = ProtocolName::Mdp3;
    const ABOUT: About = About {
        feed: "CME MDP 3.0",
        versions: "SBE schema versions 5 to 13",
        framing: "binary packet header",
        books: "numbered levels, real and implied; orders by priority",
    };
    /// Times are on the Unix epoch.
    const ZONE: Zone = Zone::Utc;
    type Framing = Mdp3Framing;
    type Decoder = Mdp3Decoder;
}

impl Described for Mdp3 {
    type Sheet = Mdp3Sheet;
}

/// Decodes the messages of a channel. The memory that order flow needs is taken when it is made.
#[derive(Debug)]
pub struct Mdp3Decoder {
    known: Known,
    definitions: Arc<Definitions>,
    arrays: Arrays,
    /// By instrument: the RptSeq of its last entry; 0 where the next may have any.
    counted: Box<[u32]>,
    /// By instrument.
    held: Box<[Held]>,
    /// What is as of an earlier packet than the one before this is too old to make anything whole.
    whole_from: u64,
    /// A whole loop of levels has been taken since something was lost.
    looped: bool,
    /// There is a loop of orders too.
    expects_orders: bool,
    tally: Tally,
    /// Something has been told of an event that is not over.
    open: bool,
    oddities: Oddities,
}

#[derive(Clone, Copy, Debug, Default)]
struct Oddities {
    rpt_seq_gap: u64,
    entry_unknown: u64,
    order_reference: u64,
    trade_unnumbered: u64,
    snapshot: u64,
    price_range: u64,
}

impl Mdp3Decoder {
    /// The instruments seen so far.
    pub fn instruments(&self) -> &Instruments {
        self.known.instruments()
    }
}

impl Decode for Mdp3Decoder {
    fn with_room(instruments: usize) -> Mdp3Decoder {
        Mdp3Decoder {
            known: Known::with_room(instruments),
            definitions: Arc::default(),
            arrays: Arrays::new(),
            counted: vec![0; instruments.max(1)].into(),
            held: vec![Held::default(); instruments.max(1)].into(),
            whole_from: 0,
            looped: false,
            expects_orders: false,
            tally: Tally::default(),
            open: false,
            oddities: Oddities::default(),
        }
    }

    // Always: see the decoder of ITCH 5.0.
    #[inline(always)]
    fn decode<H: MarketHandler>(
        &mut self,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let message = Message::parse(message)?;
        match message.template_id() {
            template::BOOK | template::BOOK_7 => self.levels::<BookEntry, H>(message, cx, out),
            template::ORDER_BOOK | template::ORDER_BOOK_7 => self.orders(message, cx, out),
            _ => self.decode_rare(message, cx, out),
        }
    }

    #[inline(always)]
    fn ahead(&self, message: &[u8]) -> Option<Ahead> {
        self.look(message)
    }

    fn oddities(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("rpt_seq_gap", self.oddities.rpt_seq_gap),
            ("entry_unknown", self.oddities.entry_unknown),
            ("order_reference", self.oddities.order_reference),
            ("trade_unnumbered", self.oddities.trade_unnumbered),
            ("snapshot", self.oddities.snapshot),
            ("instruments_recovering", self.known.missed() as u64),
            ("snapshot_whole", self.tally.whole),
            ("snapshot_part", self.tally.part),
            ("snapshot_ahead", self.tally.ahead),
            ("snapshot_stale", self.tally.stale),
            ("snapshot_chunk", self.tally.chunk),
            ("price_range", self.oddities.price_range),
            ("instruments_full", self.known.refused()),
        ]
    }

    fn restart(&mut self) {
        self.trust_all();
        self.count_anew();
        self.open = false;
    }

    const BY_INSTRUMENT: bool = true;

    fn doubt(&mut self, next: u64) {
        self.doubt_all(next);
    }

    fn is_recovering(&self) -> bool {
        self.known.missed() > 0 || self.known.is_doubtful() && !self.looped
    }

    fn expect_orders(&mut self) {
        self.expects_orders = true;
    }

    fn snapshot_as_of(message: &[u8]) -> Option<u64> {
        let head = Head::of(&Message::parse(message).ok()?)?;
        Some(head.as_of.into())
    }

    fn loop_begins(&mut self, orders: bool) {
        Mdp3Decoder::loop_begins(self, orders);
    }

    fn refresh<'m, H: MarketHandler>(
        &mut self,
        snapshot: &[u8],
        since: Option<impl Iterator<Item = &'m [u8]>>,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        self.take_snapshot(snapshot, since, cx, out)
    }

    fn loop_ends<H: MarketHandler>(
        &mut self,
        orders: bool,
        as_of: u64,
        cx: &mut MsgCtx,
        out: &mut H,
    ) {
        Mdp3Decoder::loop_ends(self, orders, as_of, cx, out);
    }

    const ANNOUNCED_APART: bool = true;

    fn announcement(message: &[u8]) -> Option<(u32, Directory)> {
        definition::announcement(&Message::parse(message).ok()?)
    }

    fn refer(&mut self, definitions: Arc<Definitions>) {
        self.definitions = definitions;
    }

    fn subscribe(&mut self, filter: Box<Filter>) -> Box<Filter> {
        self.known.subscribe(filter)
    }

    fn review<H: MarketHandler>(&mut self, cx: &MsgCtx, out: &mut H) -> bool {
        self.known.review(cx, out)
    }

    fn filtered(&self) -> u64 {
        self.known.filtered()
    }
}

impl Mdp3Decoder {
    #[inline(never)]
    fn decode_rare<H: MarketHandler>(
        &mut self,
        message: Message<'_>,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        use template::*;
        match message.template_id() {
            BOOK_LONG => self.levels::<BookLongEntry, H>(message, cx, out),
            TRADE_SUMMARY | TRADE_SUMMARY_7 => self.trades(message, cx, out),
            TRADE_SUMMARY_LONG => self.long_trades(message, cx, out),
            TRADE_7 => self.single_trades(message, cx, out),
            VOLUME => self.volumes(message, cx, out),
            VOLUME_LONG => self.long_volumes(message, cx, out),
            SESSION_STATISTICS | SESSION_STATISTICS_7 => self.session_figures(message, cx, out),
            SESSION_STATISTICS_LONG => self.long_session_figures(message, cx, out),
            DAILY_STATISTICS | DAILY_STATISTICS_7 => self.daily_figures(message, cx, out),
            LIMITS_BANDING | LIMITS_BANDING_7 => self.limits(message, cx, out),
            SECURITY_STATUS => self.status(message, cx, out),
            CHANNEL_RESET => self.reset(message, cx, out),
            FUTURE_7 | OPTION_7 | SPREAD_7 | FUTURE | OPTION | SPREAD | FIXED_INCOME | REPO
            | FX => self.define(message, cx, out),
            SNAPSHOT_7 | SNAPSHOT_ORDERS_7 | SNAPSHOT | SNAPSHOT_ORDERS | SNAPSHOT_LONG => {
                self.oddities.snapshot += 1;
                Ok(())
            }
            // So common that their table is not asked.
            ADMIN_HEARTBEAT => Ok(()),
            _ => match message.template() {
                Some(_) => Ok(()),
                None => Err(DecodeError::UnknownType),
            },
        }
    }

    /// The root of a message of events: takes its time. True when the event ends with it.
    #[inline(always)]
    fn begin(&mut self, message: &Message<'_>, cx: &mut MsgCtx) -> Result<bool, DecodeError> {
        let root: &EventRoot = message.root().ok_or(MessageError::Block)?;
        cx.timestamp = UnixNanos(root.transact_time.get());
        Ok(ends(root.match_event_indicator))
    }

    /// The instrument of one of the exchange's numbers.
    #[inline(always)]
    fn place<H: MarketHandler>(&mut self, id: i32, cx: &mut MsgCtx, out: &mut H) -> Place {
        match self.known.of(id as u32) {
            Some(&place) => place,
            None => self.introduce(id, cx, out),
        }
    }

    /// Tells an event of an instrument, which is the last of its message and of what happened, or is not; with what else
    /// its context says of it.
    #[inline(always)]
    fn tell(
        &mut self,
        place: Place,
        last: bool,
        flags: Flags,
        cx: &mut MsgCtx,
        tell: impl FnOnce(&MsgCtx),
    ) {
        cx.flags = match last {
            true => flags.with(Flags::END_OF_EVENT),
            false => flags,
        };
        let open = &mut self.open;
        self.known.deliver(place, cx, |cx| {
            *open = !last;
            tell(cx);
        });
    }

    /// Closes a message: where it ends what happened and none of its events has said so, the end is told alone.
    #[inline(always)]
    fn close<H: MarketHandler>(&mut self, ends: bool, cx: &mut MsgCtx, out: &mut H) {
        if ends && self.open {
            self.end(cx, out);
        }
    }

    #[cold]
    fn end<H: MarketHandler>(&mut self, cx: &mut MsgCtx, out: &mut H) {
        self.open = false;
        cx.instrument = NO_INSTRUMENT;
        cx.symbol = NO_SYMBOL;
        cx.flags = Flags::END_OF_EVENT;
        out.on_end(cx);
    }

    /// Takes note of the RptSeq of an entry, which can show that its instrument is whole, or is not.
    #[inline(always)]
    fn count<H: MarketHandler>(
        &mut self,
        place: Place,
        rpt_seq: u32,
        cx: &MsgCtx,
        out: &mut H,
    ) -> Place {
        // An instrument beyond the table has no book either.
        if let Some(counted) = self.counted.get_mut(place.instrument as usize) {
            let before = std::mem::replace(counted, rpt_seq);
            if rpt_seq != before.wrapping_add(1) || place.standing == Standing::Doubtful {
                return self.recount(place, before, rpt_seq, cx, out);
            }
        }
        place
    }

    /// Takes note of an order of an instrument.
    #[inline(always)]
    fn has_orders(&mut self, place: Place) -> Place {
        match self.held.get(place.instrument as usize) {
            Some(Held {
                by_order: false, ..
            }) => self.first_order(place),
            _ => place,
        }
    }

    fn count_anew(&mut self) {
        let seen = self.instruments().len().min(self.counted.len());
        self.counted[..seen].fill(0);
    }

    /// A price of a message that has few; null and marked where it leaves the canonical range.
    fn price(&mut self, message: &Message<'_>, wire: i64) -> (Price, Flags) {
        if wire == NULL_PRICE {
            return (Price::NULL, Flags::NONE);
        }
        let scaled = wire.checked_mul(price_unit(message.template_id()));
        match scaled.map(Price) {
            Some(price) if price.is_some() => (price, Flags::NONE),
            _ => {
                self.oddities.price_range += 1;
                (Price::NULL, Flags::PRICE_RANGE)
            }
        }
    }

    fn status<H: MarketHandler>(
        &mut self,
        message: Message<'_>,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let root: &SecurityStatusRoot = message.root().ok_or(MessageError::Block)?;
        cx.timestamp = UnixNanos(root.transact_time.get());
        let last = ends(root.match_event_indicator);
        let value = root.security_trading_status;
        let mut status = Status {
            what: StatusKind::TRADING,
            value,
            detail: [root.halt_reason, root.security_trading_event, 0, 0],
            price: Price::NULL,
            continuous: continuous(value),
        };
        match root.security_id_optional.get() {
            NULL_I32 => {
                status.what = StatusKind::GROUP;
                status.continuous = None; // of no instrument
                let group = Name::new(&root.security_group);
                let symbol = group.symbol().unwrap_or(NO_SYMBOL);
                let group = Place {
                    symbol,
                    ..Place::NOWHERE
                };
                self.tell(group, last, Flags::NONE, cx, |cx| {
                    out.on_status(cx, status);
                });
            }
            id => {
                let place = self.place(id, cx, out);
                self.tell(place, last, Flags::NONE, cx, |cx| {
                    out.on_status(cx, status);
                });
            }
        }
        self.close(last, cx, out);
        Ok(())
    }

    /// Empties the books of every instrument seen.
    fn reset<H: MarketHandler>(
        &mut self,
        message: Message<'_>,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let ends = self.begin(&message, cx)?;
        self.trust_all();
        self.count_anew();
        for instrument in 0..self.instruments().len() as u32 {
            let place = self.known.at(instrument);
            if place.standing.is_delivered() {
                self.tell(place, false, Flags::NONE, cx, |cx| out.on_clear(cx));
            }
        }
        self.close(ends, cx, out);
        Ok(())
    }
}

/// Whether an event ends with a message.
#[inline(always)]
fn ends(match_event_indicator: u8) -> bool {
    match_event_indicator & event::END != 0
}

/// Whether orders match as they come, where a trading status says that.
fn continuous(status: u8) -> Option<bool> {
    const READY_TO_TRADE: u8 = 17;
    const UNKNOWN: u8 = 20;
    const NO_CHANGE: u8 = 103;
    match status {
        READY_TO_TRADE => Some(true),
        UNKNOWN | NO_CHANGE | NULL_U8 => None,
        _ => Some(false),
    }
}

/// A quantity of 4 bytes; 0 where there is none.
#[inline(always)]
fn quantity(wire: i32) -> u64 {
    match wire {
        NULL_I32 => 0,
        n => n.try_into().unwrap_or(0),
    }
}

/// A quantity of 8 bytes; 0 where there is none.
#[inline(always)]
fn long_quantity(wire: u64) -> u64 {
    match wire {
        NULL_U64 => 0,
        n => n,
    }
}

impl From<MessageError> for DecodeError {
    /// A message cut off is short; one that holds lengths or counts that cannot be is invalid.
    fn from(e: MessageError) -> DecodeError {
        match e {
            MessageError::Short => DecodeError::Short,
            MessageError::Foreign => DecodeError::UnknownType,
            MessageError::Block | MessageError::Group | MessageError::Entry => DecodeError::Invalid,
        }
    }
}

#[cfg(test)]
mod tests;
