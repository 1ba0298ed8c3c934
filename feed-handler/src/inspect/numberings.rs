//! The numberings of a channel in a capture: one for each session and unit, and one more each time that numbers begin
//! anew. Lines need not change over at the same moment, so a packet can be of any of them.

use super::View;
use crate::sequence::{Epoch, Epochs};
use crate::transport::Session;
use std::collections::{HashMap, HashSet};

/// What is kept of each numbering of a channel.
pub(super) struct Numberings<T> {
    /// The latest of each session.
    places: HashMap<Session, usize>,
    all: Vec<Numbering<T>>,
    /// The independent numberings of the channel: each begins with a session that is no restart.
    units: HashSet<u8>,
    /// The one that the last frame was of.
    last: Option<(Session, usize)>,
}

struct Numbering<T> {
    kept: T,
    epochs: Epochs,
    /// The numbering that this one followed within its session.
    before: Option<usize>,
}

/// How a numbering came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Began {
    /// It is the first of its unit.
    First,
    /// With a session of another name.
    Session,
    /// Within its session.
    Anew,
}

impl<T> Default for Numberings<T> {
    fn default() -> Numberings<T> {
        Numberings {
            places: HashMap::new(),
            all: Vec::new(),
            units: HashSet::new(),
            last: None,
        }
    }
}

impl<T: Default> Numberings<T> {
    /// What is kept of the numbering of a frame, and how it came about if the frame is the first of it.
    #[inline]
    pub(super) fn of(&mut self, frame: &View<'_>) -> (&mut T, Option<Began>) {
        let (mut number, mut began) = match &self.last {
            Some((last, number)) if *last == frame.session => (*number, None),
            _ => self.turn(frame),
        };
        if let Some((sent, begins)) = frame.begins {
            match self.all[number].epochs.judge(sent, frame.span, begins) {
                Epoch::Same => {}
                Epoch::Old => number = self.all[number].before.unwrap_or(number),
                Epoch::New => (number, began) = (self.begin_anew(frame, number), Some(Began::Anew)),
            }
        }
        (&mut self.all[number].kept, began)
    }

    /// The session that the last frame was of, and what is kept of its latest numbering.
    #[inline(always)]
    pub(super) fn last(&mut self) -> Option<(&Session, &mut T)> {
        let (session, number) = self.last.as_ref()?;
        Some((session, &mut self.all[*number].kept))
    }

    /// All numberings, as they appeared.
    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        self.all.iter().map(|numbering| &numbering.kept)
    }

    /// The same, to be taken apart.
    pub(super) fn into_all(self) -> impl Iterator<Item = T> {
        self.all.into_iter().map(|numbering| numbering.kept)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Numberings that are not the first of their unit.
    pub(super) fn restarts(&self) -> u64 {
        (self.all.len() - self.units.len()) as u64
    }

    /// The numbering of a session that the last frame was not of.
    fn turn(&mut self, frame: &View<'_>) -> (usize, Option<Began>) {
        let next = self.all.len();
        let number = *self.places.entry(frame.session).or_insert(next);
        let began = (number == next).then(|| {
            self.all.push(Numbering {
                kept: T::default(),
                epochs: Epochs::default(),
                before: None,
            });
            match self.units.insert(frame.unit) {
                true => Began::First,
                false => Began::Session,
            }
        });
        self.last = Some((frame.session, number));
        (number, began)
    }

    /// What has come of a session so far stands apart from now on.
    fn begin_anew(&mut self, frame: &View<'_>, before: usize) -> usize {
        let next = self.all.len();
        self.all.push(Numbering {
            kept: T::default(),
            epochs: self.all[before].epochs,
            before: Some(before),
        });
        self.places.insert(frame.session, next);
        self.last = Some((frame.session, next));
        next
    }
}
