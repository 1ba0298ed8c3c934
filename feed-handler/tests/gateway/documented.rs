//! The examples of the documentation: what it says a client may say is understood, and what it says it is told has the shape
//! of what it is told.

use crate::support::*;
use feed_handler::gateway::Limits;
use serde_json::Value;

const TEXT: &str = include_str!("../../../docs/GATEWAY.md");

fn examples() -> Vec<Value> {
    let lines = TEXT.lines().filter(|line| line.starts_with('{'));
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The keys of an object, and those of the first of what its lists hold.
fn shape(value: &Value) -> String {
    match value {
        Value::Object(all) => {
            let keys = all
                .iter()
                .map(|(key, value)| format!("{key}:{}", shape(value)));
            format!("{{{}}}", keys.collect::<Vec<_>>().join(","))
        }
        Value::Array(all) => format!("[{}]", all.first().map_or_else(String::new, shape)),
        _ => String::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_documentation_shows_is_what_is_said_and_told() {
    let scratch = Scratch::new();
    let path = scratch.path("equities");
    let mut feed = Feed::new(path.clone(), 1024);
    feed.quote(1, 100, 1);
    let gateway = gateway(&[path], Limits::default());
    let mut client = Client::ws(gateway.addresses()).await;
    let (said, shown): (Vec<_>, Vec<_>) = examples().into_iter().partition(|e| e["op"].is_string());
    assert_eq!((said.len(), shown.len()), (4, 7));
    let mut told = Vec::new();
    for mut request in said {
        if request["op"] == "subscribe" {
            request["symbols"] = serde_json::json!(["S*"]);
        }
        client.say(&request).await;
        let answers = match request["op"].as_str().unwrap() {
            "hello" | "unsubscribe" => 1,
            "subscribe" => 2,
            _ => 0,
        };
        for _ in 0..answers {
            told.push(client.text().await);
        }
        if request["op"] == "subscribe" {
            feed.quote(1, 101, 2);
            told.push(client.text().await);
        }
    }
    drop(feed);
    told.push(client.text().await);
    tokio::task::spawn_blocking(move || gateway.stop())
        .await
        .unwrap();
    told.push(client.text().await);
    for example in shown.iter().filter(|e| e["type"] != "conflated") {
        let same = told.iter().find(|t| t["type"] == example["type"]);
        let same = same.unwrap_or_else(|| panic!("never told: {example}"));
        assert_eq!(shape(same), shape(example));
    }
}
