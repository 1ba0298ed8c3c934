//! The sections on arrivals and on latency against them.

use super::super::bursts::{self, LATENCY_SAYS, WINDOWS_SAY};
use super::super::chart::{NARROW, WIDE, against_burst};
use super::super::units::time;
use super::super::{Arrivals, RunReport};
use super::{legend, section};

/// How close packets came, where that was counted, and what it cost them, where that was measured.
pub(super) fn bursts(report: &RunReport, page: &mut String) {
    let Some(found) = &report.arrivals else {
        return;
    };
    latency(found, page);
    let live = match found.latency.is_empty() {
        true => "Times are those of the capture.",
        false => {
            "Times are those at which receive calls returned: what waited in the socket while the machine paused came at once."
        }
    };
    section(
        page,
        "How close packets came",
        &format!("{WINDOWS_SAY}. {live}"),
    );
    bursts::arrivals(found).html(page);
    if found.at_least {
        page.push_str(
            "<p class=\"note after\">More packets came than are kept count of: the numbers are the least there were.</p>\n",
        );
    }
    page.push_str("</section>\n");
}

fn latency(found: &Arrivals, page: &mut String) {
    let Some(table) = bursts::latency(found) else {
        return;
    };
    section(
        page,
        "Latency against burst",
        &format!("{LATENCY_SAYS}. The window is {}.", time(found.crowd_ns)),
    );
    legend(page);
    for size in [WIDE, NARROW] {
        page.push_str(&against_burst(&found.latency, found.crowd_ns, size));
    }
    table.html(page);
    page.push_str("</section>\n");
}
