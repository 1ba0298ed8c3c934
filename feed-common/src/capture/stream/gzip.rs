//! gzip (RFC 1952): members one after another, each a header, a deflate stream, and what it must have come to.
//!
//! The members are framed here and not by the inflater's own reader, which loses what it had unpacked of a block when
//! it comes to the damage behind it.

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::source::{Input, Packed, Progress, Source};
use crate::capture::cut::{CutReason, StreamDamage};
use crate::capture::format::Compression;

const HEADER_CRC: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const RESERVED: u8 = 0xE0;

/// Unpacks members until there are no more.
pub(super) struct Gzip<R> {
    input: Input<R>,
    inflate: Decompress,
    crc: Crc,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    /// Before a member.
    Header,
    Body,
    Trailer,
    Ended(Option<CutReason>),
}

impl<R: Packed> Gzip<R> {
    pub(super) fn new(from: R) -> Gzip<R> {
        Gzip {
            input: Input::new(from, Compression::Gzip),
            inflate: Decompress::new(false),
            crc: Crc::new(),
            state: State::Header,
        }
    }

    /// Reads a member's header, or finds the end of the file in place of it.
    fn header(&mut self) -> Result<State, CutReason> {
        if self.input.bytes()?.is_empty() {
            return Ok(State::Ended(None));
        }
        let [a, b, method, flags, ..] = self.array::<10>()?;
        if [a, b, method] != [0x1F, 0x8B, 8] || flags & RESERVED != 0 {
            return Err(self.input.damaged(StreamDamage::Corrupt));
        }
        if flags & EXTRA != 0 {
            let mut left = usize::from(u16::from_le_bytes(self.array()?));
            while left > 0 {
                let n = self.some()?.len().min(left);
                self.input.take(n);
                left -= n;
            }
        }
        for text in [NAME, COMMENT] {
            while flags & text != 0 && self.array()? != [0] {}
        }
        if flags & HEADER_CRC != 0 {
            let _: [u8; 2] = self.array()?;
        }
        self.inflate.reset(false);
        self.crc.reset();
        Ok(State::Body)
    }

    /// Inflates into `out`; how many bytes it gave, and what comes next.
    fn body(&mut self, out: &mut [u8]) -> (usize, State) {
        let input = match self.input.bytes() {
            Ok([]) => {
                return (
                    0,
                    State::Ended(Some(self.input.damaged(StreamDamage::Ended))),
                );
            }
            Ok(input) => input,
            Err(reason) => return (0, State::Ended(Some(reason))),
        };
        let (taken, given) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(input, out, FlushDecompress::None);
        // Both count what came before an error, too.
        let given = (self.inflate.total_out() - given) as usize;
        let taken = (self.inflate.total_in() - taken) as usize;
        self.input.take(taken);
        self.crc.update(&out[..given]);
        let next = match status {
            Ok(Status::StreamEnd) => State::Trailer,
            Ok(_) if taken > 0 || given > 0 => State::Body,
            // An error, or no way on.
            _ => State::Ended(Some(self.input.damaged(StreamDamage::Corrupt))),
        };
        (given, next)
    }

    /// Compares what a member came to with what its trailer says.
    fn trailer(&mut self) -> Result<State, CutReason> {
        let sum = u32::from_le_bytes(self.array()?);
        let len = u32::from_le_bytes(self.array()?);
        // The length is kept modulo 2^32.
        if sum != self.crc.sum() || len != self.inflate.total_out() as u32 {
            return Err(self.input.damaged(StreamDamage::Checksum));
        }
        Ok(State::Header)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CutReason> {
        let array = self.input.array()?;
        array.ok_or_else(|| self.input.damaged(StreamDamage::Ended))
    }

    /// Bytes at hand, at least one.
    fn some(&mut self) -> Result<&[u8], CutReason> {
        if self.input.bytes()?.is_empty() {
            return Err(self.input.damaged(StreamDamage::Ended));
        }
        self.input.bytes()
    }
}

impl<R: Packed> Source for Gzip<R> {
    fn read(&mut self, out: &mut [u8]) -> Progress {
        loop {
            let next = match self.state {
                State::Header => self.header(),
                State::Body => {
                    let (given, next) = self.body(out);
                    self.state = next;
                    if given > 0 {
                        return Progress::Bytes(given);
                    }
                    continue;
                }
                State::Trailer => self.trailer(),
                State::Ended(reason) => return Progress::End(reason),
            };
            self.state = next.unwrap_or_else(|reason| State::Ended(Some(reason)));
        }
    }

    fn taken(&self) -> u64 {
        self.input.at
    }

    fn is_live(&self) -> bool {
        R::LIVE
    }
}
