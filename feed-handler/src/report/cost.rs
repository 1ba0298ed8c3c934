//! What measuring took of what was measured.

use super::RunReport;
use super::units::count;
use feed_common::latency::cost::Cost;
use serde::{Deserialize, Serialize};

/// The price of the instruments, measured on the run's machine when it began; nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Instruments {
    /// Reading the clock.
    pub clock_ns: f64,
    /// Counting a value.
    pub record_ns: f64,
    /// Marking a stage: both, and the conversion.
    pub mark_ns: f64,
    /// Looking whether anybody wants the interval, once a poll.
    pub housekeep_ns: f64,
    /// All that is spent on a packet with something new that is alone in its poll.
    pub packet_ns: f64,
    /// That in per cent of the p50 of the stage that speaks for the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_of_p50: Option<f64>,
    /// Counting a packet's arrival, and its latency by how many came with it.
    pub arrival_ns: f64,
    /// Watching a round of the loop for a pause.
    pub watch_ns: f64,
    /// Timing a sampled message.
    pub message_ns: f64,
}

impl From<Cost> for Instruments {
    fn from(cost: Cost) -> Instruments {
        Instruments {
            clock_ns: tenths(cost.clock),
            record_ns: tenths(cost.record),
            mark_ns: tenths(cost.mark),
            housekeep_ns: tenths(cost.housekeep),
            packet_ns: tenths(cost.packet()),
            percent_of_p50: None,
            arrival_ns: tenths(cost.arrival),
            watch_ns: tenths(cost.watch),
            message_ns: tenths(cost.message),
        }
    }
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

impl RunReport {
    /// Holds the price of the instruments against the figures, which must be there.
    pub fn judge_instruments(&mut self) {
        let p50 = self.headline_stage().map(|(_, f)| f.p50);
        if let (Some(instruments), Some(p50)) = (&mut self.instruments, p50) {
            let share = instruments.packet_ns * 100.0 / p50.max(1) as f64;
            instruments.percent_of_p50 = Some(tenths(share));
        }
    }

    /// What measuring cost a packet, in a sentence without its end.
    pub(super) fn instruments_said(&self) -> Option<String> {
        let instruments = self.instruments.as_ref()?;
        let packet = count(instruments.packet_ns.max(0.0).round() as u64);
        let said = format!("measuring took {packet} ns of a packet with something new");
        match (instruments.percent_of_p50, self.headline_stage()) {
            (Some(percent), Some((stage, _))) => {
                let stage = stage.name();
                Some(format!("{said}, {percent:.1} % of the p50 of {stage}"))
            }
            _ => Some(said),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::sample;
    use super::*;
    use feed_common::latency::Stage;

    #[test]
    fn the_share_is_of_the_median_of_the_stage_that_speaks() {
        let (mut report, _) = sample(1);
        report.judge_instruments();
        assert_eq!(report.instruments_said(), None);
        let cost = Cost {
            clock: 7.25,
            record: 2.0,
            mark: 10.04,
            housekeep: 0.5,
            arrival: 3.0,
            watch: 9.0,
            message: 40.0,
        };
        report.instruments = Some(cost.into());
        assert!(
            report
                .instruments_said()
                .unwrap()
                .ends_with("25 ns of a packet with something new")
        );
        report.judge_instruments();
        let p50 = report.figures(Stage::Published).unwrap().p50 as f64;
        let percent = report.instruments.unwrap().percent_of_p50.unwrap();
        assert!((percent - 24.8 * 100.0 / p50).abs() < 0.051, "{percent}");
        let said = report.instruments_said().unwrap();
        assert_eq!(
            said,
            format!(
                "measuring took 25 ns of a packet with something new, {percent:.1} % of the p50 of published"
            )
        );
    }
}
