//! What is in a capture: the library side of `stats` and `decode`, and of `book`, `bbo` and `trades`.
//!
//! Inspection reads [`Datagram`](feed_common::capture::Datagram)s in file order, tells the protocol of each stream by
//! its bytes ([`Streams`]), and either prints every message as it comes ([`decode`]) or merges lines and counts
//! ([`stats`]). It shares the wire structs with the live pipeline, not its sequencing: here nothing is delivered, so
//! nothing has to be held, and reordering has no limit.
//!
//! [`contributions`] and [`gaps`] say what each line brought, lost and was first with, and what is missing.
//!
//! Books need messages in order: [`Merged`] takes a capture through the pipeline of a run, [`Kept`] keeps its books.

mod appearance;
mod bbo;
mod book;
mod changes;
pub mod contributions;
pub mod decode;
mod described;
mod detect;
mod directory;
mod evidence;
pub mod gaps;
mod intervals;
mod itch50;
pub(crate) mod kept;
mod lines;
mod merged;
mod native;
mod numberings;
mod recent;
mod routes;
pub(crate) mod rows;
pub mod stats;
mod tally;
mod text;
mod trades;
mod walk;

pub use bbo::{BboRows, BboSink, BboText, Bests};
pub use book::{BookOptions, write_books};
pub use changes::{At, Changes, Judge};
pub use detect::{DetectError, Streams};
pub use directory::CaptureChannel;
pub use kept::{Broken, Kept, Print, Watch};
pub use lines::Lines;
pub use merged::{Merged, Passed, TooManyChannels};
pub use rows::RowFormat;
pub use tally::Tally;
pub use trades::{Breaks, Trades, Voided};

pub use feed_common::wire::Fit;

use crate::protocol::{DecodeError, with_described};
use crate::sequence::SeqSpan;
use crate::transport::{Frame, FrameError, FrameKind, Framing, Session};
use feed_common::time::UnixNanos;
use feed_common::wire::ProtocolName;
use feed_common::wire::message::Value;

/// What takes a protocol apart.
pub fn dissector(name: ProtocolName) -> &'static dyn Dissect {
    match name {
        // Counted in one walk, without a call a message.
        ProtocolName::Itch50 => &itch50::Itch50,
        _ => with_described(name, described::Taking).unwrap_or(&native::Native),
    }
}

/// Takes the frames of one protocol apart, for people; the counterpart of
/// [`Protocol`](crate::protocol::Protocol), which is for speed.
pub trait Dissect: Sync {
    /// The protocol.
    fn protocol(&self) -> ProtocolName;

    /// Its name on the command line.
    fn name(&self) -> &'static str {
        self.protocol().name()
    }

    /// Whether a datagram is of this protocol.
    fn fit(&self, datagram: &[u8]) -> Fit;

    /// Validates the frame at the start of `bytes`. `number` is that of the datagram in its file.
    fn open<'a>(&self, bytes: &'a [u8], number: u64) -> Result<View<'a>, FrameError>;

    /// Calls `each` with every message of an opened frame, in order, until it returns false.
    fn messages(&self, frame: &View<'_>, each: &mut dyn FnMut(&dyn Message) -> bool);

    /// Counts every message of an opened frame: what [`Tally::message`] makes of each, by the protocol's fastest way.
    fn tally(&self, frame: &View<'_>, tally: &mut Tally) {
        self.messages(frame, &mut |message| {
            tally.message(message);
            true
        });
    }

    /// Opens and counts in one go a datagram that is one whole frame of `session` from number `next` on, of nothing but
    /// good messages: their number. `None`, and nothing counted, for any other, which goes the long way.
    fn tally_next(
        &self,
        _datagram: &[u8],
        _session: &Session,
        _next: u64,
        _tally: &mut Tally,
    ) -> Option<u64> {
        None
    }

    /// How a type code is written as the `type` of facts.
    fn type_key(&self, code: u32) -> String;

    /// What the specification calls a type; `None` for an unknown one.
    fn type_name(&self, code: u32) -> Option<&'static str>;
}

/// A validated frame.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Session of its numbers, by which those of each unit are told apart too.
    pub session: Session,
    /// Numbers it covers.
    pub span: SeqSpan,
    /// What it is for.
    pub kind: FrameKind,
    /// Its number is that of the packet, and all its messages have it.
    pub packets: bool,
    /// Which of the independent numberings of its stream it is of.
    pub unit: u8,
    /// Whether a stream of its protocol can carry several.
    pub units: bool,
    /// When it was sent and whether it could be the first of a numbering that begins anew, where there can be one.
    pub begins: Option<(UnixNanos, bool)>,
    /// The frame, header included.
    pub bytes: &'a [u8],
    /// What follows it in the datagram.
    pub rest: &'a [u8],
}

impl<'a> View<'a> {
    /// A frame that was opened at the start of `bytes` and left `rest`.
    #[inline]
    pub fn of<F: Framing, M>(frame: &Frame<M>, bytes: &'a [u8], rest: &'a [u8]) -> View<'a> {
        let mut session = frame.session;
        // Streams of several units have no session of their own to be mistaken for it.
        *session.last_mut().expect("ten bytes") ^= frame.unit;
        View {
            session,
            span: frame.span,
            kind: frame.kind,
            packets: F::PACKETS,
            unit: frame.unit,
            units: F::UNITS,
            begins: F::BEGINS.then_some((frame.sent, frame.begins)),
            bytes: &bytes[..bytes.len() - rest.len()],
            rest,
        }
    }
}

impl View<'_> {
    /// The session as the wire names it; zeros where it does not.
    pub fn session_name(&self) -> Session {
        let mut name = self.session;
        *name.last_mut().expect("ten bytes") ^= self.unit;
        name
    }
}

/// One message of a frame.
pub trait Message {
    /// Its type, 0 when it is empty.
    fn code(&self) -> u32;

    /// Why it cannot be read, if so.
    fn error(&self) -> Option<DecodeError>;

    /// True when it has bytes behind what its type has: a newer sender, or damage. It is read all the same.
    fn is_long(&self) -> bool {
        false
    }

    /// Calls `visit` with every field after the type; of a message that cannot be read, with its bytes.
    fn visit(&self, visit: &mut dyn FnMut(&'static str, Value<'_>));
}
