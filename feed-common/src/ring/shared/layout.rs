//! What lies where in a shared file: the header, copied once and checked.

use super::{LayoutError, Session};
use crate::event::Record;
use crate::sys::Process;
use crate::time::TickScale;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The first eight bytes of a file in every version.
pub const MAGIC: [u8; 8] = *b"FEEDSHM\0";

/// Version of everything in here; a reader of another one is refused.
pub const VERSION: u64 = 1;

/// As a word of the writer's byte order.
const ORDER: u64 = 0x0102_0304_0506_0708;

/// Bytes of the header.
pub(super) const HEADER: u64 = 512;
/// Where the ring's words to steer by lie.
pub(super) const CONTROL: u64 = HEADER;
/// The word that says whether there is a writer: the third of these, in every version.
pub(super) const STATE: u64 = CONTROL + 256;
/// The word that counts the instruments.
pub(super) const ROWS: u64 = 896;
/// Where the channels lie.
pub(super) const CHANNELS: u64 = 1024;
/// Bytes of a channel.
pub(super) const CHANNEL: u64 = 64;
/// Most channels of a file.
pub const CHANNELS_MAX: usize = 1024;
/// Bytes of a row of the quotes, and of the directory.
pub(super) const ROW: u64 = 64;
/// Most instruments of a file.
pub const INSTRUMENTS_MAX: u32 = 1 << 24;

/// Ring, quotes and directory begin on a page.
const PAGE: u64 = 4096;

/// The header as it lies in the file, words in the writer's byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub(super) struct Header {
    pub magic: [u8; 8],
    pub version: u64,
    pub order: u64,
    /// Bytes of the file.
    pub length: u64,
    /// A later writer has a greater one.
    pub epoch: u64,
    pub pid: u64,
    pub started: u64,
    pub boot: [u8; 16],
    pub namespace: u64,
    pub record_size: u64,
    pub slots: u64,
    pub ring: u64,
    pub quote_size: u64,
    pub instruments: u64,
    pub quotes: u64,
    pub directory: u64,
    pub channel_count: u64,
    pub channels: u64,
    /// See [`TickScale`].
    pub tick_factor: u64,
    pub session: [u8; 32],
    pub reserved: [u64; 39],
    /// CRC-32 (IEEE 802.3) of the bytes before it, and of the channels.
    pub checksum: u64,
}

pub(super) const HEADER_WORDS: usize = (HEADER / 8) as usize;
const _: () = assert!(size_of::<Header>() == HEADER as usize);
const _: () = assert!(size_of::<Record>() as u64 == ROW);

/// Where the parts of a file lie, checked against its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Places {
    pub length: u64,
    pub slots: u64,
    pub ring: u64,
    pub instruments: u64,
    pub quotes: u64,
    pub directory: u64,
    pub channels: u64,
}

impl Places {
    /// The parts one behind the other. The numbers are bounded by what asks for them, so nothing overflows.
    pub fn lay_out(slots: u64, instruments: u64, channels: u64) -> Places {
        let ring = (CHANNELS + channels * CHANNEL).next_multiple_of(PAGE);
        let quotes = (ring + slots * ROW).next_multiple_of(PAGE);
        let directory = (quotes + instruments * ROW).next_multiple_of(PAGE);
        Places {
            length: (directory + instruments * ROW).next_multiple_of(PAGE),
            slots,
            ring,
            instruments,
            quotes,
            directory,
            channels,
        }
    }
}

impl Header {
    /// The header of a new file, without its checksum.
    pub fn new(
        places: &Places,
        epoch: u64,
        writer: &Process,
        scale: TickScale,
        session: &Session,
    ) -> Header {
        Header {
            magic: MAGIC,
            version: VERSION,
            order: ORDER,
            length: places.length,
            epoch,
            pid: writer.pid.into(),
            started: writer.started,
            boot: writer.boot,
            namespace: writer.namespace,
            record_size: size_of::<Record>() as u64,
            slots: places.slots,
            ring: places.ring,
            quote_size: ROW,
            instruments: places.instruments,
            quotes: places.quotes,
            directory: places.directory,
            channel_count: places.channels,
            channels: CHANNELS,
            tick_factor: scale.factor(),
            session: session.0,
            reserved: [0; 39],
            checksum: 0,
        }
    }

    /// What its checksum must be.
    pub fn sum(&self, channels: &[u8]) -> u64 {
        let mut sum = crc32fast::Hasher::new();
        sum.update(&self.as_bytes()[..HEADER as usize - 8]);
        sum.update(channels);
        sum.finalize().into()
    }

    /// Whether it is of a file of `length` bytes that this version can read; everything but the checksum.
    pub fn check(&self, length: u64) -> Result<Places, LayoutError> {
        if self.magic != MAGIC {
            return Err(LayoutError::Magic);
        }
        if self.order != ORDER && self.order.swap_bytes() == ORDER {
            return Err(LayoutError::ByteOrder);
        }
        if self.version != VERSION {
            return Err(LayoutError::Version(self.version));
        }
        let damaged = |what| Err(LayoutError::Damaged(what));
        if self.order != ORDER {
            return damaged("byte order");
        }
        if self.length != length {
            return damaged("length");
        }
        if self.record_size != size_of::<Record>() as u64 || self.quote_size != ROW {
            return damaged("record size");
        }
        if super::super::broadcast::check_slots(self.slots).is_err() {
            return damaged("slots");
        }
        if self.instruments > INSTRUMENTS_MAX.into() {
            return damaged("instruments");
        }
        if self.channel_count > CHANNELS_MAX as u64 || self.channels != CHANNELS {
            return damaged("channels");
        }
        let places = Places::lay_out(self.slots, self.instruments, self.channel_count);
        let as_they_should = Places {
            length: self.length,
            ring: self.ring,
            quotes: self.quotes,
            directory: self.directory,
            ..places
        };
        match as_they_should == places {
            true => Ok(places),
            false => damaged("places"),
        }
    }

    /// Who writes, as far as it can be a process.
    pub fn writer(&self) -> Process {
        Process {
            pid: u32::try_from(self.pid).unwrap_or(0),
            started: self.started,
            boot: self.boot,
            namespace: self.namespace,
        }
    }
}

/// Text in a field: as much as fits, zeros behind it.
pub(super) fn field<const N: usize>(text: &str) -> [u8; N] {
    let mut end = text.len().min(N);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut field = [0; N];
    field[..end].copy_from_slice(&text.as_bytes()[..end]);
    field
}

/// The text of a field.
pub(super) fn text(field: &[u8]) -> String {
    let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}
