//! Protocols: a framing and a decoder that turns wire messages into events, and the registry of both.

mod about;
mod definitions;
mod ids;
pub mod iex;
mod instruments;
pub mod itch50;
mod known;
pub mod mdp3;
pub mod memoir;
pub mod native;
pub mod pillar;
pub mod pitch;
mod registry;
mod sheet;

pub use about::{About, about, message_type, messages, type_code};
pub use definitions::Definitions;
pub use ids::Ids;
pub use instruments::Instruments;
pub use known::{Known, Place};
pub use registry::{
    ForDescribed, ForProtocol, announced_apart, with_described, with_protocol, zone,
};
pub use sheet::Sheet;

use crate::subscribe::Filter;
use crate::transport::Framing;
use feed_common::event::{Directory, MarketHandler, MsgCtx};
use feed_common::time::Zone;
use feed_common::wire::ProtocolName;
use std::sync::Arc;

/// Why a message was not decoded. Counted by [`DecodeError::name`]; the rest of the frame goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum DecodeError {
    #[error("empty message")]
    Empty,
    #[error("message shorter than its type")]
    Short,
    #[error("unknown message type")]
    UnknownType,
    #[error("a field holds what its type does not allow")]
    Invalid,
}

impl DecodeError {
    /// All kinds, for counters indexed by kind.
    pub const ALL: [DecodeError; 4] = [
        DecodeError::Empty,
        DecodeError::Short,
        DecodeError::UnknownType,
        DecodeError::Invalid,
    ];

    /// The cause under `drops` in facts.
    pub const fn name(self) -> &'static str {
        match self {
            DecodeError::Empty => "message_empty",
            DecodeError::Short => "message_short",
            DecodeError::UnknownType => "message_unknown_type",
            DecodeError::Invalid => "message_invalid",
        }
    }
}

/// Instruments that [`Decode::review`] comes to at once: with as many rules as there can be it takes microseconds.
const REVIEWED_AT_ONCE: usize = 256;

/// What an event to come will look up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ahead {
    /// Its instrument.
    pub instrument: u32,
    /// Its order.
    pub order_id: u64,
    /// The order that replaces it, or the same again.
    pub new_id: u64,
}

/// Turns one message into events.
pub trait Decode {
    /// A decoder with room for so many instruments, which takes all its memory now; later instruments are delivered
    /// without a number.
    fn with_room(instruments: usize) -> Self;

    /// Fills the lower half of `cx` and reports the message's events to `out`.
    fn decode<H: MarketHandler>(
        &mut self,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError>;

    /// What a message that is not decoded yet will be about, where that can be told without a branch on its type: for
    /// fetching it into the cache. A guess, and nothing is counted.
    #[inline(always)]
    fn ahead(&self, message: &[u8]) -> Option<Ahead> {
        let _ = message;
        None
    }

    /// Oddities that cost no message (longer than its type, instrument table full, price out of range), by name.
    fn oddities(&self) -> Vec<(&'static str, u64)>;

    /// A new session has begun: instrument numbers of the wire mean nothing any more.
    fn restart(&mut self);

    /// Whether it knows of each instrument whether all of it was delivered, and takes snapshots of single ones. The trust
    /// in a context is then the best that an event of any instrument can have.
    const BY_INSTRUMENT: bool = false;

    /// Messages numbered below `next` are lost: any instrument may have missed some.
    fn doubt(&mut self, next: u64) {
        let _ = next;
    }

    /// True while snapshots are of use.
    fn is_recovering(&self) -> bool {
        false
    }

    /// Orders have a loop of snapshots of their own: no instrument is whole before its orders are.
    fn expect_orders(&mut self) {}

    /// The number of the last message, or packet, whose doing is in a snapshot of an instrument; `None` of what is none.
    fn snapshot_as_of(message: &[u8]) -> Option<u64> {
        let _ = message;
        None
    }

    /// A loop of snapshots begins, of levels or of orders.
    fn loop_begins(&mut self, orders: bool) {
        let _ = orders;
    }

    /// Takes a snapshot of an instrument, where something of it is missing. `since` are the messages that have been
    /// delivered behind what it is as of, oldest first, if they are all there; the context is as of what comes next.
    fn refresh<'m, H: MarketHandler>(
        &mut self,
        snapshot: &[u8],
        since: Option<impl Iterator<Item = &'m [u8]>>,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let _ = (snapshot, since, cx, out);
        Ok(())
    }

    /// All of a loop of snapshots has been seen, the first as of the number `as_of`: what was not in it was empty.
    fn loop_ends<H: MarketHandler>(
        &mut self,
        orders: bool,
        as_of: u64,
        cx: &mut MsgCtx,
        out: &mut H,
    ) {
        let _ = (orders, as_of, cx, out);
    }

    /// Whether instruments are announced on streams of their own, or in files, and not to every decoder that needs it.
    const ANNOUNCED_APART: bool = false;

    /// The exchange's number of the instrument that a message announces, and what it says of it.
    fn announcement(message: &[u8]) -> Option<(u32, Directory)> {
        let _ = message;
        None
    }

    /// Looks up in these what instruments are that have not been announced to it.
    fn refer(&mut self, definitions: Arc<Definitions>) {
        let _ = definitions;
    }

    /// Decides by another filter from now on, and hands the one before back. Messages of unwanted instruments are passed
    /// over; those about no instrument, or about one whose symbol has not been said, are delivered. Instruments that are
    /// known already keep their standing until [`Decode::review`] comes to them.
    fn subscribe(&mut self, filter: Box<Filter>) -> Box<Filter>;

    /// Decides anew about a bounded number of known instruments after [`Decode::subscribe`], and tells `out` of those
    /// that are not wanted any more, in the context of `cx`. True while there are more.
    fn review<H: MarketHandler>(&mut self, cx: &MsgCtx, out: &mut H) -> bool;

    /// Messages passed over because their instrument is not wanted.
    fn filtered(&self) -> u64;
}

/// A framing and a decoder under one name.
pub trait Protocol: 'static {
    /// The name in configurations and on the command line.
    const NAME: ProtocolName;
    /// Where times that count from midnight count from.
    const ZONE: Zone;
    /// What it is, for people.
    const ABOUT: About;
    /// How datagrams are framed.
    type Framing: Framing + Send;
    /// How messages are decoded.
    type Decoder: Decode + Send;
}

/// A protocol whose messages a sheet describes one by one.
pub trait Described: Protocol {
    /// The sheet.
    type Sheet: Sheet;
}
