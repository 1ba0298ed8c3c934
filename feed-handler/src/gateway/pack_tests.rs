use super::*;
use crate::gateway::queue::{Missing, State};
use crate::gateway::update::Memory;
use crate::gateway::update::tests::{source, update};
use feed_common::event::Kind;
use feed_common::wire::native::Batch;
use serde_json::Value;

fn pool() -> &'static Pool {
    Pool::leaked(2, MESSAGE_MAX).unwrap()
}

fn items(updates: u64, memory: &Arc<Memory>) -> VecDeque<Item> {
    let like = update(Kind::BID, 1, 0, memory);
    let of = like.source.clone();
    let more = (0..updates).map(|position| {
        let row = like.row.clone();
        let update = crate::gateway::update::Update::new(&of, position, row, memory);
        Item::Update(Arc::new(update))
    });
    more.collect()
}

#[test]
fn messages_of_text_are_no_longer_than_a_buffer_and_hold_everything_in_order() {
    let (memory, pool) = (Arc::new(Memory::new(usize::MAX)), pool());
    let mut items = items(2_000, &memory);
    let mut packer = Packer::new(Form::Json, pool);
    let (mut next, mut messages) = (0, 0);
    while let Some(Outgoing::Text(bytes)) = packer.pack(&mut items) {
        assert!(bytes.len() <= MESSAGE_MAX);
        let text: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(
            (text["type"].as_str(), text["lane"].as_str()),
            (Some("updates"), Some("lane0"))
        );
        for row in text["rows"].as_array().unwrap() {
            assert_eq!(row["position"], next);
            next += 1;
        }
        messages += 1;
    }
    assert_eq!(next, 2_000);
    assert!((2..20).contains(&messages), "{messages}");
    // Buffers came back, as long as they were.
    assert_eq!((pool.available(), pool.misses(), pool.regrown()), (2, 0, 0));
    assert_eq!(memory.used(), 0);
}

#[test]
fn numbers_of_batches_go_over_what_is_missing_and_begin_anew_with_a_writer() {
    let (memory, pool) = (Arc::new(Memory::new(usize::MAX)), pool());
    let mut all = items(1_500, &memory);
    let of = match &all[0] {
        Item::Update(update) => update.source.clone(),
        _ => unreachable!(),
    };
    all.push_back(Item::Missing {
        source: of,
        why: Missing::Skipped,
        count: 10,
    });
    let again = source(0, 2);
    all.push_back(Item::State {
        source: again.clone(),
        state: State::Live,
        position: 0,
    });
    let Some(Item::Update(like)) = all.front() else {
        unreachable!()
    };
    let row = like.row.clone();
    let late = crate::gateway::update::Update::new(&again, 0, row, &memory);
    all.push_back(Item::Update(Arc::new(late)));
    let mut packer = Packer::new(Form::Binary, pool);
    let mut told = Vec::new();
    while let Some(message) = packer.pack(&mut all) {
        told.push(match message {
            Outgoing::Binary(bytes) => {
                let (batch, rest) = Batch::parse(&bytes).unwrap();
                assert!(rest.is_empty());
                let header = batch.header();
                let session = String::from_utf8(header.session.to_vec()).unwrap();
                format!(
                    "{session} {} +{}",
                    header.sequence.get(),
                    header.count.get()
                )
            }
            Outgoing::Text(bytes) => {
                let text: Value = serde_json::from_slice(&bytes).unwrap();
                text["type"].as_str().unwrap().to_owned()
            }
            Outgoing::Heartbeat => unreachable!(),
        });
    }
    let want = [
        "U000-00001 1 +681",
        "U000-00001 682 +681",
        "U000-00001 1363 +138",
        "skipped",
        "lane",
        "U000-00002 1 +1",
    ];
    assert_eq!(told, want);
    assert_eq!((pool.available(), pool.misses(), pool.regrown()), (2, 0, 0));
}
