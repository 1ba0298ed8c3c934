//! Segments made ahead of time, and removed behind.

use super::JournalError;
use super::folder;
use super::layout::{SegmentHeader, Shape};
use super::segment::Segment;
use crate::sys::FileWords;
use crate::time::UnixNanos;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Prepares the segment behind the one that is being written, so that going over to it is a few stores: its room is
/// allocated, its pages are there. Belongs on a thread beside the writer's, or between its batches.
#[derive(Clone, Debug)]
pub struct Preparer {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    folder: PathBuf,
    shape: Shape,
    keep: Option<u64>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The number of the segment that is being written.
    current: u64,
    /// Those behind it, the last first: one, or what another writer has left.
    prepared: Vec<Segment>,
    /// Written ones that are still mapped: to unmap one takes milliseconds.
    written: Vec<Segment>,
    /// There may be some that are not to be kept.
    expired: bool,
    /// The writer is gone, and the journal may be another's.
    closed: bool,
}

impl Preparer {
    /// Makes the next segment if it is not there, and lets go of written ones and of those beyond
    /// [`JournalOptions::keep`](super::JournalOptions::keep). Whether it made one; cheap when there is nothing to do, so
    /// that it may be called every millisecond. Nothing once the writer is gone.
    pub fn prepare(&self) -> Result<bool, JournalError> {
        let mut state = self.shared.state();
        if state.closed {
            return Ok(false);
        }
        let written = std::mem::take(&mut state.written);
        let expired = std::mem::take(&mut state.expired).then_some(state.current);
        let made = state.prepared.is_empty();
        if made {
            // With the lock held: a writer that wants the segment waits for it, which is sooner than making one itself.
            let segment = self.shared.make(state.current + 1)?;
            state.prepared.push(segment);
        }
        drop(state);
        // Both take their time, and the writer need not wait for it.
        drop(written);
        if let Some(current) = expired {
            self.shared.remove_expired(current)?;
        }
        Ok(made)
    }
}

impl Shared {
    pub fn new(
        folder: &Path,
        shape: Shape,
        keep: Option<u64>,
        current: u64,
        prepared: Vec<Segment>,
    ) -> Shared {
        Shared {
            folder: folder.into(),
            shape,
            keep,
            state: Mutex::new(State {
                current,
                prepared,
                written: Vec::new(),
                expired: true,
                closed: false,
            }),
        }
    }

    /// Where a segment is.
    pub fn path(&self, number: u64) -> PathBuf {
        folder::path(&self.folder, number)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is half done where it could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next segment, prepared or made now; and whether it was made now.
    pub fn take(&self) -> Result<(Segment, bool), JournalError> {
        let mut state = self.state();
        let made = state.prepared.is_empty();
        let segment = match state.prepared.pop() {
            Some(segment) => segment,
            None => self.make(state.current + 1)?,
        };
        state.current += 1;
        state.expired = true;
        Ok((segment, made))
    }

    /// No more segments are made; waits for one that is.
    pub fn close(&self) {
        self.state().closed = true;
    }

    /// Leaves a written segment to the preparer; of several, which it did not come for, only one.
    pub fn leave(&self, segment: Segment) {
        let mut state = self.state();
        let before = std::mem::take(&mut state.written);
        state.written.push(segment);
        drop(state);
        if !before.is_empty() {
            drop(before);
            // Nobody calls the preparer, so it is done here; what fails now is tried again.
            let current = self.state().current;
            let _ = self.remove_expired(current);
        }
    }

    /// Makes a whole segment under another name and gives it its own: nobody sees a part of one.
    pub fn make(&self, number: u64) -> Result<Segment, JournalError> {
        let unfinished = folder::unfinished(&self.folder);
        let path = folder::path(&self.folder, number);
        // Left over from a process that was killed, or from a full disk.
        let _ = fs::remove_file(&unfinished);
        let made = FileWords::create(&unfinished, self.shape.length).and_then(|words| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let now = UnixNanos(now.map_or(0, |since| since.as_nanos() as u64));
            let header = SegmentHeader::new(&self.shape, number, now.0);
            for (cell, word) in words.cells().iter().zip(header.words()) {
                cell.store(word, Ordering::Relaxed);
            }
            fs::rename(&unfinished, &path)?;
            Ok(words)
        });
        let words = made.map_err(|e| {
            let _ = fs::remove_file(&unfinished);
            JournalError::making(&path, self.shape.length, e)
        })?;
        Segment::new(words).map_err(|why| JournalError::Unreadable { path, why })
    }

    /// Removes what is beyond what is kept, the oldest first.
    fn remove_expired(&self, current: u64) -> Result<(), JournalError> {
        let Some(oldest) = self.keep.and_then(|keep| current.checked_sub(keep)) else {
            return Ok(());
        };
        let numbers = folder::numbers(&self.folder)?.into_iter();
        for number in numbers.take_while(|&number| number < oldest) {
            let path = folder::path(&self.folder, number);
            match fs::remove_file(&path) {
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    return Err(JournalError::at(&path)(e));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
