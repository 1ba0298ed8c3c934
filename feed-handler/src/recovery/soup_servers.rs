//! What clients of SoupBinTCP servers have in common: whom they ask, for how long, and what they count.

use super::soup::{Ended, SoupTimes, SoupUser};

const MILLISECOND: u64 = 1_000_000;

/// How soon a recovery looks again whether there is room for what it has got, in nanoseconds.
pub(super) const ROOM_WAIT: u64 = MILLISECOND;

/// Servers that all have the same, and how patient to be with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoupServers {
    /// How many there are, from 1 to 64; the places of the recovery's list from 0 on.
    pub servers: usize,
    /// Who logs in.
    pub user: SoupUser,
    /// How long logins and silence may take.
    pub times: SoupTimes,
    /// Connections that may end without having brought anything wanted before the wish fails.
    pub attempts: u32,
    /// Nanoseconds from such an end to the next attempt.
    pub retry: u64,
    /// Nanoseconds that a server may take for the next thing wanted, whatever else it says.
    pub progress: u64,
    /// Nanoseconds after which a wish fails, attempts left or not.
    pub patience: u64,
}

impl SoupServers {
    /// As many servers, with the usual patience: 3 attempts a quarter of a second apart, 5 seconds without progress, a
    /// minute for everything.
    pub fn new(servers: usize, user: SoupUser) -> SoupServers {
        SoupServers {
            servers,
            user,
            times: SoupTimes::default(),
            attempts: 3,
            retry: 250 * MILLISECOND,
            progress: 5_000 * MILLISECOND,
            patience: 60_000 * MILLISECOND,
        }
    }

    /// The first server from place `from` on, in turn, that is not among those (a bit each).
    pub(super) fn first_but(&self, from: usize, refused: u64) -> Option<usize> {
        (0..self.servers)
            .map(|step| (from + step) % self.servers)
            .find(|&server| refused >> server & 1 == 0)
    }

    /// # Panics
    ///
    /// When there are no servers, or too many.
    pub(super) fn assert(&self) {
        assert!(
            (1..=64).contains(&self.servers),
            "{} servers of a recovery: there can be 1 to 64",
            self.servers
        );
    }
}

/// What has happened on the connections.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    /// Connections begun.
    pub connections: u64,
    /// Logins accepted.
    pub logins: u64,
    /// Logins rejected.
    pub login_rejected: u64,
    /// Logins answered with another session, or with another number than a snapshot begins with.
    pub other_session: u64,
    /// Connections that could not be made, or ended before everything had come.
    pub server_closed: u64,
    /// Ended for what is no packet, or cannot come at that point.
    pub server_garbage: u64,
    /// Ended because nothing came.
    pub server_silent: u64,
    /// Ended because what was wanted did not come in time.
    pub server_slow: u64,
    /// Sessions that were over before everything had come.
    pub session_over: u64,
    /// Messages below the number asked for, and bytes or connections that nobody waits for.
    pub answer_unasked: u64,
    /// Times that the driver brought more bytes than there was room for.
    pub flooded: u64,
}

impl Counters {
    pub fn ended(&mut self, ended: Ended) {
        *match ended {
            Ended::Closed => &mut self.server_closed,
            Ended::Silent => &mut self.server_silent,
            Ended::Garbage => &mut self.server_garbage,
            Ended::Flooded => &mut self.flooded,
            Ended::Rejected(_) => &mut self.login_rejected,
            Ended::EndOfSession => &mut self.session_over,
        } += 1;
    }

    pub fn list(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [
            ("connections", self.connections),
            ("logins", self.logins),
            ("login_rejected", self.login_rejected),
            ("other_session", self.other_session),
            ("server_closed", self.server_closed),
            ("server_garbage", self.server_garbage),
            ("server_silent", self.server_silent),
            ("server_slow", self.server_slow),
            ("session_over", self.session_over),
            ("answer_unasked", self.answer_unasked),
            ("flooded", self.flooded),
        ]
        .into_iter()
    }
}
