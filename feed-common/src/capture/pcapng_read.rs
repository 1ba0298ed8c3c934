//! Reads pcapng.
//!
//! ```text
//! block:     type 4 | length 4 | body | length 4 again, all of it a multiple of 4
//! section:   byte order magic 4 | major 2 | minor 2 | section length 8 | options
//! interface: link type 2 | reserved 2 | snap length 4 | options
//! enhanced:  interface 4 | time high 4 | time low 4 | bytes held 4 | bytes on the wire 4 | bytes held... | options
//! simple:    bytes on the wire 4 | bytes held...
//! obsolete:  interface 2 | drops 2 | then as enhanced from the time on
//! option:    code 2 | length 2 | value, padded to 4
//! ```
//!
//! Blocks are stepped over by the length in front. What is wrong inside one is counted ([`Fault`]) and costs that block
//! at most; only a length that no block can have ends the file.

use super::cut::CutReason;
use super::faults::{Fault, Faults};
use super::format::{FormatError, SECTION_HEADER};
use super::interfaces::{Interfaces, LinkSeen};
use super::parsed::{FrameAt, Parsed, RECORD_MAX};
use super::pcap::ByteOrder;
use crate::time::UnixNanos;
use crate::wire::frame::Skip;

/// Bytes of a block around its body: type, length, and the length again.
const FRAMING: usize = 12;

/// Bytes of an enhanced or obsolete packet block's body before the frame.
const PACKET_HEADER: usize = 20;

const SECTION: u32 = 0x0A0D_0D0A;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// The state between two blocks.
#[derive(Clone, Debug)]
pub(super) struct PcapngParser {
    order: ByteOrder,
    /// The section is of a version that is not read.
    foreign: bool,
    interfaces: Interfaces,
    sections: u64,
    frames: u64,
    faults: Faults,
    /// Bytes from the start of the file to the block at hand.
    position: u64,
    /// What is left of a block that is stepped over.
    passing: Option<Passing>,
}

/// A block of which nothing is needed. It may be longer than any window.
#[derive(Clone, Copy, Debug)]
struct Passing {
    left: u64,
    total: u64,
    /// The length that should end it, except where it is the rest of a section.
    trailer: Option<u32>,
}

/// A block whose framing has been read.
struct Block<'w> {
    kind: u32,
    body: &'w [u8],
    /// Where the body begins in the window.
    at: usize,
}

impl PcapngParser {
    /// From the start of a file. `head` holds its first bytes, [`SECTION_HEADER`] of them unless the file is shorter.
    pub(super) fn new(head: &[u8]) -> Result<PcapngParser, FormatError> {
        let short = FormatError::ShortHeader {
            format: "pcapng",
            held: head.len(),
            needed: SECTION_HEADER,
        };
        let section = head.first_chunk::<SECTION_HEADER>().ok_or(short)?;
        let (words, _) = section.as_chunks::<4>();
        let order = section_order(words[2]).ok_or(FormatError::ByteOrder(words[2]))?;
        Ok(PcapngParser {
            order,
            foreign: false,
            interfaces: Interfaces::default(),
            sections: 0,
            frames: 0,
            faults: Faults::default(),
            position: 0,
            passing: None,
        })
    }

    /// What was wrong inside blocks so far.
    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Sections begun so far.
    pub(super) fn sections(&self) -> u64 {
        self.sections
    }

    /// Interfaces described so far.
    pub(super) fn interfaces(&self) -> u64 {
        self.interfaces.described()
    }

    /// The link types of the interfaces described so far.
    pub(super) fn links(&self) -> &[LinkSeen] {
        self.interfaces.links()
    }

    /// Where the block begins that the file ends in, if it does.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// True in the middle of a block.
    pub(super) fn is_inside(&self) -> bool {
        self.passing.is_some()
    }

    /// The next block.
    #[inline]
    pub(super) fn next(&mut self, bytes: &[u8], at: &mut usize) -> Parsed {
        if self.passing.is_some() {
            return self.pass(bytes, at);
        }
        let rest = &bytes[*at..];
        let Some(head) = rest.first_chunk::<FRAMING>() else {
            return Parsed::Short;
        };
        let (words, _) = head.as_chunks::<4>();
        let kind = self.order.read_u32(words[0]);
        if kind == SECTION {
            match section_order(words[2]) {
                Some(order) => self.order = order,
                None => return Parsed::Damaged(CutReason::ByteOrder(words[2])),
            }
        }
        let length = self.order.read_u32(words[1]);
        // Some writers leave the padding out of the length.
        let total = u64::from(length).next_multiple_of(4);
        let least = if kind == SECTION {
            SECTION_HEADER
        } else {
            FRAMING
        };
        if (length as usize) < least {
            return Parsed::Damaged(CutReason::BlockTooShort(length));
        }
        if kind != SECTION && (self.foreign || !is_read(kind)) {
            self.passing = Some(Passing {
                left: total,
                total,
                trailer: Some(length),
            });
            return self.pass(bytes, at);
        }
        if total > RECORD_MAX as u64 {
            return Parsed::Damaged(CutReason::RecordTooLong(length));
        }
        let total = total as usize;
        let Some((body, trailer)) = rest
            .get(8..total)
            .and_then(|behind| behind.split_last_chunk::<4>())
        else {
            return Parsed::Short;
        };
        if self.order.read_u32(*trailer) != length {
            self.faults.count(Fault::Trailer, self.position);
        }
        let block = Block {
            kind,
            body,
            at: *at + 8,
        };
        let found = self.block(&block);
        *at += total;
        self.position += total as u64;
        found
    }

    #[inline]
    fn block(&mut self, block: &Block<'_>) -> Parsed {
        let fixed = block.body.first_chunk::<PACKET_HEADER>();
        match (block.kind, fixed) {
            (ENHANCED_PACKET, Some(fixed)) => {
                let interface = self.order.read_u32(fixed.as_chunks::<4>().0[0]);
                self.packet(block, fixed, interface)
            }
            (OBSOLETE_PACKET, Some(fixed)) => {
                let interface = self.order.read_u16([fixed[0], fixed[1]]);
                self.packet(block, fixed, interface.into())
            }
            (SIMPLE_PACKET, _) => self.simple_packet(block),
            (INTERFACE, _) => {
                let (faults, position) = (&mut self.faults, self.position);
                self.interfaces
                    .describe(block.body, self.order, &mut |fault| {
                        faults.count(fault, position)
                    });
                Parsed::Passed
            }
            (SECTION, _) => self.section(block.body),
            (_, _) => self.unusable(Fault::ShortPacket),
        }
    }

    /// An enhanced packet, or an obsolete one, which differs in how it names its interface.
    #[inline]
    fn packet(&mut self, block: &Block<'_>, fixed: &[u8; PACKET_HEADER], interface: u32) -> Parsed {
        let (words, _) = fixed.as_chunks::<4>();
        let [_, high, low, held, orig_len] = *words else {
            return Parsed::Passed; // 20 bytes are five words
        };
        let held = self.order.read_u32(held) as usize;
        if held > block.body.len() - PACKET_HEADER {
            return self.unusable(Fault::FrameTooLong);
        }
        let Some(mut interface) = self.interfaces.get_mut(interface) else {
            return self.unusable(Fault::UnknownInterface);
        };
        self.frames += 1;
        let Some(link) = interface.count() else {
            return Parsed::Unusable(Skip::LinkType);
        };
        let high = u64::from(self.order.read_u32(high));
        let counter = high << 32 | u64::from(self.order.read_u32(low));
        let start = block.at + PACKET_HEADER;
        Parsed::Frame(FrameAt {
            number: self.frames,
            time: interface.scale().nanos(counter),
            orig_len: self.order.read_u32(orig_len),
            link,
            bytes: start..start + held,
        })
    }

    /// A packet of the first interface, without a time. How much of it is held follows from the lengths around it.
    fn simple_packet(&mut self, block: &Block<'_>) -> Parsed {
        let Some((orig_len, data)) = block.body.split_first_chunk::<4>() else {
            return self.unusable(Fault::ShortPacket);
        };
        let orig_len = self.order.read_u32(*orig_len);
        let Some(mut interface) = self.interfaces.get_mut(0) else {
            return self.unusable(Fault::UnknownInterface);
        };
        let held = orig_len.min(interface.snap_length()) as usize;
        if held > data.len() {
            return self.unusable(Fault::FrameTooLong);
        }
        self.frames += 1;
        let Some(link) = interface.count() else {
            return Parsed::Unusable(Skip::LinkType);
        };
        let start = block.at + 4;
        Parsed::Frame(FrameAt {
            number: self.frames,
            time: UnixNanos::UNKNOWN,
            orig_len,
            link,
            bytes: start..start + held,
        })
    }

    /// A packet block that contradicts itself. Its frame counts, so that the numbers of the others are those of other tools.
    #[cold]
    fn unusable(&mut self, fault: Fault) -> Parsed {
        self.faults.count(fault, self.position);
        self.frames += 1;
        Parsed::Unusable(Skip::BadBlock)
    }

    /// A section: its interfaces are its own.
    fn section(&mut self, body: &[u8]) -> Parsed {
        self.sections += 1;
        self.interfaces.begin_section();
        self.foreign = false;
        let Some(fixed) = body.first_chunk::<16>() else {
            return Parsed::Passed; // the length has been checked
        };
        if self.order.read_u16([fixed[4], fixed[5]]) == 1 {
            return Parsed::Passed;
        }
        self.faults.count(Fault::SectionVersion, self.position);
        self.foreign = true;
        // -1: not known, and then its blocks are stepped over one by one, as they are where the length cannot be true.
        let [.., a, b, c, d, e, f, g, h] = *fixed;
        let length = self.order.read_i64([a, b, c, d, e, f, g, h]);
        if let Ok(length) = u64::try_from(length)
            && length.is_multiple_of(4)
        {
            self.passing = Some(Passing {
                left: length,
                total: length,
                trailer: None,
            });
        }
        Parsed::Passed
    }

    /// Steps over a block, or over as much of it as there is.
    fn pass(&mut self, bytes: &[u8], at: &mut usize) -> Parsed {
        let Some(passing) = &mut self.passing else {
            return Parsed::Passed;
        };
        let end = if passing.trailer.is_some() { 4 } else { 0 };
        let rest = &bytes[*at..];
        let step = passing.left.saturating_sub(end).min(rest.len() as u64);
        passing.left -= step;
        *at += step as usize;
        if passing.left > end {
            return Parsed::Short;
        }
        if let Some(length) = passing.trailer {
            let Some(trailer) = bytes[*at..].first_chunk::<4>() else {
                return Parsed::Short;
            };
            if self.order.read_u32(*trailer) != length {
                self.faults.count(Fault::Trailer, self.position);
            }
            *at += 4;
        }
        self.position = self.position.saturating_add(passing.total);
        self.passing = None;
        Parsed::Passed
    }
}

/// The order of a section's integers, by its magic.
fn section_order(magic: [u8; 4]) -> Option<ByteOrder> {
    match magic {
        [0x4D, 0x3C, 0x2B, 0x1A] => Some(ByteOrder::Little),
        [0x1A, 0x2B, 0x3C, 0x4D] => Some(ByteOrder::Big),
        _ => None,
    }
}

/// Whether blocks of a kind matter here. Statistics, names, secrets and what is not known do not.
fn is_read(kind: u32) -> bool {
    matches!(
        kind,
        SECTION | INTERFACE | OBSOLETE_PACKET | SIMPLE_PACKET | ENHANCED_PACKET
    )
}

#[cfg(test)]
#[path = "pcapng_tests.rs"]
mod tests;
