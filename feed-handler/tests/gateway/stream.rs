//! Snapshots, updates, subscriptions, and writers that end and come back.

use crate::support::*;
use feed_common::event::{Kind, Record};
use feed_common::wire::native::Batch;
use feed_handler::gateway::{Limits, PublishedRow};
use feed_handler::publish::{BestOf, Chosen};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use zerocopy::FromBytes;

/// Rows of a batch, its session and its first number.
fn batch(bytes: &[u8]) -> (String, u64, Vec<PublishedRow>) {
    let (batch, rest) = Batch::parse(bytes).unwrap();
    assert!(rest.is_empty());
    let header = batch.header();
    let count = usize::from(header.count.get());
    let (rows, _) = <[PublishedRow]>::ref_from_prefix_with_elems(&bytes[48..], count).unwrap();
    // A reader that knows only market data reads what is in front.
    let market: Vec<_> = batch.market_data().unwrap().iter().collect();
    let front: Vec<_> = rows.iter().map(|row| row.record.data).collect();
    assert_eq!(market, front);
    let session = String::from_utf8(header.session.to_vec()).unwrap();
    (session, header.sequence.get(), rows.to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn quotes_first_then_every_record_in_order() {
    let scratch = Scratch::new();
    let path = scratch.path("l");
    let mut feed = Feed::new(path.clone(), 1024);
    feed.quote(1, 100, 1);
    feed.quote(2, 200, 2);
    feed.quote(1, 101, 3);
    let gateway = gateway(&[path], Limits::default());
    let mut client = Client::ws(gateway.addresses()).await;
    client.say(&json!({"op": "hello"})).await;
    let welcome = client.text().await;
    assert_eq!(
        (&welcome["format"], &welcome["policy"]),
        (&json!("json"), &json!("conflate"))
    );
    assert_eq!(welcome["lanes"][0]["channels"][0]["name"], "c");
    let got = client
        .subscribe(json!({"op": "subscribe", "id": 7, "symbols": ["S1", "S3"]}))
        .await;
    let Ok([Got::Text(snapshot)]) = <[Got; 1]>::try_from(got) else {
        panic!("one message");
    };
    assert_eq!(
        (&snapshot["id"], &snapshot["lane"]),
        (&json!(7), &json!("l"))
    );
    assert_eq!(
        (&snapshot["position"], &snapshot["last"]),
        (&json!(6), &json!(true))
    );
    let quotes = snapshot["quotes"].as_array().unwrap();
    assert_eq!((quotes.len(), &quotes[0]["symbol"]), (1, &json!("S1")));
    assert_eq!(
        (&quotes[0]["bid_price"], &quotes[0]["ask_price"]),
        (&json!("101"), &json!("102"))
    );
    feed.quote(2, 201, 4);
    feed.push(&record(Kind::TRADE, 3, 50, 5));
    feed.push(&gap(6));
    feed.quote(1, 103, 9);
    let (rows, others) = rows(&mut client, 4).await;
    assert!(others.is_empty(), "{others:?}");
    let told: Vec<_> = rows
        .iter()
        .map(|r| {
            (
                r["position"].as_u64().unwrap(),
                r["type"].as_str().unwrap(),
                r["symbol"].as_str().unwrap(),
            )
        })
        .collect();
    // What is missing of a channel is told to all of its symbols' clients.
    assert_eq!(
        told,
        [
            (8, "trade", "S3"),
            (9, "gap", ""),
            (10, "bid", "S1"),
            (11, "offer", "S1")
        ]
    );
    assert_eq!(rows[0]["channel"], "c");
    assert_eq!(
        (&rows[2]["price"], &rows[2]["quantity"]),
        (&json!("103"), &json!(100))
    );
    client.say(&json!({"op": "unsubscribe", "id": 7})).await;
    let answer = client.text().await;
    assert_eq!(
        (&answer["type"], &answer["found"]),
        (&json!("unsubscribed"), &json!(true))
    );
    feed.quote(1, 104, 10);
    client.say(&json!({"op": "unsubscribe", "id": 7})).await;
    assert_eq!(client.text().await["found"], false);
    drop(client);
    until("it is noticed that the client left", || {
        gateway.facts()["clients"] == 0
    })
    .await;
    let facts = gateway.stop();
    assert_eq!((&facts["sent"], &facts["records"]), (&json!(4), &json!(14)));
    assert_eq!(facts["ended"]["left"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn binary_by_either_way_is_the_record_itself() {
    let scratch = Scratch::new();
    let path = scratch.path("l");
    let mut feed = Feed::new(path.clone(), 1024);
    feed.name(2_000, "A-LONG-NAME");
    feed.quote(2_000, 7, 1);
    let gateway = gateway(&[path], Limits::default());
    for tcp in [false, true] {
        let hello = json!({"op": "hello", "format": "binary"});
        let mut client = Client::welcomed(gateway.addresses(), tcp, hello).await;
        let got = client
            .subscribe(json!({"op": "subscribe", "id": 1, "symbols": ["A-LONG*"]}))
            .await;
        let Ok([Got::Text(begin), Got::Binary(quotes), Got::Text(end)]) = <[Got; 3]>::try_from(got)
        else {
            panic!("a snapshot");
        };
        assert_eq!(
            (&begin["last"], &begin["count"]),
            (&json!(false), &json!(1))
        );
        assert_eq!(end["last"], true);
        let (session, first, rows) = batch(&quotes);
        assert_eq!((session.as_str(), first, rows.len()), ("S000-00001", 1, 2));
        assert_eq!(rows[1].name(), b"A-LONG-NAME");
        let position = begin["position"].as_u64().unwrap();
        assert_eq!(rows[1].position.get(), position);
        assert_eq!(rows[0].record.data.kind, Kind::BID.0);
        let sent = pair(2_000, 8 + i64::from(tcp), 2);
        sent.iter().for_each(|r| feed.push(r));
        feed.flush();
        let mut got = Vec::new();
        while got.len() < 2 {
            let Some(Got::Binary(bytes)) = client.next().await else {
                panic!("a batch");
            };
            let (session, first, rows) = batch(&bytes);
            assert_eq!(
                (session.as_str(), first),
                ("U000-00001", 1 + got.len() as u64)
            );
            got.extend(rows);
        }
        for (i, (row, sent)) in got.iter().zip(&sent).enumerate() {
            assert_eq!(
                (row.record, row.position.get()),
                (*sent, position + i as u64)
            );
            assert_eq!(row.name(), b"A-LONG-NAME");
        }
    }
}

/// Best prices after the first `position` of these records, by symbol.
fn state(position: usize, written: &[Record]) -> Vec<(String, i64, i64)> {
    let mut best: BestOf<Chosen> = BestOf::new("*".parse().unwrap());
    written[..position].iter().for_each(|r| _ = best.take(r));
    let rows = best.rows().into_iter();
    rows.map(|r| {
        let name = String::from_utf8_lossy(r.symbol.trim_ascii_end()).into_owned();
        (name, r.bid.price.0, r.ask.price.0)
    })
    .collect()
}

fn nanos(price: &Value) -> i64 {
    price
        .as_str()
        .map_or(i64::MIN, |p| p.parse::<i64>().unwrap() * 1_000_000_000)
}

/// While a writer never pauses, whoever subscribes gets the best prices exactly as of the position that is said, and every
/// record from there on, once.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_twice_or_missing_between_quotes_and_updates() {
    let scratch = Scratch::new();
    let path = scratch.path("l");
    let mut feed = Feed::new(path.clone(), 1 << 16);
    let stop = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let stop = stop.clone();
        move || {
            let mut written = Vec::new();
            for n in 0.. {
                if stop.load(Relaxed) || n == 25_000 {
                    return (feed, written);
                }
                let pair = pair((n * 7 % 50) as u32, (n % 997) as i64 + 1, n + 1);
                pair.iter().for_each(|r| feed.push(r));
                feed.flush();
                written.extend(pair);
                std::thread::sleep(Duration::from_micros(20));
            }
            unreachable!()
        }
    });
    let gateway = gateway(&[path], Limits::default());
    let mut seen = Vec::new();
    for turn in 0..8 {
        tokio::time::sleep(Duration::from_millis(15)).await;
        let mut client = Client::welcomed(gateway.addresses(), false, json!({"op": "hello"})).await;
        let snapshot = client.subscribe(all(turn)).await;
        let Ok([Got::Text(snapshot)]) = <[Got; 1]>::try_from(snapshot) else {
            panic!("one message");
        };
        let (updates, others) = rows(&mut client, 300).await;
        assert!(others.is_empty(), "{others:?}");
        seen.push((snapshot, updates));
    }
    stop.store(true, Relaxed);
    let (_feed, written) = writer.join().unwrap();
    for (snapshot, updates) in seen {
        let position = snapshot["position"].as_u64().unwrap();
        let quotes = snapshot["quotes"].as_array().unwrap().iter();
        let mut quotes: Vec<_> = quotes
            .map(|q| {
                let symbol = q["symbol"].as_str().unwrap().to_owned();
                (symbol, nanos(&q["bid_price"]), nanos(&q["ask_price"]))
            })
            .collect();
        quotes.sort();
        assert_eq!(
            quotes,
            state(position as usize, &written),
            "as of {position}"
        );
        for (n, row) in (position..).zip(updates) {
            assert_eq!(row["position"], n);
            assert_eq!(row["seq"], written[n as usize].sequence.get());
            assert_eq!(nanos(&row["price"]), written[n as usize].data.price.get());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_are_of_their_symbols_and_kinds_and_a_record_comes_once() {
    let scratch = Scratch::new();
    let path = scratch.path("l");
    let mut feed = Feed::new(path.clone(), 1024);
    let gateway = gateway(&[path], Limits::default());
    let mut client = Client::welcomed(gateway.addresses(), false, json!({"op": "hello"})).await;
    for request in [
        json!({"op": "subscribe", "id": 1, "symbols": ["S1*"], "kinds": ["bid"]}),
        json!({"op": "subscribe", "id": 2, "symbols": ["S?"], "kinds": ["bid", "trade"], "snapshot": false}),
        json!({"op": "subscribe", "id": 3, "symbols": ["NOBODY"], "kinds": ["gap"]}),
    ] {
        let got = client.subscribe(request).await;
        assert!(got.len() <= 1, "{got:?}");
    }
    feed.quote(1, 10, 1);
    feed.quote(12, 10, 2);
    feed.push(&record(Kind::TRADE, 12, 1, 3));
    feed.push(&record(Kind::TRADE, 2, 1, 4));
    feed.push(&gap(5));
    feed.quote(1, 11, 6);
    let (rows, _) = rows(&mut client, 5).await;
    let told: Vec<_> = rows.iter().map(|r| r["seq"].as_u64().unwrap()).collect();
    assert_eq!(told, [1, 2, 4, 5, 6]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_told_and_the_next_writer_is_followed() {
    let scratch = Scratch::new();
    let path = scratch.path("l");
    let mut feed = Feed::new(path.clone(), 1024);
    feed.quote(1, 100, 1);
    let gateway = gateway(std::slice::from_ref(&path), Limits::default());
    let mut client = Client::welcomed(gateway.addresses(), false, json!({"op": "hello"})).await;
    client.subscribe(all(1)).await;
    feed.quote(1, 101, 2);
    drop(feed);
    let (last, others) = rows(&mut client, 2).await;
    assert!(last.len() == 2 && others.is_empty());
    let end = client.text().await;
    assert_eq!(
        (&end["type"], &end["state"]),
        (&json!("lane"), &json!("ended"))
    );
    assert_eq!(
        (&end["position"], &end["generation"]),
        (&json!(4), &json!(1))
    );
    let mut feed = Feed::new(path, 1024);
    // Its numbers begin anew, and are of others.
    feed.quote(5, 55, 1);
    let live = client.text().await;
    assert_eq!(
        (&live["state"], &live["generation"]),
        (&json!("live"), &json!(2))
    );
    let (rows, _) = rows(&mut client, 2).await;
    assert_eq!(
        (&rows[0]["symbol"], &rows[0]["position"]),
        (&json!("S5"), &json!(0))
    );
    let snapshot = client.subscribe(all(1)).await;
    let quotes = match &snapshot[0] {
        Got::Text(text) => text["quotes"].as_array().unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!((quotes.len(), &quotes[0]["symbol"]), (1, &json!("S5")));
    assert_eq!(gateway.facts()["restarts"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_was_too_slow_for_is_told() {
    let scratch = Scratch::new();
    let path = scratch.path("l");
    let mut feed = Feed::new(path.clone(), 64);
    let gateway = gateway(&[path], Limits::default());
    let mut client = Client::welcomed(gateway.addresses(), false, json!({"op": "hello"})).await;
    client.subscribe(all(1)).await;
    // As fast as it can: several laps while the gateway sleeps.
    for n in 0..5_000 {
        pair(n % 3, 5, n.into()).iter().for_each(|r| feed.push(r));
    }
    feed.flush();
    let (mut rows, mut lost) = (0, 0);
    while rows + lost < 10_000 {
        let text = client.text().await;
        match text["type"].as_str() {
            Some("updates") => rows += text["rows"].as_array().unwrap().len() as u64,
            Some("lost") => lost += text["count"].as_u64().unwrap(),
            _ => panic!("{text}"),
        }
    }
    assert!(lost > 0);
    assert_eq!((rows + lost, feed.position()), (10_000, 10_000));
    assert_eq!(gateway.facts()["lost"], lost);
    // What is asked for then is whole again.
    feed.quote(1, 77, 9_000);
    let (_, others) = crate::support::rows(&mut client, 2).await;
    assert!(others.is_empty());
    let snapshot = client.subscribe(all(2)).await.remove(0).text();
    let quotes = snapshot["quotes"].as_array().unwrap().clone();
    let one = quotes.iter().find(|q| q["symbol"] == "S1").unwrap();
    assert_eq!(
        (&one["bid_price"], &one["unsure"]),
        (&json!("77"), &json!(false))
    );
    assert_eq!(quotes.len(), 3);
}
