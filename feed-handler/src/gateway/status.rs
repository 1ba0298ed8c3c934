//! What a gateway has done, in facts and for people.

use super::hub::Hub;
use super::text::lane;
use serde_json::{Map, Value, json};
use std::sync::atomic::Ordering::Relaxed;

/// Everything that was counted, and how it stands.
pub fn facts(hub: &Hub) -> Value {
    let (clients, totals) = (hub.clients(), &hub.totals);
    let endings: Map<String, Value> = totals
        .endings
        .read()
        .map(|(cause, n)| (cause.to_owned(), n.into()))
        .collect();
    json!({
        "clients": clients.clients,
        "subscriptions": clients.subscriptions,
        "admitted": totals.clients.load(Relaxed),
        "ended": endings,
        "records": totals.read.load(Relaxed),
        "lost": totals.overrun.load(Relaxed),
        "found": totals.found.load(Relaxed),
        "restarts": totals.reopened.load(Relaxed),
        "unreadable": totals.refused.load(Relaxed),
        "sent": clients.counts.taken,
        "skipped": clients.counts.skipped,
        "conflated": clients.counts.conflated,
        "dropped": clients.counts.lost,
        "messages": totals.messages.load(Relaxed),
        "bytes": totals.bytes.load(Relaxed),
        "waiting_bytes": hub.memory().used(),
        "lanes": hub.lanes().iter().map(lane).collect::<Vec<_>>(),
    })
}

/// The same for people: a line for each.
pub fn text(facts: &Value) -> String {
    let mut out = String::new();
    let lines = facts.as_object().into_iter().flatten();
    for (name, value) in lines.filter(|(name, _)| *name != "lanes" && *name != "ended") {
        out += &format!("{:<14} {value}\n", name.replace('_', " "));
    }
    for (cause, n) in facts["ended"].as_object().into_iter().flatten() {
        out += &format!("{:<14} {n} {}\n", "ended", cause.replace('_', " "));
    }
    for lane in facts["lanes"].as_array().into_iter().flatten() {
        let word = |key: &str| lane[key].as_str().unwrap_or_default().to_owned();
        out += &format!(
            "{:<14} {} {}, {} records, {} instruments\n",
            "lane",
            word("lane"),
            word("state"),
            lane["position"],
            lane["instruments"]
        );
    }
    out
}
