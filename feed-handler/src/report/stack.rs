//! Where the time goes: what each stage adds to the way of a packet.

use super::{Figures, RunReport};
use feed_common::latency::Stage;

/// What a stage adds to the way of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Stage it ends at.
    pub stage: Stage,
    /// What happens on it.
    pub label: &'static str,
    /// The quantile of this stage less that of the stage before, ns.
    pub nanos: u64,
}

/// Where the time goes at the median.
pub fn stack(report: &RunReport) -> Vec<Share> {
    stack_by(report, |f| f.p50)
}

/// Where the time goes at one of the quantiles that figures have: 0.5, 0.99 or 0.999.
pub fn stack_at(report: &RunReport, quantile: f64) -> Vec<Share> {
    match quantile {
        q if q >= 0.999 => stack_by(report, |f| f.p999),
        q if q >= 0.99 => stack_by(report, |f| f.p99),
        _ => stack_by(report, |f| f.p50),
    }
}

/// The stages' figures all count from receive, so the difference of two neighbours' quantiles is what lies between them.
/// (It is not the quantile of the differences, which nobody recorded.) The way from the kernel comes first where it was
/// measured.
fn stack_by(report: &RunReport, read: fn(&Figures) -> u64) -> Vec<Share> {
    // Publishing is one store and has a part of its own only where packets were held up in front of it.
    let published = report.figures(Stage::Published);
    let has_own = published != report.figures(Stage::Decoded);
    let labels = [
        (Stage::Dequeue, "waiting to be taken up"),
        (Stage::Decoded, "sequencing and decoding"),
        (Stage::Published, "publishing"),
        (Stage::Taken, "reaching the consumer"),
    ];
    let labels = labels.into_iter();
    let labels = labels.filter(|(stage, _)| has_own || *stage != Stage::Published);
    let mut shares = Vec::new();
    if let Some(figures) = report.figures(Stage::Receive) {
        shares.push(Share {
            stage: Stage::Receive,
            label: "kernel to user space (two clocks)",
            nanos: read(figures),
        });
    }
    let mut before = 0;
    for (stage, label) in labels {
        if let Some(figures) = report.figures(stage) {
            shares.push(Share {
                stage,
                label,
                nanos: read(figures).saturating_sub(before),
            });
            before = before.max(read(figures));
        }
    }
    shares
}

/// The sum of the parts. Saturates, as a summary may come from anywhere.
pub(super) fn whole(shares: &[Share]) -> u64 {
    shares.iter().fold(0, |sum, s| sum.saturating_add(s.nanos))
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::sample;
    use super::*;

    #[test]
    fn the_stack_adds_up_to_the_last_median() {
        let (report, _) = sample(1);
        let shares = stack(&report);
        assert_eq!(shares.len(), 5);
        let from_receive: u64 = shares[1..].iter().map(|s| s.nanos).sum();
        assert_eq!(from_receive, report.figures(Stage::Taken).unwrap().p50);
        assert_eq!(report.headline_stage().unwrap().0, Stage::Published);
        assert!(stack(&RunReport::default()).is_empty());
    }

    #[test]
    fn publishing_has_no_part_where_it_shares_its_reading_with_decoding() {
        let (mut report, _) = sample(1);
        let decoded = *report.figures(Stage::Decoded).unwrap();
        report.latency.set(Stage::Published.name(), decoded);
        let stages: Vec<_> = stack(&report).iter().map(|share| share.stage).collect();
        let want = [Stage::Receive, Stage::Dequeue, Stage::Decoded, Stage::Taken];
        assert_eq!(stages, want);
    }
}
