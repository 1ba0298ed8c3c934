//! One input, one output: the same records from a file in either layout, by either path of the price decoder, and up
//! to wherever the file was cut.

mod sessions;

use feed_common::capture::{BinaryFileWriter, CutReason};
use feed_common::event::{MarketHandler, MsgCtx, Record};
use feed_common::latency::NoProbe;
use feed_common::packet::{Packet, PacketBatch, PacketSource, RxError, RxMeta};
use feed_common::prices::Path;
use feed_common::time::{Ticks, UnixNanos, Zone};
use feed_common::wire::ProtocolName;
use feed_handler::config::{BookKeep, BookPlan, Plan};
use feed_handler::pipeline::{ChannelSetup, Lane, LaneTime, SessionDay};
use feed_handler::protocol::native::NativeDecoder;
use feed_handler::protocol::{About, Decode, DecodeError, Protocol};
use feed_handler::publish::{Publish, Records};
use feed_handler::run::Outcome;
use feed_handler::subscribe::Filter;
use feed_handler::transport::native::NativeFraming;
use feed_replay::output::BinaryFileSink;
use feed_replay::synth::{Layout, Protocol as Made, Spec, generate_messages};
use sessions::{Faults, Feed, LAYOUTS, PROTOCOLS, from_file, pcap, plan};
use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, Sender, channel};
use zerocopy::IntoBytes;

const FAULTS: Faults = Faults {
    per_line: 200,
    hole_every: 70,
    skew: 30_000,
};

/// What a run over a file must have in common with another over the same bytes. Where a BinaryFILE is divided into
/// packets is each layout's own affair.
fn essence(outcome: &Outcome) -> impl PartialEq + std::fmt::Debug + use<> {
    let lane = &outcome.lanes[0];
    let channel = &lane.channels[0];
    let lines = channel.lines.iter();
    (
        outcome.record_digest(),
        channel.books.expect("books are kept"),
        lane.published,
        lane.messages,
        lane.drops.clone(),
        channel.sequence,
        lines
            .map(|l| (l.messages, l.lost, l.duplicates, l.first))
            .collect::<Vec<_>>(),
    )
}

/// Runs a capture in both layouts and returns the outcome, which is the same.
fn in_both_layouts(protocol: Made, capture: &[u8]) -> Outcome {
    let [one, two] = LAYOUTS.map(|threads| from_file(&plan(protocol, threads), capture.to_vec()));
    assert_eq!(essence(&one), essence(&two), "{protocol:?}");
    one
}

#[test]
fn two_lossy_lines_give_the_same_records_in_either_layout() {
    for protocol in PROTOCOLS {
        for seed in [1, 2, 3] {
            let feed = Feed::new(protocol, 8_000, seed, FAULTS);
            let outcome = in_both_layouts(protocol, &feed.capture());
            let (lane, channel) = (&outcome.lanes[0], &outcome.lanes[0].channels[0]);
            let lost: u64 = feed.holes.iter().map(|hole| hole.1).sum();
            assert_eq!(channel.sequence.gaps, feed.holes.len() as u64);
            assert_eq!(channel.sequence.lost, lost);
            assert_eq!([0, 1].map(|l: usize| channel.lines[l].lost), feed.left_out);
            assert_eq!(lane.messages, feed.messages - lost);
            assert!(!feed.holes.is_empty() && lane.drops.values().all(|&n| n == 0));
        }
    }
}

#[test]
fn lines_that_lose_different_packets_give_what_one_whole_line_gives() {
    for protocol in PROTOCOLS {
        let faults = Faults {
            hole_every: 0,
            ..FAULTS
        };
        let feed = Feed::new(protocol, 8_000, 4, faults);
        let merged = in_both_layouts(protocol, &feed.capture());
        let whole = in_both_layouts(protocol, &feed.lossless());
        assert_eq!(
            merged.record_digest(),
            whole.record_digest(),
            "{protocol:?}"
        );
        assert_eq!(merged.lanes[0].messages, feed.messages);
        assert_eq!(merged.book_digest(), whole.book_digest(), "{protocol:?}");
        // The digests tell sessions apart, so their being equal says something.
        let other = Feed::new(protocol, 8_000, 5, faults);
        let other = in_both_layouts(protocol, &other.capture());
        assert_ne!(merged.record_digest(), other.record_digest());
        assert_ne!(merged.book_digest(), other.book_digest());
    }
}

#[test]
fn a_binary_file_gives_the_same_records_in_either_layout_and_as_its_packets_do() {
    for seed in [1, 2, 3] {
        let (file, messages) = binary_file(9_000, seed);
        let outcome = in_both_layouts(Made::Itch50, &file);
        assert_eq!(outcome.lanes[0].messages, messages);
        assert!(outcome.lanes[0].source.cut.is_none());
        let feed = Feed::new(Made::Itch50, 9_000, seed, Faults::default());
        let packets = in_both_layouts(Made::Itch50, &feed.lossless());
        assert_eq!(outcome.record_digest(), packets.record_digest());
        assert_eq!(outcome.book_digest(), packets.book_digest());
    }
}

#[test]
fn a_second_session_begins_anew_in_either_layout() {
    for protocol in PROTOCOLS {
        let feeds = [6, 7].map(|seed| Feed::new(protocol, 4_000, seed, Faults::default()));
        // Both sessions are of one day; the second follows the first.
        let last = feeds[0].carried().last().unwrap().0;
        let second = feeds[1].carried().map(|(time, line, payload)| {
            let first = feeds[1].carried().next().unwrap().0;
            (UnixNanos(last.0 + 1 + (time - first) as u64), line, payload)
        });
        let outcome = in_both_layouts(protocol, &pcap(feeds[0].carried().chain(second)));
        let sequence = outcome.lanes[0].channels[0].sequence;
        assert_eq!((sequence.restarts, sequence.gaps), (1, 0), "{protocol:?}");
        assert_eq!(outcome.lanes[0].messages, 8_000);
        // What the books hold is what the second session alone leaves in them.
        let second = in_both_layouts(protocol, &feeds[1].lossless());
        assert_eq!(outcome.book_digest(), second.book_digest(), "{protocol:?}");
    }
}

#[test]
fn a_whole_session_breaks_no_book_and_changes_best_prices() {
    for protocol in PROTOCOLS {
        let feed = Feed::new(protocol, 8_000, 12, Faults::default());
        let outcome = in_both_layouts(protocol, &feed.lossless());
        let books = outcome.lanes[0].channels[0].books.unwrap();
        assert_eq!(books.faults.total(), 0, "{protocol:?}: {books:?}");
        assert!(books.bbo_changes > 500 && books.levels > 10, "{books:?}");
        assert_eq!(protocol == Made::Itch50, books.live_orders > 0);
        // Every record is what it is without books, and each change of best prices adds two where the feed has none.
        let quiet = Plan {
            book: BookPlan {
                publish_bbo: false,
                ..plan(protocol, LAYOUTS[0]).book
            },
            ..plan(protocol, LAYOUTS[0])
        };
        let none = Plan {
            book: BookPlan {
                keep: BookKeep::None,
                ..quiet.book
            },
            ..quiet.clone()
        };
        let quiet = from_file(&quiet, feed.lossless());
        let none = from_file(&none, feed.lossless());
        assert_eq!(none.record_digest(), quiet.record_digest());
        assert_eq!(
            (none.book_digest(), quiet.book_digest()),
            (None, outcome.book_digest())
        );
        let added = match protocol {
            Made::Itch50 => 2 * books.bbo_changes,
            _ => 0,
        };
        assert_eq!(outcome.lanes[0].published, none.lanes[0].published + added);
    }
}

#[test]
fn a_file_cut_in_the_middle_gives_what_is_before_the_cut_and_says_where_it_is() {
    for protocol in PROTOCOLS {
        let feed = Feed::new(protocol, 4_000, 8, FAULTS);
        let whole = feed.capture();
        // Inside the frame that begins at `at`: behind it there are only pieces.
        let frames = frame_starts(&whole);
        let (kept, at) = (frames.len() / 2, frames[frames.len() / 2]);
        let outcome = in_both_layouts(protocol, &whole[..at + 20]);
        let cut = outcome.lanes[0].source.cut.expect("the cut is reported");
        assert_eq!(
            (cut.offset, cut.reason),
            (at as u64, CutReason::PartialRecord)
        );
        let before = in_both_layouts(protocol, &whole[..at]);
        assert!(before.lanes[0].source.cut.is_none());
        assert_eq!(essence(&outcome), essence(&before), "{protocol:?}");
        assert_eq!(outcome.lanes[0].packets, kept as u64);
    }
    let (file, messages) = binary_file(5_000, 9);
    let outcome = in_both_layouts(Made::Itch50, &file[..file.len() / 2]);
    assert!(outcome.lanes[0].source.cut.is_some());
    assert!((messages / 3..messages).contains(&outcome.lanes[0].messages));
}

/// A BinaryFILE and how many messages it has.
fn binary_file(messages: u64, seed: u64) -> (Vec<u8>, u64) {
    let spec = Spec {
        rate: 50_000,
        ..Spec::new(Made::Itch50, messages, seed)
    };
    let mut sink = BinaryFileSink(BinaryFileWriter::new(Vec::new()));
    let summary = generate_messages(&spec, &mut sink).unwrap();
    (sink.0.finish().unwrap(), summary.messages)
}

/// Where the frames of a little-endian pcap begin: 24 bytes of file header, then 16 bytes before each frame, its
/// length in the third word.
fn frame_starts(pcap: &[u8]) -> Vec<usize> {
    let (mut at, mut starts) = (24, Vec::new());
    while at < pcap.len() {
        starts.push(at);
        let len = u32::from_le_bytes(pcap[at + 8..at + 12].try_into().unwrap());
        at += 16 + len as usize;
    }
    starts
}

#[test]
fn without_avx2_the_path_is_another_and_the_records_are_the_same_bit_for_bit() {
    let mut taken = BTreeSet::new();
    for layout in [Layout::Records, Layout::Columns, Layout::Mixed] {
        // Eight types of prices follow from the seed; 24 seeds have met all of them.
        for seed in 0..24 {
            let feed = Feed::new(Made::Native(layout), 1_500, seed, FAULTS);
            let (fast, fast_paths) = records_by(&feed, Path::best());
            let (plain, plain_paths) = records_by(&feed, Path::Portable);
            assert_eq!(plain_paths, ["Portable".to_owned()].into());
            assert_eq!(fast_paths, [format!("{:?}", Path::best())].into());
            assert_eq!(fast.as_bytes(), plain.as_bytes(), "{layout:?}, seed {seed}");
            assert!(fast.len() > 1_000);
            taken.extend(fast_paths);
            taken.extend(plain_paths);
        }
    }
    match Path::best() {
        Path::Portable => println!("SKIPPED: this machine has no AVX2, so there is one path only"),
        Path::Avx2 => assert_eq!(taken.len(), 2, "{taken:?}"),
    }
}

/// All records of a feed by the lane's own pipeline, and the paths its price arrays took.
fn records_by(feed: &Feed, path: Path) -> (Vec<Record>, BTreeSet<String>) {
    let (told, paths) = channel();
    let (sink, records) = channel();
    let setup = ChannelSetup {
        name: "native".into(),
        number: 0,
        lines: 2,
        window_nanos: 10_000_000,
        stash_slots: 64,
        stash_slot_bytes: 2048,
        day: SessionDay::Midnight(UnixNanos(1)),
    };
    let decoder = TellingDecoder {
        inner: NativeDecoder::with_path(1 << 10, path),
        told,
    };
    let channels = vec![(setup, NativeFraming, decoder)];
    let mut lane = Lane::<Telling, _, _>::new(
        channels,
        LaneTime::Captured,
        0,
        Records::new(Sent(sink), 1),
        NoProbe,
    );
    let mut source = Played::of(feed);
    while lane.step(&mut source).is_ok() {}
    lane.finish();
    assert_eq!(lane.channels()[0].sequence().gaps, feed.holes.len() as u64);
    drop(lane);
    (
        drain(records),
        paths.iter().map(|p| format!("{p:?}")).collect(),
    )
}

fn drain<T>(from: Receiver<T>) -> Vec<T> {
    from.iter().collect()
}

/// Publishes to a queue.
struct Sent(Sender<Record>);

impl Publish for Sent {
    fn publish(&mut self, record: &Record) {
        self.0.send(*record).unwrap();
    }
}

/// The native protocol with a decoder that tells the path it took after every message.
struct Telling;

struct TellingDecoder {
    inner: NativeDecoder,
    told: Sender<Path>,
}

impl Protocol for Telling {
    const NAME: ProtocolName = ProtocolName::Native;
    const ZONE: Zone = Zone::Utc;
    const ABOUT: About = feed_handler::protocol::native::Native::ABOUT;
    type Framing = NativeFraming;
    type Decoder = TellingDecoder;
}

impl Decode for TellingDecoder {
    /// Nobody listens.
    fn with_room(instruments: usize) -> TellingDecoder {
        TellingDecoder {
            inner: NativeDecoder::with_room(instruments),
            told: channel().0,
        }
    }

    fn decode<H: MarketHandler>(
        &mut self,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let done = self.inner.decode(message, cx, out);
        let _ = self.told.send(self.inner.path());
        done
    }

    fn oddities(&self) -> Vec<(&'static str, u64)> {
        self.inner.oddities()
    }

    fn restart(&mut self) {
        self.inner.restart();
    }

    fn subscribe(&mut self, filter: Box<Filter>) -> Box<Filter> {
        self.inner.subscribe(filter)
    }

    fn review<H: MarketHandler>(&mut self, cx: &MsgCtx, out: &mut H) -> bool {
        self.inner.review(cx, out)
    }

    fn filtered(&self) -> u64 {
        self.inner.filtered()
    }
}

/// A feed as a source whose receive times are the capture's, so that records can be compared whole.
struct Played {
    packets: Vec<(RxMeta, Vec<u8>)>,
    next: usize,
}

impl Played {
    fn of(feed: &Feed) -> Played {
        let packets = feed.carried().map(|(time, line, payload)| {
            let meta = RxMeta {
                rx: Ticks(time.0),
                kernel: time,
                len: payload.len() as u32,
                line: line as u16,
                ..RxMeta::default()
            };
            (meta, payload.to_vec())
        });
        Played {
            packets: packets.collect(),
            next: 0,
        }
    }
}

impl PacketSource for Played {
    type Batch<'a> = One<'a>;

    fn poll(&mut self) -> Result<One<'_>, RxError> {
        let packet = self.packets.get(self.next).ok_or(RxError::End)?;
        self.next += 1;
        Ok(One(packet))
    }
}

struct One<'a>(&'a (RxMeta, Vec<u8>));

impl PacketBatch for One<'_> {
    fn len(&self) -> usize {
        1
    }

    fn get(&self, _: usize) -> Packet<'_> {
        Packet {
            meta: &self.0.0,
            bytes: &self.0.1,
        }
    }
}
