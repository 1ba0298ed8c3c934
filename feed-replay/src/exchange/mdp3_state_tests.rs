use super::*;
use feed_common::time::UnixNanos;
use feed_common::wire::mdp3::{EventRoot, PacketBuilder, TradeEntry};

const TIME: u64 = 1_475_012_773_473_147_505;

fn level(id: i32, rpt_seq: u32, entry_type: u8, action: u8, number: u8, price: i64) -> BookEntry {
    BookEntry {
        md_entry_px_optional_ex: price.into(),
        md_entry_size_short_optional: 5.into(),
        security_id: id.into(),
        rpt_seq: rpt_seq.into(),
        number_of_orders_optional: 2.into(),
        md_price_level: number,
        md_update_action: action,
        md_entry_type_book: entry_type,
        ..BookEntry::default()
    }
}

fn order(id: u64, reference_id: u8, action: u8) -> OrderIdEntry {
    OrderIdEntry {
        order_id: id.into(),
        md_order_priority_optional: (id + 100).into(),
        md_display_qty_optional: 3.into(),
        reference_id,
        order_update_action: action,
        ..OrderIdEntry::default()
    }
}

fn message(template_id: u16, fill: impl FnOnce(&mut MessageBuilder)) -> Vec<u8> {
    let mut message = MessageBuilder::new();
    let root = EventRoot {
        transact_time: TIME.into(),
        match_event_indicator: 0x80,
    };
    message.begin(template_id, VERSION, &root);
    fill(&mut message);
    message.finish().to_vec()
}

fn book(levels: &[BookEntry], orders: &[OrderIdEntry]) -> Vec<u8> {
    message(template::BOOK, |message| {
        message.group(Dimension::Three, levels);
        message.group(Dimension::Eight, orders);
    })
}

fn apply(state: &mut Mdp3State, number: u32, messages: &[Vec<u8>]) {
    let mut packet = PacketBuilder::new(number, 1_400);
    assert!(messages.iter().all(|message| packet.push(message)));
    state.apply(packet.payload(UnixNanos(1)));
}

/// Head and entries of a snapshot: number, type and price of each.
fn said(state: &Mdp3State, id: i32) -> (u32, u32, Vec<(i8, char, i64)>) {
    let bytes = state.levels(id, 7);
    let message = Message::parse(&bytes).unwrap();
    let root: &SnapshotRoot = message.root().unwrap();
    assert_eq!(
        (root.security_id.get(), root.tot_num_reports.get()),
        (id, 7)
    );
    let group = message.groups().next(Dimension::Three).unwrap();
    let entries = group.entries::<SnapshotEntry>().unwrap().map(|e| {
        let price = e.md_entry_px_optional_ex.get();
        (e.md_price_level_optional, e.md_entry_type.into(), price)
    });
    let (last, rpt_seq) = (root.last_msg_seq_num_processed.get(), root.rpt_seq.get());
    (last, rpt_seq, entries.collect())
}

#[test]
fn levels_move_as_they_are_numbered_and_entries_of_any_template_count() {
    let mut state = Mdp3State::default();
    let levels = [
        level(42, 1, b'0', 0, 1, 10),
        level(42, 2, b'0', 0, 1, 11),
        level(42, 3, b'1', 0, 1, 20),
        level(42, 4, b'E', 0, 1, 9),
        level(42, 5, b'0', 0, 3, 8),
    ];
    apply(&mut state, 9, &[book(&levels, &[])]);
    let all = vec![
        (1, '0', 11),
        (2, '0', 10),
        (3, '0', 8),
        (1, '1', 20),
        (1, 'E', 9),
    ];
    assert_eq!(said(&state, 42), (9, 5, all));
    let trade = TradeEntry {
        security_id: 42.into(),
        rpt_seq: 6.into(),
        ..TradeEntry::default()
    };
    let trade = message(template::TRADE_SUMMARY, |message| {
        message.group(Dimension::Three, &[trade]);
    });
    let changes = [
        level(42, 7, b'0', 2, 1, 11),
        level(42, 8, b'1', 1, 1, 21),
        level(42, 9, b'0', 5, 2, 7),
    ];
    apply(&mut state, 10, &[trade, book(&changes, &[])]);
    let all = vec![(1, '0', 10), (2, '0', 7), (1, '1', 21), (1, 'E', 9)];
    assert_eq!(said(&state, 42), (10, 9, all));
    // A level that is pushed beyond the depth is gone.
    let eleven: Vec<_> = (0..11)
        .map(|i| level(43, 1 + i, b'1', 0, 1, 100 - i64::from(i)))
        .collect();
    apply(&mut state, 11, &[book(&eleven, &[])]);
    assert_eq!(said(&state, 43).2.len(), 10);
    assert_eq!(state.instruments(false), [42, 43]);
    apply(
        &mut state,
        12,
        &[book(&[level(42, 10, b'J', 0, 0, 0)], &[])],
    );
    assert_eq!(said(&state, 42), (12, 10, vec![]));
    state.apply(b"garbage");
}

#[test]
fn quantities_beyond_four_bytes_are_said_in_eight() {
    let mut state = Mdp3State::default();
    let long = BookLongEntry {
        md_entry_px_optional_ex: 10.into(),
        md_entry_size_optional: (1 << 40).into(),
        security_id: 42.into(),
        rpt_seq: 1.into(),
        md_price_level: 1,
        md_entry_type_book: b'0',
        ..BookLongEntry::default()
    };
    let long = message(template::BOOK_LONG, |message| {
        message.group(Dimension::Three, &[long]);
        message.group::<OrderIdEntry>(Dimension::Eight, &[]);
    });
    apply(&mut state, 1, &[long]);
    let bytes = state.levels(42, 1);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.template_id(), template::SNAPSHOT_LONG);
    let group = message.groups().next(Dimension::Three).unwrap();
    let entry = group
        .entries::<SnapshotLongEntry>()
        .unwrap()
        .next()
        .unwrap();
    assert_eq!(entry.md_entry_size_optional.get(), 1 << 40);
    assert_eq!(entry.md_price_level_unsigned_optional, 1);
}

#[test]
fn orders_come_in_chunks_and_every_message_says_how_many_there_are() {
    let mut state = Mdp3State::default();
    let levels = [level(42, 1, b'0', 0, 1, 10), level(43, 1, b'1', 0, 1, 20)];
    let orders: Vec<_> = (1..=5)
        .map(|id| order(id, 1, 0))
        .chain([order(9, 2, 0)])
        .collect();
    apply(&mut state, 1, &[book(&levels, &orders)]);
    apply(
        &mut state,
        2,
        &[book(&levels[..1], &[order(2, 1, 2), order(3, 1, 1)])],
    );
    let alone = OrderBookEntry {
        order_id_optional: 7.into(),
        md_order_priority_optional: 107.into(),
        md_entry_px_optional_ex: 5.into(),
        md_display_qty_optional: 1.into(),
        security_id: 42.into(),
        md_entry_type_book: b'0',
        ..OrderBookEntry::default()
    };
    let alone = message(template::ORDER_BOOK, |message| {
        message.group(Dimension::Three, &[alone]);
    });
    apply(&mut state, 3, &[alone]);
    let chunks = state.orders(41 + 2 * 29);
    let read: Vec<_> = chunks
        .iter()
        .map(|bytes| {
            let message = Message::parse(bytes).unwrap();
            let root: &SnapshotOrdersRoot = message.root().unwrap();
            let group = message.groups().next(Dimension::Three).unwrap();
            let orders = group.entries::<SnapshotOrderEntry>().unwrap();
            let ids: Vec<u64> = orders.map(|o| o.order_id.get()).collect();
            let chunk = (root.current_chunk.get(), root.no_chunks.get());
            assert_eq!((root.tot_num_reports.get(), bytes.len() <= 99), (4, true));
            (root.security_id.get(), chunk, ids)
        })
        .collect();
    let want = [
        (42, (1, 3), vec![1, 3]),
        (42, (2, 3), vec![4, 5]),
        (42, (3, 3), vec![7]),
        (43, (1, 1), vec![9]),
    ];
    assert_eq!(read, want);
    assert_eq!(state.instruments(true), [42, 43]);
}
