//! Lanes that come and go while clients are there.

use crate::support::*;
use feed_common::event::Kind;
use feed_handler::gateway::{Gateway, GatewayError, Options};
use feed_handler::tail::Place;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

fn over(dir: PathBuf) -> Result<Gateway, GatewayError> {
    Gateway::start(Options {
        lanes: Place::Folder(dir),
        ..options(&[])
    })
}

/// What a client is told of a lane, up to the row of a position: rows, and everything else by its type.
async fn up_to(client: &mut Client, lane: &str, position: u64) -> (Vec<Value>, Vec<Value>) {
    let (mut rows, mut others) = (Vec::new(), Vec::new());
    while rows
        .last()
        .is_none_or(|row: &Value| row["position"] != position)
    {
        let mut text = client.text().await;
        assert_eq!(text["lane"], lane, "{text}");
        match text["type"].as_str() {
            Some("updates") => rows.append(text["rows"].as_array_mut().unwrap()),
            _ => others.push(text),
        }
    }
    (rows, others)
}

fn positions(rows: &[Value]) -> Vec<u64> {
    rows.iter()
        .map(|row| row["position"].as_u64().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_comes_later_is_served_to_those_who_were_there() {
    let scratch = Scratch::new();
    let gateway = over(scratch.path("")).unwrap();
    assert!(!gateway.has_lanes());
    let mut all_of_it = Client::welcomed(gateway.addresses(), false, json!({"op": "hello"})).await;
    assert!(all_of_it.subscribe(all(1)).await.is_empty());
    let mut some = Client::welcomed(gateway.addresses(), false, json!({"op": "hello"})).await;
    for request in [
        json!({"op": "subscribe", "id": 2, "symbols": ["S1"]}),
        json!({"op": "subscribe", "id": 3, "symbols": ["S*"], "kinds": ["trade"]}),
    ] {
        assert!(some.subscribe(request).await.is_empty());
    }
    let mut feed = Feed::new(scratch.path("late"), 1024);
    feed.quote(1, 100, 1);
    feed.push(&record(Kind::TRADE, 2, 50, 2));
    feed.quote(2, 200, 3);
    until("it is found", || gateway.facts()["found"] == 1).await;
    // All of its records, and quotes as of a position between them.
    let mut live = all_of_it.text().await;
    assert_eq!(
        (&live["type"], &live["state"], &live["position"]),
        (&json!("lane"), &json!("live"), &json!(0))
    );
    live = some.text().await;
    assert_eq!(
        (&live["number"], &live["generation"]),
        (&json!(0), &json!(1))
    );
    let mut snapshots = Vec::new();
    while snapshots.len() < 2 {
        // The next pair only when the quotes before have come: they are as of no later position than it.
        feed.quote(1, 101 + snapshots.len() as i64, 4);
        for client in [&mut all_of_it, &mut some] {
            let (rows, others) = up_to(client, "late", feed.position() - 1).await;
            snapshots.extend(others);
            let last = rows.last().unwrap();
            assert_eq!(last["symbol"], "S1");
        }
    }
    snapshots.sort_by_key(|snapshot: &Value| snapshot["id"].as_u64());
    let [whole, one] = snapshots.try_into().unwrap();
    for (snapshot, id) in [(&whole, 1), (&one, 2)] {
        assert_eq!(
            (&snapshot["type"], &snapshot["id"], &snapshot["last"]),
            (&json!("snapshot"), &json!(id), &json!(true))
        );
    }
    assert_eq!(one["count"], 1);
    // The next message of either is the next record.
    feed.push(&record(Kind::TRADE, 1, 60, 9));
    feed.flush();
    for client in [&mut all_of_it, &mut some] {
        let (rows, others) = up_to(client, "late", feed.position() - 1).await;
        assert_eq!((rows.len(), others.len()), (1, 0));
    }
    let facts = gateway.stop();
    assert_eq!((&facts["lost"], &facts["restarts"]), (&json!(0), &json!(0)));
    assert_eq!(facts["lanes"][0]["position"], feed.position());
}

/// From the first record of a lane that came later to one that was subscribed to before nothing is twice or missing, and
/// the quotes between them are those of their position.
#[tokio::test(flavor = "multi_thread")]
async fn every_record_of_a_later_lane_comes_once_beside_those_of_others() {
    let scratch = Scratch::new();
    let mut first = Feed::new(scratch.path("a"), 1 << 14);
    first.quote(1, 1, 1);
    let gateway = over(scratch.path("")).unwrap();
    let mut client = Client::welcomed(gateway.addresses(), false, json!({"op": "hello"})).await;
    assert_eq!(client.subscribe(all(1)).await.len(), 1);
    let pairs = 1_500;
    let writer = std::thread::spawn({
        let path = scratch.path("b");
        move || {
            let mut second = Feed::new(path, 1 << 14);
            for n in 0..pairs {
                first.quote(1, n as i64 + 2, n + 2);
                second.quote((n % 9) as u32, n as i64 + 1, n + 1);
                std::thread::sleep(Duration::from_millis(1));
            }
            (first, second)
        }
    });
    let (mut a, mut b, mut snapshots) = (Vec::new(), Vec::new(), Vec::new());
    while a.len() < pairs as usize * 2 || b.len() < pairs as usize * 2 {
        let mut text = client.text().await;
        match (
            text["type"].as_str().unwrap(),
            text["lane"].as_str().unwrap(),
        ) {
            ("updates", "a") => a.append(text["rows"].as_array_mut().unwrap()),
            ("updates", "b") => b.append(text["rows"].as_array_mut().unwrap()),
            ("snapshot", "b") => snapshots.push((b.len() as u64, text)),
            ("lane", "b") => assert_eq!(text["state"], "live"),
            _ => panic!("{text}"),
        }
    }
    let _feeds = writer.join().unwrap();
    assert!(positions(&a).into_iter().eq(2..pairs * 2 + 2));
    assert!(positions(&b).into_iter().eq(0..pairs * 2));
    let [(before, snapshot)] = snapshots.try_into().unwrap();
    assert_eq!(snapshot["position"], before);
    // What the rows before it say of each symbol is what it says.
    let mut best = std::collections::BTreeMap::new();
    for row in &b[..before as usize] {
        let key = (row["symbol"].to_string(), row["type"].to_string());
        best.insert(key, row["price"].clone());
    }
    let mut said = std::collections::BTreeMap::new();
    for quote in snapshot["quotes"].as_array().unwrap() {
        for (kind, price) in [("\"bid\"", "bid_price"), ("\"offer\"", "ask_price")] {
            let key = (quote["symbol"].to_string(), kind.to_owned());
            if !quote[price].is_null() {
                said.insert(key, quote[price].clone());
            }
        }
    }
    assert_eq!(said, best);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_overwritten_before_a_lane_was_found_is_told() {
    let scratch = Scratch::new();
    let gateway = over(scratch.path("")).unwrap();
    let mut client = Client::welcomed(gateway.addresses(), false, json!({"op": "hello"})).await;
    client.subscribe(all(1)).await;
    // Complete before it has the name that it is looked for by.
    let hidden = scratch.path("hidden");
    std::fs::create_dir(&hidden).unwrap();
    let mut feed = Feed::new(hidden.join("l"), 64);
    for n in 0..500 {
        feed.quote(n % 3, i64::from(n) + 1, n.into());
    }
    std::fs::rename(hidden.join("l"), scratch.path("l")).unwrap();
    assert_eq!(client.text().await["state"], "live");
    let lost = client.text().await;
    assert_eq!(lost["type"], "lost");
    let count = lost["count"].as_u64().unwrap();
    assert!((1_000 - 64..1_000).contains(&count), "{count}");
    let (rows, mut others) = up_to(&mut client, "l", 999).await;
    assert!(positions(&rows).into_iter().eq(count..1_000));
    if others.is_empty() {
        others.push(client.text().await);
    }
    assert_eq!(
        (&others[0]["type"], &others[0]["count"]),
        (&json!("snapshot"), &json!(3))
    );
    assert_eq!(gateway.facts()["lost"], count);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_whose_file_is_gone_is_no_more_and_its_number_is_free() {
    let scratch = Scratch::new();
    let feed = Feed::new(scratch.path("old"), 1024);
    let gateway = over(scratch.path("")).unwrap();
    let mut client = Client::welcomed(gateway.addresses(), false, json!({"op": "hello"})).await;
    client.subscribe(all(1)).await;
    drop(feed);
    assert_eq!(client.text().await["state"], "ended");
    std::fs::remove_file(scratch.path("old")).unwrap();
    let gone = client.text().await;
    assert_eq!(
        (&gone["lane"], &gone["state"]),
        (&json!("old"), &json!("gone"))
    );
    assert!(!gateway.has_lanes());
    let mut feed = Feed::new(scratch.path("new"), 1024);
    let live = client.text().await;
    assert_eq!(
        (&live["lane"], &live["number"], &live["generation"]),
        (&json!("new"), &json!(0), &json!(2))
    );
    assert_eq!(client.text().await["count"], 0);
    feed.quote(1, 5, 1);
    let (rows, _) = up_to(&mut client, "new", 1).await;
    assert_eq!(rows.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_read_are_told_once_and_keep_nobody_from_the_others() {
    let scratch = Scratch::new();
    let none = over(scratch.path("nowhere")).err().unwrap();
    assert!(none.to_string().contains("No such file"), "{none}");
    std::fs::write(scratch.path("junk"), [7; 8192]).unwrap();
    // At the beginning somebody is there who can be told.
    let junk = over(scratch.path("")).err().unwrap();
    let said = junk.to_string();
    assert!(
        said.contains("junk: it is not a shared-memory file"),
        "{said}"
    );
    let _feed = Feed::new(scratch.path("l"), 1024);
    let gateway = over(scratch.path("")).unwrap();
    assert_eq!(gateway.facts()["lanes"].as_array().unwrap().len(), 1);
    std::fs::write(scratch.path("more"), [7; 100]).unwrap();
    let mut told: Vec<String> = Vec::new();
    until("it is told", || {
        told.extend(gateway.warnings());
        told.len() == 2
    })
    .await;
    assert!(
        told[0].contains("junk: ") && told[1].contains("more: "),
        "{told:?}"
    );
    assert_eq!(gateway.facts()["unreadable"], 2);
    // Another look says nothing new; what can be read then is.
    std::fs::remove_file(scratch.path("more")).unwrap();
    let _later = Feed::new(scratch.path("more"), 1024);
    until("it is found", || gateway.facts()["found"] == 1).await;
    assert_eq!(gateway.facts()["unreadable"], 1);
    assert_eq!(gateway.warnings().count(), 0);
}
