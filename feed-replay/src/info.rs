//! What a capture holds, found in one pass.

use feed_common::capture::{CaptureFile, Cut, Datagrams, Format, Skipped};
use feed_common::time::UnixNanos;
use feed_common::wire::moldudp64::Blocks;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The facts about a capture.
#[derive(Clone, Debug)]
pub struct Survey {
    /// What kind of file it is.
    pub format: Format,
    /// Frames in it.
    pub frames: u64,
    /// Frames that hold no whole UDP datagram, by reason.
    pub skipped: Skipped,
    /// All datagrams together.
    pub total: Stream,
    /// Datagrams by the group and port they went to.
    pub streams: BTreeMap<SocketAddr, Stream>,
    /// Records of a BinaryFILE, which has no packets.
    pub messages: u64,
    /// Why the file ends early, if it does.
    pub cut: Option<Cut>,
}

/// Packets of one stream.
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
    /// Most packets within one millisecond of the clock.
    pub peak_per_ms: u64,
    /// The millisecond being counted, and its packets so far.
    current: (u64, u64),
}

impl Stream {
    /// From the first packet to the last, in nanoseconds.
    pub fn duration(&self) -> u64 {
        self.last.0 - self.first.0
    }

    /// Packets per second on average; `None` when all came at once.
    pub fn rate(&self) -> Option<u64> {
        let duration = self.duration();
        (duration > 0).then(|| (self.packets as u128 * 1_000_000_000 / duration as u128) as u64)
    }

    fn count(&mut self, time: UnixNanos, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
        // pcapng has packets without a time.
        if !time.is_known() {
            return;
        }
        if !self.first.is_known() {
            (self.first, self.last) = (time, time);
        }
        self.first = self.first.min(time);
        self.last = self.last.max(time);
        let millisecond = time.0 / 1_000_000;
        match &mut self.current {
            (current, packets) if *current == millisecond => *packets += 1,
            other => *other = (millisecond, 1),
        }
        self.peak_per_ms = self.peak_per_ms.max(self.current.1);
    }
}

impl Survey {
    /// Streams told apart; packets to further ones only count in the total, so that a file of random addresses does
    /// not take all memory.
    pub const STREAMS_MAX: usize = 65_536;

    /// Reads the whole file.
    pub fn of(file: &CaptureFile) -> Survey {
        let mut datagrams = Datagrams::new(file);
        let (mut total, mut messages) = (Stream::default(), 0);
        let mut streams = BTreeMap::<SocketAddr, Stream>::new();
        while let Some(datagram) = datagrams.next() {
            let Some(dst) = datagram.dst else {
                messages += Blocks::new(datagram.payload).count() as u64;
                continue;
            };
            total.count(datagram.time, datagram.payload.len());
            if streams.len() < Self::STREAMS_MAX || streams.contains_key(&dst) {
                let stream = streams.entry(dst).or_default();
                stream.count(datagram.time, datagram.payload.len());
            }
        }
        let frames = if file.format() == Format::BinaryFile {
            0
        } else {
            datagrams.frames()
        };
        Survey {
            format: file.format(),
            frames,
            skipped: *datagrams.skipped(),
            total,
            streams,
            messages,
            cut: datagrams.cut(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::PcapSink;
    use crate::synth::PacketSink;

    fn capture(packets: &[(u64, &str)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (i, (time, group)) in packets.iter().enumerate() {
            let mut one = PcapSink::new(Vec::new(), group.parse().unwrap()).unwrap();
            one.packet(UnixNanos(*time), &[0; 10]).unwrap();
            let one = one.finish().unwrap();
            bytes.extend(&one[if i == 0 { 0 } else { 24 }..]);
        }
        bytes
    }

    #[test]
    fn streams_are_told_apart_and_peaks_found() {
        let ms = 1_000_000;
        let (a, b) = ("239.0.0.1:5", "239.0.0.1:6");
        let bytes = capture(&[
            (9 * ms, a),
            (7 * ms, b),
            (7 * ms + 1, b),
            (8 * ms, b),
            (9 * ms + 5, a),
        ]);
        let survey = Survey::of(&CaptureFile::from_memory("memory", bytes.clone()).unwrap());
        assert_eq!(
            (survey.frames, survey.total.packets, survey.total.bytes),
            (5, 5, 50)
        );
        assert_eq!(
            (survey.total.first, survey.total.last),
            (UnixNanos(7 * ms), UnixNanos(9 * ms + 5))
        );
        let b = survey.streams[&b.parse().unwrap()];
        assert_eq!(
            (b.packets, b.peak_per_ms, b.duration(), b.rate()),
            (3, 2, ms, Some(3_000))
        );
        assert!(survey.cut.is_none());

        let cut = CaptureFile::from_memory("memory", bytes[..bytes.len() - 3].to_vec()).unwrap();
        let survey = Survey::of(&cut);
        assert_eq!(survey.total.packets, 4);
        assert!(survey.cut.is_some());
    }
}
