//! How close packets came, and what latency they had that came close together.

use super::model::RunReport;
use super::table::Table;
use super::units::{count, time};
use feed_common::latency::bursts::{BurstTotals, CROWD, CROWDS, WINDOWS};
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// Arrivals of a run's lanes: live the times at which receive calls returned, from a file those of the capture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Arrivals {
    /// By length of the window, the shortest first.
    pub windows: Vec<Window>,
    /// What packets took to be published, by how many came within [`Arrivals::crowd_ns`]; only of a live run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub latency: Vec<Crowd>,
    /// The window that latency is held against, in ns.
    pub crowd_ns: u64,
    /// True where more packets came at different times within a window than are kept: its numbers are too small.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub at_least: bool,
}

/// With how many packets a packet of a lane came within a window that ends with it, itself included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Window {
    /// Its length.
    pub window_ns: u64,
    /// Packets that were looked at.
    pub count: u64,
    /// Half of the packets came with at most so many.
    pub p50: u64,
    /// 99 % did.
    pub p99: u64,
    /// 99.9 % did.
    pub p999: u64,
    /// The largest number.
    pub max: u64,
    /// [`Window::p50`] as a rate.
    pub p50_per_second: u64,
    /// [`Window::p99`] as a rate.
    pub p99_per_second: u64,
    /// [`Window::max`] as a rate.
    pub max_per_second: u64,
}

/// Packets that came as one of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Crowd {
    /// From this place in the window, the first being 1.
    pub from: u64,
    /// To it; null at the last, which has no end.
    pub to: Option<u64>,
    /// Packets with something new.
    pub count: u64,
    /// Half of them were published within this, in ns.
    pub p50: u64,
    /// 99 % were.
    pub p99: u64,
    /// All were.
    pub max: u64,
}

impl Crowd {
    /// How many there were, for people: `1`, `4–7`, `2,048 or more`.
    pub(super) fn range(&self) -> String {
        match self.to {
            Some(to) if to == self.from => count(to),
            Some(to) => format!("{}–{}", count(self.from), count(to)),
            None => format!("{} or more", count(self.from)),
        }
    }
}

impl Arrivals {
    /// What was counted in a run; `None` where nothing came.
    pub fn of(totals: &BurstTotals) -> Option<Arrivals> {
        let windows = totals.windows();
        if windows[0].count == 0 {
            return None;
        }
        let windows = windows.into_iter().zip(WINDOWS).map(|(q, window_ns)| {
            let rate = |packets: u64| packets.saturating_mul(1_000_000_000) / window_ns;
            Window {
                window_ns,
                count: q.count,
                p50: q.p50,
                p99: q.p99,
                p999: q.p999,
                max: q.max,
                p50_per_second: rate(q.p50),
                p99_per_second: rate(q.p99),
                max_per_second: rate(q.max),
            }
        });
        let latency = totals.latency().into_iter().enumerate();
        let latency = latency.filter(|(_, q)| q.count > 0).map(|(i, q)| Crowd {
            from: 1 << i,
            to: (i + 1 < CROWDS).then(|| (2 << i) - 1),
            count: q.count,
            p50: q.p50,
            p99: q.p99,
            max: q.max,
        });
        Some(Arrivals {
            windows: windows.collect(),
            latency: latency.collect(),
            crowd_ns: WINDOWS[CROWD],
            at_least: totals.crowded() > 0,
        })
    }
}

/// The windows.
pub(super) fn arrivals(arrivals: &Arrivals) -> Table {
    let head = [
        "within",
        "p50",
        "p99",
        "p99.9",
        "most",
        "p50 a second",
        "p99 a second",
        "most a second",
    ];
    let mut table = Table::new("Packets that came close together", &head, 1);
    for w in &arrivals.windows {
        let more = if arrivals.at_least { "≥ " } else { "" };
        let mut row = vec![time(w.window_ns)];
        row.extend([w.p50, w.p99, w.p999].map(count));
        row.push(format!("{more}{}", count(w.max)));
        row.extend([w.p50_per_second, w.p99_per_second, w.max_per_second].map(count));
        table.rows.push(row);
    }
    table
}

/// Latency by burst; `None` where none was measured.
pub(super) fn latency(arrivals: &Arrivals) -> Option<Table> {
    let within = format!("packets within {}", time(arrivals.crowd_ns));
    let head = [within.as_str(), "count", "p50", "p99", "max"];
    let mut table = Table::new("Latency against burst", &head, 1);
    for crowd in &arrivals.latency {
        let mut row = vec![crowd.range(), count(crowd.count)];
        row.extend([crowd.p50, crowd.p99, crowd.max].map(time));
        table.rows.push(row);
    }
    (!table.rows.is_empty()).then_some(table)
}

/// What the rows mean.
pub(super) const WINDOWS_SAY: &str = "With how many others each packet of a lane came: a row counts the packets, itself \
     included, in the window that ends with it";

/// The same of latency.
pub(super) const LATENCY_SAYS: &str = "How long packets took to be published, by how many had come in the window that ends \
     with them: what grows with the number is the time that packets wait for those before them";

/// Appends both tables, for a terminal.
pub(super) fn terminal(report: &RunReport, out: &mut String) {
    let Some(found) = &report.arrivals else {
        return;
    };
    arrivals(found).render(out);
    let _ = writeln!(out, "  {WINDOWS_SAY}\n");
    if let Some(table) = latency(found) {
        table.render(out);
        let _ = writeln!(out, "  {LATENCY_SAYS}\n");
    }
}

/// The same as Markdown.
pub(super) fn markdown(report: &RunReport, out: &mut String) {
    let Some(found) = &report.arrivals else {
        return;
    };
    arrivals(found).markdown(out);
    let _ = writeln!(out, "{WINDOWS_SAY}.\n");
    if let Some(table) = latency(found) {
        table.markdown(out);
        let _ = writeln!(out, "{LATENCY_SAYS}.\n");
    }
}

/// Rows of the table for other tools: what, stage, figure, and its value.
pub(super) fn rows(report: &RunReport, mut row: impl FnMut(&str, &str, &str, u64)) {
    let Some(found) = &report.arrivals else {
        return;
    };
    for w in &found.windows {
        let what = format!("packets_within_{}us", w.window_ns / 1_000);
        let figures = [
            ("count", w.count),
            ("p50", w.p50),
            ("p99", w.p99),
            ("p99.9", w.p999),
            ("max", w.max),
        ];
        for (figure, packets) in figures {
            row(&what, "", figure, packets);
        }
    }
    for crowd in &found.latency {
        let what = format!("latency_from_packet_{}", crowd.from);
        let figures = [
            ("count", crowd.count),
            ("p50", crowd.p50),
            ("p99", crowd.p99),
            ("max", crowd.max),
        ];
        for (figure, value) in figures {
            row(&what, "published", figure, value);
        }
    }
}

#[cfg(test)]
#[path = "bursts_tests.rs"]
mod tests;
