//! The section on pauses of the machine.

use super::super::svg::escape;
use super::super::{RunReport, pauses};
use super::section;
use std::fmt::Write;

/// The tails with and without the intervals in which the machine paused, where that was watched.
pub(super) fn pauses(report: &RunReport, page: &mut String) {
    let Some(found) = &report.pauses else {
        return;
    };
    section(
        page,
        "Pauses of the machine",
        "What of the slowest packets is the machine's and not the program's: beside each figure of the whole run the same of \
         its <em>calm</em> intervals, in which no core of a lane was gone for long.",
    );
    pauses::table(found).html(page);
    for said in pauses::said(found) {
        let _ = writeln!(page, "<p class=\"note after\">{}.</p>", escape(&said));
    }
    page.push_str("</section>\n");
}

/// What the marks of pauses on the time line are, where there are any.
pub(super) fn marks(report: &RunReport) -> &'static str {
    let long = |p: &super::super::IntervalPoint| p.pause_ns >= pauses::LONG_PAUSE_NANOS;
    match report.timeline.iter().any(long) {
        true => {
            " Marks below it are intervals in which the machine paused for half a millisecond or longer."
        }
        false => "",
    }
}
