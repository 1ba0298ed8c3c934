//! Making a file, and taking a name over from who had it.

use super::board::{Board, Channel};
use super::layout::{
    CHANNEL, CHANNELS, CHANNELS_MAX, CONTROL, HEADER_WORDS, Header, INSTRUMENTS_MAX, Places, ROW,
    ROWS, STATE,
};
use super::read::{header_of, identity_of, load, map_header};
use super::{LayoutError, Session, SharedError};
use crate::event::Record;
use crate::ring::Writer;
use crate::ring::broadcast::{CONTROL_WORDS, Shared, check_slots};
use crate::ring::latest::Latest;
use crate::ring::primitive::{Arc, Ordering, Words};
use crate::sys::shared::{Held, SharedMap, beside, is_open_to_all, make, open_regular, user};
use crate::sys::{Life, Process};
use crate::time::{TickScale, UnixNanos};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// [`STATE`] of a file whose name another one has taken.
pub(super) const SUPERSEDED: u64 = 2;

/// What a file should be.
#[derive(Clone, Debug)]
pub struct SharedPlan {
    /// Where: `/dev/shm/NAME`.
    pub path: PathBuf,
    /// Slots of the ring; see [`broadcast`](super::super::broadcast).
    pub slots: usize,
    /// Instruments that have a quote, at most [`INSTRUMENTS_MAX`].
    pub instruments: u32,
    /// Permissions: 0o600, and reading (0o040, 0o004) for whom they should be.
    pub mode: u32,
    /// Group of the file; that of the process where none is said.
    pub group: Option<u32>,
    /// What the run is called.
    pub session: Session,
    /// Whose records are in the ring.
    pub channels: Vec<Channel>,
    /// Of the ticks that records were received at.
    pub scale: TickScale,
}

/// A file others can read.
#[derive(Debug)]
pub struct Published {
    /// Writes records. Dropping it says to readers that no more comes.
    pub ring: Writer<Record>,
    /// Writes quotes.
    pub board: Board,
    /// Keeps others from taking the name; to be dropped last.
    pub hold: Hold,
}

/// Keeps a name for this process.
#[derive(Debug)]
pub struct Hold {
    _held: Held,
    path: PathBuf,
    epoch: u64,
    takeover: Takeover,
}

/// What had the name before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Takeover {
    /// Nothing.
    Nobody,
    /// A file whose writer had ended as it should.
    Closed,
    /// A file whose writer had not: this was its process.
    Dead(u32),
    /// A file that this version cannot read.
    Unreadable(LayoutError),
}

impl Hold {
    /// Where.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What tells this file from others of its name.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// What had the name before.
    pub fn takeover(&self) -> &Takeover {
        &self.takeover
    }
}

/// Makes a file and gives it its name. Whoever reads the one that had the name is told.
pub fn publish(plan: &SharedPlan) -> Result<Published, SharedError> {
    let places = check(plan)?;
    let path = &plan.path;
    let failed = |error| io_error(path, error);
    check_folder(path)?;
    let lock = beside(path, ".lock");
    let held = Held::take(&lock).map_err(|e| io_error(&lock, e))?;
    let Some(held) = held else {
        let (path, pid) = (path.clone(), writer_of(path));
        return Err(SharedError::Held { path, pid });
    };
    let before = Before::look(path)?;

    let epoch = UnixNanos::now().0.max(before.epoch.saturating_add(1));
    let this = Process::this().map_err(failed)?;
    let new = beside(path, ".new");
    // Of a writer that ended before it could give it its name: only who holds the name makes it.
    match fs::remove_file(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(io_error(&new, e)),
        _ => {}
    }
    let file = make(&new, places.length, plan.mode, plan.group).map_err(|e| io_error(&new, e))?;
    let written = SharedMap::writable(&file, places.length as usize).and_then(|map| {
        let map = Arc::new(map);
        let mut header = Header::new(&places, epoch, &this, plan.scale, &plan.session);
        let channels: Vec<u8> = plan.channels.iter().flat_map(Channel::to_bytes).collect();
        header.checksum = header.sum(&channels);
        let words: [u64; HEADER_WORDS] = zerocopy::transmute!(header);
        store(&map, 0, &words, Ordering::Relaxed)?;
        let channels = channels.chunks_exact(8);
        let channels = channels.map(|b| u64::from_ne_bytes(b.try_into().expect("8 bytes")));
        store(
            &map,
            CHANNELS,
            &channels.collect::<Vec<_>>(),
            Ordering::Relaxed,
        )?;
        fs::rename(&new, path)?;
        Ok(map)
    });
    let map = written.map_err(|error| {
        let _ = fs::remove_file(&new);
        failed(error)
    })?;
    if let Some(old) = &before.map {
        // After the name is the new file's: who sees this and opens the name finds that one.
        store(old, STATE, &[SUPERSEDED], Ordering::Release).map_err(failed)?;
    }
    let (ring, board) =
        ends(&map, &places).ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))?;
    Ok(Published {
        ring,
        board,
        hold: Hold {
            _held: held,
            path: path.clone(),
            epoch,
            takeover: before.takeover,
        },
    })
}

fn check(plan: &SharedPlan) -> Result<Places, SharedError> {
    let refuse = |what, problem| Err(SharedError::Plan { what, problem });
    if let Err(problem) = check_slots(plan.slots as u64) {
        return refuse("slots of shared memory", problem);
    }
    if plan.instruments > INSTRUMENTS_MAX {
        return refuse("instruments of shared memory", "must be at most 2^24");
    }
    if plan.channels.len() > CHANNELS_MAX {
        return refuse("channels of shared memory", "must be at most 1,024");
    }
    if plan.mode & 0o600 != 0o600 || plan.mode & !0o644 != 0 {
        let problem = "must be 0600, 0640, 0604 or 0644: nobody but its owner may write it";
        return refuse("mode of shared memory", problem);
    }
    let (slots, channels) = (plan.slots as u64, plan.channels.len() as u64);
    Ok(Places::lay_out(slots, plan.instruments.into(), channels))
}

fn check_folder(path: &Path) -> Result<(), SharedError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match is_open_to_all(folder) {
        Ok(false) => Ok(()),
        Ok(true) => Err(SharedError::Folder {
            path: folder.into(),
        }),
        Err(error) => Err(io_error(folder, error)),
    }
}

/// What has the name now.
struct Before {
    takeover: Takeover,
    epoch: u64,
    /// Its header, to be told that it was replaced.
    map: Option<Arc<SharedMap>>,
}

impl Before {
    /// Whether it may be replaced.
    fn look(path: &Path) -> Result<Before, SharedError> {
        let failed = |error| io_error(path, error);
        let (file, facts) = match open_regular(path, true) {
            Ok(opened) => opened,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Ok(Before {
                    takeover: Takeover::Nobody,
                    epoch: 0,
                    map: None,
                });
            }
            Err(e) => return Err(failed(e)),
        };
        let (owner, wanted) = (std::os::unix::fs::MetadataExt::uid(&facts), user());
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
        let Some(map) = map_header(&file, facts.len(), true).map_err(failed)? else {
            return Err(layout(LayoutError::Magic));
        };
        let header = identity_of(&map);
        let takeover = match header_of(&map, facts.len()) {
            Err(LayoutError::Magic) => return Err(layout(LayoutError::Magic)),
            // Nobody writes it: whoever did would hold the name.
            Err(error) => Takeover::Unreadable(error),
            Ok(_) if load::<1>(&map, STATE) != Some([0]) => Takeover::Closed,
            // One that is unseen from here would hold the name, too.
            Ok(_) => match header.writer().life() {
                Life::Runs => {
                    let (path, pid) = (path.into(), Some(header.writer().pid));
                    return Err(SharedError::Held { path, pid });
                }
                Life::Ended | Life::Unseen => Takeover::Dead(header.writer().pid),
            },
        };
        let epoch = match takeover {
            Takeover::Unreadable(_) => 0,
            _ => header.epoch,
        };
        Ok(Before {
            takeover,
            epoch,
            map: Some(map),
        })
    }
}

/// The process that the file of this name says writes it.
fn writer_of(path: &Path) -> Option<u32> {
    let (file, facts) = open_regular(path, false).ok()?;
    let map = map_header(&file, facts.len(), false).ok()??;
    header_of(&map, facts.len()).ok()?;
    Some(identity_of(&map).writer().pid)
}

/// The writing ends in a file whose places are known.
fn ends(map: &Arc<SharedMap>, places: &Places) -> Option<(Writer<Record>, Board)> {
    let control = Words::of(map, CONTROL, CONTROL_WORDS as u64)?;
    let records = Words::of(map, places.ring, places.slots * ROW / 8)?;
    let table = |offset| {
        Some(Latest::new(Words::of(
            map,
            offset,
            places.instruments * ROW / 8,
        )?))
    };
    let rows = Words::of(map, ROWS, 1)?;
    let board = Board::new(table(places.quotes)?, table(places.directory)?, rows);
    Some((Writer::over(Shared::new(control, records)), board))
}

/// Stores words into a file that this process may write.
fn store(map: &Arc<SharedMap>, offset: u64, words: &[u64], order: Ordering) -> io::Result<()> {
    let there = Words::of(map, offset, words.len() as u64).ok_or(io::ErrorKind::InvalidData)?;
    for (cell, word) in there.all().iter().zip(words) {
        cell.store(*word, order);
    }
    Ok(())
}

pub(super) fn io_error(path: &Path, error: io::Error) -> SharedError {
    SharedError::Io {
        path: path.into(),
        error,
    }
}

const _: () = assert!(CHANNELS.is_multiple_of(64) && CHANNEL.is_multiple_of(8));
