//! The report as one HTML file: no script, no external reference, light and dark, for screens, phones and paper.

mod bursts;
mod clocks;
mod kinds;
mod pauses;
mod several;

pub use several::document;

use super::chart::{self, NARROW, Series, WIDE};
use super::holes::holes;
use super::stack::whole;
use super::svg::escape;
use super::units::{count, percent, plural, time};
use super::{Ordered, RunReport, document as tables, omission, processes, stack_at};
use feed_common::latency::Stage;
use std::fmt::Write;

/// The page of one run. Every text that came from a configuration, a capture or the system is escaped.
pub fn render(report: &RunReport) -> String {
    let mut page = begin(&headline(report));
    if let Some(delay) = report.injected() {
        warning(
            &format!("INJECTED DELAY: {delay}. These figures are not those of the program."),
            &mut page,
        );
    }
    if let Some(text) = omission::warning(report) {
        warning(&text, &mut page);
    }
    head(report, &mut page);
    sections(report, &mut page);
    end(page)
}

fn begin(title: &str) -> String {
    let mut page = String::with_capacity(256 << 10);
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n",
        escape(title),
        include_str!("style.css")
    );
    page
}

fn end(mut page: String) -> String {
    page.push_str(
        "<footer>Written by feed-handler. Figures come from HdrHistograms: above 2 µs they are rounded up by at most \
         0.1 % at three digits. The whole distributions, interval by interval, are in <code>latency.hlog</code>, percentiles in <code>hgrm/</code>, all \
         counters in <code>summary.json</code>.</footer>\n</main>\n</body>\n</html>\n",
    );
    page
}

/// What must be seen before anything else.
fn warning(text: &str, page: &mut String) {
    let _ = writeln!(
        page,
        "<p class=\"warning\" role=\"alert\">{}</p>",
        escape(text)
    );
}

/// Everything there is to say of a run, without its head.
fn sections(report: &RunReport, page: &mut String) {
    stages(report, page);
    clocks::clocks(report, page);
    where_the_time_went(report, page);
    percentiles(report, page);
    over_time(report, page);
    rates(report, page);
    pauses::pauses(report, page);
    bursts::bursts(report, page);
    kinds::by_message(report, page);
    kinds::by_channel(report, page);
    lines(report, page);
    processes(report, page);
    books(report, page);
    losses(report, page);
    cost(report, page);
    facts(report, page);
}

/// The run in one sentence.
pub(super) fn headline(report: &RunReport) -> String {
    let Some((stage, f)) = report.headline_stage() else {
        return "No latency was recorded in this run".to_owned();
    };
    let reached = match stage {
        Stage::Published => "visible to consumers",
        Stage::Decoded => "decoded",
        _ => "taken up",
    };
    format!("99 % of packets were {reached} within {}", time(f.p99))
}

pub(super) fn lead(report: &RunReport) -> String {
    let mut text = String::new();
    if let Some((_, f)) = report.headline_stage() {
        let more = if f.above > 0 { "more than " } else { "" };
        let _ = write!(
            text,
            "Half of them took {} or less, the slowest {more}{}, counted from the moment the receive call returned. ",
            time(f.p50),
            time(f.max)
        );
    }
    let s = &report.sequence;
    if s.lost == 0 && s.gaps == 0 {
        text.push_str("No message was lost on the way in");
    } else {
        let _ = write!(
            text,
            "{} in {} arrived on no line",
            plural(s.lost, "message"),
            plural(s.gaps, "gap")
        );
    }
    let dropped: u64 = dropped(report);
    if dropped == 0 {
        text.push_str(", and nothing that arrived was dropped.");
    } else {
        let _ = write!(
            text,
            "; {} counted as dropped, by cause below.",
            match dropped {
                1 => "1 packet or message is".to_owned(),
                n => format!("{} packets or messages are", count(n)),
            }
        );
    }
    text
}

fn dropped(report: &RunReport) -> u64 {
    report
        .drops
        .iter()
        .fold(0u64, |sum, (_, n)| sum.saturating_add(*n))
}

fn head(report: &RunReport, page: &mut String) {
    let start = report.run.get("start").map_or("", String::as_str);
    let _ = write!(
        page,
        "<header>\n<p class=\"eyebrow\">feed-handler latency report{}{}</p>\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n",
        if start.is_empty() { "" } else { " · " },
        escape(start),
        escape(&headline(report)),
        escape(&lead(report))
    );
    let lost = report.sequence.lost;
    let mood = if lost == 0 { "good" } else { "bad" };
    let _ = write!(
        page,
        "<dl class=\"tiles\">\n\
         <div><dt>Packets</dt><dd>{}</dd></div>\n\
         <div><dt>Messages</dt><dd>{}</dd></div>\n\
         <div><dt>Records published</dt><dd>{}</dd></div>\n\
         <div><dt>Messages lost</dt><dd class=\"{mood}\">{}</dd></div>\n\
         </dl>\n</header>\n",
        count(report.packets),
        count(report.messages),
        count(report.published),
        count(lost)
    );
}

fn stages(report: &RunReport, page: &mut String) {
    if report.stages_of_one_clock().next().is_none() {
        return;
    }
    section(
        page,
        "Latency by stage",
        "How long packets took to reach each stage, counted from the return of the receive call, so waiting is part of it; \
         only <em>message</em> is a span of its own.",
    );
    page.push_str("<div class=\"scroll\"><table class=\"stages\">\n");
    header(
        page,
        &["Stage"],
        &[
            "Count", "Min", "50 %", "90 %", "99 %", "99.9 %", "99.99 %", "Max",
        ],
    );
    for (stage, f) in report.stages_of_one_clock() {
        let _ = write!(
            page,
            "<tr><td class=\"t\"><span class=\"swatch s-{name}\"></span>{name}<small>{}</small></td><td>{}</td>",
            escape(stage.meaning()),
            count(f.count),
            name = stage.name(),
        );
        for value in [f.min, f.p50, f.p90, f.p99, f.p999, f.p9999] {
            let _ = write!(page, "<td>{}</td>", time(value));
        }
        let more = if f.above > 0 { "&gt; " } else { "" };
        let _ = writeln!(page, "<td>{more}{}</td></tr>", time(f.max));
    }
    page.push_str("</table></div>\n");
    for (stage, f) in report.stages_of_one_clock().filter(|(_, f)| f.above > 0) {
        let _ = writeln!(
            page,
            "<p class=\"note\">{}: {} above the recorded range.</p>",
            stage.name(),
            plural(f.above, "value")
        );
    }
    page.push_str("</section>\n");
}

fn where_the_time_went(report: &RunReport, page: &mut String) {
    let Some(table) = tables::parts(report) else {
        return;
    };
    section(
        page,
        "Where the time went",
        "Each bar is the way of a packet, cut at the stages: the upper one of a packet in the middle, the others of the \
         slowest in a hundred and in a thousand. A part is the figure of its stage less that of the stage before.",
    );
    let stacks = [(0.5, "p50"), (0.99, "p99"), (0.999, "p99.9")];
    for (quantile, name) in stacks {
        let shares = stack_at(report, quantile);
        let total = time(whole(&shares));
        let _ = write!(
            page,
            "<div class=\"bar\"><span>{name}</span><div class=\"stack chart\" role=\"img\" aria-label=\"{name}: {total}\">"
        );
        for share in shares.iter().filter(|s| s.nanos > 0) {
            let _ = write!(
                page,
                "<div class=\"s-{}\" style=\"flex:{} 1 0\" title=\"{}: {}\"></div>",
                share.stage.name(),
                share.nanos,
                share.label,
                time(share.nanos)
            );
        }
        let _ = writeln!(page, "</div><span>{total}</span></div>");
    }
    page.push_str("<ul class=\"legend\">");
    for share in stack_at(report, 0.5) {
        let name = share.stage.name();
        let _ = write!(
            page,
            "<li><span class=\"swatch s-{name}\"></span>{}</li>",
            share.label
        );
    }
    page.push_str("</ul>\n");
    table.html(page);
    if report.figures(Stage::Receive).is_some() {
        page.push_str(
            "<p class=\"note after\">The part from the kernel compares two clocks and is only as \
             good as their fit.</p>\n",
        );
    }
    page.push_str("</section>\n");
}

fn percentiles(report: &RunReport, page: &mut String) {
    // What an exchange's clock is off by would be the scale of all others.
    let shown = |curve: &&super::Curve| curve.stage != Stage::Exchange;
    if !report.curves.iter().any(|curve| shown(&curve)) {
        return;
    }
    section(
        page,
        "Percentiles",
        "How long all but the slowest packets took: read a line above “99 %” and 99 of 100 packets reached that stage \
         within this time. Each step to the right is ten times rarer, and the filled dot is the slowest of all; a line \
         that stays low to the right is a program that is never slow.",
    );
    page.push_str("<ul class=\"legend\">");
    for curve in report.curves.iter().filter(shown) {
        let name = curve.stage.name();
        let _ = write!(
            page,
            "<li><span class=\"swatch s-{name}\"></span>{name}</li>"
        );
    }
    page.push_str("</ul>\n");
    let series: Vec<Series<'_>> = report
        .curves
        .iter()
        .filter(shown)
        .map(|curve| Series {
            class: format!("s-{}", curve.stage.name()),
            name: curve.stage.name(),
            curve,
        })
        .collect();
    for size in [WIDE, NARROW] {
        page.push_str(&chart::percentiles("Latency by percentile", &series, size));
    }
    page.push_str("</section>\n");
}

/// What the lines of a chart of half, nearly all and the slowest are.
fn legend(page: &mut String) {
    page.push_str("<ul class=\"legend\">");
    for (class, words) in [
        ("p50", "half within"),
        ("p99", "99 % within"),
        ("max", "slowest"),
    ] {
        let _ = write!(
            page,
            "<li><span class=\"swatch t-{class}\"></span>{words}</li>"
        );
    }
    page.push_str("</ul>\n");
}

fn over_time(report: &RunReport, page: &mut String) {
    let Some((stage, _)) = report.headline_stage() else {
        return;
    };
    let with = |p: &&super::IntervalPoint| p.figures(stage).is_some();
    if report.timeline.iter().filter(with).count() < 2 {
        return;
    }
    section(
        page,
        "Over time",
        &format!(
            "Latency of <em>{}</em> in each interval of the run: a step shows a change of load or of the machine, a \
             lone peak a disturbance.",
            stage.name()
        ),
    );
    legend(page);
    for size in [WIDE, NARROW] {
        page.push_str(&chart::over_time(&report.timeline, stage, size));
    }
    let gaps = match report.gaps.iter().any(|gap| gap.lost > 0) {
        _ if report.gaps.is_empty() => "",
        true => {
            " Marks above it are moments at which messages were missing: grey where they came after all, red where some were given up."
        }
        false => {
            " Grey marks above it are moments at which messages were missing and came after all."
        }
    };
    let pauses = pauses::marks(report);
    let _ = writeln!(
        page,
        "<p class=\"note after\">The same with every packet in it: the darker a cell, the more of the packets of its \
         moment took this long.{gaps}{pauses}</p>"
    );
    for size in [WIDE, NARROW] {
        page.push_str(&chart::heat(&report.timeline, &report.gaps, stage, size));
    }
    page.push_str("</section>\n");
}

/// What came in, beside the latency over the same time.
fn rates(report: &RunReport, page: &mut String) {
    if report.rates.len() < 2 {
        return;
    }
    section(
        page,
        "Load",
        "What came in by the second, interval by interval, over the same time as the latency: a rise of both is load, of one \
         the machine. Marks at the top are intervals in which messages were lost for good. The points are in \
         <code>series.points</code>.",
    );
    page.push_str("<ul class=\"legend\">");
    for (class, words) in [("messages", "messages"), ("packets", "packets")] {
        let _ = write!(
            page,
            "<li><span class=\"swatch m-{class}\"></span>{words} a second</li>"
        );
    }
    page.push_str("</ul>\n");
    for size in [WIDE, NARROW] {
        page.push_str(&chart::rates(&report.rates, size));
    }
    page.push_str("</section>\n");
}

fn lines(report: &RunReport, page: &mut String) {
    if report.lines.is_empty() {
        return;
    }
    section(
        page,
        "Lines",
        "What each line brought: <em>first</em> counts the messages it delivered before any other line, <em>lost</em> \
         those it never carried, <em>alone</em> those of them that another line did. <em>Earlier by</em> is by how much its \
         packets were ahead of the line that came second, <em>silent for</em> the longest time without one.",
    );
    page.push_str("<div class=\"scroll\"><table>\n");
    header(
        page,
        &["Channel", "Line"],
        &[
            "First",
            "",
            "Lost",
            "Alone",
            "Duplicates",
            "Packets",
            "Messages",
            "Earlier by (p50)",
            "p99",
            "Silent for",
        ],
    );
    for line in &report.lines {
        let of_channel = report
            .lines
            .iter()
            .filter(|l| l.channel == line.channel)
            .fold(0u64, |sum, l| sum.saturating_add(l.first));
        let _ = write!(
            page,
            "<tr><td class=\"t\">{}</td><td class=\"t\">{}<small>{}</small></td>",
            escape(&line.channel),
            escape(&line.line),
            escape(&line.group)
        );
        number(page, line.first);
        let _ = write!(page, "<td>{}</td>", percent(line.first, of_channel));
        number(page, line.lost);
        match line.lost_alone {
            Some(n) => number(page, n),
            None => page.push_str("<td>–</td>"),
        }
        for n in [line.duplicates, line.packets, line.messages] {
            number(page, n);
        }
        let lead = line.lead_ns.filter(|lead| lead.count > 0);
        let leads = lead.map(|lead| [lead.p50, lead.p99].map(time));
        for shown in leads.unwrap_or_else(|| ["–"; 2].map(str::to_owned)) {
            let _ = write!(page, "<td>{shown}</td>");
        }
        let _ = write!(page, "<td>{}</td>", time(line.longest_silence_ns));
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div>\n</section>\n");
}

/// Readers of shared memory.
fn processes(report: &RunReport, page: &mut String) {
    let Some(table) = processes::table(report) else {
        return;
    };
    section(
        page,
        "Consumers in other processes",
        "How long records took from the receive of their packet into the hands of consumers in other processes, as these have \
         measured it, by the same counter.",
    );
    table.html(page);
    page.push_str("</section>\n");
}

fn books(report: &RunReport, page: &mut String) {
    let Some(books) = &report.books else {
        return;
    };
    section(
        page,
        "Books",
        "What the order books held at the end, how often best prices changed, and what could not be as the feed said it.",
    );
    page.push_str("<table class=\"causes\">\n");
    header(page, &["What"], &["Count"]);
    let mut row = |what: &str, n: u64| {
        let _ = write!(page, "<tr><td class=\"t\">{what}</td>");
        number(page, n);
        page.push_str("</tr>\n");
    };
    row("instruments", books.instruments);
    row("live orders", books.live_orders);
    row("price levels", books.levels);
    row("changes of best prices", books.bbo_changes);
    for (kind, n) in books.faults.iter().filter(|(_, n)| **n > 0) {
        row(&format!("<code>{}</code>", escape(kind)), *n);
    }
    page.push_str("</table>\n");
    not_seen(&books.faults, page);
    page.push_str("</section>\n");
}

fn losses(report: &RunReport, page: &mut String) {
    section(
        page,
        "Losses by cause",
        "Everything that did not reach a consumer, and where it was lost.",
    );
    page.push_str("<table class=\"causes\">\n");
    header(page, &["Cause"], &["Count"]);
    let s = &report.sequence;
    let mut row = |cause: &str, n: u64| {
        let _ = write!(page, "<tr><td class=\"t\">{cause}</td>");
        number(page, n);
        page.push_str("</tr>\n");
    };
    row("lost on every line (messages)", s.lost);
    for (cause, n) in report.drops.iter().filter(|(_, n)| **n > 0) {
        row(&format!("<code>{}</code>", escape(cause)), *n);
    }
    for c in &report.consumers {
        let taken = count(c.taken);
        let name = escape(&c.name);
        let stopped = if c.stopped {
            " and was stopped then"
        } else {
            ""
        };
        row(
            &format!("lost by consumer “{name}”, which took {taken}{stopped}"),
            c.lost,
        );
        if c.conflated > 0 {
            row(
                &format!("not given to “{name}”, as newer ones said the same"),
                c.conflated,
            );
        }
        if c.withheld > 0 {
            row(
                &format!("kept from “{name}”, which asked for valid data only"),
                c.withheld,
            );
        }
    }
    for (what, lost) in report.not_kept() {
        row(&escape(&what), lost);
    }
    page.push_str("</table>\n");
    not_seen(&report.drops, page);
    let _ = writeln!(
        page,
        "<p class=\"note after\">Sequencing: {}, {} recovered, {} that brought nothing new, {}.</p>",
        plural(s.gaps, "gap"),
        plural(s.recovered, "message"),
        plural(s.duplicates, "packet"),
        plural(s.restarts, "restart")
    );
    for said in holes(report) {
        let _ = writeln!(page, "<p class=\"note after\">{}.</p>", escape(&said));
    }
    page.push_str("</section>\n");
}

/// Says which of the causes never occurred.
fn not_seen(causes: &Ordered<u64>, page: &mut String) {
    let quiet: Vec<String> = causes
        .iter()
        .filter(|(_, n)| **n == 0)
        .map(|(cause, _)| format!("<code>{}</code>", escape(cause)))
        .collect();
    if !quiet.is_empty() {
        let _ = writeln!(
            page,
            "<p class=\"note after\">Looked for and not seen: {}.</p>",
            quiet.join(", ")
        );
    }
}

/// What measuring took of what was measured.
fn cost(report: &RunReport, page: &mut String) {
    let Some(fact) = report.run.get(INSTRUMENTS) else {
        return;
    };
    section(
        page,
        "What measuring cost",
        "The instruments take time themselves, which is in every figure above; it was measured on this machine when the \
         run began, in a row and with warm caches, so it is the least they cost.",
    );
    let _ = write!(page, "<p>{}.", escape(fact));
    if let Some(said) = report.instruments_said() {
        let said = tables::capital(&said);
        let _ = write!(
            page,
            " {}: it reads the clock twice, and counts three stages and its arrival.",
            escape(&said)
        );
    }
    page.push_str("</p>\n</section>\n");
}

/// The fact that says it.
const INSTRUMENTS: &str = "instruments";

fn facts(report: &RunReport, page: &mut String) {
    let digests = [
        ("record digest", &report.record_digest),
        ("book digest", &report.book_digest),
    ];
    let known: Vec<_> = digests
        .into_iter()
        .filter_map(|(name, digest)| digest.as_ref().map(|d| (name, d)))
        .collect();
    if report.run.is_empty() && known.is_empty() {
        return;
    }
    section(
        page,
        "The run",
        "What the figures depend on; compare runs only where these agree.",
    );
    page.push_str("<table class=\"facts\">\n");
    for (name, value) in report.run.iter().chain(known) {
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td>{}</td></tr>",
            escape(name),
            escape(value)
        );
    }
    page.push_str("</table>\n</section>\n");
}

/// Opens a section. `says` is the one sentence that tells what is shown; it may hold markup of ours.
fn section(page: &mut String, title: &str, says: &str) {
    let _ = write!(
        page,
        "<section>\n<h2>{title}</h2>\n<p class=\"note\">{says}</p>\n"
    );
}

fn header(page: &mut String, texts: &[&str], numbers: &[&str]) {
    page.push_str("<tr>");
    for text in texts {
        let _ = write!(page, "<th class=\"t\">{text}</th>");
    }
    for number in numbers {
        let _ = write!(page, "<th>{number}</th>");
    }
    page.push_str("</tr>\n");
}

fn number(page: &mut String, n: u64) {
    let class = if n == 0 { " class=\"zero\"" } else { "" };
    let _ = write!(page, "<td{class}>{}</td>", count(n));
}

#[cfg(test)]
#[path = "html_tests.rs"]
mod tests;
