use super::*;
use proptest::prelude::*;

/// A segment with two messages, byte by byte.
const BY_HAND: &[u8] = b"\x01\x00\x04\x80\x01\x00\x00\x00\x00\x00\xdd\x48\x09\x00\x02\x00\
    \x91\x8e\xab\x00\x00\x00\x00\x00\x5e\x6b\x05\x00\x00\x00\x00\x00\x6d\x1c\x16\x35\x3a\xe2\x5d\x16\
    \x05\x00hello\x00\x00";

#[test]
fn a_segment_by_hand() {
    let (header, blocks) = parse(BY_HAND).unwrap();
    assert_eq!(header.message_protocol_id.get(), DEEP_1_0);
    assert_eq!(header.channel_id.get(), 1);
    assert_eq!(header.session_id.get(), 1_222_443_008);
    assert_eq!(header.payload_length.get(), 9);
    assert_eq!(header.stream_offset.get(), 11_243_153);
    assert_eq!(header.first_sequence.get(), 355_166);
    assert_eq!(header.send_time.get(), 1_611_692_981_295_127_661);
    assert_eq!(
        &header.stream(),
        b"\x04\x80\x01\x00\x00\x00\x00\x00\xdd\x48"
    );
    assert_eq!(blocks.collect::<Vec<_>>(), [&b"hello"[..], b""]);
}

#[test]
fn malformed_segments_say_why() {
    let with = |at: usize, bytes: &[u8]| {
        let mut segment = BY_HAND.to_vec();
        segment[at..at + bytes.len()].copy_from_slice(bytes);
        parse(&segment).err()
    };
    assert_eq!(with(0, b"\x01"), None);
    assert_eq!(with(0, b"\x02"), Some(ParseError::Version));
    assert_eq!(with(2, b"\x01\x80"), Some(ParseError::Protocol));
    assert_eq!(with(2, b"\x06\x80"), Some(ParseError::Protocol));
    assert_eq!(with(12, b"\x0a\x00"), Some(ParseError::Overrun));
    assert_eq!(with(12, b"\x08\x00"), Some(ParseError::Trailing));
    assert_eq!(with(14, b"\x03\x00"), Some(ParseError::Overrun));
    assert_eq!(with(14, b"\x01\x00"), Some(ParseError::Trailing));
    assert_eq!(with(40, b"\x08\x00"), Some(ParseError::Overrun));
    assert_eq!(parse(&BY_HAND[..39]).err(), Some(ParseError::ShortHeader));
    assert_eq!(parse(&BY_HAND[..48]).err(), Some(ParseError::Overrun));
}

#[test]
fn segments_fill_to_the_limit_and_number_on() {
    let mut b = SegmentBuilder::new(DEEP_PLUS_1_0, 7, 40 + 2 * (2 + 5));
    let (header, _) = parse(b.segment(1)).unwrap();
    assert!(!header.begins(), "a heartbeat begins nothing");
    assert!(b.push(b"first") && b.push(b"later") && !b.push(b""));
    assert_eq!(b.bytes(), 54);
    let (header, blocks) = parse(b.segment(9)).unwrap();
    assert!(header.begins());
    assert_eq!(header.send_time.get(), 9);
    assert_eq!(blocks.collect::<Vec<_>>(), [b"first", b"later"]);

    b.clear();
    assert!(b.is_empty());
    let (header, _) = parse(b.segment(10)).unwrap();
    let place = (header.first_sequence.get(), header.stream_offset.get());
    assert_eq!(place, (3, 14));
    assert_eq!((header.message_count.get(), header.begins()), (0, false));
    assert!(b.push(b"third"));
    let (header, _) = parse(b.segment(11)).unwrap();
    let place = (header.first_sequence.get(), header.stream_offset.get());
    assert_eq!((place, header.begins()), ((3, 14), false));
}

#[test]
fn a_message_no_segment_can_hold_is_refused_by_an_empty_one() {
    let mut b = SegmentBuilder::new(TOPS_1_6, 1, usize::MAX);
    assert!(!b.push(&[0; UDP_LIMIT - 41]) && b.is_empty());
    assert!(b.push(&[0; UDP_LIMIT - 42]));
    assert!(parse(b.segment(0)).is_ok());
}

proptest! {
    #[test]
    fn what_is_built_is_read_back(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..60),
        limit in 100usize..1500,
    ) {
        let mut b = SegmentBuilder::new(DEEP_1_0, 3, limit);
        let mut segments = Vec::new();
        for m in &messages {
            if !b.push(m) {
                segments.push(b.segment(5).to_vec());
                b.clear();
                prop_assert!(b.push(m));
            }
        }
        segments.push(b.segment(6).to_vec());
        let (mut read, mut offset) = (Vec::new(), 0);
        for s in &segments {
            prop_assert!(s.len() <= limit);
            let (header, blocks) = parse(s).unwrap();
            prop_assert_eq!(header.first_sequence.get(), 1 + read.len() as u64);
            prop_assert_eq!(header.stream_offset.get(), offset);
            offset += s.len() as u64 - 40;
            read.extend(blocks.map(<[u8]>::to_vec));
        }
        prop_assert_eq!(read, messages);
    }

    /// Cutting or extending a segment anywhere is noticed, and nothing panics.
    #[test]
    fn a_wrong_length_is_always_noticed(cut in 0usize..80, extra in 1usize..10) {
        let mut b = SegmentBuilder::new(DEEP_1_0, 1, 1400);
        for m in [&b"abcdef"[..], b"", b"0123456789", b"x"] {
            b.push(m);
        }
        let mut bytes = b.segment(1).to_vec();
        if cut < bytes.len() {
            prop_assert!(parse(&bytes[..cut]).is_err());
        }
        bytes.resize(bytes.len() + extra, 0);
        prop_assert_eq!(parse(&bytes).err(), Some(ParseError::Trailing));
    }

    #[test]
    fn random_bytes_never_panic(
        start in prop::collection::vec(any::<u8>(), 0..4),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        known in any::<bool>(),
    ) {
        let mut segment = if known { BY_HAND[..14].to_vec() } else { start };
        segment.extend(bytes);
        if known {
            let payload = segment.len().saturating_sub(40) as u16;
            segment[12..14].copy_from_slice(&payload.to_le_bytes());
        }
        if let Ok((header, blocks)) = parse(&segment) {
            prop_assert_eq!(blocks.count(), usize::from(header.message_count.get()));
        }
    }
}
