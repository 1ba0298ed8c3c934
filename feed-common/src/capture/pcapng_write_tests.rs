//! Tests of the pcapng writer: bytes by hand, and a walk over its blocks that knows the layout and nothing of the writer.

use super::*;
use proptest::prelude::*;

const TIME: UnixNanos = UnixNanos(0x0102_0304_0506_0708);

const ETHERNET: InterfaceDescription<'_> = InterfaceDescription {
    link_type: 1,
    name: "c/A",
    description: "",
};

fn writer() -> PcapngWriter<Vec<u8>> {
    let mut w = PcapngWriter::new(Vec::new(), &SectionDescription::default()).expect("memory");
    assert_eq!(w.interface(&ETHERNET).expect("memory"), 0);
    w
}

/// A block as the walk finds it.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    kind: u32,
    /// The fixed fields and what lies behind them, options left out.
    body: Vec<u8>,
    options: Vec<(u16, Vec<u8>)>,
}

/// The slow reading of a file: every length is held against every other.
fn walk(file: &[u8]) -> Vec<Block> {
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("4 bytes"));
    let (mut at, mut blocks) = (0, Vec::new());
    while at < file.len() {
        let (kind, len) = (word(at), word(at + 4) as usize);
        assert!(len >= 12 && len % 4 == 0, "block of {len} bytes at {at}");
        assert_eq!(word(at + len - 4) as usize, len, "the two lengths at {at}");
        let fixed = match kind {
            0x0A0D_0D0A => 16,
            1 => 8,
            5 => 12,
            6 => 20 + (word(at + 20) as usize).next_multiple_of(4),
            other => panic!("block type {other}"),
        };
        let end = at + len - 4;
        let (mut o, mut options) = (at + 8 + fixed, Vec::new());
        let body = file[at + 8..o].to_vec();
        loop {
            let (code, value) = (word(o) & 0xFFFF, (word(o) >> 16) as usize);
            o += 4;
            if code == 0 {
                assert_eq!((value, o), (0, end), "the end of options is the last");
                break;
            }
            let padded = value.next_multiple_of(4);
            assert!(file[o + value..o + padded].iter().all(|&b| b == 0));
            options.push((code as u16, file[o..o + value].to_vec()));
            o += padded;
        }
        blocks.push(Block {
            kind,
            body,
            options,
        });
        at += len;
    }
    blocks
}

#[test]
fn bytes_by_hand() {
    let mut w = writer();
    let note = PacketNote {
        interface: 0,
        time: TIME,
        orig_len: 9,
        lost_before: 7,
        comment: "ab",
    };
    w.packet(&note, b"abcde").expect("memory");
    let want = [
        0x0A, 0x0D, 0x0D, 0x0A, 32, 0, 0, 0, 0x4D, 0x3C, 0x2B, 0x1A, 1, 0, 0, 0, //
        255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 32, 0, 0, 0, //
        1, 0, 0, 0, 40, 0, 0, 0, 1, 0, 0, 0, 0, 0, 4, 0, // Ethernet, 256 KiB
        2, 0, 3, 0, b'c', b'/', b'A', 0, 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0, //
        6, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 4, 3, 2, 1, 8, 7, 6, 5, // high word first
        5, 0, 0, 0, 9, 0, 0, 0, b'a', b'b', b'c', b'd', b'e', 0, 0, 0, //
        4, 0, 8, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, b'a', b'b', 0, 0, //
        0, 0, 0, 0, 64, 0, 0, 0,
    ];
    assert_eq!(w.finish().expect("memory"), want);
}

#[test]
fn descriptions_and_statistics_are_where_the_layout_has_them() {
    let section = SectionDescription {
        hardware: "a machine",
        os: "Linux 6.18",
        application: "feed-handler",
        comment: "source addresses are not known",
    };
    let mut w = PcapngWriter::new(Vec::new(), &section).expect("memory");
    let second = InterfaceDescription {
        link_type: 228,
        name: "c/B",
        description: "239.1.1.1:5 on eth0",
    };
    assert_eq!(w.interface(&ETHERNET).expect("memory"), 0);
    assert_eq!(w.interface(&second).expect("memory"), 1);
    let counts = InterfaceStatistics {
        start: UnixNanos(5),
        end: TIME,
        received: 10,
        dropped: 2,
        os_dropped: 3,
        delivered: 8,
    };
    w.statistics(1, &counts).expect("memory");
    let blocks = walk(&w.finish().expect("memory"));
    let texts = |block: &Block| -> Vec<(u16, String)> {
        let text = |v: &Vec<u8>| String::from_utf8(v.clone()).expect("a text");
        block.options.iter().map(|(c, v)| (*c, text(v))).collect()
    };
    let owned = |list: &[(u16, &str)]| -> Vec<(u16, String)> {
        list.iter().map(|&(c, t)| (c, t.to_owned())).collect()
    };
    assert_eq!(
        texts(&blocks[0]),
        owned(&[
            (2, "a machine"),
            (3, "Linux 6.18"),
            (4, "feed-handler"),
            (1, "source addresses are not known")
        ])
    );
    assert_eq!(
        texts(&blocks[2]),
        owned(&[(2, "c/B"), (3, "239.1.1.1:5 on eth0"), (9, "\t")])
    );
    assert_eq!(blocks[2].body, [228, 0, 0, 0, 0, 0, 4, 0]);
    let Block {
        kind,
        body,
        options,
    } = &blocks[3];
    assert_eq!(
        (*kind, &body[..]),
        (5, &[1, 0, 0, 0, 4, 3, 2, 1, 8, 7, 6, 5][..])
    );
    let number = |n: u64| n.to_le_bytes().to_vec();
    assert_eq!(
        *options,
        [
            (2, vec![0, 0, 0, 0, 5, 0, 0, 0]),
            (3, vec![4, 3, 2, 1, 8, 7, 6, 5]),
            (4, number(10)),
            (5, number(2)),
            (7, number(3)),
            (8, number(8)),
        ]
    );
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_written() {
    let mut w = writer();
    let before = w.get_mut().len();
    let long = "x".repeat(65_536);
    assert!(w.frame(0, TIME, &vec![0; FRAME_MAX + 1]).is_err());
    assert!(w.frame(1, TIME, b"a").is_err(), "no such interface");
    assert!(w.statistics(1, &InterfaceStatistics::default()).is_err());
    let commented = PacketNote {
        comment: &long,
        ..PacketNote::default()
    };
    assert!(w.packet(&commented, b"a").is_err());
    let described = InterfaceDescription {
        description: &long,
        ..ETHERNET
    };
    assert!(w.interface(&described).is_err());
    assert_eq!(w.get_mut().len(), before);
    w.packet(
        &PacketNote {
            comment: &long[..65_535],
            ..PacketNote::default()
        },
        &vec![0; FRAME_MAX],
    )
    .expect("the greatest of both");
    let blocks = walk(w.get_mut());
    assert_eq!(blocks[2].options[0].1.len(), 65_535);
}

/// An output that takes so many bytes, then is full.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(self.0);
        self.0 -= n;
        match n {
            0 => Err(io::ErrorKind::StorageFull.into()),
            n => Ok(n),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_output_that_is_full_says_so_wherever_it_ends() {
    let section = SectionDescription::default();
    for room in 0..32 + 40 + 44 {
        let written = PcapngWriter::new(Full(room), &section).and_then(|mut w| {
            w.interface(&ETHERNET)?;
            w.frame(0, TIME, b"abcd")?;
            w.finish()
        });
        let kind = written.err().map(|e| e.kind());
        // The packet: 8 of head, 20 of fields, 4 of bytes, 4 to end the options, 4 of length.
        let want = (room < 32 + 40 + 40).then_some(io::ErrorKind::StorageFull);
        assert_eq!(kind, want, "room for {room}");
    }
}

type Given = (u64, Vec<u8>, usize, u64, String);

proptest! {
    /// Whatever is written is there, in order, and every length of the file agrees with every other.
    #[test]
    fn the_walk_finds_what_was_written(
        packets in proptest::collection::vec(
            (any::<u64>(), proptest::collection::vec(any::<u8>(), 0..90), 0usize..50, 0u64..3, "[a-zä]{0,9}"), 0..20),
        interfaces in 1u32..4,
        hardware in "[ -~]{0,9}",
    ) {
        let packets: Vec<Given> = packets;
        let section = SectionDescription { hardware: &hardware, ..SectionDescription::default() };
        let mut w = PcapngWriter::new(Vec::new(), &section).unwrap();
        for _ in 0..interfaces {
            w.interface(&ETHERNET).unwrap();
        }
        for (i, (time, bytes, missing, lost_before, comment)) in packets.iter().enumerate() {
            let note = PacketNote {
                interface: i as u32 % interfaces,
                time: UnixNanos(*time),
                orig_len: bytes.len() + missing,
                lost_before: *lost_before,
                comment,
            };
            w.packet(&note, bytes).unwrap();
        }
        let blocks = walk(&w.finish().unwrap());
        let described = 1 + interfaces as usize;
        prop_assert_eq!(blocks.len(), described + packets.len());
        for (i, (block, (time, bytes, missing, lost, comment))) in
            blocks[described..].iter().zip(&packets).enumerate()
        {
            let mut body = (i as u32 % interfaces).to_le_bytes().to_vec();
            body.extend(((time >> 32) as u32).to_le_bytes());
            body.extend((*time as u32).to_le_bytes());
            body.extend((bytes.len() as u32).to_le_bytes());
            body.extend(((bytes.len() + missing) as u32).to_le_bytes());
            body.extend(bytes);
            body.resize(body.len().next_multiple_of(4), 0);
            prop_assert_eq!(&block.body, &body);
            let mut options = Vec::new();
            if *lost > 0 {
                options.push((4, lost.to_le_bytes().to_vec()));
            }
            if !comment.is_empty() {
                options.push((1, comment.as_bytes().to_vec()));
            }
            prop_assert_eq!(&block.options, &options);
        }
    }
}
