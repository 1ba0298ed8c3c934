//! The table as text and as JSON.

use super::{Made, Row, Skipped, Target};
use crate::measure::Own;
use serde_json::{Map, Value, json};

/// Prints all rows, then what was skipped and why.
pub fn print(made: &[Made]) {
    println!(
        "{:66} {:>9} {:>28} {:>7} {:>26} {:>14}  met",
        "", "ours", "best peer", "ratio", "limit", "target"
    );
    for row in rows(made) {
        let beside = |of: Option<(&str, f64)>| {
            of.map_or("-".into(), |(name, f)| format!("{name} {}", figure(f)))
        };
        println!(
            "{:66} {:>9} {:>28} {:>7} {:>26} {:>14}  {}",
            format!("{}, {}", row.what, row.unit),
            figure(row.ours),
            beside(row.best_peer()),
            row.ratio().map_or("-".into(), |r| format!("{r:.2}")),
            beside(row.limit),
            row.target.map_or("-".into(), said),
            match row.met() {
                Some(true) => "yes",
                Some(false) => "NO",
                None => "-",
            }
        );
    }
    for Skipped { what, why } in skipped(made) {
        println!("skipped: {what}: {why}");
    }
    let met: Vec<bool> = rows(made).filter_map(Row::met).collect();
    let yes = met.iter().filter(|met| **met).count();
    println!("{yes} of {} targets met", met.len());
}

/// The same with every peer, for programs.
pub fn json(made: &[Made], own: &Own, machine: &str, quick: bool) -> Value {
    let named = |(name, figure): &(&str, f64)| (name.to_string(), json!(figure));
    let row = |row: &Row| {
        json!({
            "what": row.what,
            "unit": row.unit,
            "ours": row.ours,
            "peers": row.peers.iter().map(named).collect::<Map<_, _>>(),
            "best_peer": row.best_peer().map(|(name, _)| name),
            "ratio": row.ratio(),
            "limit": row.limit.map(|(name, figure)| json!({ "name": name, "figure": figure })),
            "target": row.target.map(said),
            "met": row.met(),
        })
    };
    json!({
        "machine": machine,
        "quick": quick,
        "harness_nanos": {
            "thread_clock": own.thread_clock,
            "wall_clock": own.wall_clock,
            "empty": own.empty,
        },
        "rows": rows(made).map(row).collect::<Vec<_>>(),
        "skipped": skipped(made)
            .map(|s| json!({ "what": s.what, "why": s.why }))
            .collect::<Vec<_>>(),
    })
}

fn rows(made: &[Made]) -> impl Iterator<Item = &Row> {
    made.iter().filter_map(|made| match made {
        Made::Row(row) => Some(row),
        Made::Skipped(_) => None,
    })
}

fn skipped(made: &[Made]) -> impl Iterator<Item = &Skipped> {
    made.iter().filter_map(|made| match made {
        Made::Row(_) => None,
        Made::Skipped(skipped) => Some(skipped),
    })
}

/// What is aimed for, in words.
fn said(target: Target) -> String {
    match target {
        Target::AtMost(most) => format!("<= {}", figure(most)),
        Target::AtLeast(least) => format!(">= {}", figure(least)),
        Target::OfPeer(most) => format!("<= {most:.2} peer"),
        Target::TimesPeer(least) => format!(">= {least:.2} peer"),
        Target::OfLimit(most) => format!("<= {most:.2} limit"),
    }
}

/// Three digits that count.
fn figure(f: f64) -> String {
    match f.abs() {
        100.0.. => format!("{f:.0}"),
        10.0.. => format!("{f:.1}"),
        _ => format!("{f:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_given_every_peer() {
        let row = Row::time("hop", "ns", 10.0)
            .beside([("slow", 40.0), ("fast", 20.0)])
            .target(Target::OfPeer(0.4));
        let skipped = Skipped {
            what: "crowd".into(),
            why: "one core".into(),
        };
        let own = Own {
            thread_clock: 1.0,
            wall_clock: 2.0,
            empty: 3.0,
        };
        let made = [row.into(), Made::Skipped(skipped)];
        let all = json(&made, &own, "a machine", true);
        let row = &all["rows"][0];
        assert_eq!(row["peers"], json!({ "slow": 40.0, "fast": 20.0 }));
        assert_eq!(row["best_peer"], "fast");
        assert_eq!((&row["met"], &row["ratio"]), (&json!(false), &json!(0.5)));
        assert_eq!(all["skipped"][0]["why"], "one core");
    }

    #[test]
    fn figures_have_three_digits() {
        let written = [412.3, 41.23, 4.123, 0.0412].map(figure);
        assert_eq!(written, ["412", "41.2", "4.12", "0.04"]);
    }
}
