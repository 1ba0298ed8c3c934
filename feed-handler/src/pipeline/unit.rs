//! One numbering of a channel: most have one, and where a stream carries several, each runs on its own.

use crate::sequence::{Epoch, Epochs, Sequencer, Stash};
use crate::transport::{Frame, Framing, Session};
use feed_common::event::Trust;

/// The state of one numbering.
pub(super) struct Unit {
    /// What frames call it.
    pub key: u8,
    pub sequencer: Sequencer,
    pub stash: Stash,
    /// The highest number an empty frame has announced as next, and when: the only sign of loss at the tail.
    pub announced: Option<(u64, u64)>,
    /// The receive call at which the earliest hole was first seen to be older than its window.
    pub overdue: Option<u64>,
    pub session: Option<Session>,
    replaced: Option<Session>,
    epochs: Epochs,
    /// What its records are published with.
    pub trust: Trust,
}

/// What a frame is to the session at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Of it.
    Stays,
    /// A straggler of the one before.
    Back,
    /// Of a new one.
    Over,
}

impl Unit {
    pub fn new(key: u8, stash_slots: usize, stash_slot_bytes: usize) -> Unit {
        Unit {
            key,
            sequencer: Sequencer::default(),
            stash: Stash::new(stash_slots, stash_slot_bytes),
            announced: None,
            overdue: None,
            session: None,
            replaced: None,
            epochs: Epochs::default(),
            trust: Trust::VALID,
        }
    }

    /// What a frame is to the session at hand: another name is another session, unless it is the one that was just
    /// replaced; and so is a numbering that begins anew.
    #[inline]
    pub fn judge<F: Framing, M>(&mut self, frame: &Frame<M>) -> Turn {
        if self.session != Some(frame.session) {
            return match self.replaced == Some(frame.session) {
                true => Turn::Back,
                false => Turn::Over,
            };
        }
        if !F::BEGINS {
            return Turn::Stays;
        }
        match self.epochs.judge(frame.sent, frame.span, frame.begins) {
            Epoch::Same => Turn::Stays,
            Epoch::Old => Turn::Back,
            Epoch::New => Turn::Over,
        }
    }

    /// Turns to the session of a frame.
    pub fn turn_to<M>(&mut self, frame: &Frame<M>) {
        self.announced = None;
        // Also where a channel has one numbering: what is declared lost is then of the same unit as what comes.
        self.key = frame.unit;
        if self.session != Some(frame.session) {
            self.replaced = self.session.replace(frame.session);
            self.epochs = Epochs::default();
            self.epochs.judge(frame.sent, frame.span, false);
        }
        // Sessions begin at 1: whoever joins later has missed what the books are made of.
        self.trust = if frame.span.first > 1 {
            Trust::RECOVERING
        } else {
            Trust::VALID
        };
    }

    /// When the packet or announcement that shows the earliest open hole arrived.
    #[inline]
    pub fn waiting_since(&self) -> Option<u64> {
        match (self.stash.first(), self.announced) {
            (None, None) => None,
            (Some(s), _) => Some(s.at),
            (None, Some((_, at))) => Some(at),
        }
    }

    /// The number behind the earliest open hole.
    pub fn behind_hole(&self) -> Option<u64> {
        let waiting = self.stash.first().map(|s| s.span.first);
        waiting.or(self.announced.map(|(next, _)| next))
    }

    /// Forgets what was announced up to `next`.
    pub fn arrived_at(&mut self, next: u64) {
        if self.announced.is_some_and(|(known, _)| known <= next) {
            self.announced = None;
        }
    }
}
