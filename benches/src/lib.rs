//! What is measured, and how: the same functions are counted by the gate (`src/bin/gate.rs`), timed beside others in the
//! table (`src/bin/table.rs`) and one by one by the harnesses (`src/bin`), and shown to people by criterion (`benches/`).

pub mod book;
pub mod capture;
pub mod gate;
pub mod gateway;
pub mod growth;
pub mod itch;
pub mod lane;
pub mod latency;
pub mod mdp3;
pub mod measure;
pub mod native;
pub mod prices;
pub mod report;
pub mod rings;
pub mod sequence;
pub mod table;

use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, ExecuteOrder, MarketHandler, MsgCtx, ReplaceOrder, Trade,
};
use feed_common::time::UnixNanos;
use feed_handler::protocol::Decode;
use feed_handler::protocol::itch50::Itch50Decoder;
use feed_replay::synth::{Protocol, Spec};

/// Messages of a session, where the command line does not say.
pub const MESSAGES: usize = 4_000_000;

/// Midnight of the day of every session.
pub const MIDNIGHT: UnixNanos = UnixNanos(1_700_000_000_000_000_000);

/// The numbers on the command line.
pub fn arguments() -> impl Iterator<Item = usize> {
    let arguments = std::env::args().skip(1);
    arguments.map(|a| a.parse().expect("a number"))
}

/// A session that is the same every time.
pub fn spec(messages: usize) -> Spec {
    Spec {
        rate: 1_000_000,
        ..Spec::new(Protocol::Itch50, messages as u64, 3)
    }
}

/// A decoder with room for every instrument.
pub fn decoder() -> Itch50Decoder {
    Itch50Decoder::with_room(1 << 16)
}

/// What a decoder is told before its first message.
pub fn context() -> MsgCtx {
    MsgCtx {
        midnight: MIDNIGHT,
        ..MsgCtx::default()
    }
}

/// Uses every field of every event and of its context, so that none can be left unread.
pub struct Sum(pub u64);

impl Sum {
    #[inline(always)]
    fn add<const N: usize>(&mut self, cx: &MsgCtx, fields: [u64; N]) {
        let context = cx.timestamp.0
            ^ cx.sequence
            ^ u64::from(cx.instrument)
            ^ u64::from(cx.flags.0)
            ^ u64::from_le_bytes(cx.symbol);
        let all = fields.into_iter().fold(context, u64::wrapping_add);
        self.0 = self.0.wrapping_add(all);
    }
}

impl MarketHandler for Sum {
    #[inline]
    fn on_add(&mut self, cx: &MsgCtx, m: AddOrder) {
        self.add(
            cx,
            [m.order_id, m.side.0.into(), m.price.0 as u64, m.quantity],
        );
    }
    #[inline]
    fn on_execute(&mut self, cx: &MsgCtx, m: ExecuteOrder) {
        self.add(cx, [m.order_id, m.quantity, m.price.0 as u64, m.match_id]);
    }
    #[inline]
    fn on_cancel(&mut self, cx: &MsgCtx, m: CancelOrder) {
        self.add(cx, [m.order_id, m.quantity]);
    }
    #[inline]
    fn on_delete(&mut self, cx: &MsgCtx, m: DeleteOrder) {
        self.add(cx, [m.order_id]);
    }
    #[inline]
    fn on_replace(&mut self, cx: &MsgCtx, m: ReplaceOrder) {
        self.add(cx, [m.old_id, m.new_id, m.price.0 as u64, m.quantity]);
    }
    #[inline]
    fn on_trade(&mut self, cx: &MsgCtx, m: Trade) {
        self.add(
            cx,
            [m.match_id, m.side.0.into(), m.price.0 as u64, m.quantity],
        );
    }
}
