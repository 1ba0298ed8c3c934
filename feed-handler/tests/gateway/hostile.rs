//! Clients that do what they should not: each is ended with a reason and counted, and the one beside it does not notice.

use crate::support::*;
use feed_handler::gateway::{Gateway, Limits};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Short times, so that the test is.
fn limits() -> Limits {
    Limits {
        handshake: Duration::from_millis(300),
        heartbeat: Duration::from_millis(200),
        ..Limits::default()
    }
}

struct Scene {
    feed: Feed,
    gateway: Gateway,
    /// Must go on as if nothing were.
    bystander: Client,
    sequence: u64,
    _scratch: Scratch,
}

impl Scene {
    async fn new(limits: Limits) -> Scene {
        let scratch = Scratch::new();
        let path = scratch.path("l");
        let feed = Feed::new(path.clone(), 1024);
        let gateway = gateway(&[path], limits);
        let hello = json!({"op": "hello"});
        let mut bystander = Client::welcomed(gateway.addresses(), false, hello).await;
        bystander.subscribe(all(1)).await;
        Scene {
            feed,
            gateway,
            bystander,
            sequence: 0,
            _scratch: scratch,
        }
    }

    /// What was done is counted under its cause, and the one beside it has its records.
    async fn has_counted(&mut self, cause: &str) {
        let before = self.gateway.facts();
        assert!(
            before["ended"][cause].as_u64() > Some(0),
            "{cause}: {before}"
        );
        self.sequence += 1;
        self.feed.quote(1, 5, self.sequence);
        let (rows, others) = rows(&mut self.bystander, 2).await;
        assert_eq!(rows[0]["seq"], self.sequence);
        assert!(others.is_empty(), "{others:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_meant_ends_with_what_was_expected() {
    let mut scene = Scene::new(Limits::default()).await;
    let at = scene.gateway.addresses();
    for tcp in [false, true] {
        for (hello, said, cause, expected) in [
            (false, "garbage", "bad_request", "not a request"),
            (
                false,
                r#"{"op":"subscribe","id":1,"symbols":["*"]}"#,
                "bad_request",
                "hello",
            ),
            (
                false,
                r#"{"op":"hello","queue":0}"#,
                "bad_request",
                "1 to 8192",
            ),
            (true, r#"{"op":"hello"}"#, "bad_request", "second hello"),
            (
                true,
                r#"{"op":"subscribe","id":1,"symbols":["A B"]}"#,
                "bad_request",
                "pattern",
            ),
            (
                true,
                r#"{"op":"subscribe","id":1}"#,
                "bad_request",
                "symbols",
            ),
            (true, "\u{0}", "bad_request", "not a request"),
        ] {
            let mut client = match (hello, tcp) {
                (true, _) => Client::welcomed(at, tcp, json!({"op": "hello"})).await,
                (false, true) => Client::tcp(at).await,
                (false, false) => Client::ws(at).await,
            };
            client.say_text(said).await;
            let (told, reason) = client.ending().await;
            assert_eq!(told, cause, "{said}: {reason}");
            assert!(reason.contains(expected), "{said}: {reason}");
        }
    }
    scene.has_counted("bad_request").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_are_none_or_too_long_are_refused() {
    let mut scene = Scene::new(Limits::default()).await;
    let at = scene.gateway.addresses();
    // A length of 4 GiB, and nothing behind it.
    let mut client = Client::tcp(at).await;
    client.say_raw(&[0xFF; 4]).await;
    let (cause, reason) = client.ending().await;
    assert!(
        cause == "too_large" && reason.contains("at most 16384"),
        "{reason}"
    );
    // A web page that speaks HTTP to it.
    let mut client = Client::tcp(at).await;
    client.say_raw(b"POST / HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.ending().await.0, "too_large");
    // A message of a mebibyte.
    let mut client = Client::ws(at).await;
    client.say_text(&"x".repeat(1 << 20)).await;
    let mut told = Vec::new();
    while let Some(got) = client.next().await {
        told.push(got.text()["cause"].clone());
    }
    // Who sends so much may find the connection reset before it reads why.
    assert!(told.is_empty() || told == ["too_large"], "{told:?}");
    // Bytes that are no frame of a WebSocket.
    let mut client = Client::welcomed(at, false, json!({"op": "hello"})).await;
    client.say_raw(&[0x7F; 64]).await;
    while client.next().await.is_some() {}
    until("both are counted", || {
        let ended = &scene.gateway.facts()["ended"];
        ended["too_large"] == 3 && ended["bad_request"] == 1
    })
    .await;
    scene.has_counted("too_large").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_subscriptions_and_a_flood_of_messages_are_too_many() {
    let mut scene = Scene::new(Limits::default()).await;
    let at = scene.gateway.addresses();
    for tcp in [false, true] {
        let mut client = Client::welcomed(at, tcp, json!({"op": "hello"})).await;
        for id in 0..1_000_000u32 {
            client
                .say(&json!({"op": "subscribe", "id": id, "symbols": ["*"], "snapshot": false}))
                .await;
            if id % 64 == 63
                && scene.gateway.facts()["ended"]["too_many"].as_u64() > Some(u64::from(tcp))
            {
                break;
            }
        }
        let mut client = Client::welcomed(at, tcp, json!({"op": "hello"})).await;
        for _ in 0..150 {
            client.say(&json!({"op": "unsubscribe", "id": 1})).await;
        }
        let (cause, reason) = client.ending().await;
        assert!(
            cause == "too_many" && reason.contains("100 messages a second"),
            "{reason}"
        );
    }
    let mut client = Client::welcomed(at, true, json!({"op": "hello"})).await;
    for id in 0..65 {
        client
            .say(&json!({"op": "subscribe", "id": id, "symbols": ["*"]}))
            .await;
    }
    let (cause, reason) = client.ending().await;
    assert!(
        cause == "too_many" && reason.contains("64 subscriptions"),
        "{reason}"
    );
    scene.has_counted("too_many").await;
    until("all but one have gone", || {
        scene.gateway.facts()["subscriptions"] == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_in_time_is_ended() {
    let mut scene = Scene::new(limits()).await;
    let at = scene.gateway.addresses();
    let since = Instant::now();
    // Connected, and no more.
    let mut silent = Client::tcp(at).await;
    // Half of a frame.
    let mut half = Client::tcp(at).await;
    half.say_raw(&[40, 0, 0, 0, b'{']).await;
    // A WebSocket without a hello.
    let mut ws = Client::ws(at).await;
    // Half of a request over HTTP.
    let mut http = TcpStream::connect(at.http).await.unwrap();
    http.write_all(b"GET /stream HTTP/1.1\r\nHost: 127")
        .await
        .unwrap();
    let ending = tokio::join!(silent.ending(), half.ending(), ws.ending());
    for (cause, reason) in [ending.0, ending.1, ending.2] {
        assert!(
            cause == "handshake" && reason == "no hello in time",
            "{cause}: {reason}"
        );
    }
    let mut rest = Vec::new();
    let read = tokio::time::timeout(PATIENCE, http.read_to_end(&mut rest)).await;
    assert!(read.is_ok(), "it is still open");
    assert!(since.elapsed() < Duration::from_secs(10));
    scene.has_counted("handshake").await;
}

/// A client by WebSocket answers the pings without knowing; one by TCP has to.
#[tokio::test(flavor = "multi_thread")]
async fn who_gives_no_sign_of_life_is_dropped_and_who_does_is_kept() {
    let mut scene = Scene::new(limits()).await;
    let at = scene.gateway.addresses();
    let mut mute = Client::welcomed(at, true, json!({"op": "hello"})).await;
    let (cause, reason) = tokio::select! {
        ending = mute.ending() => ending,
        // The one beside it is read, as clients are, so that it answers.
        got = scene.bystander.next() => panic!("{got:?}"),
    };
    assert!(cause == "silent" && reason.contains("600 ms"), "{reason}");
    let mut answers = Client::welcomed(at, true, json!({"op": "hello"})).await;
    for _ in 0..5 {
        assert_eq!(answers.text().await["type"], "heartbeat");
        answers.say(&json!({"op": "pong"})).await;
        let nothing = tokio::time::timeout(Duration::from_millis(50), scene.bystander.next()).await;
        assert!(nothing.is_err(), "{nothing:?}");
    }
    scene.has_counted("silent").await;
}

/// One that takes nothing while there is much to send, and answers nothing.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_nothing_is_dropped() {
    let mut scene = Scene::new(limits()).await;
    let at = scene.gateway.addresses();
    let mut stuck = Client::welcomed(at, true, json!({"op": "hello"})).await;
    stuck.subscribe(all(1)).await;
    let ended = |facts: Value| {
        let ended = &facts["ended"];
        ended["silent"].as_u64().max(ended["stalled"].as_u64()) > Some(0)
    };
    let since = Instant::now();
    while !ended(scene.gateway.facts()) {
        assert!(since.elapsed() < PATIENCE);
        scene.sequence += 1;
        scene.feed.quote(1, 5, scene.sequence);
        let (got, _) = rows(&mut scene.bystander, 2).await;
        assert_eq!(got[0]["seq"], scene.sequence);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_an_end_to_clients_and_to_memory() {
    let limits = Limits {
        clients: 2,
        memory: 64 << 10,
        ..Limits::default()
    };
    let mut scene = Scene::new(limits).await;
    let at = scene.gateway.addresses();
    let hello = json!({"op": "hello", "policy": "skip"});
    let mut slow = Client::welcomed(at, true, hello).await;
    slow.subscribe(all(1)).await;
    let mut third = Client::tcp(at).await;
    let (cause, reason) = third.ending().await;
    assert!(
        cause == "no_room" && reason.contains("2 clients"),
        "{reason}"
    );
    let Err(refused) = upgrade(at.http, &[]).await else {
        panic!("a third client");
    };
    assert!(refused.to_string().contains("503"), "{refused}");
    // Queues have room for 8,192 records each; memory has for about a hundred.
    let mut most = 0;
    for _ in 0..200 {
        for _ in 0..50 {
            scene.sequence += 1;
            scene
                .feed
                .quote((scene.sequence % 50) as u32, 5, scene.sequence);
        }
        let (got, _) = counted(&mut scene.bystander, 100).await;
        assert_eq!(got, 100);
        most = most.max(scene.gateway.facts()["waiting_bytes"].as_u64().unwrap());
    }
    // A batch may be under way when the limit is reached, and clients hold a message's records.
    assert!(most < 1 << 20, "{most}");
    drop((slow, third));
    until("the place is free", || {
        scene.gateway.facts()["clients"] == 1
    })
    .await;
    Client::welcomed(at, true, json!({"op": "hello"})).await;
}

/// Takes until so many records have come or are told to be missing.
async fn counted(client: &mut Client, records: u64) -> (u64, u64) {
    let (mut all, mut missing) = (0, 0);
    while all < records {
        let text = client.text().await;
        all += match text["type"].as_str() {
            Some("updates") => text["rows"].as_array().unwrap().len() as u64,
            _ => {
                let n = text["count"].as_u64().unwrap();
                missing += n;
                n
            }
        };
    }
    (all, missing)
}
