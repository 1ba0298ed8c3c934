//! Channels, message types and the slowest symbols, on the page.

use super::super::RunReport;
use super::super::kinds::{channels, said, symbols, types};
use super::super::svg::escape;
use super::section;
use std::fmt::Write;

/// What each channel came to, where there is more than one: with one it is what the head says.
pub(super) fn by_channel(report: &RunReport, page: &mut String) {
    let Some(table) = channels(report).filter(|_| report.channels.len() > 1) else {
        return;
    };
    section(
        page,
        "Channels",
        "What each channel delivered after its lines were merged, how long its packets took until consumers could see them, and \
         what no line brought.",
    );
    table.html(page);
    page.push_str("</section>\n");
}

/// Sampled messages by type and by symbol.
pub(super) fn by_message(report: &RunReport, page: &mut String) {
    let Some(types) = types(report) else {
        return;
    };
    section(
        page,
        "Message types",
        "How long one message takes, from before it is decoded until its records are written, by its type: a type that is \
         slow and frequent is where work on the decoder or the books pays.",
    );
    types.html(page);
    for said in said(report) {
        let _ = writeln!(page, "<p class=\"note after\">{}.</p>", escape(&said));
    }
    page.push_str("</section>\n");
    let Some(symbols) = symbols(report) else {
        return;
    };
    section(
        page,
        "Slowest symbols",
        "The symbols whose messages take the longest, by what 90 of 100 of them take at most: those with deep or busy books, \
         or with books that are seldom in the cache. Symbols with fewer than ten sampled messages are left out.",
    );
    symbols.html(page);
    page.push_str("</section>\n");
}
