//! What a lane does, message by message: a decoder and an outlet that note what goes through them.
//!
//! Records say what an instrument's book became; whether every message came once, in order, under its own number, is
//! said by the messages themselves, also where a gap has left the decoder without what it needed.

use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, Directory, ExecuteOrder, Gap, Imbalance, LevelUpdate,
    MarketData, MarketHandler, ModifyOrder, MsgCtx, QuoteUpdate, RankedOrder, ReplaceOrder, Side,
    SlotUpdate, Statistic, Status, Trade, TradeBreak, Trust,
};
use feed_common::time::Zone;
use feed_common::wire::ProtocolName;
use feed_handler::book::Level;
use feed_handler::protocol::{About, Ahead, Decode, DecodeError, Definitions, Protocol};
use feed_handler::publish::{BookTotals, Digest, Outlet};
use feed_handler::subscribe::Filter;
use feed_handler::transport::Framing;
use feed_replay::synth::rng::splitmix64;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

/// Something a lane did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It decoded a message.
    Message {
        /// Of which numbering.
        unit: u8,
        /// Its number, or the first that was delivered of a message with several.
        sequence: u64,
        /// Numbers it takes from there.
        numbers: u64,
        /// Over all its bytes.
        hash: u64,
        /// What its records say.
        trust: Trust,
    },
    /// It declared messages lost.
    Gap {
        /// Of which numbering.
        unit: u8,
        /// The first.
        first: u64,
        /// How many.
        count: u64,
    },
    /// It began a new session.
    Restart,
}

/// A list of deeds, shared by those who note them.
#[derive(Clone, Debug, Default)]
pub struct Trace(Arc<Mutex<Vec<Deed>>>);

impl Trace {
    fn note(&self, deed: Deed) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(deed);
    }

    /// Takes what was noted since, in order.
    pub fn take(&self) -> Vec<Deed> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A protocol whose decoder notes what it is given.
pub struct Traced<P>(PhantomData<P>);

/// Notes messages before it decodes them.
pub struct TracedDecoder<P: Protocol> {
    decoder: P::Decoder,
    trace: Trace,
}

impl<P: Protocol> Protocol for Traced<P> {
    const NAME: ProtocolName = P::NAME;
    const ZONE: Zone = P::ZONE;
    const ABOUT: About = P::ABOUT;
    type Framing = P::Framing;
    type Decoder = TracedDecoder<P>;
}

impl<P: Protocol> TracedDecoder<P> {
    /// A decoder that notes in `trace`.
    pub fn new(decoder: P::Decoder, trace: Trace) -> Self {
        TracedDecoder { decoder, trace }
    }
}

/// Differs, as far as 64 bits can, where any byte does.
pub fn hash(bytes: &[u8]) -> u64 {
    let words = bytes.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    });
    words.fold(bytes.len() as u64, |hash, word| splitmix64(hash ^ word))
}

impl<P: Protocol> Decode for TracedDecoder<P> {
    fn with_room(instruments: usize) -> Self {
        Self::new(P::Decoder::with_room(instruments), Trace::default())
    }

    fn decode<H: MarketHandler>(
        &mut self,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let numbers = match P::Framing::PACKETS {
            true => 1,
            false => u64::from(P::Framing::sequences(message)),
        };
        self.trace.note(Deed::Message {
            unit: cx.unit,
            sequence: cx.sequence,
            numbers: numbers - u64::from(cx.skip),
            hash: hash(message),
            trust: cx.trust,
        });
        self.decoder.decode(message, cx, out)
    }

    #[inline(always)]
    fn ahead(&self, message: &[u8]) -> Option<Ahead> {
        self.decoder.ahead(message)
    }

    fn oddities(&self) -> Vec<(&'static str, u64)> {
        self.decoder.oddities()
    }

    fn restart(&mut self) {
        self.decoder.restart();
    }

    const BY_INSTRUMENT: bool = P::Decoder::BY_INSTRUMENT;

    fn doubt(&mut self, next: u64) {
        self.decoder.doubt(next);
    }

    fn is_recovering(&self) -> bool {
        self.decoder.is_recovering()
    }

    fn expect_orders(&mut self) {
        self.decoder.expect_orders();
    }

    fn snapshot_as_of(message: &[u8]) -> Option<u64> {
        P::Decoder::snapshot_as_of(message)
    }

    fn loop_begins(&mut self, orders: bool) {
        self.decoder.loop_begins(orders);
    }

    fn refresh<'m, H: MarketHandler>(
        &mut self,
        message: &[u8],
        since: Option<impl Iterator<Item = &'m [u8]>>,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        self.decoder.refresh(message, since, cx, out)
    }

    fn loop_ends<H: MarketHandler>(
        &mut self,
        orders: bool,
        as_of: u64,
        cx: &mut MsgCtx,
        out: &mut H,
    ) {
        self.decoder.loop_ends(orders, as_of, cx, out);
    }

    const ANNOUNCED_APART: bool = P::Decoder::ANNOUNCED_APART;

    fn announcement(message: &[u8]) -> Option<(u32, Directory)> {
        P::Decoder::announcement(message)
    }

    fn refer(&mut self, definitions: Arc<Definitions>) {
        self.decoder.refer(definitions);
    }

    fn subscribe(&mut self, filter: Box<Filter>) -> Box<Filter> {
        self.decoder.subscribe(filter)
    }

    fn review<H: MarketHandler>(&mut self, cx: &MsgCtx, out: &mut H) -> bool {
        self.decoder.review(cx, out)
    }

    fn filtered(&self) -> u64 {
        self.decoder.filtered()
    }
}

/// An outlet that notes gaps and restarts, and passes everything on.
pub struct TracedOutlet<H> {
    outlet: H,
    trace: Trace,
}

impl<H> TracedOutlet<H> {
    /// Passes on to `outlet` and notes in `trace`.
    pub fn new(outlet: H, trace: Trace) -> Self {
        TracedOutlet { outlet, trace }
    }

    /// Where everything goes.
    pub fn inner(&self) -> &H {
        &self.outlet
    }
}

macro_rules! passed_on {
    ($($event:ident: $what:ty;)*) => {
        $(fn $event(&mut self, cx: &MsgCtx, m: $what) {
            self.outlet.$event(cx, m);
        })*
    };
}

impl<H: Outlet> MarketHandler for TracedOutlet<H> {
    passed_on! {
        on_add: AddOrder;
        on_execute: ExecuteOrder;
        on_cancel: CancelOrder;
        on_delete: DeleteOrder;
        on_replace: ReplaceOrder;
        on_modify: ModifyOrder;
        on_ranked: RankedOrder;
        on_level: LevelUpdate;
        on_slot: SlotUpdate;
        on_quote: QuoteUpdate;
        on_trade: Trade;
        on_trade_break: TradeBreak;
        on_imbalance: Imbalance;
        on_status: Status;
        on_directory: Directory;
        on_statistic: Statistic;
        on_market_data: MarketData;
    }

    fn on_gap(&mut self, cx: &MsgCtx, m: Gap) {
        self.trace.note(Deed::Gap {
            unit: cx.unit,
            first: cx.sequence,
            count: m.count,
        });
        self.outlet.on_gap(cx, m);
    }

    fn on_restart(&mut self, cx: &MsgCtx) {
        self.trace.note(Deed::Restart);
        self.outlet.on_restart(cx);
    }

    fn on_clear(&mut self, cx: &MsgCtx) {
        self.outlet.on_clear(cx);
    }

    fn on_end(&mut self, cx: &MsgCtx) {
        self.outlet.on_end(cx);
    }
}

impl<H: Outlet> Outlet for TracedOutlet<H> {
    fn flush(&mut self) {
        self.outlet.flush();
    }

    fn prepare(&mut self) {
        self.outlet.prepare();
    }

    fn published(&self) -> u64 {
        self.outlet.published()
    }

    fn digest(&self, channel: u16) -> Digest {
        self.outlet.digest(channel)
    }

    const LOOKS_AHEAD: bool = H::LOOKS_AHEAD;

    fn fetch(&self, channel: u16, ahead: Ahead) {
        self.outlet.fetch(channel, ahead);
    }

    fn fetch_behind(&self, channel: u16, ahead: Ahead) {
        self.outlet.fetch_behind(channel, ahead);
    }

    fn top(
        &self,
        channel: u16,
        instrument: u32,
        side: Side,
        n: usize,
        visit: &mut dyn FnMut(u32, Level),
    ) {
        self.outlet.top(channel, instrument, side, n, visit);
    }

    fn books(&self, channel: u16) -> Option<BookTotals> {
        self.outlet.books(channel)
    }
}
