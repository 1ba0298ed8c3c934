//! Rates: what two statuses of the same run differ by, a second.

use crate::status::Status;

/// The statuses of a run that its rates come from. Another run, and counters that go back, begin anew.
#[derive(Clone, Debug, Default)]
pub struct History {
    now: Status,
    before: Option<Status>,
    /// The first status that told of the present interval, and that of the one before: in between nothing changes of
    /// what intervals tell, and so its rate does not either.
    interval: Option<Status>,
    interval_before: Option<Status>,
}

impl History {
    /// Begins with a status, of which no rate is known yet.
    pub fn new(first: Status) -> History {
        History {
            interval: Some(first.clone()),
            now: first,
            ..History::default()
        }
    }

    /// Takes the next status.
    pub fn add(&mut self, next: Status) {
        if !follows(&self.now, &next) {
            *self = History::new(next);
            return;
        }
        let told = self.interval.as_ref().map(|status| status.intervals);
        if told != Some(next.intervals) {
            self.interval_before = self.interval.replace(next.clone());
        }
        self.before = Some(std::mem::replace(&mut self.now, next));
    }

    /// An answer is missing: rates are not known until there are answers again.
    pub fn interrupt(&mut self) {
        (self.before, self.interval, self.interval_before) = (None, None, None);
    }

    /// The last status.
    pub fn status(&self) -> &Status {
        &self.now
    }

    /// By how much a counter grows a second, of those that every status tells as they are. `None` where that is not known.
    pub fn rate(&self, count: impl Fn(&Status) -> Option<u64>) -> Option<u64> {
        between(self.before.as_ref()?, &self.now, count)
    }

    /// The same of counters that are told as of the last interval: channels and lines.
    pub fn interval_rate(&self, count: impl Fn(&Status) -> Option<u64>) -> Option<u64> {
        between(
            self.interval_before.as_ref()?,
            self.interval.as_ref()?,
            count,
        )
    }
}

/// Whether the second status can be a later one of the same run: process numbers are given again.
fn follows(before: &Status, next: &Status) -> bool {
    let parts = |s: &Status| [s.lanes.len(), s.channels.len(), s.consumers.len()];
    let grows = |count: fn(&Status) -> u64| count(before) <= count(next);
    before.pid == next.pid
        && parts(before) == parts(next)
        && grows(|s| s.elapsed_ns)
        && grows(|s| s.intervals)
        && grows(Status::packets)
        && grows(Status::messages)
}

fn between(before: &Status, now: &Status, count: impl Fn(&Status) -> Option<u64>) -> Option<u64> {
    let nanos = now.elapsed_ns.checked_sub(before.elapsed_ns)?;
    if nanos == 0 {
        return None;
    }
    let grown = count(now)?.checked_sub(count(before)?)?;
    Some((grown as f64 * 1e9 / nanos as f64).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{ChannelStatus, LaneStatus};

    /// A status of process 7 after so many milliseconds.
    fn status(millis: u64, intervals: u64, packets: u64, lost: u64) -> Status {
        Status {
            pid: 7,
            elapsed_ns: millis * 1_000_000,
            intervals,
            lanes: vec![LaneStatus {
                packets,
                ..LaneStatus::default()
            }],
            channels: vec![ChannelStatus {
                lost,
                ..ChannelStatus::default()
            }],
            ..Status::default()
        }
    }

    fn packets(history: &History) -> Option<u64> {
        history.rate(|s| Some(s.lanes.first()?.packets))
    }

    fn lost(history: &History) -> Option<u64> {
        history.interval_rate(|s| Some(s.channels.first()?.lost))
    }

    #[test]
    fn two_statuses_make_a_rate() {
        let mut history = History::new(status(1_000, 1, 500, 10));
        assert_eq!((packets(&history), lost(&history)), (None, None));
        history.add(status(3_000, 3, 1_500, 16));
        assert_eq!((packets(&history), lost(&history)), (Some(500), Some(3)));
        // Not a whole second by the clock of the run.
        history.add(status(3_500, 3, 1_600, 16));
        assert_eq!(packets(&history), Some(200));
    }

    #[test]
    fn what_intervals_tell_keeps_its_rate_until_the_next_ends() {
        let mut history = History::new(status(1_010, 1, 0, 0));
        history.add(status(2_010, 2, 0, 40));
        assert_eq!(lost(&history), Some(40));
        history.add(status(2_995, 2, 0, 40));
        assert_eq!(lost(&history), Some(40), "the same interval");
        history.add(status(4_010, 4, 0, 120));
        assert_eq!(lost(&history), Some(40), "two intervals at once");
        history.add(status(5_010, 5, 0, 120));
        assert_eq!(lost(&history), Some(0));
    }

    #[test]
    fn another_run_begins_anew() {
        let first = status(10_000, 10, 5_000, 3);
        let later = status(11_000, 11, 6_000, 4);
        for other in [
            Status {
                pid: 8,
                ..later.clone()
            },
            // The same number given again, as in a container.
            status(900, 0, 0, 0),
            status(11_000, 11, 4_999, 4),
            status(11_000, 9, 6_000, 4),
            Status {
                channels: Vec::new(),
                ..later.clone()
            },
        ] {
            let mut history = History::new(first.clone());
            history.add(later.clone());
            assert_eq!(packets(&history), Some(1_000));
            let mut history = History::new(first.clone());
            history.add(other.clone());
            assert_eq!((packets(&history), lost(&history)), (None, None));
            assert_eq!(history.status(), &other);
        }
    }

    #[test]
    fn a_single_counter_that_goes_back_has_no_rate() {
        let mut history = History::new(status(1_000, 1, 100, 10));
        history.add(status(2_000, 2, 200, 9));
        assert_eq!((packets(&history), lost(&history)), (Some(100), None));
    }

    #[test]
    fn a_missing_answer_leaves_rates_unknown_until_two_have_come() {
        let mut history = History::new(status(1_000, 1, 100, 0));
        history.add(status(2_000, 2, 200, 0));
        history.interrupt();
        assert_eq!((packets(&history), lost(&history)), (None, None));
        history.add(status(9_000, 9, 900, 0));
        assert_eq!(packets(&history), Some(100));
        let same = history.status().clone();
        history.add(same);
        assert_eq!(packets(&history), None, "no time has passed");
    }
}
