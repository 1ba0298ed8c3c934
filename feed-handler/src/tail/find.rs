//! Finding lanes: the files that are there, those that come later, and what other writers make under their names. No clock in
//! here: who follows lanes looks as often as it wants to.

use super::Tail;
use feed_common::ring::shared::{OwnedBy, SharedError};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

/// Files that a folder may have: every look goes through all of them.
const FILES_MAX: usize = 4_096;

/// Where lanes publish.
#[derive(Clone, Debug)]
pub enum Place {
    /// In these files.
    Files(Vec<PathBuf>),
    /// In files of this folder, also in those that come later.
    Folder(PathBuf),
}

/// Finds lanes, each once.
#[derive(Debug)]
pub struct Finder {
    place: Place,
    owned_by: OwnedBy,
    /// Of what was found: the epoch of the file that was opened last.
    epochs: HashMap<PathBuf, u64>,
    /// What cannot be read, and why, as it was said.
    refused: HashMap<PathBuf, String>,
}

/// What a look has brought.
#[derive(Default)]
pub struct Found {
    /// Lanes that were not there before, by name.
    pub lanes: Vec<Tail>,
    /// Why others cannot be read; of each once, until that changes.
    pub refused: Vec<SharedError>,
}

/// What has become of a lane's name.
pub enum Next {
    /// Nothing that can be read yet.
    Same,
    /// Another writer's file has it: from its oldest record.
    Writer(Box<Tail>),
    /// No file of the folder has it.
    Gone,
}

impl Finder {
    /// Of lanes of a user.
    pub fn new(place: Place, owned_by: OwnedBy) -> Finder {
        Finder {
            place,
            owned_by,
            epochs: HashMap::new(),
            refused: HashMap::new(),
        }
    }

    /// The first look. Fails where a file that was named cannot be read, or nothing that is there can.
    pub fn begin(&mut self, oldest: bool) -> Result<Found, SharedError> {
        let mut found = self.look(oldest);
        let is_named = matches!(self.place, Place::Files(_));
        match (is_named || found.lanes.is_empty()) && !found.refused.is_empty() {
            true => Err(found.refused.swap_remove(0)),
            false => Ok(found),
        }
    }

    /// Opens the lanes that were not there before, to be read from their oldest records or from now on. What could not be
    /// read is tried again each time: its owner or its permissions may be others by then.
    pub fn look(&mut self, oldest: bool) -> Found {
        let before = std::mem::take(&mut self.refused);
        let mut found = Found::default();
        let mut refuse = |path: &Path, error: SharedError| {
            let why = error.to_string();
            if before.get(path) != Some(&why) {
                found.refused.push(error);
            }
            self.refused.insert(path.into(), why);
        };
        let (paths, is_named) = match &self.place {
            Place::Files(paths) => (paths.clone(), true),
            Place::Folder(dir) => {
                let there = files(dir).unwrap_or_else(|error| {
                    let path = dir.clone();
                    refuse(dir, SharedError::Io { path, error });
                    Vec::new()
                });
                (there, false)
            }
        };
        for path in paths {
            if self.epochs.contains_key(&path) {
                continue;
            }
            match Tail::open(&path, self.owned_by, oldest) {
                Ok(tail) => {
                    self.epochs.insert(path, tail.facts().epoch);
                    found.lanes.push(tail);
                }
                // Gone since it was listed.
                Err(SharedError::Io { error, .. })
                    if !is_named && error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => refuse(&path, error),
            }
        }
        found
    }

    /// What has become of the name of a lane that was found and has ended.
    pub fn next_writer(&mut self, path: &Path) -> Next {
        let Some(epoch) = self.epochs.get_mut(path) else {
            return Next::Same;
        };
        match Tail::open(path, self.owned_by, true) {
            Ok(tail) if *epoch != tail.facts().epoch => {
                *epoch = tail.facts().epoch;
                Next::Writer(Box::new(tail))
            }
            // A file that was named may be made anew at any time.
            Err(SharedError::Io { error, .. })
                if error.kind() == io::ErrorKind::NotFound
                    && matches!(self.place, Place::Folder(_)) =>
            {
                self.epochs.remove(path);
                Next::Gone
            }
            _ => Next::Same,
        }
    }

    /// How many files could not be read at the last look.
    pub fn refused(&self) -> usize {
        self.refused.len()
    }
}

/// The files of a folder in which lanes may publish, by name: what a writer keeps beside its file is not one of them.
fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let beside = name.ends_with(".lock") || name.ends_with(".new") || name.contains(".taken.");
        if !beside && entry.file_type()?.is_file() {
            files.push(entry.path());
        }
        if files.len() > FILES_MAX {
            let reason = format!("more than {FILES_MAX} files: a folder of lanes has nothing else");
            return Err(io::Error::other(reason));
        }
    }
    files.sort();
    Ok(files)
}
