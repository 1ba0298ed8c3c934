//! What the pipeline left undone, by cause: counted locally, read when the lane ends or is asked.

use crate::protocol::DecodeError;
use crate::transport::FrameError;

/// Packets, frames and messages that were not delivered, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    frames: [u64; FrameError::ALL.len()],
    messages: [u64; DecodeError::ALL.len()],
    /// Datagrams of which a part is missing.
    pub truncated: u64,
    /// Packets from a line the lane does not have.
    pub no_line: u64,
    /// Frames of a session that another has replaced.
    pub old_session: u64,
    /// Frames ahead of a gap that found no room in the stash, so that the gap was given up early.
    pub stash_full: u64,
    /// Messages of refreshes, which are not followed.
    pub refresh: u64,
    /// Frames that recovery brought and that are no answer: of another session, or without messages.
    pub stray: u64,
}

impl Drops {
    /// A datagram was not a frame.
    #[cold]
    pub fn frame(&mut self, error: FrameError) {
        self.frames[error as usize] += 1;
    }

    /// A message was not decoded.
    #[cold]
    pub fn message(&mut self, error: DecodeError) {
        self.messages[error as usize] += 1;
    }

    /// Every cause with its count, zeros included.
    pub fn by_cause(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let frames = FrameError::ALL.map(|e| (e.name(), self.frames[e as usize]));
        let messages = DecodeError::ALL.map(|e| (e.name(), self.messages[e as usize]));
        let others = [
            ("packet_truncated", self.truncated),
            ("packet_no_line", self.no_line),
            ("old_session", self.old_session),
            ("stash_full", self.stash_full),
            ("refresh", self.refresh),
            ("recovery_stray", self.stray),
        ];
        frames.into_iter().chain(messages).chain(others)
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        let others = [
            self.truncated,
            self.no_line,
            self.old_session,
            self.stash_full,
            self.refresh,
            self.stray,
        ];
        let others: u64 = others.iter().sum();
        self.frames.iter().chain(&self.messages).sum::<u64>() + others
    }
}
