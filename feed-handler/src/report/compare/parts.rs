//! The mean time on each part of the way. Quantiles of stages cannot be subtracted from each other, and means can.

use super::super::folder::Run;
use super::FLOOR_PERCENT;
use super::spread::median;
use feed_common::latency::Stage;
use serde::Serialize;

/// A part of a packet's way, on average.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// The stage it ends at.
    pub stage: &'static str,
    /// What happens on it.
    pub label: &'static str,
    /// The median over the runs held against, in ns.
    pub base_ns: f64,
    /// The median over the runs that are judged, in ns.
    pub ns: f64,
    /// Packets spend it waiting for others: it grows with whatever holds those up.
    #[serde(skip)]
    waiting: bool,
}

impl Part {
    /// By how much it grew, as a factor.
    pub(super) fn growth(&self) -> f64 {
        self.ns.max(1.0) / self.base_ns.max(1.0)
    }

    /// True where that is more than a difference too small to matter, on a part that does something itself.
    pub(super) fn grew(&self) -> bool {
        !self.waiting && self.growth() > 1.0 + FLOOR_PERCENT / 100.0
    }
}

/// The parts that all runs have.
pub(super) fn parts(runs: &[&Run], base: &[&Run]) -> Vec<Part> {
    let ends = [
        (Stage::Dequeue, "waiting to be taken up", true),
        (Stage::Decoded, "sequencing and decoding", false),
        (Stage::Published, "publishing", false),
        (Stage::Taken, "reaching the consumer", true),
    ];
    let mut parts = Vec::new();
    let mut before = None;
    for (stage, label, waiting) in ends {
        let mean = |side: &[&Run]| -> Option<f64> {
            let of = |run: &&Run| {
                let (to, from) = (run.blocks.of(stage), before.map(|b| run.blocks.of(b)));
                (to.count() > 0.0).then(|| to.mean() - from.map_or(0.0, |from| from.mean()))
            };
            side.iter().map(of).collect::<Option<Vec<_>>>().map(median)
        };
        let (Some(ns), Some(base_ns)) = (mean(runs), mean(base)) else {
            continue;
        };
        parts.push(Part {
            stage: stage.name(),
            label,
            base_ns: base_ns.max(0.0),
            ns: ns.max(0.0),
            waiting,
        });
        before = Some(stage);
    }
    parts
}
