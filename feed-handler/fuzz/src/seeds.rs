//! What targets begin with: files and packets our encoders make, and real ones where `FEED_CORPUS` names a folder.

use super::blocks::Blocks;
use super::hlog::line;
use feed_common::capture::pcap::{ByteOrder, Flavour, TimeUnit};
use feed_common::capture::{
    BinaryFileWriter, CaptureFile, Datagrams, InterfaceDescription, InterfaceStatistics,
    PacketNote, PcapWriter, PcapngWriter, Record, SectionDescription,
};
use feed_common::encode::Encode;
use feed_common::latency::log::LogWriter;
use feed_common::latency::{Resolution, Stage, StageSet};
use feed_common::record::{PointFlags, SensorReading, TimeSeriesPoint};
use feed_common::time::UnixNanos;
use feed_common::wire::iextp::{self, SegmentBuilder};
use feed_common::wire::mdp3::{MessageBuilder, PacketBuilder, Schema, Template, fit};
use feed_common::wire::native::{BatchInfo, NativeRecord, NativeRecords};
use feed_common::wire::{Fit, ProtocolName, iex, memoir, pitch, soupbintcp as soup};
use feed_replay::output::{BinaryFileSink, PcapSink};
use feed_replay::synth::{Layout, Protocol, Spec, generate, generate_messages};
use flate2::{Compression, write::GzEncoder};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use zerocopy::IntoBytes;

/// A real capture larger than this is left out: a fuzzer learns most from small inputs.
const CORPUS_MAX: u64 = 16 << 10;

/// Payloads of made sessions, so that a packet's length fits the byte before it in a lane's input.
const PAYLOAD: usize = 240;

/// Inputs of a target, each once.
#[derive(Default)]
pub struct Seeds {
    inputs: BTreeSet<Vec<u8>>,
    corpus: Vec<Vec<u8>>,
}

impl Seeds {
    /// With the small captures of the folder that `FEED_CORPUS` names, if it does.
    pub fn with_corpus() -> Seeds {
        let mut seeds = Seeds::default();
        if let Some(folder) = std::env::var_os("FEED_CORPUS") {
            let mut paths = Vec::new();
            find(&PathBuf::from(folder), &mut paths);
            seeds.corpus = paths.iter().flat_map(std::fs::read).collect();
        }
        seeds
    }

    /// Them.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.inputs.iter().map(Vec::as_slice)
    }

    pub fn push(&mut self, input: impl Into<Vec<u8>>) {
        self.inputs.insert(input.into());
    }

    /// Made and real captures.
    fn captures(&self) -> Vec<Vec<u8>> {
        sessions().into_iter().chain(self.corpus.clone()).collect()
    }

    /// Payloads of all captures.
    fn payloads(&self) -> Vec<Vec<u8>> {
        let mut payloads = Vec::new();
        for capture in self.captures() {
            let Ok(file) = CaptureFile::from_memory("seed", capture) else {
                continue;
            };
            let mut datagrams = Datagrams::new(&file);
            while let Some(datagram) = datagrams.next() {
                payloads.push(datagram.payload.to_vec());
            }
        }
        payloads
    }
}

fn find(folder: &Path, paths: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        let captures = ["pcap", "pcapng", "gz", "zst"];
        let named = path.extension().and_then(|e| e.to_str());
        if path.is_dir() {
            find(&path, paths);
        } else if named.is_some_and(|e| captures.contains(&e))
            && path.metadata().is_ok_and(|m| m.len() <= CORPUS_MAX)
        {
            paths.push(path);
        }
    }
}

/// Small sessions of every protocol as pcap files.
fn sessions() -> Vec<Vec<u8>> {
    let layouts = [Layout::Records, Layout::Columns, Layout::Mixed].map(Protocol::Native);
    let protocols = layouts.into_iter().chain([Protocol::Itch50]);
    protocols.map(|p| session(p, 40)).collect()
}

/// A session on two lines.
fn session(protocol: Protocol, messages: u64) -> Vec<u8> {
    let groups = [5, 6].map(|port| ([239, 0, 0, 1].into(), port));
    let groups = groups.map(|(ip, port)| std::net::SocketAddrV4::new(ip, port));
    let mut sink = PcapSink::lines(Vec::new(), &groups).expect("memory");
    generate(&spec(protocol, messages), &mut sink).expect("a session there can be");
    sink.finish().expect("memory")
}

fn spec(protocol: Protocol, messages: u64) -> Spec {
    Spec {
        symbols: 3,
        payload_limit: PAYLOAD,
        ..Spec::new(protocol, messages, 7)
    }
}

/// The bytes of a BinaryFILE.
fn binaryfile(messages: u64) -> Vec<u8> {
    let mut sink = BinaryFileSink(BinaryFileWriter::new(Vec::new()));
    generate_messages(&spec(Protocol::Itch50, messages), &mut sink).expect("a session");
    sink.0.finish().expect("memory")
}

/// Whole files of all kinds, plain and packed.
pub fn captures(seeds: &mut Seeds) {
    for capture in seeds.captures() {
        seeds.push(capture);
    }
    let empty = PcapWriter::new(Vec::new()).expect("memory");
    seeds.push(empty.finish().expect("memory"));
    let (order, unit) = (ByteOrder::Big, TimeUnit::Micros);
    let mut other = PcapWriter::with_flavour(Vec::new(), Flavour { order, unit }, 101)
        .expect("a link type we write");
    let native = session(Protocol::Native(Layout::Mixed), 12);
    for (time, frame) in frames_of(&native) {
        // Behind the Ethernet header is what a raw frame begins with.
        other.frame(time, &frame[14..]).expect("memory");
    }
    seeds.push(other.finish().expect("memory"));
    seeds.push(binaryfile(30));
    seeds.push(pcapng(&native));
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&native).expect("memory");
    seeds.push(packed.finish().expect("memory"));
    seeds.push(zstd::encode_all(&native[..], 1).expect("memory"));
}

/// The same, and sessions whose two lines have lost packets: one of them, and both.
pub fn lossy(seeds: &mut Seeds) {
    captures(seeds);
    for session in sessions() {
        let mut out = PcapWriter::new(Vec::new()).expect("memory");
        for (i, (time, frame)) in frames_of(&session).into_iter().enumerate() {
            if i % 5 != 3 && !(8..12).contains(&(i % 22)) {
                out.frame(time, &frame).expect("memory");
            }
        }
        seeds.push(out.finish().expect("memory"));
    }
}

/// pcapng files: ours, real ones, and all kinds of blocks in both byte orders.
pub fn pcapngs(seeds: &mut Seeds) {
    let real = seeds.corpus.clone();
    let real = real.into_iter().filter(|f| f.starts_with(b"\n\r\r\n"));
    real.for_each(|file| seeds.push(file));
    for protocol in [Protocol::Native(Layout::Mixed), Protocol::Itch50] {
        seeds.push(pcapng(&session(protocol, 4)));
    }
    let mut both = Vec::new();
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let mut blocks = Blocks::new(order);
        blocks.interface(1, 3, 9, &[9]);
        blocks.interface(101, 0, 14, &[0, 0, 0, 0, 0, 0, 0, 100]);
        blocks.interface(113, 0, 9, &[0x81]);
        // An enhanced, an obsolete and a simple packet, a custom block, and statistics.
        blocks.words(6, &[1, 0, 3, 3, 4], b"one");
        blocks.words(2, &[0, 0, 2_000, 4, 4], b"four");
        blocks.words(3, &[9], b"abc");
        blocks.words(0x0BAD, &[32_473], b"anything");
        blocks.words(5, &[2, 0, 7], &[]);
        both.extend_from_slice(&blocks.bytes);
        seeds.push(blocks.bytes);
    }
    seeds.push(both);
}

/// The frames of a capture from two interfaces in turn, with comments, losses and statistics.
fn pcapng(capture: &[u8]) -> Vec<u8> {
    let section = SectionDescription {
        hardware: "hardware",
        os: "os",
        application: "feed",
        comment: "a comment",
    };
    let mut out = PcapngWriter::new(Vec::new(), &section).expect("memory");
    for (name, description) in [("a", "the one"), ("b", "")] {
        let interface = InterfaceDescription {
            link_type: 1,
            name,
            description,
        };
        out.interface(&interface).expect("memory");
    }
    for ((time, frame), n) in frames_of(capture).into_iter().zip(0..) {
        let note = PacketNote {
            interface: n % 2,
            time,
            orig_len: frame.len(),
            lost_before: u64::from(n % 3),
            comment: if n % 4 == 0 { "odd" } else { "" },
        };
        out.packet(&note, &frame).expect("it was captured");
    }
    let counts = InterfaceStatistics {
        start: UnixNanos(1),
        end: UnixNanos(2),
        received: 3,
        ..InterfaceStatistics::default()
    };
    for interface in 0..2 {
        out.statistics(interface, &counts).expect("described");
    }
    out.finish().expect("memory")
}

/// Files of every format, each behind how it is to be packed, read and damaged.
pub fn streams(seeds: &mut Seeds) {
    let native = session(Protocol::Native(Layout::Mixed), 4);
    for file in [pcapng(&native), native.clone(), binaryfile(8)] {
        for how in [0, 0x3C, 1, 0x69] {
            seeds.push([&[how, 9, 0, 90], &file[..]].concat());
        }
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&native).expect("memory");
    let gzip = gzip.finish().expect("memory");
    let zstd = zstd::encode_all(&native[..], 3).expect("memory");
    for packed in [gzip, zstd] {
        seeds.push([&[2, 1, 0, 0], &packed[..]].concat());
    }
    let real = seeds.corpus.clone();
    let real = real.into_iter().filter(|file| {
        let file = CaptureFile::from_memory("seed", file.clone());
        file.is_ok_and(|file| file.compression().is_some())
    });
    real.for_each(|file| seeds.push([&[2, 9, 0, 0], &file[..]].concat()));
}

/// BinaryFILEs.
pub fn binaryfiles(seeds: &mut Seeds) {
    seeds.push(binaryfile(30));
    seeds.push([binaryfile(12), b"more".to_vec()].concat());
}

/// A byte for the size of the pieces, and a BinaryFILE.
pub fn records(seeds: &mut Seeds) {
    for step in [0, 6, 255] {
        seeds.push([vec![step], binaryfile(20)].concat());
    }
}

/// A byte for the link type, and a frame.
pub fn frames(seeds: &mut Seeds) {
    for packet in packets_of_ip(seeds) {
        for (link, header) in HEADERS {
            seeds.push([&[link], header, &packet].concat());
        }
    }
}

/// What stands before an IP packet, by the position of its link type in `LinkType::ALL`; Ethernet also with tags.
const HEADERS: [(u8, &[u8]); 4] = [
    (0, b"\x01\0\x5e\0\0\x01\x02\0\0\0\0\x01\x08\0"),
    (
        0,
        b"\x01\0\x5e\0\0\x01\x02\0\0\0\0\x01\x88\xa8\0\x05\x81\0\0\x06\x08\0",
    ),
    (1, b""),
    (2, b"\x02\0\0\0"),
];

/// The IP packets of Ethernet captures.
fn packets_of_ip(seeds: &Seeds) -> Vec<Vec<u8>> {
    let captures = seeds.captures();
    let frames = captures
        .iter()
        .flat_map(|c| frames_of(c).into_iter().take(6));
    frames
        .filter_map(|(_, f)| f.get(14..).map(<[u8]>::to_vec))
        .collect()
}

/// The frames of a capture, with their times.
fn frames_of(capture: &[u8]) -> Vec<(UnixNanos, Vec<u8>)> {
    let mut frames = Vec::new();
    if let Ok(file) = CaptureFile::from_memory("seed", capture.to_vec()) {
        let mut records = file.records();
        while let Some(record) = records.next(64) {
            if let Record::Frame(frame) = record {
                frames.push((frame.time, frame.bytes.to_vec()));
            }
        }
    }
    frames
}

/// Raw IPv4 packets cut into two fragments, each behind a byte for the link type and its length.
pub fn fragments(seeds: &mut Seeds) {
    for packet in packets_of_ip(seeds) {
        let Some((header, segment)) = packet.split_first_chunk::<20>() else {
            continue;
        };
        let (first, last) = segment.split_at(segment.len().min(40) & !7);
        let mut input = Vec::new();
        for (part, offset) in [(first, [0x20, 0]), (last, [0, (first.len() / 8) as u8])] {
            let mut header = *header;
            header[2..4].copy_from_slice(&(20 + part.len() as u16).to_be_bytes());
            header[6..8].copy_from_slice(&offset);
            input.extend([1, (20 + part.len()) as u8]);
            input.extend([&header, part].concat());
        }
        seeds.push(input);
    }
}

/// MoldUDP64 packets, and messages without one.
pub fn packets(seeds: &mut Seeds) {
    let payloads = seeds.payloads();
    let mold = payloads.into_iter().filter(|p| !p.starts_with(b"FMDB"));
    mold.for_each(|packet| seeds.push(packet));
    seeds.push(binaryfile(60));
}

/// Segments of every feed of IEX.
pub fn segments(seeds: &mut Seeds) {
    for feed in [Protocol::IexDeep, Protocol::IexTops, Protocol::IexDeepPlus] {
        made(seeds, feed);
    }
    real(seeds, ProtocolName::Iex);
}

/// Packets of a NYSE Pillar market.
pub fn packets_of_pillar(seeds: &mut Seeds) {
    made(seeds, Protocol::Pillar);
    real(seeds, ProtocolName::Pillar);
}

/// The packets of a short session.
fn made(seeds: &mut Seeds, protocol: Protocol) {
    let spec = Spec {
        payload_limit: 512,
        seed: 2, // in which PITCH has two units
        ..spec(protocol, 60)
    };
    let mut sink = |_: UnixNanos, payload: &[u8]| {
        seeds.push(payload);
        Ok(())
    };
    generate(&spec, &mut sink).expect("a session");
}

/// Those of the real captures that are of a protocol.
fn real(seeds: &mut Seeds, protocol: ProtocolName) {
    let payloads = seeds.payloads().into_iter();
    payloads
        .filter(|p| protocol.fit(p) != Fit::No)
        .for_each(|packet| seeds.push(packet));
}

/// Packets of MDP 3.0: real ones, and one of every template of every version with two entries in each group.
pub fn mdp3(seeds: &mut Seeds) {
    let payloads = seeds.payloads();
    let real = payloads.into_iter().filter(|p| fit(p) == Fit::Yes);
    real.for_each(|packet| seeds.push(packet));
    for schema in Schema::ALL {
        for template in schema.templates {
            let mut packet = PacketBuilder::new(template.id.into(), PAYLOAD * 8);
            assert!(packet.push(&of_template(template, schema.version)));
            seeds.push(packet.payload(UnixNanos(1)));
        }
    }
}

/// A message with zeros in its fields.
fn of_template(template: &Template, version: u16) -> Vec<u8> {
    let mut message = MessageBuilder::new();
    let mut bytes = message
        .begin(template.id, version, &[0u8; 0])
        .finish()
        .to_vec();
    for group in template.groups {
        let mut head = vec![0; group.dimension.size()];
        head[..2].copy_from_slice(&group.block.len.to_le_bytes());
        *head.last_mut().expect("a dimension has bytes") = 2;
        bytes.extend(head);
        bytes.resize(bytes.len() + 2 * usize::from(group.block.len), 0);
    }
    let size = bytes.len() as u16;
    bytes[..2].copy_from_slice(&size.to_le_bytes());
    bytes
}

/// Packets of MEMOIR, and one of every template with zeros in it.
pub fn memoir(seeds: &mut Seeds) {
    made(seeds, Protocol::Memoir);
    real(seeds, ProtocolName::Memoir);
    for &template in memoir::TEMPLATES {
        let length = memoir::length_of(template).expect("a known template");
        let mut message = vec![0; length];
        message[1..4].copy_from_slice(&[(length - memoir::SBE) as u8, template, memoir::SCHEMA]);
        let mut packet = memoir::PacketBuilder::new(1, 1, PAYLOAD);
        assert!(packet.push(&message));
        seeds.push(packet.payload());
    }
}

/// Native batches, some behind each other.
pub fn batches(seeds: &mut Seeds) {
    for protocol in [Layout::Records, Layout::Columns].map(Protocol::Native) {
        let mut all = Vec::new();
        let mut sink = |_: UnixNanos, payload: &[u8]| {
            all.extend_from_slice(payload);
            seeds.push(payload);
            Ok(())
        };
        generate(&spec(protocol, 20), &mut sink).expect("a session");
        seeds.push(all);
    }
    let info = BatchInfo {
        session: *b"S         ",
        sequence: 5,
        sent: UnixNanos(1),
    };
    seeds.push(rows(&info, &[SensorReading::default(); 3]));
    let point = TimeSeriesPoint::new(7, 1, f64::NAN, PointFlags::RESET);
    seeds.push(rows(&info, &[point; 2]));
}

/// A batch of records that are not market data.
fn rows<T: NativeRecord>(info: &BatchInfo, records: &[T]) -> Vec<u8> {
    let batch = NativeRecords::new(info, records).expect("a few records");
    let mut bytes = vec![0; batch.serialized_size()];
    let written = batch.serialize_into_slice(&mut bytes);
    written.expect("as long as it says");
    bytes
}

/// PITCH: datagrams of a session, of real captures, and a block of every form a message can have.
pub fn blocks(seeds: &mut Seeds) {
    made(seeds, Protocol::Pitch);
    real(seeds, ProtocolName::Pitch);
    let mut all = pitch::UnitBuilder::new(1, 1, usize::MAX);
    for &(kind, size, _) in pitch::FORMS {
        let mut message = vec![b' '; size];
        (message[0], message[1]) = (size as u8, kind);
        assert!(all.push(&message));
    }
    seeds.push(all.block());
}

/// Packets of ITCH, each behind a byte for line and time, and its length.
pub fn lanes_itch50(seeds: &mut Seeds) {
    lanes(seeds, Protocol::Itch50);
}

/// As [`lanes_itch50`], native.
pub fn lanes_native(seeds: &mut Seeds) {
    lanes(seeds, Protocol::Native(Layout::Mixed));
}

/// As [`lanes_itch50`], of IEX: a session that begins anew later, and another one behind it.
pub fn lanes_iex(seeds: &mut Seeds) {
    let mut input = Vec::new();
    for (time, session) in [(1, 1), (9, 1), (10, 2)] {
        let mut builder = SegmentBuilder::new(iextp::DEEP_1_0, session, PAYLOAD);
        for segment in 0..4u8 {
            for price in 0..i64::from(segment) {
                let level = iex::PriceLevelBuy {
                    event_flags: segment,
                    symbol: *b"LANE    ",
                    size: 100.into(),
                    price: price.into(),
                    ..iex::PriceLevelBuy::new()
                };
                assert!(builder.push(level.as_bytes()));
            }
            let payload = builder.segment(time + u64::from(segment));
            for line in 0..2 {
                input.extend([line | 8, payload.len() as u8]);
                input.extend_from_slice(payload);
            }
            builder.clear();
        }
    }
    seeds.push(input);
}

fn lanes(seeds: &mut Seeds, protocol: Protocol) {
    for lines in 1..=2 {
        let mut input = Vec::new();
        let mut sink = |_: UnixNanos, payload: &[u8]| {
            for line in 0..lines {
                input.extend([line | 8, payload.len() as u8]);
                input.extend_from_slice(payload);
            }
            Ok(())
        };
        generate(&spec(protocol, 30), &mut sink).expect("a session");
        seeds.push(input);
    }
}

/// Layouts of every shape, and an array.
pub fn prices(seeds: &mut Seeds) {
    let array: Vec<u8> = (0..90u8).map(|i| i.wrapping_mul(37)).collect();
    for shape in 0..32 {
        seeds.push([&[shape, shape % 10, 20, 7, shape], &array[..]].concat());
    }
}

/// Streams of a server and of a client, each behind a byte for how it is cut.
pub fn soupbintcp(seeds: &mut Seeds) {
    let server = soup_session();
    let mut client = soup::LoginRequest::new([b' '; 6], [b' '; 10], SOUP_SESSION, 1)
        .as_bytes()
        .to_vec();
    client.extend(soup::Head::client_heartbeat().as_bytes());
    assert!(soup::push_unsequenced(&mut client, b"a message"));
    client.extend(soup::Head::logout_request().as_bytes());
    for cut in [0, 6, 255] {
        seeds.push([&[cut], &server[..]].concat());
        seeds.push([&[cut], &client[..]].concat());
    }
}

/// Choices that wish, connect, and have a session said in pieces.
pub fn soup_clients(seeds: &mut Seeds) {
    for what in [0, 2] {
        // There is room; five messages from 1 on, or a snapshot, are wished; the connection is made.
        let mut input = vec![2, 200, 0, what, 1, 5, 3];
        for piece in soup_session().chunks(36) {
            input.push(5 | 7 << 4); // 36 bytes of server 0
            input.extend_from_slice(piece);
        }
        seeds.push(input.clone());
        // And then the time passes.
        input.extend([1, 255].repeat(5));
        seeds.push(input);
    }
}

const SOUP_SESSION: [u8; 10] = *b"SESSION001";

/// What a server says.
fn soup_session() -> Vec<u8> {
    let mut said = soup::LoginAccepted::new(SOUP_SESSION, 1)
        .as_bytes()
        .to_vec();
    for message in [&b"one"[..], b"two", b""] {
        assert!(soup::push_sequenced(&mut said, message));
        said.extend(soup::Head::server_heartbeat().as_bytes());
    }
    assert!(soup::push_debug(&mut said, b"said aside"));
    let end = soup::EndOfSnapshot::new(7);
    assert!(soup::push_sequenced(&mut said, end.as_bytes()));
    said.extend(soup::Head::end_of_session().as_bytes());
    said.extend(soup::LoginRejected::new(soup::NO_SESSION).as_bytes());
    said
}

/// Anything, for targets that take every byte as a choice.
pub fn noise(seeds: &mut Seeds) {
    for seed in 1..=4u32 {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        seeds.push((0..seed * 48).map(|_| next()).collect::<Vec<_>>());
    }
}

/// Logs, and the insides of their histograms.
pub fn logs(seeds: &mut Seeds) {
    let mut set = StageSet::new(Resolution::default());
    (0..40).for_each(|i| set.record(Stage::Decoded, 1 << i));
    let at = UnixNanos(1_700_000_000_000_000_000);
    let mut log = LogWriter::begin(Vec::new(), at, &["a comment"]).expect("memory");
    log.write_set(&set, at, at, Some("lane0")).expect("memory");
    seeds.push(log.finish().expect("memory"));

    let mut inside = 0x1C84_9313_u32.to_be_bytes().to_vec();
    inside.extend([0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 2]);
    inside.extend([1u64, 1_000_000].map(u64::to_be_bytes).concat());
    inside.extend(1.0f64.to_be_bytes());
    inside.extend([4, 5, 2]);
    seeds.push(line(&inside));
    seeds.push([vec![0], inside].concat());
}

/// The configuration that shows every key, and short ones.
pub fn configs(seeds: &mut Seeds) {
    let every_key = include_str!("../../../docs/feed.toml");
    let bare = |line: &str| line.split('#').next().unwrap_or("").trim_end().to_owned();
    let lines: Vec<_> = every_key
        .lines()
        .map(bare)
        .filter(|l| !l.is_empty())
        .collect();
    seeds.push(lines.join("\n"));
    seeds
        .push("[[channel]]\nname='c'\nprotocol='itch50'\nlines=[{name='A',group='127.0.0.1:5'}]\n");
    seeds.push("[session]\nzone='utc'\n");
}

/// Requests, one a line.
pub fn requests(seeds: &mut Seeds) {
    seeds.push("subscribe A* MSFT\nunsubscribe AA?L\nlist\nunsubscribe *\nsubscribe B Z*T\nlist\n");
    seeds.push("subscribe\nlist A\nunsubscribe A B\nquit\n");
    let many: Vec<_> = (0..70).map(|i| format!("\"\\{i}")).collect();
    seeds.push(format!("subscribe {}\nunsubscribe A*", many.join(" ")));
}

/// Patterns, each with a symbol.
pub fn globs(seeds: &mut Seeds) {
    for seed in [
        "A*P?\0AAPL    ",
        "*A*B*\0XAYB",
        "??\0AB",
        "MSFT\0MSFT",
        "***\0",
    ] {
        seeds.push(seed);
    }
}
