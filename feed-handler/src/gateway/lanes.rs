//! The lanes that are followed, by the numbers that clients know them by.

use super::lane::Lane;
use super::options::LANES_MAX;
use super::queue::State;
use super::update::Source;
use std::path::{Path, PathBuf};

/// Lanes by number. A number that is free again is given to another lane, as the next generation.
#[derive(Default)]
pub struct Lanes(Vec<Slot>);

struct Slot {
    generation: u32,
    lane: Option<Lane>,
}

impl Lanes {
    /// Numbers that were given.
    pub fn numbers(&self) -> usize {
        self.0.len()
    }

    /// The lane of a number, if it has one now.
    pub fn get(&self, number: usize) -> Option<&Lane> {
        self.0.get(number)?.lane.as_ref()
    }

    /// The same, to be read.
    pub fn get_mut(&mut self, number: usize) -> Option<&mut Lane> {
        self.0.get_mut(number)?.lane.as_mut()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Lane> + Clone {
        self.0.iter().filter_map(|slot| slot.lane.as_ref())
    }

    /// All of them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Lane> {
        self.0.iter_mut().filter_map(|slot| slot.lane.as_mut())
    }

    /// Files of those whose writer writes no more.
    pub fn ended(&self) -> Vec<PathBuf> {
        let ended = self.iter().filter(|lane| lane.state() != State::Live);
        ended.map(|lane| lane.path().to_owned()).collect()
    }

    /// Whose the records of a file will be: they have the number of the lane of that path, or one that is free. `None` where
    /// none is.
    pub fn source(&self, path: &Path, epoch: u64) -> Option<Source> {
        let is_there = |slot: &Slot| slot.lane.as_ref().is_some_and(|lane| lane.path() == path);
        let free = || self.0.iter().position(|slot| slot.lane.is_none());
        let index = self.0.iter().position(is_there).or_else(free);
        let index = index.unwrap_or(self.0.len());
        let before = self.0.get(index).map_or(0, |slot| slot.generation);
        let lane = path.file_name().unwrap_or_default();
        (index < LANES_MAX).then(|| Source {
            index,
            lane: lane.to_string_lossy().into_owned(),
            generation: before.wrapping_add(1),
            epoch,
        })
    }

    /// Puts a lane where its number is; what was there.
    pub fn put(&mut self, lane: Lane) -> Option<Lane> {
        let (index, generation) = (lane.source().index, lane.source().generation);
        while self.0.len() <= index {
            self.0.push(Slot {
                generation: 0,
                lane: None,
            });
        }
        let slot = &mut self.0[index];
        slot.generation = generation;
        slot.lane.replace(lane)
    }

    /// Takes the lane of a file out, if it has ended: its number is free.
    pub fn take(&mut self, path: &Path) -> Option<Lane> {
        let ends = |lane: &Lane| lane.path() == path && lane.state() != State::Live;
        let mut slots = self.0.iter_mut();
        let slot = slots.find(|slot| slot.lane.as_ref().is_some_and(ends))?;
        slot.lane.take()
    }
}
