//! What became of the holes of a live run, in sentences.

use super::table::plain;
use super::units::{count, plural, time};
use super::{Ordered, RunReport};
use std::fmt::Write;

/// Who closed the holes, what was missing in them by cause, and what each line lost here; nothing where nothing was.
pub(super) fn holes(report: &RunReport) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(holes) = report.holes.as_ref().filter(|holes| holes.found > 0) {
        let mut text = plural(holes.found, "hole");
        for (by, n) in holes.closed_by.iter() {
            let _ = write!(text, ", {} closed by {}", count(*n), plain(by));
        }
        let _ = write!(text, ", {} given up", count(holes.given_up));
        let after = holes.closed_after_ns;
        if after.count > 0 {
            let _ = write!(text, "; closed after {} at the median", time(after.p50));
        }
        if holes.unreported > 0 {
            let _ = write!(
                text,
                "; of {} more nothing is known",
                count(holes.unreported)
            );
        }
        said.push(text);
    }
    if !report.losses.is_empty() {
        said.push(format!("missing in holes: {}", by_cause(&report.losses)));
    }
    for line in report.lines.iter().filter(|l| !l.lost_here.is_empty()) {
        let (channel, name) = (plain(&line.channel), plain(&line.line));
        let lost = by_cause(&line.lost_here);
        said.push(format!("line {name} of {channel}, lost here: {lost}"));
    }
    said
}

fn by_cause(causes: &Ordered<u64>) -> String {
    let causes = causes.iter();
    let causes = causes.map(|(cause, n)| format!("{} {}", count(*n), plain(cause)));
    causes.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::sample;
    use super::super::{Holes, Lead};
    use super::*;

    #[test]
    fn says_who_closed_them_and_what_was_missing() {
        let (mut report, _) = sample(1);
        assert_eq!(holes(&report), [""; 0]);
        report.holes = Some(Holes::default());
        assert_eq!(holes(&report), [""; 0], "there were none");
        report.holes = Some(Holes {
            found: 1_204,
            closed_by: [("line A", 1_100), ("retransmission", 100)]
                .into_iter()
                .collect(),
            given_up: 4,
            closed_after_ns: Lead {
                count: 1_200,
                p50: 3_100,
                ..Lead::default()
            },
            unlisted: 0,
            unreported: 2,
        });
        report.losses = [("one_line", 5_000), ("upstream", 17)]
            .into_iter()
            .collect();
        report.lines[1].lost_here = [("socket_buffer", 12)].into_iter().collect();
        assert_eq!(
            holes(&report),
            [
                "1,204 holes, 1,100 closed by line A, 100 closed by retransmission, 4 given up; closed after 3.10 µs at the \
                 median; of 2 more nothing is known",
                "missing in holes: 5,000 one_line, 17 upstream",
                "line B of itch, lost here: 12 socket_buffer",
            ]
        );
    }
}
