//! The section of stages that cross clocks.

use super::super::RunReport;
use super::super::clocks::{said, tables};
use super::super::document::{Document, capital};
use super::super::svg::escape;
use super::section;
use std::fmt::Write;

/// The figures with their clocks, the lines between these, and what is to be known of them.
pub(super) fn clocks(report: &RunReport, page: &mut String) {
    let tables = tables([("", report)].into_iter());
    if tables.is_empty() {
        return;
    }
    section(
        page,
        "Stages that cross clocks",
        "How long packets were on their way before a receive call returned them. The stamp a figure begins with and the one \
         it ends with are of two clocks, so it is only as good as these agree; the second table says how well the lines \
         between the time-stamp counter and the others fit.",
    );
    for table in tables {
        table.html(page);
    }
    for sentence in said(report) {
        let _ = writeln!(
            page,
            "<p class=\"note after\">{}.</p>",
            escape(&capital(&sentence))
        );
    }
    page.push_str("</section>\n");
}

/// The same of several runs, a row for each.
pub(super) fn of_runs(document: &Document, page: &mut String) {
    let tables = tables(document.all().map(|run| (run.name.as_str(), &run.report)));
    if tables.is_empty() {
        return;
    }
    section(
        page,
        "Stages that cross clocks",
        "How long packets were on their way before a receive call returned them, by two clocks each; these figures say as \
         much of the clocks as of the way, and no verdict is built on <em>exchange</em>.",
    );
    for table in tables {
        table.html(page);
    }
    page.push_str("</section>\n");
}
