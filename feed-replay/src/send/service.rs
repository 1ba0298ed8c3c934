//! What it took to send packets, counted from two moments: service, and response.
//!
//! A sender that is held up sends what it should have sent meanwhile afterwards, one packet after another, each of them as
//! quickly as ever. Counted from when it was begun (service) no packet shows that; counted from when it was due (response)
//! every one does. The two are never mixed, and neither is ever corrected: the schedule says what was due.

use hdrhistogram::Histogram;

/// Collects both.
#[derive(Clone, Debug)]
pub struct Sendings {
    service: Histogram<u64>,
    response: Histogram<u64>,
}

impl Sendings {
    /// Times above this count as this.
    const HIGHEST_NS: u64 = 3_600_000_000_000;

    /// Empty, and with all the memory it will ever need.
    pub fn new() -> Sendings {
        let empty = Histogram::new_with_bounds(1, Self::HIGHEST_NS, 3);
        let empty = empty.expect("the bounds are constants that the histogram accepts");
        Sendings {
            service: empty.clone(),
            response: empty,
        }
    }

    /// A packet went in a call that began at `begun` and returned at `done`; it had been due at `due`, if it had a
    /// schedule. All in nanoseconds after the start.
    #[inline]
    pub fn record(&mut self, due: Option<u64>, begun: u64, done: u64) {
        self.service.saturating_record(done.saturating_sub(begun));
        if let Some(due) = due {
            self.response.saturating_record(done.saturating_sub(due));
        }
    }

    /// From the begin of the call that carried a packet to its return; `None` when nothing was sent.
    pub fn service(&self) -> Option<Column> {
        Column::of(&self.service)
    }

    /// From when a packet was due to that return; `None` without a schedule.
    pub fn response(&self) -> Option<Column> {
        Column::of(&self.response)
    }
}

impl Default for Sendings {
    fn default() -> Self {
        Sendings::new()
    }
}

/// One of the two, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Half of the packets took at most so long.
    pub p50: u64,
    /// 99 % did.
    pub p99: u64,
    /// 99.9 % did.
    pub p999: u64,
    /// The longest.
    pub max: u64,
}

impl Column {
    fn of(h: &Histogram<u64>) -> Option<Column> {
        (!h.is_empty()).then(|| Column {
            p50: h.value_at_quantile(0.5),
            p99: h.value_at_quantile(0.99),
            p999: h.value_at_quantile(0.999),
            max: h.max(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_is_in_the_response_of_all_that_were_due_in_it() {
        let mut sendings = Sendings::new();
        assert_eq!((sendings.service(), sendings.response()), (None, None));
        // Due every 100 ns, each sent in 10 ns; the sender is held up for 1,000 ns before the second.
        let mut free = 0;
        for packet in 0..21u64 {
            let due = packet * 100;
            let held_up = if packet == 1 { 1_000 } else { 0 };
            let begun = due.max(free) + held_up;
            free = begun + 10;
            sendings.record(Some(due), begun, free);
        }
        let all_alike = Column {
            p50: 10,
            p99: 10,
            p999: 10,
            max: 10,
        };
        assert_eq!(sendings.service(), Some(all_alike));
        // 10, then 1,010 920 830 ... 110, then 20 and 10 again.
        let response = sendings.response().unwrap();
        assert_eq!(
            (response.p50, response.p99, response.max),
            (110, 1_010, 1_010)
        );
    }

    #[test]
    fn without_a_schedule_there_is_no_response() {
        let mut sendings = Sendings::new();
        sendings.record(None, 5, 905);
        sendings.record(None, 905, u64::MAX);
        assert_eq!(sendings.response(), None);
        let service = sendings.service().unwrap();
        assert_eq!(service.p50, 900);
        assert!(
            service.max >= Sendings::HIGHEST_NS,
            "counted at the end of the range"
        );
    }
}
