//! Packets of one stream.

use feed_common::time::UnixNanos;

/// Nanoseconds in a millisecond.
const MILLISECOND: u64 = 1_000_000;

/// Packets of one stream, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    /// Datagrams.
    pub packets: u64,
    /// Payload bytes.
    pub bytes: u64,
    /// Earliest capture time.
    pub first: UnixNanos,
    /// Latest capture time.
    pub last: UnixNanos,
    /// The busiest millisecond, in packets. Milliseconds are those of the clock: 12:00:00.001 begins the second of them.
    pub peak_packets: u64,
    /// The busiest millisecond, in payload bytes; it need not be the same one.
    pub peak_bytes: u64,
    current: Window,
}

/// The millisecond being counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Window {
    number: u64,
    packets: u64,
    bytes: u64,
}

impl Stream {
    /// From the first packet to the last, in nanoseconds.
    pub fn duration(&self) -> u64 {
        self.last.0 - self.first.0
    }

    /// Packets per second on average; `None` when all came at once.
    pub fn rate(&self) -> Option<u64> {
        self.per_second(self.packets)
    }

    /// Payload bytes per second on average; `None` when all came at once.
    pub fn byte_rate(&self) -> Option<u64> {
        self.per_second(self.bytes)
    }

    fn per_second(&self, count: u64) -> Option<u64> {
        let rate = u128::from(count) * 1_000_000_000 / u128::from(self.duration()).max(1);
        (self.duration() > 0).then(|| rate.try_into().unwrap_or(u64::MAX))
    }

    /// Counts a packet. A packet from before the millisecond at hand begins it anew, so that peaks are exact for packets
    /// in the order of their times and too low, never too high, for others.
    pub(super) fn count(&mut self, time: UnixNanos, bytes: usize) {
        let bytes = bytes as u64;
        self.packets += 1;
        self.bytes += bytes;
        // pcapng has packets without a time.
        if !time.is_known() {
            return;
        }
        if !self.first.is_known() {
            (self.first, self.last) = (time, time);
        }
        self.first = self.first.min(time);
        self.last = self.last.max(time);
        let number = time.0 / MILLISECOND;
        if self.current.number != number {
            self.current = Window {
                number,
                ..Window::default()
            };
        }
        self.current.packets += 1;
        self.current.bytes += bytes;
        self.peak_packets = self.peak_packets.max(self.current.packets);
        self.peak_bytes = self.peak_bytes.max(self.current.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(packets: &[(u64, usize)]) -> Stream {
        let mut stream = Stream::default();
        for &(time, bytes) in packets {
            stream.count(UnixNanos(time), bytes);
        }
        stream
    }

    #[test]
    fn peaks_are_of_the_clocks_milliseconds() {
        let ms = MILLISECOND;
        let s = stream(&[(ms, 1), (2 * ms - 1, 1), (2 * ms, 1), (9 * ms, 100)]);
        assert_eq!((s.peak_packets, s.peak_bytes), (2, 100));
        assert_eq!((s.duration(), s.rate()), (8 * ms, Some(500)));
        assert_eq!(s.byte_rate(), Some(103 * 125));
    }

    #[test]
    fn times_may_be_any() {
        let s = stream(&[(u64::MAX - 1, 1), (1, 1), (u64::MAX - 1, 1)]);
        assert_eq!((s.first.0, s.last.0, s.peak_packets), (1, u64::MAX - 1, 1));
        assert_eq!(stream(&[(5, 1), (5, 1)]).rate(), None);
        assert_eq!(stream(&[]).rate(), None);
    }
}
