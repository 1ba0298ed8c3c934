//! Rows of harnesses that report in JSON: what it costs to write messages, and how captures are sent.

use super::programs::output;
use super::{Effort, Made, Row, Target};
use serde_json::Value;

/// Writing messages, beside a copy of the same bytes and beside bincode: the harness's own ratios.
pub fn serialization(effort: Effort) -> Result<Vec<Made>, String> {
    let told = asked("serialization", &["--json", effort.pick("31", "7")])?;
    let rows = list(&told["targets"]).filter_map(|target| {
        let row = Row::time(
            target["what"].as_str()?,
            "as named",
            target["figure"].as_f64()?,
        );
        let bound = |name: &str| target[name].as_f64();
        let target = bound("at_most").map(Target::AtMost);
        let target = target.or_else(|| bound("at_least").map(Target::AtLeast));
        Some(row.target(target?).into())
    });
    some("serialization", rows.collect())
}

/// Replay flat out and on schedule, beside tcpreplay where it is installed.
pub fn replay(effort: Effort) -> Result<Vec<Made>, String> {
    let told = asked("replay", &["--json", "--rounds", effort.pick("5", "2")])?;
    let rows = list(&told).flat_map(|row| {
        let name = |key: &str| row[key].as_str().unwrap_or_default();
        let what = format!("{}, {}", name("workload"), name("way"));
        match row["packets_per_second"]
            .as_f64()
            .filter(|_| row["send_error_us"].is_null())
        {
            Some(rate) => flat_out(what, rate, row),
            None => on_schedule(&what, row),
        }
    });
    some("replay", rows.collect())
}

fn flat_out(what: String, rate: f64, row: &Value) -> Vec<Made> {
    let is_frames = what.ends_with(", raw");
    let made = Row::rate(what, "packets a second", rate);
    match row["ratio_to_tcpreplay"].as_f64() {
        Some(ratio) if ratio != 1.0 => {
            let made = made.beside([("tcpreplay", rate / ratio)]);
            let target = is_frames.then_some(Target::TimesPeer(1.2));
            vec![Row { target, ..made }.into()]
        }
        _ => vec![made.into()],
    }
}

/// The targets are those of frames, whose time is that of leaving the machine.
fn on_schedule(what: &str, row: &Value) -> Vec<Made> {
    let error = &row["send_error_us"];
    let (Some(p50), Some(p99)) = (error["p50"].as_f64(), error["p99"].as_f64()) else {
        return Vec::new(); // another's program, which does not say
    };
    let slow = what.contains("1k/s");
    let targets = match (what.ends_with(", raw"), slow) {
        (true, false) => [Some(0.5), Some(20.0)],
        (true, true) => [None, Some(2.0)],
        (false, _) => [None, None],
    };
    let made = |quantile: &str, figure: f64, most: Option<f64>| {
        let row = Row::time(format!("{what}: send error {quantile}"), "us", figure);
        let target = most.map(Target::AtMost);
        Row { target, ..row }.into()
    };
    vec![made("p50", p50, targets[0]), made("p99", p99, targets[1])]
}

fn asked(name: &str, arguments: &[&str]) -> Result<Value, String> {
    let text = output(name, arguments)?;
    serde_json::from_str(&text).map_err(|e| format!("{name}: {e}"))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn some(name: &str, rows: Vec<Made>) -> Result<Vec<Made>, String> {
    match rows.is_empty() {
        true => Err(format!("{name}: no rows")),
        false => Ok(rows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rows(made: Vec<Made>) -> Vec<Row> {
        let row = |made| match made {
            Made::Row(row) => row,
            Made::Skipped(skipped) => panic!("{skipped:?}"),
        };
        made.into_iter().map(row).collect()
    }

    #[test]
    fn frames_are_held_against_tcpreplay() {
        let row = json!({ "ratio_to_tcpreplay": 1.25 });
        let of = |way: &str| rows(flat_out(format!("flat out, x, {way}"), 500.0, &row)).remove(0);
        assert_eq!(of("raw").peers, [("tcpreplay", 400.0)]);
        assert_eq!(of("raw").met(), Some(true));
        assert_eq!(of("udp").met(), None);
        let alone = json!({ "ratio_to_tcpreplay": null });
        assert!(
            rows(flat_out("x, raw".into(), 1.0, &alone))[0]
                .peers
                .is_empty()
        );
    }

    #[test]
    fn schedules_have_the_targets_of_their_rate() {
        let row = json!({ "send_error_us": { "p50": 0.6, "p99": 1.5 } });
        let met = |what| {
            rows(on_schedule(what, &row))
                .iter()
                .map(Row::met)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            met("on schedule, 40k/s, in bursts, raw"),
            [Some(false), Some(true)]
        );
        assert_eq!(met("on schedule, 1k/s, evenly, raw"), [None, Some(true)]);
        assert_eq!(met("on schedule, 1k/s, evenly, udp"), [None, None]);
        let silent = json!({ "send_error_us": { "p50": null } });
        assert!(on_schedule("x", &silent).is_empty());
    }
}
