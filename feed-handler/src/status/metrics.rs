//! A status as OpenMetrics text, version 1.0.

use super::names::{METRICS, Metric, Of, PREFIX};
use super::{StageStatus, Status};
use std::fmt::{Display, Write};

/// What the text is, for the header of an answer.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics, and the end mark.
pub fn render(status: &Status) -> String {
    let mut text = String::with_capacity(16 << 10);
    for metric in METRICS {
        let name = metric.name;
        let _ = writeln!(text, "# TYPE {PREFIX}{name} {}", metric.kind.name());
        let _ = writeln!(text, "# HELP {PREFIX}{name} {}", metric.help);
        samples(metric, status, &mut text);
    }
    text.push_str("# EOF\n");
    text
}

fn samples(metric: &Metric, status: &Status, text: &mut String) {
    let mut put = |values: &[&str], value: &dyn Display| {
        sample(metric, metric.kind.suffix(), None, values, value, text);
    };
    match metric.of {
        Of::Build => put(&[&status.version], &1),
        Of::Uptime => put(&[], &Seconds(status.elapsed_ns)),
        Of::Lane(of) => {
            let lanes = status.lanes.iter();
            lanes.for_each(|lane| put(&[&lane.name], &of(lane)));
        }
        Of::Drops => {
            for lane in &status.lanes {
                let drops = lane.drops.iter();
                drops.for_each(|(cause, n)| put(&[&lane.name, cause], n));
            }
        }
        Of::Journal(of) => {
            for lane in &status.lanes {
                if let Some(journal) = &lane.journal {
                    put(&[&lane.name], &of(journal));
                }
            }
        }
        Of::Channel(of) => {
            let channels = status.channels.iter();
            channels.for_each(|channel| put(&[&channel.name], &of(channel)));
        }
        Of::Line(of) => {
            for channel in &status.channels {
                let lines = channel.lines.iter();
                lines.for_each(|line| put(&[&channel.name, &line.name], &of(line)));
            }
        }
        Of::Silence => {
            for channel in &status.channels {
                for line in &channel.lines {
                    if let Some(nanos) = line.silent_ns {
                        put(&[&channel.name, &line.name], &Seconds(nanos));
                    }
                }
            }
        }
        Of::Consumer(of) => {
            let consumers = status.consumers.iter();
            consumers.for_each(|consumer| put(&[&consumer.name], &of(consumer)));
        }
        Of::Stage => status.stages.iter().for_each(|s| stage(metric, s, text)),
        Of::StageMax => {
            let stages = status.stages.iter();
            stages.for_each(|s| put(&[&s.stage], &Seconds(s.total.max)));
        }
    }
}

fn stage(metric: &Metric, stage: &StageStatus, text: &mut String) {
    let f = &stage.interval;
    if f.count > 0 {
        for (quantile, nanos) in [
            ("0.5", f.p50),
            ("0.9", f.p90),
            ("0.99", f.p99),
            ("0.999", f.p999),
        ] {
            let quantile = Some(("quantile", quantile));
            sample(metric, "", quantile, &[&stage.stage], &Seconds(nanos), text);
        }
    }
    sample(
        metric,
        "_count",
        None,
        &[&stage.stage],
        &stage.total.count,
        text,
    );
}

fn sample(
    metric: &Metric,
    suffix: &str,
    more: Option<(&str, &str)>,
    values: &[&str],
    value: &dyn Display,
    text: &mut String,
) {
    let _ = write!(text, "{PREFIX}{}{suffix}", metric.name);
    let labels = metric.labels.iter().copied().zip(values.iter().copied());
    for (i, (label, value)) in labels.chain(more).enumerate() {
        let open = if i == 0 { '{' } else { ',' };
        let _ = write!(text, "{open}{label}=\"{}\"", escaped(value));
    }
    let close = if values.is_empty() { "" } else { "}" };
    let _ = writeln!(text, "{close} {value}");
}

/// The value of a label.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
    text
}

/// Nanoseconds in seconds, exactly.
struct Seconds(u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, rest) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        write!(f, "{whole}.{rest:09}")
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
