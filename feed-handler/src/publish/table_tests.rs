use super::*;
use crate::publish::BestOf;
use feed_common::event::{Price, Side, Trust};
use feed_common::ring::shared::{OwnedBy, Published, Session, SharedPlan, SharedReader, publish};
use feed_common::ring::shared::{Quote, QuoteFlags};
use feed_common::time::{Clock, UnixNanos};
use proptest::prelude::*;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// A table in a folder that goes away, and what another process sees of it.
struct World {
    dir: PathBuf,
    table: Table,
    reader: SharedReader,
}

impl World {
    fn new(instruments: u32) -> World {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let (pid, number) = (std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let dir = std::env::temp_dir().join(format!("feed-handler-table-{pid}-{number}"));
        std::fs::create_dir(&dir).unwrap();
        let path = dir.join("lane");
        let published = publish(&SharedPlan {
            path: path.clone(),
            slots: 64,
            instruments,
            mode: 0o600,
            group: None,
            session: Session::new("test"),
            channels: Vec::new(),
            scale: Clock::new().scale(),
        });
        let Published { board, .. } = published.unwrap();
        World {
            dir,
            table: Table::new(board),
            reader: SharedReader::open(&path, OwnedBy::Us).unwrap(),
        }
    }

    fn quote(&self, row: u32) -> Option<Quote> {
        self.reader.quote(row).unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn record(kind: Kind, instrument: u32, price: i64) -> Record {
    let mut record = Record::default();
    record.data.kind = kind.0;
    record.data.symbol = match instrument {
        NO_INSTRUMENT => *b"        ",
        n => format!("S{n:<7}").into_bytes().try_into().unwrap(),
    };
    record.data.price.set(price);
    record.data.quantity.set(100);
    record.data.timestamp.set(9);
    record.channel.set(3);
    record.sequence.set(7);
    record.instrument.set(instrument);
    record
}

#[test]
fn a_quote_has_both_of_its_sides_and_their_exact_quantities() {
    let mut world = World::new(4);
    let mut bid = record(Kind::BID, 5, 100);
    bid.data.quantity.set(u32::MAX);
    bid.data.flags.set(Flags::QUANTITY_SATURATED.0);
    let mut exact = record(Kind::EXTENSION, 5, 0);
    exact.data.side = Side::BUY.0;
    exact.order_id.set(1 << 40);
    let offer = record(Kind::OFFER, 5, 101);
    for part in [bid, exact] {
        world.table.take(&part);
        assert_eq!(world.quote(0), None, "of the bid alone nobody hears");
    }
    world.table.take(&offer);
    let quote = world.quote(0).unwrap();
    assert_eq!((quote.bid, quote.ask), (Price(100), Price(101)));
    assert_eq!((quote.bid_quantity, quote.ask_quantity), (1 << 40, 100));
    assert_eq!((quote.timestamp, quote.sequence), (UnixNanos(9), 7));
    assert_eq!(world.reader.row_of(3, 5), Some(0));
    // A bid without an offer is written when nothing follows it.
    world.table.take(&record(Kind::BID, 5, 99));
    assert_eq!(world.quote(0).unwrap().bid, Price(100));
    world.table.settle();
    assert_eq!(world.quote(0).unwrap().bid, Price(99));
}

#[test]
fn long_names_are_put_together_from_what_follows_the_announcement() {
    let mut world = World::new(4);
    let mut directory = record(Kind::DIRECTORY, 5, 0);
    directory.data.symbol = *b"#5      ";
    let name = b"UD:1V: VT 2612345678";
    let parts = name.chunks(16).map(|part| {
        let mut bytes = [0; 16];
        bytes[..part.len()].copy_from_slice(part);
        let word = u128::from_le_bytes(bytes);
        let mut extension = record(Kind::EXTENSION, 5, (word >> 64) as i64);
        extension.data.symbol = directory.data.symbol;
        extension.order_id.set(word as u64);
        extension
    });
    world.table.take(&directory);
    for part in parts {
        world.table.take(&part);
    }
    let it = world.reader.instrument(0).unwrap().unwrap();
    assert_eq!(it.name.as_bytes(), name);
    assert_eq!(world.quote(0), None, "it has no best prices yet");
}

#[test]
fn gaps_silence_and_losses_reach_every_quote_they_concern() {
    let mut world = World::new(4);
    for instrument in [1, 2] {
        world.table.take(&record(Kind::BID, instrument, 100));
        world.table.take(&record(Kind::OFFER, instrument, 101));
    }
    world.table.take(&record(Kind::GAP, NO_INSTRUMENT, 0));
    for row in [0, 1] {
        assert_eq!(world.quote(row).unwrap().trust, Trust::RECOVERING);
    }
    world.table.take(&record(Kind::CLEAR, NO_INSTRUMENT, 0));
    let quote = world.quote(1).unwrap();
    assert_eq!((quote.trust, quote.bid), (Trust::VALID, Price::NULL));
    let mut silent = record(Kind::TRUST, NO_INSTRUMENT, 0);
    silent.trust = Trust::STALE.0;
    world.table.take(&silent);
    assert_eq!(world.quote(0).unwrap().trust, Trust::STALE);
    world.table.lose(5);
    assert_eq!(world.quote(0).unwrap().flags, QuoteFlags::UNSURE);
}

#[test]
fn instruments_without_room_are_counted_and_change_nothing() {
    let mut world = World::new(1);
    for instrument in [1, 2] {
        world.table.take(&record(Kind::BID, instrument, 100));
        world.table.take(&record(Kind::OFFER, instrument, 101));
    }
    assert_eq!(world.reader.rows(), 1);
    assert!(world.table.board().turned_away() > 0);
}

proptest! {
    /// What is in the table, when everything was read, is what the rows for `top` say, which are found in another way.
    #[test]
    fn agrees_with_best_prices_by_symbol(
        records in prop::collection::vec((1u8..22, 0u32..4, any::<i64>(), any::<bool>()), 0..200),
    ) {
        let mut world = World::new(8);
        let mut best = BestOf::new("*".parse().unwrap());
        for (kind, instrument, price, ends) in records {
            let mut record = record(Kind(kind), instrument, price);
            record.data.flags.set(u16::from(ends));
            best.take(&record);
            world.table.take(&record);
        }
        world.table.settle();
        for row in best.rows() {
            let at = world.reader.row_of(row.channel, row.instrument).unwrap();
            prop_assert_eq!(world.quote(at), Some(row.quote()));
        }
        let known = (0..world.reader.rows()).filter(|row| world.quote(*row).is_some());
        prop_assert_eq!(known.count(), best.rows().len());
    }
}
