//! Tests of the pcapng parser against bytes by hand, and against damage.

use super::*;
use crate::capture::cut::Cut;
use crate::capture::testing::{Blocks, Contents, Owned, open, read};
use crate::wire::frame::LinkType;
use proptest::prelude::*;

const ORDERS: [ByteOrder; 2] = [ByteOrder::Little, ByteOrder::Big];

fn frame(number: u64, time: u64, bytes: &[u8]) -> Owned {
    Owned {
        number,
        time: UnixNanos(time),
        orig_len: bytes.len() as u32,
        link: LinkType::Ethernet,
        bytes: bytes.to_vec(),
    }
}

/// A file of one interface with nanoseconds and three packets of different lengths.
fn three_packets(order: ByteOrder) -> Blocks {
    let mut blocks = Blocks::new(order);
    blocks.interface(1, 0, &[(9, &[9])]);
    for len in [0, 5, 33] {
        blocks.enhanced(0, 1_000 + len, &vec![len as u8; len as usize], len as u32);
    }
    blocks
}

#[test]
fn bytes_by_hand() {
    let file = [
        0x0A, 0x0D, 0x0D, 0x0A, 28, 0, 0, 0, 0x4D, 0x3C, 0x2B, 0x1A, 1, 0, 0, 0, 0xFF, 0xFF, 0xFF,
        0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 28, 0, 0, 0, // section
        1, 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, // interface
        6, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 9, 0, 0, 0, b'a',
        b'b', b'c', 0, 36, 0, 0, 0,
    ];
    let got = read(&file);
    let want = Owned {
        orig_len: 9,
        ..frame(1, ((1 << 32) + 2) * 1_000, b"abc")
    };
    assert_eq!(got.frames, [want]);
    assert_eq!((got.cut, got.faults.total()), (None, 0));
}

#[test]
fn every_kind_of_packet_in_both_orders() {
    for order in ORDERS {
        let mut blocks = Blocks::new(order);
        blocks.interface(1, 3, &[(2, b"eth0"), (9, &[9])]);
        let offset = blocks.i64(100);
        blocks.interface(101, 0, &[(14, &offset), (9, &[0x80 | 1])]);
        blocks.enhanced(1, 3, b"one", 4);
        blocks.block(0x0000_0BAD, &[7; 50]);
        blocks.obsolete(0, 2_000, b"four", 4);
        blocks.block(5, &[0; 12]);
        blocks.simple(b"abc", 9); // the snap length of interface 0 cuts it
        let raw = Owned {
            orig_len: 4,
            link: LinkType::Raw,
            ..frame(1, 101_500_000_000, b"one")
        };
        let simple = Owned {
            orig_len: 9,
            ..frame(3, 0, b"abc")
        };
        let got = read(&blocks.bytes);
        assert_eq!(got.frames, [raw, frame(2, 2_000, b"four"), simple]);
        assert_eq!((got.cut, got.faults.total()), (None, 0));
    }
}

#[test]
fn sections_change_order_and_interfaces() {
    let mut little = Blocks::new(ByteOrder::Little);
    little.interface(1, 0, &[]);
    little.enhanced(0, 1, b"a", 1);
    let mut big = Blocks::new(ByteOrder::Big);
    big.enhanced(0, 1, b"b", 1); // its section has none
    big.interface(101, 0, &[(9, &[9])]);
    big.enhanced(0, 1, b"c", 1);
    let file = [little.bytes.clone(), big.bytes].concat();
    let got = read(&file);
    let raw = Owned {
        link: LinkType::Raw,
        ..frame(3, 1, b"c")
    };
    assert_eq!(got.frames, [frame(1, 1_000, b"a"), raw]);
    assert_eq!(got.unusable, [Skip::BadBlock]);
    assert_eq!(
        got.faults.first(),
        Some((Fault::UnknownInterface, little.bytes.len() as u64 + 28))
    );

    let capture = open(&file).expect("readable");
    let mut records = capture.records();
    while records.next(0).is_some() {}
    assert_eq!((records.sections(), records.interfaces()), (2, 2));
    let links: Vec<_> = records
        .links()
        .iter()
        .map(|l| (l.number, l.frames))
        .collect();
    assert_eq!(links, [(1, 1), (101, 1)]);
}

#[test]
fn a_link_type_that_is_not_read_costs_its_frames() {
    let mut blocks = Blocks::new(ByteOrder::Little);
    blocks.interface(147, 0, &[]);
    blocks.interface(1, 0, &[]);
    blocks.enhanced(0, 1, b"a", 1);
    blocks.enhanced(1, 1, b"b", 1);
    let got = read(&blocks.bytes);
    assert_eq!(got.frames, [frame(2, 1_000, b"b")]);
    assert_eq!(got.unusable, [Skip::LinkType]);
    assert_eq!(got.faults.total(), 0);
}

#[test]
fn a_section_of_another_version_is_stepped_over() {
    for order in ORDERS {
        let mut foreign = three_packets(order);
        foreign.block(0x0000_0BAD, &[7; 50]);
        let section_length = foreign.bytes.len() as i64 - 28;
        for length in [section_length, -1] {
            let mut file = three_packets(order);
            let at = file.bytes.len();
            file.section(2, length);
            file.bytes.extend(&foreign.bytes[28..]);
            file.bytes.extend(&three_packets(ByteOrder::Big).bytes);
            let got = read(&file.bytes);
            assert_eq!(got.frames.len(), 6, "section length {length}");
            assert_eq!(got.faults.total(), 1);
            assert_eq!(got.faults.first(), Some((Fault::SectionVersion, at as u64)));
            assert_eq!(got.cut, None);
        }
    }
}

/// What a file of [`three_packets`] gives with one word changed.
fn with_word(at: usize, value: u32) -> Contents {
    let mut file = three_packets(ByteOrder::Little).bytes;
    file[at..at + 4].copy_from_slice(&value.to_le_bytes());
    read(&file)
}

/// Where the blocks of [`three_packets`] begin.
fn starts() -> [usize; 5] {
    let first = 28 + 32;
    [0, 28, first, first + 32, first + 32 + 40]
}

#[test]
fn lengths_that_lie_are_named_with_their_place() {
    let [_, _, first, second, third] = starts();
    assert_eq!(
        third + 32 + 36,
        three_packets(ByteOrder::Little).bytes.len()
    );
    let cut = |offset: usize, reason| {
        let offset = offset as u64;
        Some(Cut { offset, reason })
    };
    for lie in [0, 4, 11] {
        let got = with_word(second + 4, lie);
        assert_eq!(got.cut, cut(second, CutReason::BlockTooShort(lie)));
        assert_eq!(got.frames.len(), 1);
    }
    let got = with_word(second + 4, 70_000);
    assert_eq!(got.cut, cut(second, CutReason::PartialRecord));
    let got = with_word(second + 4, 0xFFFF_FFF0);
    assert_eq!(got.cut, cut(second, CutReason::RecordTooLong(0xFFFF_FFF0)));
    // A block that is not read may be of any length, and then the file ends inside.
    let mut file = three_packets(ByteOrder::Little).bytes;
    file[second..second + 4].copy_from_slice(&[9, 0, 0, 0]);
    file[second + 4..second + 8].copy_from_slice(&0xFFFF_FFF0u32.to_le_bytes());
    let got = read(&file);
    assert_eq!(
        (got.frames.len(), got.cut),
        (1, cut(second, CutReason::PartialRecord))
    );

    let got = with_word(third - 4, 44);
    assert_eq!((got.frames.len(), got.cut), (3, None));
    assert_eq!(got.faults.first(), Some((Fault::Trailer, second as u64)));

    for lie in [9, 0x7FFF_FFFF, u32::MAX] {
        let got = with_word(second + 20, lie);
        assert_eq!(
            got.faults.first(),
            Some((Fault::FrameTooLong, second as u64))
        );
        assert_eq!((got.frames.len(), got.cut), (2, None));
        assert_eq!(got.frames[1].number, 3);
        assert_eq!(got.unusable, [Skip::BadBlock]);
    }
    let got = with_word(first + 8, 1);
    assert_eq!(
        got.faults.first(),
        Some((Fault::UnknownInterface, first as u64))
    );
    assert_eq!(got.frames.len(), 2);
}

#[test]
fn options_that_lie_keep_what_came_before_them() {
    for options in [
        &[9, 0, 1, 0, 9, 0, 0, 0, 14, 0, 200, 0][..],
        &[9, 0, 1, 0, 9, 0, 0, 0, 14, 0, 3, 0, 1, 1, 1, 0],
        &[9, 0, 1, 0, 9, 0, 0, 0, 14, 0],
    ] {
        let mut blocks = Blocks::new(ByteOrder::Little);
        let body = [&[1, 0, 0, 0, 0, 0, 0, 0], options].concat();
        let body = &body[..body.len() / 4 * 4];
        blocks.block(1, body);
        blocks.enhanced(0, 77, b"a", 1);
        let got = read(&blocks.bytes);
        assert_eq!(got.frames, [frame(1, 77, b"a")]);
        let bad = if body.len() == 16 { 0 } else { 1 };
        assert_eq!(got.faults.of(Fault::BadOption), bad);
    }
}

#[test]
fn blocks_without_room_for_their_headers() {
    let mut blocks = Blocks::new(ByteOrder::Little);
    blocks.simple(b"no interface yet", 16);
    blocks.block(1, &[1, 0, 0, 0]);
    blocks.enhanced(0, 1, b"a", 1);
    blocks.interface(1, 0, &[]);
    blocks.enhanced(1, 1, b"b", 1);
    blocks.block(6, &[0; 16]);
    blocks.block(2, &[0; 16]);
    blocks.block(3, &[]);
    blocks.simple(b"c", 500); // interface 0 cannot be read
    let got = read(&blocks.bytes);
    assert_eq!(got.frames, [frame(3, 1_000, b"b")]);
    assert_eq!(got.unusable, [Skip::BadBlock; 6]);
    for (fault, n) in [
        (Fault::BadInterface, 1),
        (Fault::UnknownInterface, 3),
        (Fault::ShortPacket, 3),
    ] {
        assert_eq!(got.faults.of(fault), n, "{fault}");
    }
    let text = got.faults.to_string();
    assert!(text.starts_with(
        "block_short 3, unknown_interface 3, bad_interface 1; the first in the block at byte 28"
    ));
}

#[test]
fn a_cut_anywhere_gives_the_whole_packets_before_it() {
    for order in ORDERS {
        let file = three_packets(order).bytes;
        let starts = starts();
        for cut in 0..=file.len() {
            let Ok(_) = open(&file[..cut]) else {
                assert!(cut < 28, "cut at {cut}");
                continue;
            };
            let got = read(&file[..cut]);
            let whole = starts.iter().rposition(|&start| start <= cut).unwrap_or(0);
            let (packets, end) = match cut == file.len() {
                true => (3, cut),
                false => (whole.saturating_sub(2), starts[whole]),
            };
            assert_eq!(got.frames.len(), packets, "cut at {cut}");
            let want = (end != cut).then_some(Cut {
                offset: end as u64,
                reason: CutReason::PartialRecord,
            });
            assert_eq!(got.cut, want, "cut at {cut}");
        }
    }
}

#[test]
fn a_file_without_a_byte_order_does_not_open() {
    let mut file = three_packets(ByteOrder::Little).bytes;
    file[8] = 0;
    let says = open(&file).expect_err("no order").to_string();
    assert!(says.contains("byte order magic"), "{says}");
    let mut file = three_packets(ByteOrder::Little).bytes;
    let at = file.len();
    file.extend([0x0A, 0x0D, 0x0D, 0x0A, 28, 0, 0, 0, 1, 2, 3, 4]);
    let got = read(&file);
    let offset = at as u64;
    let reason = CutReason::ByteOrder([1, 2, 3, 4]);
    assert_eq!(got.cut, Some(Cut { offset, reason }));
    assert_eq!(got.frames.len(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Packets of several interfaces in several sections, against the list they were made from.
    #[test]
    fn what_was_written_is_read(
        sections in proptest::collection::vec(
            (any::<bool>(), proptest::collection::vec(
                (0u32..3, 0u64..1 << 60, proptest::collection::vec(any::<u8>(), 0..80), 0u8..4), 0..12)), 1..4),
    ) {
        let (mut file, mut want) = (Vec::new(), Vec::new());
        for (big, packets) in &sections {
            let mut blocks = Blocks::new(ORDERS[usize::from(*big)]);
            for resolution in [9, 6, 0x80 | 20] {
                blocks.interface(1, 0, &[(9, &[resolution])]);
            }
            for (interface, counter, bytes, kind) in packets {
                let len = bytes.len() as u32;
                match kind {
                    0 => blocks.obsolete(*interface as u16, *counter, bytes, len),
                    1 => blocks.simple(bytes, len),
                    _ => blocks.enhanced(*interface, *counter, bytes, len),
                }
                let nanos = match (kind, interface) {
                    (1, _) => 0,
                    (_, 0) => *counter,
                    (_, 1) => counter.saturating_mul(1_000),
                    _ => (u128::from(*counter) * 1_000_000_000 / (1 << 20)).min(u64::MAX.into()) as u64,
                };
                want.push(frame(want.len() as u64 + 1, nanos, bytes));
            }
            file.extend(blocks.bytes);
        }
        let got = read(&file);
        prop_assert_eq!(got.frames, want);
        prop_assert_eq!((got.cut, got.faults.total()), (None, 0));
    }

    /// One byte of a good file changed: what was read before it is as it was.
    #[test]
    fn a_changed_byte_harms_nothing_before_it(at in 28usize..200, value: u8, order in 0..2usize) {
        let blocks = three_packets(ORDERS[order]);
        let good = read(&blocks.bytes);
        let mut file = blocks.bytes;
        let at = at.min(file.len() - 1);
        file[at] = value;
        let got = read(&file);
        let untouched = starts().iter().filter(|&&start| start <= at).count().saturating_sub(3);
        prop_assert_eq!(&got.frames[..untouched], &good.frames[..untouched]);
    }

    /// Any words behind a good beginning: an end is found, and every packet has its place among the frames.
    #[test]
    fn any_words_are_survived(words in proptest::collection::vec(0u32..40, 0..100), order in 0..2usize) {
        let mut blocks = Blocks::new(ORDERS[order]);
        blocks.interface(1, 0, &[]);
        for word in words {
            let word = blocks.u32(word);
            blocks.bytes.extend(word);
        }
        let got = read(&blocks.bytes);
        let last = got.frames.last().map_or(0, |f| f.number);
        prop_assert!(last as usize <= got.frames.len() + got.unusable.len());
    }
}
