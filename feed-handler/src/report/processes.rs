//! Consumers in other processes, which read shared memory and leave how long records took to reach them.

use super::table::{Table, plain};
use super::units::{count, time};
use super::{Figures, RunReport};
use serde::{Deserialize, Serialize};

/// What a consumer in another process has said of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Process {
    /// The lane whose records it read.
    pub lane: String,
    /// Its number.
    pub process: u32,
    /// From the receive of a record's packet to the record in its hands.
    pub taken: Figures,
    /// Why not all that it said could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// All of them; nothing where there was none.
pub(super) fn table(report: &RunReport) -> Option<Table> {
    if report.processes.is_empty() {
        return None;
    }
    let head = [
        "lane", "process", "records", "min", "p50", "p90", "p99", "p99.9", "p99.99", "max",
    ];
    let mut table = Table::new("Consumers in other processes (latency of taken)", &head, 2);
    for p in &report.processes {
        let mut name = p.process.to_string();
        if let Some(fault) = &p.fault {
            name += &format!(" (not all of it: {})", plain(fault));
        }
        let t = &p.taken;
        let mut row = vec![plain(&p.lane), name, count(t.count)];
        let times = [t.min, t.p50, t.p90, t.p99, t.p999, t.p9999, t.max];
        row.extend(times.map(time));
        table.rows.push(row);
    }
    Some(table)
}
