//! What a capture holds, found in one pass.

mod protocol;
mod stream;

pub use stream::Stream;

use feed_common::capture::{
    CaptureFile, Compression, Cut, Datagrams, Faults, Format, FragmentCounters, LinkSeen, Skipped,
};
use feed_common::program::Progress;
use feed_common::wire::moldudp64::Blocks;
use protocol::Guess;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The facts about a capture.
#[derive(Clone, Debug)]
pub struct Survey {
    /// What kind of file it is.
    pub format: Format,
    /// What it is inside of.
    pub compression: Option<Compression>,
    /// The link types it names, each with its frames.
    pub links: Vec<LinkSeen>,
    /// Sections; only pcapng has them.
    pub sections: u64,
    /// Interfaces described; only pcapng does.
    pub interfaces: u64,
    /// Frames in it.
    pub frames: u64,
    /// Frames of which the capture holds only the beginning. Most still have all of their datagram or none.
    pub cut_frames: u64,
    /// What became of fragments.
    pub fragments: FragmentCounters,
    /// Datagrams of which some fragments came and others did not.
    pub incomplete: u64,
    /// What contradicted itself in the blocks of pcapng.
    pub faults: Faults,
    /// Frames that hold no whole UDP datagram, by reason.
    pub skipped: Skipped,
    /// All datagrams together.
    pub total: Stream,
    /// Datagrams by the group and port they went to, for the first [`Survey::STREAMS_MAX`] of these.
    pub streams: BTreeMap<SocketAddr, Known>,
    /// Datagrams to further groups and ports: they are only in the total.
    pub further: u64,
    /// Records of a BinaryFILE, which has no packets.
    pub messages: u64,
    /// Why the file ends early, if it does.
    pub cut: Option<Cut>,
}

/// What is known of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Its packets.
    pub traffic: Stream,
    guess: Guess,
}

impl Known {
    /// What the handler calls its protocol; none where its datagrams do not say, or say one that this build does not
    /// know.
    pub fn protocol(&self) -> Option<&'static str> {
        self.guess.name()
    }
}

impl Survey {
    /// Streams told apart, so that a file of random addresses does not take all memory.
    pub const STREAMS_MAX: usize = 65_536;

    /// Reads the whole file.
    pub fn of(file: &CaptureFile) -> Survey {
        Survey::watched(file, &mut Progress::unwatched())
    }

    /// Reads the whole file, and says how far it is.
    pub fn watched(file: &CaptureFile, progress: &mut Progress) -> Survey {
        let mut datagrams = Datagrams::new(file);
        let (mut total, mut messages, mut further) = (Stream::default(), 0, 0);
        let mut streams = BTreeMap::<SocketAddr, Known>::new();
        while let Some(datagram) = datagrams.next() {
            match datagram.dst {
                None => messages += Blocks::new(datagram.payload).count() as u64,
                Some(dst) => {
                    total.count(datagram.time, datagram.payload.len());
                    if streams.len() < Self::STREAMS_MAX || streams.contains_key(&dst) {
                        let known = streams.entry(dst).or_default();
                        known.traffic.count(datagram.time, datagram.payload.len());
                        known.guess.look(datagram.payload);
                    } else {
                        further += 1;
                    }
                }
            }
            progress.step(|| datagrams.taken());
        }
        let frames = match file.format() {
            Format::BinaryFile => 0,
            _ => datagrams.frames(),
        };
        Survey {
            format: file.format(),
            compression: file.compression(),
            links: datagrams.links(),
            sections: datagrams.records().sections(),
            interfaces: datagrams.records().interfaces(),
            frames,
            cut_frames: datagrams.cut_frames(),
            fragments: *datagrams.fragments(),
            incomplete: datagrams.incomplete(),
            faults: datagrams.faults(),
            skipped: *datagrams.skipped(),
            total,
            streams,
            further,
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
    use feed_common::time::UnixNanos;

    fn survey(bytes: Vec<u8>) -> Survey {
        let file = CaptureFile::from_memory("memory", bytes).unwrap();
        Survey::of(&file)
    }

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
        let found = survey(bytes.clone());
        assert_eq!(
            (found.frames, found.total.packets, found.total.bytes),
            (5, 5, 50)
        );
        assert_eq!(
            (found.total.first, found.total.last),
            (UnixNanos(7 * ms), UnixNanos(9 * ms + 5))
        );
        let b = found.streams[&b.parse().unwrap()].traffic;
        assert_eq!(
            (b.packets, b.peak_packets, b.duration(), b.rate()),
            (3, 2, ms, Some(3_000))
        );
        assert!(found.cut.is_none());

        let found = survey(bytes[..bytes.len() - 3].to_vec());
        assert_eq!(found.total.packets, 4);
        assert!(found.cut.is_some());
    }
}
