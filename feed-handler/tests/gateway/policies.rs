//! Clients that are too slow, and those beside them.

use crate::support::*;
use feed_handler::gateway::Limits;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

const INSTRUMENTS: u64 = 20;

/// Writes so many pairs, the last round with a price of its own, no faster than the gateway reads.
fn write(feed: &mut Feed, pairs: u64) {
    for n in 0..pairs {
        feed.quote((n % INSTRUMENTS) as u32, n as i64 + 1, n + 1);
        if n % 100 == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// What a client that begins to read late is told, until nothing is missing: rows, and counts by what they are called.
async fn catch_up(client: &mut Client, records: u64) -> (Vec<Value>, BTreeMap<String, u64>) {
    let (mut rows, mut counts) = (Vec::new(), BTreeMap::new());
    while rows.len() as u64 + counts.values().sum::<u64>() < records {
        let mut text = client.text().await;
        let kind = text["type"].as_str().unwrap().to_owned();
        match kind.as_str() {
            "updates" => rows.append(text["rows"].as_array_mut().unwrap()),
            _ => *counts.entry(kind).or_insert(0) += text["count"].as_u64().unwrap(),
        }
    }
    (rows, counts)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_slow_gets_what_it_chose() {
    let scratch = Scratch::new();
    let path = scratch.path("l");
    let mut feed = Feed::new(path.clone(), 1 << 16);
    let gateway = gateway(&[path], Limits::default());
    let mut clients = Vec::new();
    for policy in ["skip", "conflate", "disconnect"] {
        let hello = json!({"op": "hello", "policy": policy, "queue": 64});
        let mut client = Client::welcomed(gateway.addresses(), false, hello).await;
        client.subscribe(all(1)).await;
        clients.push(client);
    }
    // Far more than the system holds for a connection.
    let pairs = 60_000;
    write(&mut feed, pairs);
    let read = || gateway.facts()["records"] == pairs * 2;
    until("everything is read", read).await;
    let [mut skips, mut conflates, mut drops] = clients.try_into().ok().unwrap();

    let (rows, counts) = catch_up(&mut skips, pairs * 2).await;
    assert!(counts["skipped"] > 0 && counts.len() == 1, "{counts:?}");
    let last = rows.last().unwrap();
    assert_eq!(last["position"], pairs * 2 - 1);

    let (rows, counts) = catch_up(&mut conflates, pairs * 2).await;
    assert!(counts["conflated"] > 0 && counts.len() == 1, "{counts:?}");
    // Of every instrument and side the last that was said is the last there was.
    let mut last = BTreeMap::new();
    for row in &rows {
        let key = (row["symbol"].to_string(), row["type"].to_string());
        last.insert(key, row["position"].as_u64().unwrap());
    }
    assert_eq!(last.len() as u64, INSTRUMENTS * 2);
    for position in last.values() {
        assert!(*position >= (pairs - INSTRUMENTS) * 2, "{last:?}");
    }

    let (cause, reason) = ending_of(&mut drops).await;
    assert!(
        cause == "too_slow" && reason.contains("64 records"),
        "{reason}"
    );
    let facts = gateway.facts();
    assert_eq!(facts["ended"]["too_slow"], 1);
    let sum = |name: &str| facts[name].as_u64().unwrap();
    assert!(sum("skipped") > 0 && sum("conflated") > 0);
    assert_eq!(sum("dropped"), 0);
}

/// What a client is told at the end. One whose connection was full when it was dropped may not be told.
async fn ending_of(client: &mut Client) -> (String, String) {
    let mut last = Value::Null;
    while let Some(got) = client.next().await {
        last = got.text();
    }
    match last["type"] == "closed" {
        true => {
            let word = |key: &str| last[key].as_str().unwrap().to_owned();
            (word("cause"), word("reason"))
        }
        false => ("too_slow".into(), "64 records (not told)".into()),
    }
}

/// 99 take everything, one takes nothing: the 99 have all of it, in order, and no later than without the one.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_never_reads_changes_nothing_for_99_others() {
    let scratch = Scratch::new();
    let path = scratch.path("l");
    let mut feed = Feed::new(path.clone(), 1 << 16);
    let gateway = gateway(&[path], Limits::default());
    let hello = json!({"op": "hello", "format": "binary", "policy": "conflate", "queue": 128});
    let mut stuck = Client::welcomed(gateway.addresses(), true, hello).await;
    stuck.subscribe(all(1)).await;
    let hello = json!({"op": "hello", "format": "binary", "policy": "disconnect"});
    let mut clients = Vec::new();
    for n in 0..99 {
        let mut client = Client::welcomed(gateway.addresses(), n % 2 == 0, hello.clone()).await;
        client.subscribe(all(1)).await;
        clients.push(client);
    }
    let pairs = 20_000u64;
    // How far each has read. However slow this machine is today, none of them is to be behind by what waits for it at most.
    let read: Arc<[AtomicU64]> = clients.iter().map(|_| AtomicU64::new(0)).collect();
    let tasks: Vec<_> = clients
        .into_iter()
        .enumerate()
        .map(|(n, mut client)| {
            let read = read.clone();
            tokio::spawn(async move {
                let mut next = 1;
                while next <= pairs * 2 {
                    let Some(Got::Binary(bytes)) = client.next().await else {
                        panic!("not all of it: {next}");
                    };
                    let (batch, _) = feed_common::wire::native::Batch::parse(&bytes).unwrap();
                    // Numbers without a gap are all records without a gap.
                    assert_eq!(batch.header().sequence.get(), next);
                    next += u64::from(batch.header().count.get());
                    read[n].store(next, Relaxed);
                }
                (client, Instant::now())
            })
        })
        .collect();
    let written = tokio::task::spawn_blocking(move || {
        for n in 0..pairs {
            feed.quote((n % INSTRUMENTS) as u32, n as i64 + 1, n + 1);
            let behind = || read.iter().any(|read| read.load(Relaxed) + 4_000 < n * 2);
            let since = Instant::now();
            while n % 20 == 0 && behind() && since.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        (feed, Instant::now())
    });
    let (_feed, written) = written.await.unwrap();
    let mut clients = Vec::new();
    for task in tasks {
        let (client, done) = task.await.unwrap();
        clients.push(client);
        let late = done.saturating_duration_since(written);
        // Nowhere near what the one that is stuck is given to move.
        assert!(late < Duration::from_secs(10), "{late:?}");
    }
    let facts = gateway.facts();
    assert_eq!(
        (&facts["clients"], &facts["skipped"]),
        (&json!(100), &json!(0))
    );
    assert_eq!(facts["lost"], 0);
    assert!(facts["conflated"].as_u64() > Some(0), "it was not stuck");
}
