use super::*;
use crate::event::{Kind, MarketData, Record};
use crate::record::{GapRecord, SensorReading, TimeSeriesPoint, kind};
use proptest::prelude::*;
use std::fmt::Debug;
use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, IntoBytes};

crate::record! {
    /// As its first version was.
    struct Old: 12, kind 400, version 1 {
        id: U64,
        level: U32,
    }
}

crate::record! {
    /// The same kind with a field appended.
    struct New: 14, kind 400, version 2, least 12 {
        id: U64,
        level: U32,
        tank: U16,
    }
}

fn written(e: &impl Encode) -> Vec<u8> {
    let mut out = Vec::new();
    e.serialize_into(&mut out).unwrap();
    assert_eq!(out.len(), e.serialized_size());
    let mut slice = vec![0xEE; out.len() + 3];
    assert_eq!(e.serialize_into_slice(&mut slice), Ok(out.len()));
    assert_eq!(slice[..out.len()], out);
    assert_eq!(slice[out.len()..], [0xEE; 3], "written behind its end");
    let short = &mut slice[..out.len() - 1];
    let refused = e.serialize_into_slice(short).unwrap_err();
    let (needed, room) = (out.len(), out.len() - 1);
    assert_eq!(refused, SerializeError::NoRoom { needed, room });
    out
}

/// Everything that must hold of a record without a tail.
fn alone<T>(bytes: &[u8], rest: &[u8]) -> Result<(), TestCaseError>
where
    T: RecordKind + Encode + PartialEq + Debug,
    T: for<'a> Decode<'a, Error = FrameError>,
    for<'a> &'a T: Decode<'a, Error = FrameError>,
{
    let record = T::read_from_prefix(bytes).unwrap().0;
    let mut out = written(&record);
    prop_assert_eq!(out.len(), frame::HEADER_LENGTH + size_of::<T>());
    for cut in 0..out.len() {
        let error = T::deserialize_from(&out[..cut]).unwrap_err();
        prop_assert_eq!(error, FrameError::Short);
    }
    out.extend_from_slice(rest);
    let (view, behind) = <&T>::deserialize_from(&out).unwrap();
    prop_assert_eq!((view, behind), (&record, rest));
    let (copy, behind) = T::deserialize_from(&out).unwrap();
    prop_assert_eq!((copy, behind), (record, rest));
    let (frame, behind) = Frame::deserialize_from(&out).unwrap();
    prop_assert_eq!((frame.kind(), behind), (T::KIND, rest));
    prop_assert_eq!(written(&frame), frame.bytes());
    Ok(())
}

#[test]
fn a_frame_byte_by_byte() {
    let old = Old {
        id: U64::new(0x0102),
        level: U32::new(3),
    };
    let out = written(&WithTail::new(&old, b"ab"));
    let want = b"FH\x90\x01\x01\0\x0C\0\x02\0\0\0\x02\x01\0\0\0\0\0\0\x03\0\0\0ab";
    assert_eq!(out, want);
    assert_eq!(
        (
            <MarketData as RecordKind>::KIND,
            <Record as RecordKind>::KIND
        ),
        (1, 2)
    );
    assert_eq!(
        [GapRecord::KIND, SensorReading::KIND, TimeSeriesPoint::KIND],
        [kind::GAP, kind::SENSOR, kind::POINT]
    );
}

#[test]
fn an_older_reader_steps_by_the_lengths() {
    let new = New {
        id: U64::new(5),
        level: U32::new(6),
        tank: U16::new(7),
    };
    let out = written(&WithTail::new(&new, b"a tail no old reader knows"));
    let (old, rest) = <&Old>::deserialize_from(&out).unwrap();
    assert_eq!((old.id.get(), old.level.get(), rest), (5, 6, &b""[..]));
    assert_eq!(Old::deserialize_from(&out).unwrap().0, *old);
    // What it does not know goes through it whole.
    let (frame, _) = Frame::deserialize_from(&out).unwrap();
    assert_eq!((frame.header().version.get(), written(&frame)), (2, out));
}

#[test]
fn a_newer_reader_takes_a_copy_of_what_an_older_one_wrote() {
    let old = Old {
        id: U64::new(5),
        level: U32::new(6),
    };
    let out = written(&old);
    let (new, _) = New::deserialize_from(&out).unwrap();
    assert_eq!((new.id.get(), new.level.get(), new.tank.get()), (5, 6, 0));
    // There is nothing to lay a view over.
    assert_eq!(
        <&New>::deserialize_from(&out).unwrap_err(),
        FrameError::Fields(12)
    );
    // Fewer than there ever were.
    let mut lying = out.clone();
    lying[6] = 11;
    assert_eq!(
        New::deserialize_from(&lying).unwrap_err(),
        FrameError::Fields(11)
    );
}

#[test]
fn what_is_not_a_frame_is_named() {
    let good = written(&GapRecord::default());
    let error = |bytes: &[u8]| Frame::deserialize_from(bytes).unwrap_err();
    assert_eq!(error(b"HF"), FrameError::ByteOrder);
    assert_eq!(error(&[b"HF", &good[2..]].concat()), FrameError::ByteOrder);
    assert_eq!(error(b"FHNB"), FrameError::Short);
    assert_eq!(error(b"xy"), FrameError::Foreign);
    assert_eq!(error(b"F"), FrameError::Short);
    assert_eq!(error(b""), FrameError::Short);
    assert_eq!(
        Record::deserialize_from(&good).unwrap_err(),
        FrameError::Kind(kind::GAP)
    );
    // Lengths that lie.
    let mut long = good.clone();
    long[8..12].fill(0xFF);
    assert_eq!(error(&long), FrameError::Short);
}

#[test]
fn a_writer_that_has_no_room_says_so() {
    let mut four = [0; 4];
    let error = GapRecord::default()
        .serialize_into(&mut &mut four[..])
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    let refused = io::Error::from(SerializeError::Tail(1 << 40));
    assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    assert!(refused.to_string().contains("1099511627776"), "{refused}");
}

#[test]
fn messages_of_other_protocols_are_their_own_encoding() {
    use crate::wire::itch50::{self, SystemEvent};
    use crate::wire::moldudp64::{self, PacketBuilder};

    let event = SystemEvent {
        event_code: b'O',
        ..SystemEvent::new()
    };
    let message = written(&event);
    assert_eq!(message, event.as_bytes());
    let (view, rest) = <&SystemEvent>::deserialize_from(&message).unwrap();
    assert_eq!((view, rest), (&event, &b""[..]));
    assert_eq!(SystemEvent::deserialize_from(&message[1..]), Err(Short));
    let (any, _) = itch50::Message::deserialize_from(&message).unwrap();
    assert_eq!(written(&any), message);
    assert_eq!(
        itch50::Message::deserialize_from(&message[..11]).unwrap_err(),
        itch50::ParseError::Short
    );

    let mut packet = PacketBuilder::new(*b"SESSION   ", 7, 100);
    assert!(packet.push(&message));
    let out = written(&packet);
    assert_eq!(out, packet.payload());
    let (header, body) = <&moldudp64::Header>::deserialize_from(&out).unwrap();
    assert_eq!(header.sequence.get(), 7);
    assert_eq!(body.len(), 2 + message.len());
}

proptest! {
    #[test]
    fn records_round_trip_and_notice_every_cut(
        bytes: [u8; 64],
        rest in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        alone::<MarketData>(&bytes, &rest)?;
        alone::<Record>(&bytes, &rest)?;
        alone::<GapRecord>(&bytes, &rest)?;
        alone::<SensorReading>(&bytes, &rest)?;
        alone::<TimeSeriesPoint>(&bytes, &rest)?;
        let mut record = Record::read_from_bytes(&bytes).unwrap();
        for kind in [Kind::GAP, Kind::EXTENSION] {
            record.data.kind = kind.0;
            alone::<Record>(record.as_bytes(), &rest)?;
        }
    }

    #[test]
    fn tails_round_trip_and_notice_every_cut(
        bytes: [u8; 12],
        tail in prop::collection::vec(any::<u8>(), 0..50),
        rest in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let old = Old::read_from_bytes(&bytes).unwrap();
        let mut out = written(&WithTail::new(&old, &tail));
        for cut in 0..out.len() {
            let error = WithTail::<Old>::deserialize_from(&out[..cut]).unwrap_err();
            prop_assert_eq!(error, FrameError::Short);
        }
        out.extend_from_slice(&rest);
        let (read, behind) = WithTail::<Old>::deserialize_from(&out).unwrap();
        prop_assert_eq!((read, behind), (WithTail::new(&old, &tail), &rest[..]));
    }

    #[test]
    fn appended_fields_are_stepped_over(
        bytes: [u8; 64],
        appended in prop::collection::vec(any::<u8>(), 0..50),
        tail in prop::collection::vec(any::<u8>(), 0..50),
    ) {
        let record = Record::read_from_bytes(&bytes).unwrap();
        let mut out = written(&record);
        out.extend(&appended);
        out.extend(&tail);
        out[4] = 2;
        out[6..8].copy_from_slice(&(64 + appended.len() as u16).to_le_bytes());
        out[8..12].copy_from_slice(&(tail.len() as u32).to_le_bytes());
        out.extend(written(&GapRecord::default()));
        let (view, rest) = <&Record>::deserialize_from(&out).unwrap();
        prop_assert_eq!(view, &record);
        prop_assert!(GapRecord::deserialize_from(rest).is_ok());
    }

    #[test]
    fn random_bytes_are_a_frame_or_refused(
        mut bytes in prop::collection::vec(any::<u8>(), 0..80),
        small: bool,
    ) {
        if let Some(start) = bytes.get_mut(..2) {
            start.copy_from_slice(b"FH");
        }
        if small && let Some(lengths) = bytes.get_mut(6..12) {
            lengths.copy_from_slice(&[lengths[0] % 40, 0, lengths[2] % 40, 0, 0, 0]);
        }
        if let Ok((frame, rest)) = Frame::deserialize_from(&bytes) {
            prop_assert_eq!(frame.bytes().len() + rest.len(), bytes.len());
            let parts = frame::HEADER_LENGTH + frame.fixed().len() + frame.tail().len();
            prop_assert_eq!(parts, frame.bytes().len());
        }
        let _ = Record::deserialize_from(&bytes);
        let _ = WithTail::<Old>::deserialize_from(&bytes);
    }
}
