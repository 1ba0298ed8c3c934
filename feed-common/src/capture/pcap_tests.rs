//! Tests of the pcap reader against the writer, against bytes by hand, and against damage.

use super::*;
use crate::capture::PcapWriter;
use crate::capture::pcap::TimeUnit;
use proptest::prelude::*;

type Written = Vec<(UnixNanos, Vec<u8>)>;

fn write(flavour: Flavour, link: u16, frames: &[(UnixNanos, Vec<u8>)]) -> Vec<u8> {
    let mut w = PcapWriter::with_flavour(Vec::new(), flavour, link).expect("memory");
    for (time, bytes) in frames {
        w.frame(*time, bytes).expect("memory");
    }
    w.finish().expect("memory")
}

/// The slow reading of the layout: how many whole records lie in the first `cut` bytes, and where the last one ends.
fn whole_before(frames: &[(UnixNanos, Vec<u8>)], cut: usize) -> (usize, usize) {
    let (mut count, mut end) = (0, 24);
    for (_, bytes) in frames {
        if end + 16 + bytes.len() > cut {
            break;
        }
        count += 1;
        end += 16 + bytes.len();
    }
    (count, end)
}

fn three_frames() -> Written {
    [(1, 0), (2, 5), (1_700_000_000_123_456_789, 33)]
        .map(|(time, len)| (UnixNanos(time), vec![len as u8; len]))
        .to_vec()
}

#[test]
fn bytes_by_hand_with_a_fraction_that_carries() {
    let file = [
        0xA1, 0xB2, 0xC3, 0xD4, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xF4, 0, 0,
        101, // upper bits of the link type: a frame check sequence
        0, 0, 0, 9, 0, 0x1E, 0x84, 0x80, 0, 0, 0, 2, 0, 0, 0, 1, 0x45, 0x46,
    ];
    let frames: Vec<_> = PcapReader::new(&file).expect("pcap").collect();
    assert_eq!(
        frames,
        [Frame {
            number: 1,
            time: UnixNanos(11_000_000_000),
            orig_len: 1,
            link: LinkType::Raw,
            bytes: &[0x45, 0x46],
        }]
    );
}

#[test]
fn the_latest_time_fits() {
    let mut file = write(Flavour::NANOS, 1, &[]);
    file.extend([[0xFF; 4], [0xFF; 4], [0; 4], [0; 4]].concat());
    let frame = PcapReader::new(&file).expect("pcap").next().expect("one");
    assert_eq!(frame.time.0, u32::MAX as u64 * 1_000_000_001);
}

#[test]
fn a_cut_anywhere_gives_the_whole_frames_before_it() {
    let frames = three_frames();
    for flavour in Flavour::ALL {
        let file = write(flavour, 1, &frames);
        for cut in 0..=file.len() {
            let Ok(mut reader) = PcapReader::new(&file[..cut]) else {
                assert!(cut < 24, "cut at {cut}");
                continue;
            };
            let (count, end) = whole_before(&frames, cut);
            assert_eq!(reader.by_ref().count(), count, "cut at {cut}");
            let want = (end != cut).then_some(Cut {
                offset: end as u64,
                reason: CutReason::PartialRecord,
            });
            assert_eq!(reader.cut(), want, "cut at {cut}");
        }
    }
}

#[test]
fn every_length_lies_in_turn() {
    let frames = three_frames();
    let file = write(Flavour::NANOS, 1, &frames);
    for lying in 0..frames.len() {
        let (_, header) = whole_before(&frames[..lying], usize::MAX);
        for lie in [0, 1, 4, 34, 200, FRAME_MAX as u32, 262_145, u32::MAX] {
            let mut file = file.clone();
            file[header + 8..header + 12].copy_from_slice(&lie.to_le_bytes());
            let mut reader = PcapReader::new(&file).expect("pcap");
            let got: Vec<_> = reader.by_ref().take(100).collect();
            assert!(got.len() >= lying, "frames before the lie are whole");
            for (got, (time, bytes)) in got.iter().zip(&frames[..lying]) {
                assert_eq!((got.time, got.bytes), (*time, &bytes[..]));
            }
            if lie > FRAME_MAX as u32 {
                let offset = header as u64;
                let reason = CutReason::RecordTooLong(lie);
                assert_eq!(reader.cut(), Some(Cut { offset, reason }));
            }
        }
    }
}

#[test]
fn the_cut_is_not_told_before_the_end() {
    let file = write(Flavour::NANOS, 1, &three_frames());
    let mut reader = PcapReader::new(&file[..file.len() - 1]).expect("pcap");
    assert_eq!(reader.cut(), None);
    assert_eq!(reader.by_ref().count(), 2);
    let cut = reader.cut().expect("cut");
    assert_eq!(
        cut.to_string(),
        "cut short: the record at byte 61 is incomplete"
    );
    assert_eq!(reader.next(), None);
}

#[test]
fn headers_that_cannot_be_read() {
    let good = write(Flavour::NANOS, 1, &[]);
    let with = |at: usize, value: u8| {
        let mut file = good.clone();
        file[at] = value;
        PcapHeader::parse(&file)
    };
    assert_eq!(with(4, 3), Err(FormatError::Version(3, 4)));
    assert!(matches!(with(20, 147), Err(FormatError::LinkType(_))));
    assert_eq!(
        with(0, 0x0A),
        Err(FormatError::Unsupported(Format::Unknown))
    );
    assert_eq!(
        PcapHeader::parse(&good[..23]),
        Err(FormatError::ShortHeader(23))
    );
    assert_eq!(with(16, 0).map(|h| h.flavour), Ok(Flavour::NANOS));
}

proptest! {
    #[test]
    fn round_trip(
        frames in proptest::collection::vec(
            (0..u32::MAX as u64 * 1_000_000_000, proptest::collection::vec(any::<u8>(), 0..300)), 0..20),
        flavour in proptest::sample::select(&Flavour::ALL[..]),
    ) {
        let frames: Written = frames.into_iter().map(|(t, b)| (UnixNanos(t), b)).collect();
        let file = write(flavour, 228, &frames);
        let mut reader = PcapReader::new(&file).unwrap();
        for (i, (time, bytes)) in frames.iter().enumerate() {
            let frame = reader.next().unwrap();
            let grain = match flavour.unit { TimeUnit::Nanos => 1, TimeUnit::Micros => 1000 };
            prop_assert_eq!(frame.number, i as u64 + 1);
            prop_assert_eq!(frame.time.0, time.0 / grain * grain);
            prop_assert_eq!(frame.bytes, &bytes[..]);
            prop_assert_eq!(frame.orig_len as usize, bytes.len());
            prop_assert_eq!(frame.link, LinkType::Ipv4);
        }
        prop_assert_eq!(reader.next(), None);
        prop_assert_eq!(reader.cut(), None);
    }

    /// Arbitrary bytes behind a good header: the frames and the cut account for every byte.
    #[test]
    fn any_bytes_are_accounted_for(bytes in proptest::collection::vec(any::<u8>(), 0..400), zeros in 0usize..100) {
        let mut file = write(Flavour::NANOS, 1, &[]);
        file.extend(std::iter::repeat_n(0, zeros));
        file.extend(&bytes);
        let mut reader = PcapReader::new(&file).unwrap();
        let read: usize = reader.by_ref().map(|f| 16 + f.bytes.len()).sum();
        let end = reader.cut().map_or(file.len(), |c| c.offset as usize);
        prop_assert_eq!(24 + read, end);
    }
}
