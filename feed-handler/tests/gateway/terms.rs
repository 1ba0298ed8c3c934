//! Who may come in: tokens, origins, hosts; and what is asked for by HTTP.

use crate::support::*;
use feed_handler::gateway::{Gateway, GatewayError, Options, Tokens};
use feed_handler::tail::Place;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TOKEN: &str = "correct-horse-battery";

fn tokens(scratch: &Scratch) -> Tokens {
    let path = scratch.path("tokens");
    std::fs::write(&path, format!("{TOKEN}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    Tokens::read(&path).unwrap()
}

/// Status and body of a request with these lines behind the first.
async fn get(gateway: &Gateway, path: &str, headers: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(gateway.addresses().http).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    (status, body.to_owned())
}

async fn is_refused(gateway: &Gateway, headers: &[(&'static str, &str)], status: &str) {
    match upgrade(gateway.addresses().http, headers).await {
        Ok(_) => panic!("let in with {headers:?}"),
        Err(refused) => assert!(
            refused.to_string().contains(status),
            "{headers:?}: {refused}"
        ),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_tokens_are_asked_for_nothing_is_told_without() {
    let scratch = Scratch::new();
    let mut feed = Feed::new(scratch.path("l"), 1024);
    feed.quote(1, 5, 1);
    let gateway = Gateway::start(Options {
        tokens: tokens(&scratch),
        ..options(&[scratch.path("l")])
    })
    .unwrap();
    let at = gateway.addresses();
    for wrong in ["Bearer wrong", "Bearer ", TOKEN, "Basic abc"] {
        is_refused(&gateway, &[("authorization", wrong)], "401").await;
    }
    let right = format!("Bearer {TOKEN}");
    let mut client = upgrade(at.http, &[("authorization", &right)])
        .await
        .unwrap();
    client.say(&json!({"op": "hello"})).await;
    assert_eq!(client.text().await["type"], "welcome");
    // Or in the first message.
    for tcp in [false, true] {
        Client::welcomed(at, tcp, json!({"op": "hello", "token": TOKEN})).await;
        for hello in [json!({"op": "hello"}), json!({"op": "hello", "token": "x"})] {
            let mut client = match tcp {
                true => Client::tcp(at).await,
                false => Client::ws(at).await,
            };
            client.say(&hello).await;
            assert_eq!(client.ending().await.0, "unauthorised");
        }
    }
    let host = "Host: gateway.example\r\n";
    assert_eq!(get(&gateway, "/status", host).await.0, 401);
    let (status, body) = get(
        &gateway,
        "/status",
        &format!("{host}Authorization: {right}\r\n"),
    )
    .await;
    assert_eq!(status, 200);
    let facts: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(facts["records"], 2);
    assert!(
        facts["ended"]["unauthorised"].as_u64() >= Some(9),
        "{facts}"
    );
    assert_eq!(get(&gateway, "/health", host).await, (200, "ok\n".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_page_is_refused_unless_it_is_allowed() {
    let scratch = Scratch::new();
    let _feed = Feed::new(scratch.path("l"), 1024);
    let gateway = Gateway::start(Options {
        origins: vec!["https://desk.example".into()],
        ..options(&[scratch.path("l")])
    })
    .unwrap();
    for origin in [
        "https://evil.example",
        "null",
        "http://127.0.0.1:9000",
        "https://desk.example.evil",
    ] {
        is_refused(&gateway, &[("origin", origin)], "403").await;
    }
    let allowed = [("origin", "https://desk.example")];
    assert!(upgrade(gateway.addresses().http, &allowed).await.is_ok());
    // A name that was made to mean this machine.
    is_refused(&gateway, &[("host", "evil.example:9000")], "403").await;
    for path in ["/status", "/health"] {
        assert_eq!(get(&gateway, path, "Host: evil.example\r\n").await.0, 403);
        let evil = "Host: localhost\r\nOrigin: https://evil.example\r\n";
        assert_eq!(get(&gateway, path, evil).await.0, 403);
        assert_eq!(get(&gateway, path, "Host: localhost\r\n").await.0, 200);
    }
    assert_eq!(get(&gateway, "/other", "Host: localhost\r\n").await.0, 404);
    let facts = gateway.stop();
    assert!(facts["ended"]["foreign"].as_u64() >= Some(9), "{facts}");
}

#[test]
fn what_must_not_begin_does_not() {
    let scratch = Scratch::new();
    let _feed = Feed::new(scratch.path("l"), 1024);
    let start = |change: &dyn Fn(&mut Options)| {
        let mut options = options(&[scratch.path("l")]);
        change(&mut options);
        Gateway::start(options).map(drop).unwrap_err()
    };
    let exposed = start(&|o| o.listen = "0.0.0.0:0".parse().unwrap());
    assert!(matches!(exposed, GatewayError::Exposed(_)) && exposed.is_usage());
    assert!(exposed.to_string().contains("--tokens"), "{exposed}");
    let exposed = start(&|o| o.tcp = Some("[::]:0".parse().unwrap()));
    assert!(matches!(exposed, GatewayError::Exposed(_)));
    let none = start(&|o| o.lanes = Place::Files(Vec::new()));
    assert!(none.is_usage() && none.to_string().contains("0 files"));
    let missing = start(&|o| o.lanes = Place::Files(vec!["/nowhere/l".into()]));
    assert!(missing.is_usage() && missing.to_string().contains("/nowhere/l"));
    let taken = std::net::TcpListener::bind(LOOPBACK).unwrap();
    let taken = taken.local_addr().unwrap();
    let in_use = start(&|o| o.listen = taken);
    assert!(
        !in_use.is_usage() && in_use.to_string().contains("in use"),
        "{in_use}"
    );
    let too_many = start(&|o| o.limits.clients = 5_000);
    assert!(too_many.is_usage());
}
