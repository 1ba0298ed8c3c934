use super::*;
use feed_common::event::Trust;
use feed_common::wire::mdp3::{
    NULL_I8, SnapshotEntry, SnapshotOrderEntry, SnapshotOrdersRoot, SnapshotRoot,
};

/// As [`Read`], with the trust of what was said last.
struct Lossy(Read);

impl Lossy {
    /// Instrument 42 has a bid at 10 as of its entry 5, and then packets below 100 are lost.
    fn new() -> Lossy {
        let mut read = Read::new();
        read.message(&book(END, &[level(42, 5, b'0', 0, 1, 10)], &[]));
        assert_eq!(read.out.last.trust, Trust::VALID);
        read.decoder.doubt(100);
        assert!(read.decoder.is_recovering());
        Lossy(read)
    }

    /// The trust that the events of a message have.
    fn trust(&mut self, message: &[u8]) -> Trust {
        self.0.message(message);
        self.0.out.last.trust
    }

    /// Takes a snapshot while packet 110 is the next; what was said, and the trust it ends with.
    fn refresh(&mut self, snapshot: &[u8], since: Option<&[Vec<u8>]>) -> (Vec<String>, Trust) {
        let mut cx = MsgCtx {
            sequence: 110,
            trust: Trust::RECOVERING,
            ..MsgCtx::default()
        };
        let since = since.map(|since| since.iter().map(Vec::as_slice));
        let Read { decoder, out } = &mut self.0;
        decoder.refresh(snapshot, since, &mut cx, out).unwrap();
        (self.0.out.take(), self.0.out.last.trust)
    }
}

fn bid(id: i32, rpt_seq: u32, level_number: u8, price: i64) -> Vec<u8> {
    book(
        END,
        &[level(id, rpt_seq, b'0', 0, level_number, price)],
        &[],
    )
}

/// A snapshot with one bid and one figure.
fn snapshot(id: i32, as_of: u32, rpt_seq: u32, price: i64) -> Vec<u8> {
    let root = SnapshotRoot {
        last_msg_seq_num_processed: as_of.into(),
        tot_num_reports: 1.into(),
        security_id: id.into(),
        rpt_seq: rpt_seq.into(),
        md_security_trading_status: NULL_U8,
        ..SnapshotRoot::default()
    };
    let entry = |md_entry_type, md_price_level_optional| SnapshotEntry {
        md_entry_px_optional_ex: price.into(),
        md_entry_size_short_optional: 7.into(),
        number_of_orders_optional: NULL_I32.into(),
        md_price_level_optional,
        md_entry_type,
        ..SnapshotEntry::default()
    };
    let mut message = MessageBuilder::new();
    message.begin(template::SNAPSHOT, 13, &root);
    message.group(Dimension::Three, &[entry(b'0', 1), entry(b'7', NULL_I8)]);
    message.finish().to_vec()
}

fn orders(id: i32, as_of: u32, chunk: (u32, u32), ids: &[u64]) -> Vec<u8> {
    let root = SnapshotOrdersRoot {
        last_msg_seq_num_processed: as_of.into(),
        security_id: id.into(),
        current_chunk: chunk.0.into(),
        no_chunks: chunk.1.into(),
        ..SnapshotOrdersRoot::default()
    };
    let entries: Vec<_> = ids
        .iter()
        .map(|&id| SnapshotOrderEntry {
            order_id: id.into(),
            md_order_priority: (id + 100).into(),
            md_entry_px_ex: 10.into(),
            md_display_qty: 3.into(),
            md_entry_type_book: b'0',
        })
        .collect();
    let mut message = MessageBuilder::new();
    message.begin(template::SNAPSHOT_ORDERS, 13, &root);
    message.group(Dimension::Three, &entries).finish().to_vec()
}

#[test]
fn the_next_entry_shows_whether_one_was_lost() {
    let mut l = Lossy::new();
    assert_eq!(l.trust(&bid(42, 6, 1, 11)), Trust::VALID, "6 follows 5");
    assert_eq!(l.trust(&bid(43, 1, 1, 11)), Trust::VALID, "its first ever");
    assert_eq!(
        l.trust(&bid(44, 2, 1, 11)),
        Trust::RECOVERING,
        "not its first"
    );
    l.0.decoder.doubt(105);
    assert_eq!(l.trust(&bid(42, 8, 1, 11)), Trust::RECOVERING, "7 was lost");
    assert_eq!(l.trust(&bid(42, 9, 1, 11)), Trust::RECOVERING);
    assert_eq!(
        l.trust(&book(END, &[level(42, 10, b'J', 0, 0, 0)], &[])),
        Trust::VALID
    );
    // A step over entries without a packet that is missing.
    l.0.decoder.restart();
    assert_eq!(l.trust(&bid(42, 1, 1, 11)), Trust::VALID);
    let said = l.0.message(&bid(42, 3, 1, 11));
    assert_eq!(said.len(), 2, "what it was before is closed: {said:?}");
    assert_eq!(l.0.out.last.trust, Trust::RECOVERING);
}

#[test]
fn a_snapshot_replaces_the_levels_and_what_came_since_follows() {
    let mut l = Lossy::new();
    assert_eq!(l.trust(&bid(42, 9, 2, 8)), Trust::RECOVERING);
    let since = [bid(42, 9, 2, 8), bid(43, 1, 1, 1)];
    let (said, trust) = l.refresh(&snapshot(42, 105, 8, 12), Some(&since));
    let own = |action, level, price, quantity, orders| {
        format!(
            "42 {:?}|",
            SlotUpdate {
                implied: false,
                side: Side::BUY,
                action,
                level,
                price: Price(price),
                quantity,
                orders,
            }
        )
    };
    let first = own(SlotAction::Overlay, 1, 12, 7, None);
    assert_eq!(
        (said.len(), said[0].as_str(), &said[1]),
        (4, "42 \"clear\"|", &first)
    );
    assert!(
        said[2].contains("New") && said[2].contains("level: 2"),
        "{said:?}"
    );
    assert_eq!((said[3].as_str(), trust), ("42 \"end\".", Trust::VALID));
    assert_eq!(l.trust(&bid(42, 10, 1, 11)), Trust::VALID);
    assert_eq!(
        l.refresh(&snapshot(42, 105, 8, 12), Some(&since)).0,
        [""; 0],
        "not again"
    );
}

#[test]
fn a_snapshot_of_what_is_held_changes_nothing_and_old_ones_or_early_ones_are_none() {
    let mut l = Lossy::new();
    assert!(l.refresh(&snapshot(42, 98, 5, 12), Some(&[])).0.is_empty());
    assert!(l.refresh(&snapshot(42, 110, 5, 12), Some(&[])).0.is_empty());
    assert_eq!(
        (l.0.odd("snapshot_stale"), l.0.odd("snapshot_ahead")),
        (1, 1)
    );
    let (said, trust) = l.refresh(&snapshot(42, 99, 5, 12), None);
    assert_eq!(
        (said, trust),
        (vec!["42 \"end\".".to_owned()], Trust::VALID)
    );
    // What came since is not there any more.
    l.0.decoder.doubt(100);
    assert!(l.refresh(&snapshot(42, 99, 6, 12), None).0.is_empty());
    assert_eq!(l.0.odd("snapshot_stale"), 2);
}

#[test]
fn who_has_orders_is_whole_when_both_are() {
    let mut l = Lossy::new();
    l.0.decoder.expect_orders();
    l.0.message(&book(
        END,
        &[level(43, 1, b'0', 0, 1, 10)],
        &[order(5, 1, 0)],
    ));
    assert_eq!(l.0.out.last.trust, Trust::RECOVERING, "there may be others");
    let (_, trust) = l.refresh(&snapshot(43, 105, 1, 10), Some(&[]));
    assert_eq!(trust, Trust::RECOVERING);
    assert!(
        l.refresh(&orders(43, 105, (2, 2), &[6]), Some(&[]))
            .0
            .is_empty()
    );
    let (said, trust) = l.refresh(&orders(43, 105, (1, 2), &[5]), Some(&[]));
    assert_eq!((said.len(), trust), (3, Trust::RECOVERING));
    let gone = book(END, &[level(43, 2, b'0', 1, 1, 10)], &[order(5, 1, 2)]);
    let (said, trust) = l.refresh(&orders(43, 105, (2, 2), &[6]), Some(&[gone]));
    assert_eq!(
        (said.len(), trust),
        (3, Trust::RECOVERING),
        "levels come next"
    );
    assert!(said[1].contains("order_id: 5"), "{said:?}");
    let (_, trust) = l.refresh(&snapshot(43, 105, 1, 10), Some(&[]));
    assert_eq!((trust, l.0.odd("snapshot_chunk")), (Trust::VALID, 1));
}

#[test]
fn what_a_whole_loop_does_not_have_is_empty() {
    let mut l = Lossy::new();
    l.trust(&bid(43, 7, 1, 10));
    let mut cx = MsgCtx {
        sequence: 110,
        trust: Trust::RECOVERING,
        ..MsgCtx::default()
    };
    let Read { decoder, out } = &mut l.0;
    decoder.loop_begins(false);
    decoder.loop_ends(false, 98, &mut cx, out);
    assert!(out.take().is_empty(), "of before the loss");
    decoder.loop_ends(false, 99, &mut cx, out);
    // Of 43 something was heard since.
    assert_eq!(out.take(), ["42 \"clear\"|", "42 \"end\"."]);
    assert_eq!(l.trust(&bid(42, 9, 1, 10)), Trust::VALID);
}
