//! What sampled messages took by type and by symbol, and what each channel came to.

use super::table::Table;
use super::units::{count, percent, plural, time};
use super::{Figures, RunReport};
use serde::{Deserialize, Serialize};

/// Symbols that are named as the slowest.
pub const SLOWEST: usize = 20;

/// Messages that were timed on their own. Times are in ns, from before a message is decoded until its records are written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sampled {
    /// One message in so many was.
    pub one_in: u32,
    /// By lane and type, the most frequent first.
    pub types: Vec<MessageType>,
    /// The symbols whose 90 % are the longest, the longest first.
    pub symbols: Vec<SlowSymbol>,
    /// Messages of types there was no room to tell apart.
    pub untyped: u64,
    /// Messages about no instrument, or one beyond the table.
    pub unattributed: u64,
}

/// The messages of a type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MessageType {
    /// The lane that decoded them.
    pub lane: String,
    /// Its protocol.
    pub protocol: String,
    /// The type as facts write it.
    #[serde(rename = "type")]
    pub key: String,
    /// What the specification calls it; empty for one it does not have.
    pub name: String,
    /// Messages sampled.
    pub count: u64,
    /// Half took that or less; to 1 %, as the next.
    pub p50: u64,
    /// 99 %.
    pub p99: u64,
    /// The longest.
    pub max: u64,
}

/// A symbol whose messages took long.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SlowSymbol {
    /// Its channel.
    pub channel: String,
    /// As it is published; of a longer name the instrument's number.
    pub symbol: String,
    /// Messages sampled.
    pub count: u64,
    /// Half took that or less; to a quarter, as the next.
    pub p50: u64,
    /// 90 %.
    pub p90: u64,
    /// The longest.
    pub max: u64,
}

/// A channel at the end of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelTotals {
    /// Its name.
    pub channel: String,
    /// Its lane's.
    pub lane: String,
    /// Messages delivered, each once.
    pub messages: u64,
    /// Holes that no line filled.
    pub gaps: u64,
    /// Messages in them.
    pub lost: u64,
    /// Data packets that brought nothing new.
    pub duplicates: u64,
    /// Messages that recovery brought back.
    pub recovered: u64,
    /// Sessions that began anew.
    pub restarts: u64,
    /// How long its packets took until consumers could see them, in ns; to 1 % where the run has several channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<Figures>,
}

/// The channels; nothing of a run that does not tell them apart.
pub(super) fn channels(report: &RunReport) -> Option<Table> {
    if report.channels.is_empty() {
        return None;
    }
    let head = [
        "channel",
        "lane",
        "messages",
        "p50",
        "p99",
        "p99.9",
        "max",
        "gaps",
        "lost",
        "duplicates",
        "recovered",
        "restarts",
    ];
    let mut table = Table::new("Channels (latency of published)", &head, 2);
    for c in &report.channels {
        let mut row = vec![c.channel.clone(), c.lane.clone(), count(c.messages)];
        match &c.published {
            Some(f) => row.extend([f.p50, f.p99, f.p999, f.max].map(time)),
            None => row.extend(["–"; 4].map(str::to_owned)),
        }
        row.extend([c.gaps, c.lost, c.duplicates, c.recovered, c.restarts].map(count));
        table.rows.push(row);
    }
    Some(table)
}

/// Message types; nothing where none was sampled.
pub(super) fn types(report: &RunReport) -> Option<Table> {
    let sampled = report.sampled.as_ref()?;
    let all = sampled
        .types
        .iter()
        .fold(0u64, |sum, t| sum.saturating_add(t.count));
    let several = sampled
        .types
        .iter()
        .any(|t| t.lane != sampled.types[0].lane);
    let head = [
        "type", "name", "lane", "sampled", "share", "p50", "p99", "max",
    ];
    let head = head.iter().filter(|h| several || **h != "lane");
    let head: Vec<&str> = head.copied().collect();
    let mut table = Table::new("Message types", &head, head.len() - 5);
    for t in &sampled.types {
        let mut row = vec![t.key.clone(), t.name.clone()];
        row.extend(several.then(|| t.lane.clone()));
        row.extend([count(t.count), percent(t.count, all)]);
        row.extend([t.p50, t.p99, t.max].map(time));
        table.rows.push(row);
    }
    (all > 0).then_some(table)
}

/// The slowest symbols; nothing where there are none.
pub(super) fn symbols(report: &RunReport) -> Option<Table> {
    let sampled = report.sampled.as_ref()?;
    let head = ["symbol", "channel", "sampled", "p50", "p90", "max"];
    let mut table = Table::new("Slowest symbols", &head, 2);
    for s in &sampled.symbols {
        let mut row = vec![s.symbol.clone(), s.channel.clone(), count(s.count)];
        row.extend([s.p50, s.p90, s.max].map(time));
        table.rows.push(row);
    }
    (!table.rows.is_empty()).then_some(table)
}

/// How messages were sampled and at what cost, and what the tables leave out, a sentence each.
pub(super) fn said(report: &RunReport) -> Vec<String> {
    let Some(sampled) = &report.sampled else {
        return Vec::new();
    };
    let mut said = match &report.instruments {
        _ if sampled.one_in == 0 => Vec::new(),
        Some(cost) => vec![format!(
            "One message in {} was timed on its own, which takes {:.0} ns of it, or {:.1} ns of every message; the others pay \
             nothing",
            count(sampled.one_in.into()),
            cost.message_ns,
            cost.message_ns / f64::from(sampled.one_in),
        )],
        None => vec![format!(
            "One message in {} was timed on its own",
            count(sampled.one_in.into())
        )],
    };
    if sampled.unattributed > 0 {
        let n = plural(sampled.unattributed, "sampled message");
        said.push(format!("Of no symbol: {n}"));
    }
    if sampled.untyped > 0 {
        let n = plural(sampled.untyped, "sampled message");
        said.push(format!("Of further types: {n}"));
    }
    said
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::model::tests::sample;
    use super::*;

    pub(in crate::report) fn sampled() -> Sampled {
        let message = |key: &str, name: &str, count| MessageType {
            lane: "main".into(),
            protocol: "itch50".into(),
            key: key.into(),
            name: name.into(),
            count,
            p50: 70,
            p99: 420,
            max: 31_000,
        };
        let symbol = |symbol: &str, p90| SlowSymbol {
            channel: "itch".into(),
            symbol: symbol.into(),
            count: 1_234,
            p50: 80,
            p90,
            max: 9_000,
        };
        Sampled {
            one_in: 64,
            types: vec![
                message("A", "Add Order", 3_000),
                message("U", "Replace <b>", 1_000),
            ],
            symbols: vec![symbol("<i>SLOW", 900), symbol("QQQ", 300)],
            untyped: 0,
            unattributed: 7,
        }
    }

    #[test]
    fn tables_say_what_was_sampled() {
        let (mut report, _) = sample(1);
        assert!(
            types(&report).is_none() && symbols(&report).is_none() && channels(&report).is_none()
        );
        assert_eq!(said(&report), [""; 0]);
        report.sampled = Some(sampled());
        let mut text = String::new();
        types(&report).unwrap().render(&mut text);
        symbols(&report).unwrap().render(&mut text);
        assert_eq!(
            text,
            "Message types
  type  name         sampled   share    p50     p99      max
  A     Add Order      3,000  75.0 %  70 ns  420 ns  31.0 µs
  U     Replace <b>    1,000  25.0 %  70 ns  420 ns  31.0 µs
Slowest symbols
  symbol   channel  sampled    p50     p90      max
  <i>SLOW  itch       1,234  80 ns  900 ns  9.00 µs
  QQQ      itch       1,234  80 ns  300 ns  9.00 µs
"
        );
        let said = said(&report);
        assert_eq!(said[0], "One message in 64 was timed on its own");
        assert_eq!(said[1], "Of no symbol: 7 sampled messages");
        // With lanes that decode the same types, it is said whose they are.
        report.sampled.as_mut().unwrap().types[1].lane = "other".into();
        let mut text = String::new();
        types(&report).unwrap().render(&mut text);
        assert!(
            text.contains("  lane ") && text.contains("  other "),
            "{text}"
        );
    }
}
