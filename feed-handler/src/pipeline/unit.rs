//! One numbering of a channel: most have one, and where a stream carries several, each runs on its own.

use crate::sequence::{Epoch, Epochs, Holes, Sequencer, Stash};
use crate::transport::{Frame, Framing, Session};
use feed_common::event::Trust;

/// The state of one numbering.
pub(super) struct Unit {
    /// What frames call it.
    pub key: u8,
    pub sequencer: Sequencer,
    pub stash: Stash,
    pub holes: Holes,
    /// The receive call at which something was first seen to be due for the holes.
    pub overdue: Option<u64>,
    pub session: Option<Session>,
    /// The newest first.
    replaced: [Option<Session>; REMEMBERED],
    epochs: Epochs,
    /// What its records are published with.
    pub trust: Trust,
    /// A snapshot is to be asked for, or has been, and nothing else is until it is there.
    pub wants_snapshot: bool,
    /// Its books were emptied for a snapshot that is not whole yet.
    pub void: bool,
    /// What is missing was sent before the session was first heard of.
    pub joining: bool,
}

/// Sessions that are known to have been replaced: one that restarts again and again is overtaken by none of its own.
const REMEMBERED: usize = 8;

/// What a frame is to the session at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Of it.
    Stays,
    /// A straggler of one before.
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
            // A run can be missing before each packet that waits and before what was announced, and may be parted from
            // what of it cannot be had.
            holes: Holes::new(2 * (stash_slots + 1)),
            overdue: None,
            session: None,
            replaced: [None; REMEMBERED],
            epochs: Epochs::default(),
            trust: Trust::VALID,
            wants_snapshot: false,
            void: false,
            joining: false,
        }
    }

    /// What a frame is to the session at hand: another name is another session, unless it is one that was
    /// replaced; and so is a numbering that begins anew.
    #[inline]
    pub fn judge<F: Framing, M>(&mut self, frame: &Frame<M>) -> Turn {
        if self.session != Some(frame.session) {
            return match self.replaced.contains(&Some(frame.session)) {
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
        self.holes.clear();
        self.void = false;
        // Also where a channel has one numbering: what is declared lost is then of the same unit as what comes.
        self.key = frame.unit;
        if self.session != Some(frame.session) {
            self.replaced.rotate_right(1);
            self.replaced[0] = self.session.replace(frame.session);
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

    /// The number behind the first stretch that is missing: that of what waits behind it, or the end of the hole.
    pub fn behind_hole(&self) -> Option<u64> {
        let end = self.holes.first()?.span.end();
        let waiting = self.stash.first().map(|s| s.span.first);
        Some(waiting.map_or(end, |first| first.min(end)))
    }
}
