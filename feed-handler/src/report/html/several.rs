//! The page of several runs, or of runs held against others or a budget.

use super::super::chart::{self, NARROW, Series, WIDE};
use super::super::compare::{Comparison, Row, Verdict};
use super::super::document::{self as tables, Document};
use super::super::folder::Run;
use super::super::svg::escape;
use super::super::units::plural;
use super::{begin, clocks, end, head, headline, lead, render, section, sections, warning};
use std::fmt::Write;

/// Lines of a chart that have a colour of their own; more share them.
const COLOURS: usize = 8;

/// The page. That of one run alone is the page it wrote itself.
pub fn document(document: &Document) -> String {
    let alone = document.base.is_empty() && document.budget.is_empty();
    let [run] = &document.runs[..] else {
        return many(document);
    };
    if !alone || !run.damage.is_empty() {
        return many(document);
    }
    render(&run.report)
}

fn many(document: &Document) -> String {
    let mut page = begin(&title(document));
    for text in document.warnings() {
        warning(&text, &mut page);
    }
    match (&document.runs[..], &document.comparison) {
        ([run], None) => head(&run.report, &mut page),
        _ => {
            let _ = write!(
                page,
                "<header>\n<p class=\"eyebrow\">feed-handler latency report</p>\n<h1>{}</h1>\n",
                escape(&title(document))
            );
            let lead = match &document.comparison {
                Some(c) => format!("{}.", tables::capital(&c.reason)),
                None => document
                    .runs
                    .first()
                    .map_or_else(String::new, |run| lead(&run.report)),
            };
            let _ = write!(page, "<p class=\"lead\">{}</p>\n</header>\n", escape(&lead));
        }
    }
    if let Some(c) = &document.comparison {
        comparison(c, &mut page);
    }
    if !document.budget.is_empty() {
        section(
            &mut page,
            "Budget",
            "The limits that were set, and whether each run kept them: a stage without figures breaks its limits.",
        );
        tables::budget(&document.budget).html(&mut page);
        page.push_str("</section>\n");
    }
    if document.all().count() > 1 {
        section(
            &mut page,
            "Runs side by side",
            "One row for each run; the figures are those of the last stage before consumers that it measured.",
        );
        tables::side_by_side(document).html(&mut page);
        page.push_str("</section>\n");
        overlaid(document, &mut page);
        section(
            &mut page,
            "Every stage of every run",
            "What half of the packets and what 99 of 100 took at most to reach each stage.",
        );
        tables::stages_by_run(document).html(&mut page);
        page.push_str("</section>\n");
        clocks::of_runs(document, &mut page);
    }
    if let [run] = &document.runs[..] {
        sections(&run.report, &mut page);
    }
    end(page)
}

fn title(document: &Document) -> String {
    match (&document.comparison, &document.runs[..]) {
        (Some(c), _) => match c.verdict {
            Verdict::Improved => "Faster than before".to_owned(),
            Verdict::Same => "No slower and no faster than before".to_owned(),
            Verdict::Regressed => match c.slowed {
                Some(stage) => format!("Slower than before, in the stage {stage}"),
                None => "Slower than before".to_owned(),
            },
            Verdict::NotComparable => "These runs cannot be compared".to_owned(),
        },
        (None, [run]) => headline(&run.report),
        (None, runs) => format!("{} side by side", plural(runs.len() as u64, "run")),
    }
}

fn comparison(c: &Comparison, page: &mut String) {
    section(
        page,
        "Before and now",
        "How much slower (to the right) or faster each figure is: the dot is what was found, the bar what it may be for \
         all that noise allows, 999 times in 1000. A bar across the middle line is no difference.",
    );
    let rows: Vec<&Row> = c
        .rows
        .iter()
        .filter(|row| row.verdict != Verdict::NotComparable)
        .collect();
    if !rows.is_empty() {
        for size in [WIDE, NARROW] {
            page.push_str(&chart::differences(&rows, size));
        }
    }
    for line in tables::said(c) {
        let _ = writeln!(page, "<p class=\"note\">{}</p>", escape(&line));
    }
    if !c.rows.is_empty() {
        tables::comparison(c).html(page);
    }
    page.push_str("</section>\n");
    if c.parts.is_empty() {
        return;
    }
    section(
        page,
        "Mean time on each part of the way",
        "Where time was added: packets that wait, wait for those before them, so a part further on can make the first one grow.",
    );
    tables::means(c).html(page);
    page.push_str("</section>\n");
}

/// The curves of one stage, a line for each run.
fn overlaid<'a>(document: &'a Document, page: &mut String) {
    let stage = document.all().find_map(|run| run.report.headline_stage());
    let Some((stage, _)) = stage else {
        return;
    };
    let compared = document.comparison.is_some();
    let class = |ours: bool, at: usize| match (compared, ours) {
        (true, true) => "r-now".to_owned(),
        (true, false) => "r-before".to_owned(),
        (false, _) => format!("r-{}", at % COLOURS),
    };
    let series = |(at, run, ours): (usize, &'a Run, bool)| {
        let curve = run
            .report
            .curves
            .iter()
            .find(|curve| curve.stage == stage)?;
        Some(Series {
            class: class(ours, at),
            name: &run.name,
            curve,
        })
    };
    // Those held against lie below.
    let base = document
        .base
        .iter()
        .enumerate()
        .map(|(at, run)| (at, run, false));
    let runs = document
        .runs
        .iter()
        .enumerate()
        .map(|(at, run)| (at, run, true));
    let lines: Vec<Series<'_>> = base.chain(runs).filter_map(series).collect();
    if lines.is_empty() {
        return;
    }
    section(
        page,
        "Percentiles by run",
        &format!(
            "How long all but the slowest packets took to reach <em>{}</em>, a line for each run: a line that lies higher \
             is a slower run, and lines that lie on each other cannot be told apart.",
            stage.name()
        ),
    );
    page.push_str("<ul class=\"legend\">");
    if compared {
        page.push_str(
            "<li><span class=\"swatch r-before\"></span>before</li><li><span class=\"swatch r-now\"></span>now</li>",
        );
    } else {
        for Series { class, name, .. } in &lines {
            let _ = write!(
                page,
                "<li><span class=\"swatch {class}\"></span>{}</li>",
                escape(name)
            );
        }
    }
    page.push_str("</ul>\n");
    for size in [WIDE, NARROW] {
        page.push_str(&chart::percentiles(
            "Latency by percentile and run",
            &lines,
            size,
        ));
    }
    page.push_str("</section>\n");
}
