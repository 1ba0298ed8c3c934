//! What servers have in common.

/// A server that is asked and answers with datagrams.
///
/// It owns no socket: whoever has one hands in what came and sends what is given back, to the address that asked.
pub trait DatagramServer: Send {
    /// Takes a request that came at `now`, in nanoseconds after the start; `now` never goes back. Each packet of the
    /// answer goes to `reply` with the time at which it leaves: `now` or later, in no particular order.
    fn answer(&mut self, request: &[u8], now: u64, reply: &mut dyn FnMut(u64, &[u8]));

    /// What it did so far.
    fn counts(&self) -> ServerCounts;
}

/// A server that is connected to and says what it has as a stream of bytes.
pub trait StreamServer: Send {
    /// A client has connected at `now`, in nanoseconds after the start; `now` never goes back.
    fn connect(&mut self, now: u64) -> Box<dyn StreamConnection>;

    /// Hands out what is to be sent at `now` to the group of its answers, where it has one; when to call again.
    fn datagrams(&mut self, now: u64, send: &mut dyn FnMut(&[u8])) -> u64 {
        let _ = (now, send);
        u64::MAX
    }

    /// What it did so far, by connections or by requests, whichever its protocol has.
    fn counts(&self) -> ServerCounts;
}

/// One connection of a [`StreamServer`]. Like the server it owns no socket.
pub trait StreamConnection: Send {
    /// Takes what the client sends, cut anywhere.
    fn heard(&mut self, bytes: &[u8], now: u64);

    /// Appends what is to be sent at `now`, at most `room` bytes, which is above 0.
    fn poll(&mut self, now: u64, room: usize, out: &mut Vec<u8>) -> Again;
}

/// When to poll a connection again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// At this time at the latest, and when something was heard or there is room again.
    At(u64),
    /// Never: it is to be closed when what was given has been sent.
    Close,
}

/// What a server did: every request is counted once, as answered or under the reason why it was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerCounts {
    /// Requests that came.
    pub requests: u64,
    /// Answered, wrong answers included.
    pub answered: u64,
    /// Not answered: no request.
    pub malformed: u64,
    /// Not answered: for a session it does not know.
    pub other_session: u64,
    /// Not answered: for messages that are not sent yet, not kept any more, or were never there.
    pub unknown: u64,
    /// Not answered: more than it takes in a second.
    pub limited: u64,
    /// Not answered: refused by plan.
    pub refused: u64,
    /// Not answered: it had gone away by plan.
    pub closed: u64,
    /// Answers that were late by plan.
    pub late: u64,
    /// Answers that were wrong by plan.
    pub wrong: u64,
    /// Packets of answers.
    pub packets: u64,
    /// Messages in them.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets of answers that were lost by plan; not among `packets`.
    pub lost: u64,
}

/// Counts requests by time: a bucket that holds a second's worth.
#[derive(Clone, Debug)]
pub(super) struct Quota {
    /// Nanoseconds that a request costs; 0 without a limit.
    cost: u64,
    credit: u64,
    last: u64,
}

impl Quota {
    const SECOND: u64 = 1_000_000_000;

    /// So many requests a second; without a limit at 0.
    pub fn new(per_second: u32) -> Quota {
        Quota {
            cost: Self::SECOND.checked_div(per_second.into()).unwrap_or(0),
            credit: Self::SECOND,
            last: 0,
        }
    }

    /// Whether one more is within the limit at `now`.
    pub fn take(&mut self, now: u64) -> bool {
        let earned = now.saturating_sub(self.last);
        self.last = self.last.max(now);
        self.credit = self.credit.saturating_add(earned).min(Self::SECOND);
        match self.credit.checked_sub(self.cost) {
            Some(left) => {
                self.credit = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_a_second_of_requests_and_fills_with_time() {
        let mut quota = Quota::new(10);
        assert_eq!((0..100).filter(|_| quota.take(0)).count(), 10);
        assert!(!quota.take(99_999_999) && quota.take(100_000_000) && !quota.take(100_000_000));
        // An hour of silence is still a second's worth.
        let hour = 3_600_000_000_000;
        assert_eq!((0..100).filter(|_| quota.take(hour)).count(), 10);
        let mut quota = Quota::new(0);
        assert!((0..1_000).all(|_| quota.take(5)));
    }
}
