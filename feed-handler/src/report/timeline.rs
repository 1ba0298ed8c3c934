//! The run interval by interval, and how its values are binned for the time line.

use super::model::{Figures, HEADLINES};
use feed_common::latency::summary::Quantiles;
use feed_common::latency::{MEASURED, Stage, StageSet};
use std::time::Duration;

/// One interval of the time line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IntervalPoint {
    /// Since the start of the run.
    pub start: Duration,
    /// How long it was.
    pub length: Duration,
    /// The stages that had values.
    pub stages: Vec<(Stage, Figures)>,
    /// Of the stages that can speak for a run, how many values lay in each bin of `heat_bin`, empty ones left out.
    pub heat: Vec<(Stage, Vec<(u8, u64)>)>,
    /// The longest pause of the machine in it, in ns; 0 without any.
    pub pause_ns: u64,
}

/// Bins of the time line in a factor of ten.
pub(super) const BINS_PER_DECADE: f64 = 6.0;

/// The bin of a value on the time line.
pub(super) fn heat_bin(nanos: u64) -> u8 {
    // At most 120.
    ((nanos.max(1) as f64).log10() * BINS_PER_DECADE) as u8
}

/// The bins of cells that come in rising order.
fn heat_bins(cells: impl Iterator<Item = (u64, u64)>) -> Vec<(u8, u64)> {
    let mut bins: Vec<(u8, u64)> = Vec::new();
    for (nanos, count) in cells {
        add_bin(&mut bins, heat_bin(nanos), count);
    }
    bins
}

fn add_bin(bins: &mut Vec<(u8, u64)>, bin: u8, count: u64) {
    let at = bins.partition_point(|(b, _)| *b < bin);
    match bins.get_mut(at).filter(|(b, _)| *b == bin) {
        Some((_, known)) => *known = known.saturating_add(count),
        None => bins.insert(at, (bin, count)),
    }
}

impl IntervalPoint {
    /// What was recorded in an interval.
    pub fn of(start: Duration, length: Duration, set: &StageSet) -> IntervalPoint {
        let mut point = IntervalPoint {
            start,
            length,
            pause_ns: set.pauses().max(),
            ..IntervalPoint::default()
        };
        for stage in MEASURED {
            let Some(histogram) = set.histogram(stage).filter(|h| !h.is_empty()) else {
                continue;
            };
            let figures = Figures {
                above: set.above(stage),
                ..Quantiles::of(&histogram).into()
            };
            let cells = histogram.iter_recorded();
            let cells = cells.map(|c| (c.value_iterated_to(), u64::from(c.count_at_value())));
            point.take_up(stage, figures, cells);
        }
        point
    }

    /// The figures of a stage in this interval.
    pub fn figures(&self, stage: Stage) -> Option<&Figures> {
        self.stages
            .iter()
            .find(|(s, _)| *s == stage)
            .map(|(_, f)| f)
    }

    /// Adds a stage; of several sources of one stage the worst figures count, since quantiles cannot be added.
    pub(super) fn take_up(
        &mut self,
        stage: Stage,
        more: Figures,
        cells: impl Iterator<Item = (u64, u64)>,
    ) {
        if HEADLINES.contains(&stage) {
            let bins = heat_bins(cells);
            match self.heat.iter_mut().find(|(s, _)| *s == stage) {
                Some((_, known)) => bins.into_iter().for_each(|(b, n)| add_bin(known, b, n)),
                None => self.heat.push((stage, bins)),
            }
        }
        match self.stages.iter_mut().find(|(s, _)| *s == stage) {
            Some((_, known)) => known.worsen(&more),
            None => self.stages.push((stage, more)),
        }
    }
}
