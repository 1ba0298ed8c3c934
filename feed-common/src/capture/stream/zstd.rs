//! Zstandard (RFC 8878): frames one after another, skippable ones among them.

use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use super::source::{Input, Packed, Progress, Source};
use crate::capture::cut::{CutReason, StreamDamage};
use crate::capture::format::Compression;

/// Bytes of the header of a block inside a frame.
const BLOCK_HEADER: usize = 3;

/// Bytes that a frame's decoding begins with.
const FRAME_START: usize = 5;

/// Unpacks frames until there are no more. Frames that need more than 128 MiB of what came before are refused, as the
/// reference implementation does unasked.
pub(super) struct Zstd<R> {
    input: Input<R>,
    /// `None` when the system gave no memory for one.
    decoder: Option<Decoder<'static>>,
    /// Bytes that the decoder wants next; 0 between two frames.
    wanted: usize,
    /// It filled all it was given, and may hold more.
    holds: bool,
    ended: Option<Option<CutReason>>,
}

impl<R: Packed> Zstd<R> {
    pub(super) fn new(from: R) -> Zstd<R> {
        Zstd {
            input: Input::new(from, Compression::Zstd),
            decoder: Decoder::new().ok(),
            wanted: 0,
            holds: false,
            ended: None,
        }
    }

    /// Decodes into `out`; how many bytes it gave.
    ///
    /// A call that ends in an error does not say what it gave before. So each is fed no more than a block, without the
    /// header of the block behind it, which the decoder would like with it: nothing but the damaged block is lost.
    fn step(&mut self, out: &mut [u8]) -> Result<usize, Option<CutReason>> {
        let Some(decoder) = &mut self.decoder else {
            return Err(Some(CutReason::Read(std::io::ErrorKind::OutOfMemory)));
        };
        let limit = match self.wanted {
            _ if self.holds => 0,
            0 => FRAME_START - BLOCK_HEADER,
            few @ ..=BLOCK_HEADER => few,
            block => block - BLOCK_HEADER,
        };
        let input = self.input.bytes().map_err(Some)?;
        if input.is_empty() && !self.holds {
            let whole = self.wanted == 0;
            return Err((!whole).then(|| self.input.damaged(StreamDamage::Ended)));
        }
        let mut from = InBuffer::around(&input[..limit.min(input.len())]);
        let mut to = OutBuffer::around(out);
        let run = decoder.run(&mut from, &mut to);
        let (taken, given) = (from.pos(), to.pos());
        self.input.take(taken);
        self.wanted = match run {
            Ok(wanted) => wanted,
            Err(e) if e.kind() == std::io::ErrorKind::OutOfMemory => {
                return Err(Some(CutReason::Read(e.kind())));
            }
            Err(_) => return Err(Some(self.input.damaged(StreamDamage::Corrupt))),
        };
        // Of a frame that has ended it holds nothing.
        self.holds = given == out.len() && self.wanted != 0;
        Ok(given)
    }
}

impl<R: Packed> Source for Zstd<R> {
    fn read(&mut self, out: &mut [u8]) -> Progress {
        loop {
            if let Some(reason) = self.ended {
                return Progress::End(reason);
            }
            match self.step(out) {
                Ok(0) => {}
                Ok(given) => return Progress::Bytes(given),
                Err(reason) => self.ended = Some(reason),
            }
        }
    }

    fn taken(&self) -> u64 {
        self.input.at
    }

    fn is_live(&self) -> bool {
        R::LIVE
    }
}
