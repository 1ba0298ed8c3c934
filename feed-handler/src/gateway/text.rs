//! What the gateway says in text: one JSON object a message.

use super::ending::Ending;
use super::hub::{LaneFacts, Snapshot};
use super::queue::{Missing, State};
use super::request::{Form, Policy};
use super::update::Source;
use serde_json::{Value, json};

/// The version of what is said here and of the records beside it.
pub const VERSION: u32 = 1;

/// The name of a form.
pub fn form(form: Form) -> &'static str {
    match form {
        Form::Json => "json",
        Form::Binary => "binary",
    }
}

fn policy(policy: Policy) -> &'static str {
    match policy {
        Policy::Skip => "skip",
        Policy::Conflate => "conflate",
        Policy::Disconnect => "disconnect",
    }
}

/// The name of a state.
pub fn state(state: State) -> &'static str {
    match state {
        State::Live => "live",
        State::Ended => "ended",
        State::Died => "died",
        State::Replaced => "replaced",
        State::Gone => "gone",
    }
}

/// A lane in facts.
pub fn lane(facts: &LaneFacts) -> Value {
    let channels = facts.channels.iter().map(
        |(number, name, protocol)| json!({"number": number, "name": name, "protocol": protocol}),
    );
    json!({
        "lane": facts.source.lane,
        "number": facts.source.index,
        "generation": facts.source.generation,
        "epoch": facts.source.epoch,
        "state": state(facts.state),
        "position": facts.position,
        "instruments": facts.instruments,
        "channels": channels.collect::<Vec<_>>(),
    })
}

/// The answer to a client's first message.
pub fn welcome(
    of: Form,
    with: Policy,
    queue: usize,
    heartbeat: u64,
    lanes: &[LaneFacts],
) -> String {
    json!({
        "type": "welcome",
        "version": VERSION,
        "format": form(of),
        "policy": policy(with),
        "queue": queue,
        "heartbeat_ms": heartbeat,
        "lanes": lanes.iter().map(lane).collect::<Vec<_>>(),
    })
    .to_string()
}

/// A subscription has begun: behind its snapshots.
pub fn subscribed(id: u32) -> String {
    json!({"type": "subscribed", "id": id}).to_string()
}

/// A subscription has ended; `found` is false where there was none.
pub fn unsubscribed(id: u32, found: bool) -> String {
    json!({"type": "unsubscribed", "id": id, "found": found}).to_string()
}

/// A sign of life is asked for.
pub fn heartbeat() -> String {
    json!({"type": "heartbeat"}).to_string()
}

/// Nothing more will be said.
pub fn closed(ending: &Ending) -> String {
    json!({"type": "closed", "cause": ending.name(), "reason": ending.to_string()}).to_string()
}

/// Records are missing here.
pub fn missing(source: &Source, why: Missing, count: u64) -> String {
    let kind = match why {
        Missing::Lost => "lost",
        Missing::Skipped => "skipped",
        Missing::Conflated => "conflated",
    };
    let (lane, generation) = (&source.lane, source.generation);
    json!({"type": kind, "lane": lane, "generation": generation, "count": count}).to_string()
}

/// How it stands with a lane's writer.
pub fn lane_state(source: &Source, is: State, position: u64) -> String {
    json!({
        "type": "lane",
        "lane": source.lane,
        "number": source.index,
        "generation": source.generation,
        "epoch": source.epoch,
        "state": state(is),
        "position": position,
    })
    .to_string()
}

/// The beginning of updates, up to the first of them.
pub fn updates_head(source: &Source) -> String {
    let lane = Value::from(source.lane.as_str());
    let generation = source.generation;
    format!("{{\"type\":\"updates\",\"lane\":{lane},\"generation\":{generation},\"rows\":[")
}

/// The beginning of a snapshot, up to the first of its quotes; where they come apart from it, all of it.
pub fn snapshot_head(snapshot: &Snapshot, last: bool, quotes: bool) -> String {
    let source = &snapshot.source;
    let head = json!({
        "type": "snapshot",
        "id": snapshot.id,
        "lane": source.lane,
        "generation": source.generation,
        "position": snapshot.position,
        "count": snapshot.quotes.len(),
        "last": last,
    });
    let head = head.to_string();
    match quotes {
        true => format!("{},\"quotes\":[", &head[..head.len() - 1]),
        false => head,
    }
}
