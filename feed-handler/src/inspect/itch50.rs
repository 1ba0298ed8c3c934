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
        tally_good(body, count, tally).then_some(count.into())
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
            units: false,
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

/// The length of each type; for those that are unknown one that no message has.
const LENGTHS: [u32; 256] = {
    let mut lengths = [u32::MAX; 256];
    let mut kind = 0;
    while kind < lengths.len() {
        if let Some(length) = length_of(kind as u8) {
            assert!(length <= u8::MAX as usize, "Steps takes it for a byte");
            lengths[kind] = length as u32;
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
    (message.len() == LENGTHS[usize::from(kind)] as usize).then_some(kind)
}

/// Counts `count` messages that fill `blocks`, if they are good, all of them; else none. Whether they are is asked once,
/// at the end.
#[inline]
fn tally_good(blocks: &[u8], count: u16, tally: &mut Tally) -> bool {
    let mut steps = Steps(blocks);
    let mut wrong = 0;
    for done in 0..count {
        let Some((length, kind)) = steps.next() else {
            return take_back(blocks, done, tally);
        };
        wrong |= u32::from(length) ^ LENGTHS[usize::from(kind)];
        tally.good(kind);
    }
    match (wrong, steps.0) {
        (0, []) => true,
        _ => take_back(blocks, count, tally),
    }
}

/// Undoes the counting of the first `count` messages.
#[cold]
fn take_back(blocks: &[u8], count: u16, tally: &mut Tally) -> bool {
    let counted = Steps(blocks).take(count.into());
    counted.for_each(|(_, kind)| tally.take_back(kind));
    false
}

/// Length and type of the messages of blocks in which all are good. Where one is not, the steps go astray, but no further
/// than the blocks: each takes the length for a byte, which is known sooner than an integer of two.
struct Steps<'a>(&'a [u8]);

impl Iterator for Steps<'_> {
    type Item = (u16, u8);

    #[inline(always)]
    fn next(&mut self) -> Option<(u16, u8)> {
        let &[high, low, kind] = self.0.first_chunk()?;
        self.0 = self.0.get(2 + usize::from(low)..)?;
        Some((u16::from_be_bytes([high, low]), kind))
    }
}
