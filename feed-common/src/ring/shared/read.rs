//! Opening a file and reading it: records, quotes, the directory, and how it stands with its writer.

use super::board::{Channel, Instrument, Quote};
use super::layout::{CHANNEL, CONTROL, HEADER, HEADER_WORDS, Header, MAGIC, ROW, ROWS, STATE};
use super::write::{SUPERSEDED, io_error};
use super::{LayoutError, Session, SharedError, Unsettled};
use crate::event::Record;
use crate::ring::Subscriber;
use crate::ring::broadcast::{CLOSED_BY_WRITER, CONTROL_WORDS, Shared};
use crate::ring::latest::Latest;
use crate::ring::primitive::{Arc, Ordering, Words, acquire};
use crate::sys::shared::{SharedMap, open_regular, user};
use crate::sys::{Life, Process};
use crate::time::TickScale;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Whose file a reader trusts: its owner can change what it holds and, by cutting it, end whoever reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnedBy {
    /// Of the user of this process, or of the system's.
    Us,
    /// Of this user.
    User(u32),
    /// Of whoever has taken the name.
    Anybody,
}

/// What the header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What tells this file from others of its name: a later one has a greater one.
    pub epoch: u64,
    /// What the run is called.
    pub session: Session,
    /// Who writes it.
    pub writer: Process,
    /// Slots of the ring.
    pub slots: u64,
    /// Rows there are for quotes.
    pub instruments: u32,
    /// Of the ticks that records were received at.
    pub scale: TickScale,
    /// Whose records are in the ring.
    pub channels: Vec<Channel>,
}

/// How it stands with the writer of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It writes.
    Live,
    /// It has ended as it should: what is there to be read is all.
    Closed,
    /// It has ended otherwise. Another may take the name over.
    Dead,
    /// Another file has the name: [`SharedReader::reopen`].
    Superseded,
    /// It has not said that it ended, and its process cannot be seen from here.
    Unseen,
}

/// The reading end of a file.
#[derive(Debug)]
pub struct SharedReader {
    path: PathBuf,
    owned_by: OwnedBy,
    facts: Facts,
    control: Words,
    records: Words,
    rows: Words,
    quotes: Latest,
    directory: Latest,
}

impl SharedReader {
    /// Opens a file and maps it read-only. Everything the header says is checked against the file's length once and then
    /// remembered, so that whatever anybody writes into the file afterwards, no access leaves the mapping.
    pub fn open(path: &Path, owned_by: OwnedBy) -> Result<SharedReader, SharedError> {
        let failed = |error| io_error(path, error);
        let (file, meta) = open_regular(path, false).map_err(failed)?;
        let (owner, wanted) = match owned_by {
            OwnedBy::Us if meta.uid() == 0 => (0, 0),
            OwnedBy::Us => (meta.uid(), user()),
            OwnedBy::User(user) => (meta.uid(), user),
            OwnedBy::Anybody => (0, 0),
        };
        if owner != wanted {
            let path = path.into();
            return Err(SharedError::Owner {
                path,
                owner,
                wanted,
            });
        }
        let layout = |error| SharedError::Layout {
            path: path.into(),
            error,
        };
        if meta.len() < HEADER {
            return Err(layout(LayoutError::Magic));
        }
        let length =
            usize::try_from(meta.len()).map_err(|_| layout(LayoutError::Damaged("length")))?;
        let map = Arc::new(SharedMap::read_only(&file, length).map_err(failed)?);
        let (header, channels) = header_of(&map, meta.len()).map_err(layout)?;
        // The places were checked, so all of them are there.
        SharedReader::over(path, owned_by, &map, &header, channels)
            .ok_or_else(|| layout(LayoutError::Damaged("places")))
    }

    fn over(
        path: &Path,
        owned_by: OwnedBy,
        map: &Arc<SharedMap>,
        header: &Header,
        channels: Vec<Channel>,
    ) -> Option<SharedReader> {
        let table = |at| {
            Some(Latest::new(Words::of(
                map,
                at,
                header.instruments * ROW / 8,
            )?))
        };
        Some(SharedReader {
            path: path.into(),
            owned_by,
            facts: Facts {
                epoch: header.epoch,
                session: Session(header.session),
                writer: header.writer(),
                slots: header.slots,
                instruments: header.instruments as u32,
                scale: TickScale::from_factor(header.tick_factor),
                channels,
            },
            control: Words::of(map, CONTROL, CONTROL_WORDS as u64)?,
            records: Words::of(map, header.ring, header.slots * ROW / 8)?,
            rows: Words::of(map, ROWS, 1)?,
            quotes: table(header.quotes)?,
            directory: table(header.directory)?,
        })
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the header says.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Makes readers of the ring, as in the process that writes it. They keep the file mapped.
    pub fn subscriber(&self) -> Subscriber<Record> {
        Subscriber::over(Shared::new(self.control.clone(), self.records.clone()))
    }

    /// Rows of the directory in use: instruments that were announced.
    pub fn rows(&self) -> u32 {
        let rows = acquire(&self.rows.all()[0]);
        rows.min(self.facts.instruments.into()) as u32
    }

    /// The latest quote of a row; `None` when there was none yet.
    #[inline]
    pub fn quote(&self, row: u32) -> Result<Option<Quote>, Unsettled> {
        Ok(self.quotes.read(row)?.map(Quote::of_value))
    }

    /// Whose quote a row is.
    pub fn instrument(&self, row: u32) -> Result<Option<Instrument>, Unsettled> {
        Ok(self.directory.read(row)?.map(Instrument::of_value))
    }

    /// The row of the first instrument of a name, or of a symbol as in the records. Looks at all of them: a row stays that
    /// of its instrument as long as the file has the name, so look it up once.
    pub fn row_named(&self, name: &str) -> Option<u32> {
        let (name, symbol) = (name.as_bytes(), name.trim_end_matches(' ').as_bytes());
        self.row_where(|it| it.name.as_bytes() == name || it.symbol.trim_ascii_end() == symbol)
    }

    /// The row of an instrument as numbered in the records of a channel. Looks at all of them, as
    /// [`SharedReader::row_named`].
    pub fn row_of(&self, channel: u16, instrument: u32) -> Option<u32> {
        self.row_where(|it| it.channel == channel && it.instrument == instrument)
    }

    fn row_where(&self, wanted: impl Fn(&Instrument) -> bool) -> Option<u32> {
        // One that is being renamed right now is not found: as if it had been asked for a moment earlier.
        let there = |row| self.instrument(row).ok().flatten();
        (0..self.rows()).find(|row| there(*row).is_some_and(|it| wanted(&it)))
    }

    /// How it stands with the writer. For a cold thread, unless the writer has said it itself: looks into `/proc`.
    pub fn standing(&self) -> Standing {
        match acquire(&self.control.all()[(STATE - CONTROL) as usize / 8]) {
            0 => match self.facts.writer.life() {
                Life::Runs => Standing::Live,
                Life::Ended => Standing::Dead,
                Life::Unseen => Standing::Unseen,
            },
            CLOSED_BY_WRITER => Standing::Closed,
            SUPERSEDED => Standing::Superseded,
            // No version of ours; there is no writer to be waited for, either way.
            _ => Standing::Closed,
        }
    }

    /// Opens what has the name now, as this was opened. It is another file when its epoch is another.
    pub fn reopen(&self) -> Result<SharedReader, SharedError> {
        SharedReader::open(&self.path, self.owned_by)
    }
}

/// Maps what every version has at its place; `None` where the file is too short for it.
pub(super) fn map_header(
    file: &File,
    length: u64,
    writable: bool,
) -> io::Result<Option<Arc<SharedMap>>> {
    // The channels, too, where they are there.
    let len = length.min(super::layout::CHANNELS + super::CHANNELS_MAX as u64 * CHANNEL);
    if len < STATE + 8 {
        return Ok(None);
    }
    let map = match writable {
        true => SharedMap::writable(file, len as usize),
        false => SharedMap::read_only(file, len as usize),
    };
    map.map(Arc::new).map(Some)
}

/// The header as it lies there, whatever it is. Of a mapping of at least its bytes.
pub(super) fn identity_of(map: &Arc<SharedMap>) -> Header {
    let words: [u64; HEADER_WORDS] = load(map, 0).unwrap_or([0; HEADER_WORDS]);
    zerocopy::transmute!(words)
}

/// The header of a file of `length` bytes and its channels, checked.
pub(super) fn header_of(
    map: &Arc<SharedMap>,
    length: u64,
) -> Result<(Header, Vec<Channel>), LayoutError> {
    let header = identity_of(map);
    if header.magic != MAGIC {
        return Err(LayoutError::Magic);
    }
    let places = header.check(length)?;
    let channels: Option<Vec<_>> = (0..places.channels)
        .map(|i| load::<{ CHANNEL as usize / 8 }>(map, header.channels + i * CHANNEL))
        .collect();
    let channels = channels.ok_or(LayoutError::Damaged("channels"))?;
    if header.sum(zerocopy::IntoBytes::as_bytes(&channels[..])) != header.checksum {
        return Err(LayoutError::Damaged("checksum"));
    }
    Ok((header, channels.iter().map(Channel::of_words).collect()))
}

/// Words of a mapping, if they are there.
pub(super) fn load<const N: usize>(map: &Arc<SharedMap>, offset: u64) -> Option<[u64; N]> {
    let there = Words::of(map, offset, N as u64)?;
    let mut words = [0; N];
    for (word, cell) in words.iter_mut().zip(there.all()) {
        *word = cell.load(Ordering::Relaxed);
    }
    Some(words)
}
