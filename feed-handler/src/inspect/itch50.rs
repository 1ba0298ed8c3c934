//! ITCH 5.0 taken apart: in MoldUDP64, and in the chunks of a BinaryFILE.

use super::described::OfSheet;
use super::{Dissect, Fit, Message, Tally, View};
use crate::protocol::Sheet;
use crate::protocol::itch50::Itch50Sheet;
use crate::sequence::SeqSpan;
use crate::transport::{FILE_SESSION, FrameError, FrameKind, Framing, MoldFraming, Session};
use feed_common::wire::ProtocolName;
use feed_common::wire::itch50::{self, length_of};
use feed_common::wire::moldudp64::{Blocks, Header};
use zerocopy::FromBytes;

/// In MoldUDP64.
pub(super) struct Itch50;

impl Dissect for Itch50 {
    fn protocol(&self) -> ProtocolName {
        ProtocolName::Itch50
    }

    fn fit(&self, datagram: &[u8]) -> Fit {
        itch50::fit(datagram)
    }

    fn open<'a>(&self, bytes: &'a [u8], _number: u64) -> Result<View<'a>, FrameError> {
        let (frame, rest) = MoldFraming.open(bytes)?;
        Ok(View::of::<MoldFraming, _>(&frame, bytes, rest))
    }

    fn messages(&self, frame: &View<'_>, each: &mut dyn FnMut(&dyn Message) -> bool) {
        each_block(blocks(frame), each);
    }

    fn tally(&self, frame: &View<'_>, tally: &mut Tally) {
        tally_blocks(blocks(frame), tally);
    }

    fn tally_next(
        &self,
        datagram: &[u8],
        session: &Session,
        next: u64,
        tally: &mut Tally,
    ) -> Option<u64> {
        let (header, body) = Header::ref_from_prefix(datagram).ok()?;
        let count = header.blocks();
        let follows = header.sequence.get() == next && header.session == *session;
        // Number 0 is of packets that have none, and numbers end with the range.
        if !follows || next == 0 || count == 0 || next.checked_add(count.into()).is_none() {
            return None;
        }
        let mut blocks = Blocks::new(body);
        for done in 0..count {
            match good(blocks.next()) {
                Some(kind) => tally.good(kind),
                None => return take_back(body, done, tally),
            }
        }
        match blocks.rest() {
            [] => Some(count.into()),
            _ => take_back(body, count, tally),
        }
    }

    fn type_key(&self, code: u32) -> String {
        Itch50Sheet::key(code)
    }

    fn type_name(&self, code: u32) -> Option<&'static str> {
        Itch50Sheet::name(code)
    }
}

/// In a BinaryFILE: a frame is a chunk of whole records, numbered as the reader of the file says.
pub(super) struct Itch50File;

impl Dissect for Itch50File {
    fn protocol(&self) -> ProtocolName {
        ProtocolName::Itch50
    }

    fn fit(&self, chunk: &[u8]) -> Fit {
        itch50::fit_blocks(Blocks::new(chunk))
    }

    fn open<'a>(&self, bytes: &'a [u8], number: u64) -> Result<View<'a>, FrameError> {
        let mut blocks = Blocks::new(bytes);
        let count = blocks.by_ref().count() as u32;
        if !blocks.rest().is_empty() {
            return Err(FrameError::Overrun);
        }
        let span = SeqSpan {
            first: number,
            count: count.into(),
        };
        Ok(View {
            session: FILE_SESSION,
            span,
            kind: FrameKind::Data,
            packets: false,
            unit: 0,
            begins: None,
            bytes,
            rest: &[],
        })
    }

    fn messages(&self, frame: &View<'_>, each: &mut dyn FnMut(&dyn Message) -> bool) {
        each_block(frame.bytes, each);
    }

    fn tally(&self, frame: &View<'_>, tally: &mut Tally) {
        tally_blocks(frame.bytes, tally);
    }

    fn type_key(&self, code: u32) -> String {
        Itch50Sheet::key(code)
    }

    fn type_name(&self, code: u32) -> Option<&'static str> {
        Itch50Sheet::name(code)
    }
}

type Itch<'a> = OfSheet<'a, Itch50Sheet>;

/// The blocks of a MoldUDP64 packet.
fn blocks<'a>(frame: &View<'a>) -> &'a [u8] {
    frame.bytes.get(size_of::<Header>()..).unwrap_or_default()
}

fn each_block(blocks: &[u8], each: &mut dyn FnMut(&dyn Message) -> bool) {
    for bytes in Blocks::new(blocks) {
        if !each(&Itch::of(bytes)) {
            return;
        }
    }
}

/// The length of each type; 0, which no message with a type has, for those that are unknown.
const LENGTHS: [usize; 256] = {
    let mut lengths = [0; 256];
    let mut kind = 0;
    while kind < lengths.len() {
        if let Some(length) = length_of(kind as u8) {
            lengths[kind] = length;
        }
        kind += 1;
    }
    lengths
};

fn tally_blocks(blocks: &[u8], tally: &mut Tally) {
    for bytes in Blocks::new(blocks) {
        match good(Some(bytes)) {
            Some(kind) => tally.good(kind),
            None => tally.message(&Itch::of(bytes)),
        }
    }
}

/// The type of a message that is as long as its type.
#[inline]
fn good(message: Option<&[u8]>) -> Option<u8> {
    let message = message?;
    let &kind = message.first()?;
    (message.len() == LENGTHS[usize::from(kind)]).then_some(kind)
}

/// Undoes the counting of the first `count` messages, all of them good.
#[cold]
fn take_back(blocks: &[u8], count: u16, tally: &mut Tally) -> Option<u64> {
    let counted = Blocks::new(blocks).take(count.into());
    let kinds = counted.filter_map(|message| message.first());
    kinds.for_each(|&kind| tally.take_back(kind));
    None
}
