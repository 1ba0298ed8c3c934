//! Correction for omission, where the time between packets is known from elsewhere and nothing else says it.
//!
//! Who asks for the next packet only when the last is done does not see what would have waited meanwhile. Where packets
//! come by a schedule, that is never guessed at: live latency counts from the receive, so what waited is in it, and a
//! replay counts from when each packet was due ([`feed_replay`] has both as `service` and `response`). What remains is a
//! file, which is handled as fast as it can be: for it, and only by a flag of that name, a value that is longer than the
//! known interval gets those beside it that packets at that interval would have had.

use super::RunReport;
use super::units::time;
use feed_common::latency::Stage;
use feed_common::latency::summary::StageTotals;

/// The stages it corrects: those that count from the receive.
const STAGES: [Stage; 4] = [
    Stage::Dequeue,
    Stage::Decoded,
    Stage::Published,
    Stage::Taken,
];

/// Corrects a report whose distributions are `totals`, by an interval between packets. What cannot be corrected is left
/// out of it. An error is why it must not be.
pub(super) fn correct(
    report: &mut RunReport,
    mut totals: StageTotals,
    known_ns: u64,
) -> Result<(), String> {
    if let Some(known) = report.omission_corrected_ns {
        return Err(format!(
            "it has been corrected for omission already, by {}: twice would count what waited twice",
            time(known)
        ));
    }
    match report.run.get("input").map(String::as_str) {
        Some(input) if input.starts_with("capture ") => {}
        Some(input) => {
            return Err(format!(
                "its input is {input}, which come by a schedule of their own: latency counts from the receive, so nothing \
                 is omitted and nothing must be corrected"
            ));
        }
        None => {
            return Err(
                "it does not say what its input was: packets may have come by a schedule, and then nothing must be corrected"
                    .to_owned(),
            );
        }
    }
    totals
        .correct_omission(&STAGES, known_ns)
        .map_err(|e| e.to_string())?;
    report.set_latency(&totals);
    report.omission_corrected_ns = Some(known_ns);
    // These are of the values as they were.
    report.timeline.clear();
    report.pauses = None;
    report.arrivals = None;
    Ok(())
}

/// What every form of a corrected report says first.
pub(super) fn warning(report: &RunReport) -> Option<String> {
    let known = report.omission_corrected_ns?;
    Some(format!(
        "CORRECTED FOR OMISSION by a known interval of {} between packets: dequeue, decoded, published and taken hold values \
         that nobody measured. Do not correct them again.",
        time(known)
    ))
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::sample;
    use super::super::{Document, Run, csv, html, json, markdown};
    use super::*;
    use feed_common::latency::{Resolution, StageSet};

    /// A file's run of 99 packets that took 100 ns and one that took 1 µs.
    fn run() -> (RunReport, StageTotals) {
        let mut set = StageSet::new(Resolution::default());
        (0..99).for_each(|_| set.record(Stage::Published, 100));
        set.record(Stage::Published, 1_000);
        set.record(Stage::Message, 1_000);
        let mut totals = StageTotals::new(Resolution::default());
        totals.add(&set);
        let mut report = RunReport::default();
        report.run.set("input", "capture a.pcap".to_owned());
        report.set_latency(&totals);
        (report, totals)
    }

    #[test]
    fn what_would_have_waited_is_added() {
        let (mut report, totals) = run();
        correct(&mut report, totals, 200).unwrap();
        // Beside 1,000 ns those that came 200 ns later each: 800, 600, 400, 200.
        let f = report.figures(Stage::Published).unwrap();
        assert_eq!((f.count, f.p50, f.p99, f.max), (104, 100, 800, 1_000));
        assert_eq!(report.figures(Stage::Message).unwrap().count, 1);
    }

    #[test]
    fn never_twice_and_never_where_packets_had_a_schedule() {
        let (mut report, totals) = run();
        correct(&mut report, totals.clone(), 200).unwrap();
        let again = correct(&mut report, totals.clone(), 200).unwrap_err();
        assert!(again.contains("corrected for omission already, by 200 ns"));
        let (mut live, _) = run();
        live.run.set("input", "live lines".to_owned());
        let refused = correct(&mut live, totals.clone(), 200).unwrap_err();
        assert!(refused.contains("its input is live lines, which come by a schedule"));
        let refused = correct(&mut RunReport::default(), totals.clone(), 200).unwrap_err();
        assert!(refused.contains("does not say what its input was"));
        let refused = correct(&mut run().0, totals, 0).unwrap_err();
        assert!(refused.contains("0 ns"), "{refused}");
    }

    #[test]
    fn every_form_says_so() {
        let (mut report, totals) = run();
        correct(&mut report, totals, 200).unwrap();
        let document = Document {
            runs: vec![Run {
                name: "r".into(),
                report,
                ..Run::default()
            }],
            ..Document::default()
        };
        let said = "CORRECTED FOR OMISSION by a known interval of 200 ns";
        assert!(html::document(&document).contains(said));
        assert!(markdown::render(&document).contains(said));
        let json = json::document(&document);
        assert!(json.contains(said) && json.contains("\"omission_corrected_ns\": 200"));
        let csv = csv::render(&document);
        assert!(
            csv.contains("\nlatency_corrected,r,published,p99,800,"),
            "{csv}"
        );
        assert!(!csv.contains("\nlatency,"), "{csv}");
        let (untouched, _) = sample(1);
        assert!(warning(&untouched).is_none() && !html::render(&untouched).contains("OMISSION"));
    }
}
