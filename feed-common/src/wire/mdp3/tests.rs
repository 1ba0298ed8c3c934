use super::*;
use crate::time::UnixNanos;
use crate::wire::message::Value;
use crate::wire::{Fit, moldudp64, native};
use proptest::prelude::*;
use zerocopy::IntoBytes;
use zerocopy::byteorder::little_endian::I64;

/// A book of two levels and an order at the second, as version 9 and later write it.
fn book(version: u16) -> Vec<u8> {
    let root = EventRoot {
        transact_time: 1_475_012_773_473_147_505.into(),
        match_event_indicator: event::END | event::LAST_QUOTE,
    };
    let level = |price: i64, level| BookEntry {
        md_entry_px_optional_ex: price.into(),
        md_entry_size_short_optional: 7.into(),
        security_id: 174_969.into(),
        rpt_seq: 41.into(),
        number_of_orders_optional: 1.into(),
        md_price_level: level,
        md_entry_type_book: b'1',
        raw_tradeable_size: 5.into(),
        ..BookEntry::default()
    };
    let order = OrderIdEntry {
        order_id: 9_000_000_000.into(),
        md_order_priority_optional: 12.into(),
        md_display_qty_optional: NULL_I32.into(),
        reference_id: 2,
        order_update_action: 1,
        ..OrderIdEntry::default()
    };
    let mut message = MessageBuilder::new();
    message
        .begin(template::BOOK, version, &root)
        .group(Dimension::Three, &[level(-5, 1), level(75_845_000_000, 2)])
        .group(Dimension::Eight, &[order]);
    message.finish().to_vec()
}

fn packet(messages: &[&[u8]]) -> Vec<u8> {
    let mut packet = PacketBuilder::new(17_347_815, 1400);
    assert!(messages.iter().all(|message| packet.push(message)));
    packet.payload(UnixNanos(1)).to_vec()
}

#[test]
fn a_packet_by_hand() {
    let bytes = b"\x27\xb5\x08\x01\x0f\x00\x00\x00\x00\x00\x00\x10\
        \x18\x00\x09\x00\x04\x00\x01\x00\x08\x00\x01\x00\x00\x00\x00\x00\x00\x00\x80\x02\x00\x01\x36\x01\
        \x0a\x00\x00\x00\x0c\x00\x01\x00\x08\x00";
    let (header, messages, count) = parse(bytes).unwrap();
    assert_eq!(header.msg_seq_num.get(), 17_347_879);
    assert_eq!(header.sending_time.get(), 0x1000_0000_0000_000f);
    let found: Vec<_> = messages.map(|m| Message::parse(m).unwrap()).collect();
    assert_eq!((found.len(), count), (2, 2));
    let reset = found[0];
    assert_eq!((reset.template_id(), reset.version()), (4, 8));
    assert_eq!(reset.root::<EventRoot>().unwrap().transact_time.get(), 1);
    let mut groups = reset.groups();
    let channels = groups.next(Dimension::Three).unwrap();
    let mut channels = channels.entries::<ChannelResetEntry>().unwrap();
    assert_eq!(channels.next().unwrap().appl_id.get(), 310);
    assert!(channels.next().is_none() && groups.rest().is_empty());
    assert_eq!(found[1].template().unwrap().name, "AdminHeartbeat");
}

#[test]
fn a_message_is_read_alike_by_struct_and_by_name() {
    for version in [9, 10, 13, 200] {
        let bytes = book(version);
        let message = Message::parse(&bytes).unwrap();
        let template = message.template().unwrap();
        assert_eq!(
            (template.id, template.name),
            (46, "MDIncrementalRefreshBook")
        );
        let root = message.block().unwrap();
        assert_eq!(
            root.unsigned("transact_time"),
            Some(1_475_012_773_473_147_505)
        );
        assert_eq!(root.get("padding_2"), Value::Hex(&[0, 0]));
        assert_eq!(
            (root.get("nothing"), root.signed("nothing")),
            (Value::Null, None)
        );
        assert_eq!(root.excess(), b"");

        let mut groups = message.groups();
        let levels = groups.next(Dimension::Three).unwrap();
        let orders = groups.next(Dimension::Eight).unwrap();
        assert!(groups.rest().is_empty() && groups.next(Dimension::Three).unwrap().is_empty());
        assert_eq!((levels.len(), levels.stride(), orders.len()), (2, 32, 1));
        let view = |i| BlockView::new(&template.groups[0].block, levels.entry(i), version);
        assert_eq!(view(0).price("md_entry_px_optional_ex"), Some((-5, 9)));
        assert_eq!(view(1).signed("security_id"), Some(174_969));
        assert_eq!(view(1).text("md_entry_type_book"), b"1");
        let tradeable = (version >= 10).then_some(5);
        assert_eq!(view(1).signed("tradeable_size"), tradeable);
        let order = BlockView::new(&template.groups[1].block, orders.entry(0), version);
        assert_eq!(order.get("md_display_qty_optional"), Value::Null);

        let levels = levels.entries::<BookEntry>().unwrap();
        assert_eq!(levels.len(), 2);
        assert_eq!(levels.get(1).unwrap().md_price_level, 2);
        assert!(levels.get(2).is_none() && levels.get(usize::MAX).is_none());
        let prices: Vec<i64> = levels.map(|l| l.md_entry_px_optional_ex.get()).collect();
        assert_eq!(prices, [-5, 75_845_000_000]);
    }
}

/// A sender of a later version has longer blocks and more groups; one of an earlier version has less.
#[test]
fn blocks_are_stepped_by_the_length_on_the_wire() {
    let mut message = MessageBuilder::new();
    let entry = |n: u8| [[n; 32].as_slice(), &[0xAA; 3]].concat();
    let entries: [[u8; 35]; 2] = [1, 2].map(|n| entry(n).try_into().unwrap());
    let bytes = message
        .begin(template::BOOK, 13, &[0x55u8; 20])
        .group(Dimension::Three, &entries)
        .group::<OrderIdEntry>(Dimension::Eight, &[])
        .group(Dimension::Three, &[7u16.to_le_bytes()])
        .finish();
    let later = Message::parse(bytes).unwrap();
    assert_eq!(later.block().unwrap().excess(), [0x55; 9]);
    let mut groups = later.groups();
    let levels = groups.next(Dimension::Three).unwrap();
    let counts: Vec<_> = levels
        .entries::<BookEntry>()
        .unwrap()
        .map(|e| e.rpt_seq.get())
        .collect();
    assert_eq!(counts, [0x0101_0101, 0x0202_0202]);
    assert!(groups.next(Dimension::Eight).unwrap().is_empty());
    assert_eq!(groups.rest(), [2, 0, 1, 7, 0]);

    let bytes = message
        .begin(template::SECURITY_STATUS, 13, &[0u8; 0])
        .group(Dimension::Three, &[I64::new(1), I64::new(2)])
        .finish();
    let mut short = bytes.to_vec();
    short[2..4].copy_from_slice(&8u16.to_le_bytes());
    let earlier = Message::parse(&short).unwrap();
    assert!(earlier.root::<SecurityStatusRoot>().is_none());
    let root = earlier.block().unwrap();
    assert_eq!(root.unsigned("transact_time"), Some(0));
    assert_eq!(
        (root.get("security_group"), root.text("asset")),
        (Value::Null, &b""[..])
    );
    let mut groups = Message::parse(bytes).unwrap().groups();
    let group = groups.next(Dimension::Three).unwrap();
    assert_eq!(
        group.entries::<BookEntry>().err(),
        Some(MessageError::Entry)
    );
    assert_eq!(
        group
            .entries::<I64>()
            .unwrap()
            .map(|n| n.get())
            .sum::<i64>(),
        3
    );
}

#[test]
fn lies_are_told() {
    let whole = book(13);
    let lie = |at: usize, value: u16| {
        let mut bytes = whole.clone();
        bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
        bytes
    };
    let error = |bytes: &[u8]| Message::parse(bytes).err();
    for short in [
        &whole[..9],
        &whole[..whole.len() - 1],
        b"",
        b"\0",
        &lie(0, 9),
    ] {
        assert_eq!(error(short), Some(MessageError::Short));
    }
    assert_eq!(error(&lie(6, 2)), Some(MessageError::Foreign));
    assert_eq!(
        error(&lie(2, whole.len() as u16)),
        Some(MessageError::Block)
    );
    let walk = |bytes: &[u8]| {
        let mut groups = Message::parse(bytes).unwrap().groups();
        let levels = groups.next(Dimension::Three)?;
        assert_eq!(levels.bytes().len(), levels.len() * levels.stride());
        groups.next(Dimension::Eight).map(|orders| orders.len())
    };
    assert_eq!(walk(&whole), Ok(1));
    let (stride, count) = (10 + 11, 10 + 11 + 2);
    assert_eq!(walk(&lie(stride, 0x7FFF)), Err(MessageError::Group));
    let mut many = whole.clone();
    many[count] = 255;
    assert_eq!(walk(&many), Err(MessageError::Group));
    let dull = lie(stride, 0);
    let levels = Message::parse(&dull)
        .unwrap()
        .groups()
        .next(Dimension::Three)
        .unwrap();
    assert_eq!((levels.len(), levels.entry(1)), (2, &b""[..]));
    assert_eq!(
        levels.entries::<BookEntry>().err(),
        Some(MessageError::Entry)
    );
}

#[test]
fn packets_whose_sizes_do_not_hold_are_refused_whole() {
    let (level, beat) = (book(8), book(9));
    let good = packet(&[&level, &beat]);
    assert_eq!(parse(&good).unwrap().2, 2);
    let error = |bytes: &[u8]| parse(bytes).err();
    assert_eq!(error(&good[..11]), Some(PacketError::ShortHeader));
    assert_eq!(error(&good[..good.len() - 1]), Some(PacketError::Overrun));
    assert_eq!(
        error(&[&good[..], b"\x0a"].concat()),
        Some(PacketError::Trailing)
    );
    for size in [0u8, 2, 9] {
        let small = [&good[..], &[size, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
        assert_eq!(error(&small), Some(PacketError::Overrun));
    }
    assert_eq!(parse(&good[..12]).unwrap().2, 0);
}

#[test]
fn packets_are_filled_to_the_limit_and_numbered_on() {
    let message = book(13);
    let mut b = PacketBuilder::new(u32::MAX, 12 + 2 * message.len());
    assert!(b.is_empty() && b.push(&message) && b.push(&message) && !b.push(&message));
    let (header, messages, count) = parse(b.payload(UnixNanos(7))).unwrap();
    assert_eq!(
        (header.msg_seq_num.get(), header.sending_time.get()),
        (u32::MAX, 7)
    );
    assert_eq!(
        (count, messages.collect::<Vec<_>>()),
        (2, vec![&message[..]; 2])
    );
    b.clear();
    assert!(b.is_empty() && b.msg_seq_num() == 0);
    assert_eq!(b.payload(UnixNanos(7)).len(), 12);
}

#[test]
fn packets_fit_and_others_do_not() {
    let strange = |template: u16, schema: u16| {
        let mut message = book(13);
        message[4..6].copy_from_slice(&template.to_le_bytes());
        message[6..8].copy_from_slice(&schema.to_le_bytes());
        message
    };
    let known = book(8);
    assert_eq!(fit(&packet(&[&book(13)])), Fit::Yes);
    assert_eq!(
        fit(&packet(&[&book(9), &strange(999, 1), &strange(1, 2)])),
        Fit::Yes
    );
    assert_eq!(fit(&packet(&[&strange(999, 1)])), Fit::Possible);
    assert_eq!(
        fit(&packet(&[&known])),
        Fit::Possible,
        "version 8 has no template 46"
    );
    assert_eq!(fit(&packet(&[])), Fit::Possible);
    assert_eq!(fit(&packet(&[&strange(46, 2)])), Fit::No);
    assert_eq!(fit(&packet(&[&book(13)])[..60]), Fit::No);
    for version in [0, 256] {
        assert_eq!(fit(&packet(&[&book(version)])), Fit::No);
    }
    let mut mold = moldudp64::PacketBuilder::new([b'A'; 10], 1, 1400);
    for _ in 0..8 {
        assert!(mold.push(&[0; 30]));
        assert_eq!(fit(mold.payload()), Fit::No);
    }
    for other in [&native::MAGIC[..], b"", &[0; 12 + 10], &[1; 32]] {
        assert_eq!(fit(other), Fit::No);
    }
}

/// The messages of a packet, found without the walkers.
fn found(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let (mut at, mut messages) = (12, Vec::new());
    while at < bytes.len() {
        let size = usize::from(*bytes.get(at)?) + usize::from(*bytes.get(at + 1)?) * 256;
        if size < 10 || at + size > bytes.len() {
            return None;
        }
        messages.push(&bytes[at..at + size]);
        at += size;
    }
    (bytes.len() >= 12).then_some(messages)
}

proptest! {
    #[test]
    fn packets_are_walked_as_an_oracle_walks_them(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 8..60), 0..8),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = vec![0; 12];
        for body in &bodies {
            bytes.extend((body.len() as u16 + 2).to_le_bytes());
            bytes.extend(body);
        }
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if cut.index(4) == 0 {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        match parse(&bytes) {
            Ok((_, messages, count)) => {
                let messages: Vec<_> = messages.collect();
                prop_assert_eq!(count as usize, messages.len());
                prop_assert_eq!(Some(messages), found(&bytes));
            }
            Err(_) => prop_assert_eq!(found(&bytes), None),
        }
    }

    /// Groups are stepped as an oracle steps them, and what is read by name is what lies there.
    #[test]
    fn groups_are_walked_as_an_oracle_walks_them(
        bytes in prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(3), any::<u8>()], 0..90),
        root in 0u16..40,
    ) {
        let mut message = [&[0; 10][..], &bytes].concat();
        let size = message.len() as u16;
        for (at, value) in [(0, size), (2, root), (4, 46), (6, 1), (8, 13)] {
            message[at..at + 2].copy_from_slice(&value.to_le_bytes());
        }
        let parsed = Message::parse(&message);
        prop_assert_eq!(parsed.is_ok(), usize::from(root) <= bytes.len());
        let Ok(parsed) = parsed else { return Ok(()) };
        prop_assert_eq!(parsed.root_bytes(), &bytes[..root.into()]);
        let mut rest = &bytes[root.into()..];
        let mut groups = parsed.groups();
        for dimension in [Dimension::Three, Dimension::Eight, Dimension::Three] {
            let head = dimension.size();
            if rest.len() < head {
                prop_assert!(groups.next(dimension).unwrap().is_empty());
                continue;
            }
            let stride = usize::from(rest[0]) + usize::from(rest[1]) * 256;
            let count = usize::from(rest[head - 1]);
            if head + stride * count > rest.len() {
                prop_assert!(groups.next(dimension).is_err());
                break;
            }
            let group = groups.next(dimension).unwrap();
            prop_assert_eq!((group.stride(), group.len()), (stride, count));
            for i in 0..count {
                prop_assert_eq!(group.entry(i), &rest[head + i * stride..head + (i + 1) * stride]);
            }
            if let Ok(entries) = group.entries::<FillEntry>() {
                prop_assert_eq!(entries.len(), entries.count());
                for (i, entry) in entries.enumerate() {
                    prop_assert_eq!(entry.as_bytes(), &group.entry(i)[..16]);
                }
            }
            rest = &rest[head + stride * count..];
        }
    }
}
