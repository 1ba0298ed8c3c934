//! The books of a run against the plain ones, over what the same decoder says.

use crate::made::Made;
use crate::sessions::{GROUPS, LAYOUTS, from_file, plan};
use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, Directory, ExecuteOrder, Flags, LevelUpdate, MarketHandler,
    ModifyOrder, MsgCtx, QuoteUpdate, RankedOrder, ReplaceOrder, SlotUpdate, Status, Trade,
};
use feed_common::time::UnixNanos;
use feed_handler::book::{BookLimits, digest, oracle};
use feed_handler::protocol::{Decode, ForProtocol, Protocol, with_protocol};
use feed_handler::transport::Framing;
use feed_replay::synth::Recording;

/// The plain books behind a decoder.
struct Plain(oracle::Books);

/// Passes events on as they are.
macro_rules! events {
    ($($on:ident: $event:ident = $method:ident;)*) => {
        impl MarketHandler for Plain {
            $(fn $on(&mut self, cx: &MsgCtx, m: $event) {
                self.0.$method(cx, &m);
                if cx.flags.has(Flags::END_OF_EVENT) {
                    self.0.end_event(cx);
                }
            })*

            fn on_trade(&mut self, cx: &MsgCtx, m: Trade) {
                if m.flags.has(Flags::CROSS) {
                    self.0.cross(cx);
                }
            }

            fn on_clear(&mut self, cx: &MsgCtx) {
                self.0.clear(cx);
            }

            fn on_end(&mut self, cx: &MsgCtx) {
                self.0.end_event(cx);
            }
        }
    };
}

events! {
    on_add: AddOrder = add;
    on_execute: ExecuteOrder = execute;
    on_cancel: CancelOrder = cancel;
    on_delete: DeleteOrder = delete;
    on_replace: ReplaceOrder = replace;
    on_modify: ModifyOrder = modify;
    on_ranked: RankedOrder = ranked;
    on_level: LevelUpdate = level;
    on_slot: SlotUpdate = slot;
    on_quote: QuoteUpdate = quotes;
    on_directory: Directory = directory;
    on_status: Status = status;
}

/// Reads a session into the plain books.
struct Read<'s> {
    session: &'s Recording,
    midnight: UnixNanos,
    limits: BookLimits,
}

impl ForProtocol for Read<'_> {
    type Out = Plain;

    fn call<P: Protocol>(self) -> Plain {
        let mut framing = P::Framing::default();
        let mut decoder = P::Decoder::with_room(self.limits.instruments);
        let mut plain = Plain(oracle::Books::new(&self.limits));
        let mut cx = MsgCtx {
            midnight: self.midnight,
            ..MsgCtx::default()
        };
        for packet in self.session.packets() {
            let mut rest = packet.payload;
            while !rest.is_empty() {
                let (frame, after) = framing.open(rest).expect("a frame");
                (cx.unit, cx.sent) = (frame.unit, frame.sent);
                for message in frame.messages {
                    cx.flags = Flags::NONE;
                    let decoded = decoder.decode(message, &mut cx, &mut plain);
                    decoded.expect("a message of the specification");
                }
                rest = after;
            }
        }
        plain
    }
}

#[test]
fn the_plain_books_come_to_the_same() {
    for made in Made::all(61).filter(|made| made.says().is_some()) {
        let what = made.what();
        let plan = plan(made.spec.protocol, LAYOUTS[0]);
        let read = Read {
            session: &made.session,
            midnight: made.spec.midnight(),
            limits: plan.book.limits,
        };
        let Plain(plain) = with_protocol(made.protocol(), read);
        let outcome = from_file(&plan, made.capture(&GROUPS[..1]));
        let (_, books) = outcome.channel_books().next().expect("a channel");
        assert_eq!(books.digest, digest(&plain), "{what}");
        assert_eq!(books.live_orders, plain.live_orders() as u64, "{what}");
        assert!(books.levels > 0, "{what}: {books:?}");
    }
}
