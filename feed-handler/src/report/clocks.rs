//! Stages that cross clocks: figures that are differences of two clocks, with the clocks by name and the lines fitted
//! between them. They stand apart from those of one clock, since a clock that is wrong makes them wrong.

use super::table::{Table, plain};
use super::units::{count, plural, time};
use super::{Figures, Ordered, RunReport};
use feed_common::latency::Stage;
use feed_common::time::UnixNanos;
use serde::{Deserialize, Serialize};

/// Which clocks a run compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Clocks {
    /// By stage name: the stages whose figures are differences of two.
    pub stages: Ordered<Crossing>,
    /// The lines by which ticks were compared with other clocks; none for a file, in which no tick is.
    pub lines: Vec<ClockLine>,
}

/// The two ends of a stage that crosses clocks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Crossing {
    /// The clock of the stamp that it begins with.
    pub from: String,
    /// The clock that it ends by.
    pub to: String,
    /// Packets that by the two clocks arrived before they were stamped: in no figure.
    pub backwards: u64,
}

/// The line from the time-stamp counter to another clock, as last fitted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClockLine {
    /// The other clock.
    pub clock: String,
    /// What it reads where the counter is 0, in nanoseconds since its epoch.
    pub offset_ns: u64,
    /// How much faster it runs than the counter's calibration says, in parts per million.
    pub drift_ppm: f64,
    /// Distance of the pairs from the line, root mean square, in nanoseconds.
    pub residual_rms_ns: f64,
    /// The largest of them.
    pub residual_max_ns: f64,
    /// How uncertain the least certain pair was, in nanoseconds.
    pub uncertainty_ns: f64,
    /// Pairs that it lies through.
    pub pairs: u64,
    /// Times the other clock was set.
    pub steps: u64,
}

impl Clocks {
    /// True when nothing crossed clocks.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty() && self.lines.is_empty()
    }
}

/// A stage that crosses clocks, with all that is known of it.
struct Row<'r> {
    stage: Stage,
    crossing: Crossing,
    figures: Option<&'r Figures>,
}

/// The stages of a run that have figures or would have, had the clocks agreed.
fn rows(report: &RunReport) -> Vec<Row<'_>> {
    let crossing = |stage: Stage| {
        let known = report.clocks.stages.get(stage.name()).cloned();
        let crossing = known.unwrap_or_else(|| Crossing {
            from: "–".to_owned(),
            to: "–".to_owned(),
            backwards: match stage {
                // Summaries of before there was more than one such stage say no more.
                Stage::Receive => report.clock_backwards,
                _ => 0,
            },
        });
        let figures = report.figures(stage);
        (figures.is_some() || crossing.backwards > 0).then_some(Row {
            stage,
            crossing,
            figures,
        })
    };
    let stages = Stage::ALL.into_iter().filter(|s| s.crosses_clocks());
    stages.filter_map(crossing).collect()
}

/// The stages with their clocks and figures, and the lines between the clocks, of runs by name; with a column for the name
/// where there are several. Tables without a row are left out.
pub(super) fn tables<'r>(runs: impl Iterator<Item = (&'r str, &'r RunReport)>) -> Vec<Table> {
    let runs: Vec<_> = runs.collect();
    let several = runs.len() > 1;
    let names: &[&str] = if several { &["run"] } else { &[] };
    let head = |own: &[&'static str]| -> Vec<&str> { names.iter().chain(own).copied().collect() };
    let mut stages = Table::new(
        "Stages that cross clocks",
        &head(&[
            "stage", "from", "to", "count", "negative", "min", "p50", "p99", "p99.9", "max",
        ]),
        3 + names.len(),
    );
    let mut lines = Table::new(
        "Lines between the clocks",
        &head(&[
            "time-stamp counter to",
            "at count 0",
            "drift",
            "residual rms",
            "at most",
            "pairs",
            "set",
        ]),
        2 + names.len(),
    );
    for (name, report) in runs {
        let begin = || -> Vec<String> { several.then(|| plain(name)).into_iter().collect() };
        for row in rows(report) {
            let mut cells = begin();
            let Crossing {
                from,
                to,
                backwards,
            } = &row.crossing;
            cells.extend([row.stage.name().to_owned(), plain(from), plain(to)]);
            match row.figures {
                Some(f) => {
                    cells.extend([f.count, *backwards].map(count));
                    cells.extend([f.min, f.p50, f.p99, f.p999].map(time));
                    let more = if f.above > 0 { "> " } else { "" };
                    cells.push(format!("{more}{}", time(f.max)));
                }
                None => {
                    cells.extend([0, *backwards].map(count));
                    cells.extend(["–"; 5].map(str::to_owned));
                }
            }
            stages.rows.push(cells);
        }
        for line in &report.clocks.lines {
            let mut cells = begin();
            cells.extend([plain(&line.clock), UnixNanos(line.offset_ns).to_string()]);
            cells.push(format!("{:+.3} ppm", line.drift_ppm));
            let nanos = |ns: f64| time(ns.max(0.0).round() as u64);
            cells.extend([line.residual_rms_ns, line.residual_max_ns].map(nanos));
            cells.extend([line.pairs, line.steps].map(count));
            lines.rows.push(cells);
        }
    }
    [stages, lines]
        .into_iter()
        .filter(|table| !table.rows.is_empty())
        .collect()
}

/// What a reader of the figures has to know, a sentence each; nothing where nothing crosses clocks.
pub(super) fn said(report: &RunReport) -> Vec<String> {
    let mut said = Vec::new();
    for Row {
        stage,
        crossing,
        figures,
    } in rows(report)
    {
        let name = stage.name();
        said.push(format!("{name}: {}", stage.meaning()));
        if stage == Stage::Exchange {
            said.push(
                "nobody keeps the exchange's clock and this one together: what they differ by is in every figure of \
                 exchange"
                    .to_owned(),
            );
        }
        if crossing.backwards > 0 {
            let packets = plural(crossing.backwards, "packet");
            said.push(format!(
                "{packets} came in before being stamped, by the two clocks of {name}: counted as negative, in no figure"
            ));
        }
        match figures {
            Some(f) if f.above > 0 && f.above == f.count => said.push(format!(
                "every figure of {name} is above the range: the two clocks are not of the same time, as when a session of \
                 another day is played"
            )),
            Some(f) if f.above > 0 => said.push(format!("{} of {name} above the range", count(f.above))),
            _ => {}
        }
    }
    said
}

/// All of it as text for a terminal; empty where nothing crosses clocks.
pub(super) fn text(report: &RunReport) -> String {
    let mut out = String::new();
    for table in tables([("", report)].into_iter()) {
        table.render(&mut out);
        out.push('\n');
    }
    let sentences = said(report);
    if !sentences.is_empty() {
        // Under the tables they are about.
        out.pop();
        for sentence in sentences {
            out.push_str(&format!("  {sentence}\n"));
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::sample;
    use super::super::{Curve, Document, Run, csv, html, json, markdown};
    use super::*;

    /// A run with figures of exchange and receive, and a card whose stamps all lay after the receive.
    fn crossed() -> RunReport {
        let (mut report, _) = sample(1);
        let received = report.figures(Stage::Receive).copied().unwrap();
        report.latency.set("exchange", received);
        let crossing = |from: &str, backwards| Crossing {
            from: from.to_owned(),
            to: "counter as UTC".to_owned(),
            backwards,
        };
        report.clocks = Clocks {
            stages: [
                ("exchange", crossing("exchange <b>", 3)),
                ("card", crossing("card", 9)),
                ("receive", crossing("kernel", 0)),
            ]
            .into_iter()
            .collect(),
            lines: vec![ClockLine {
                clock: "UTC of this machine".to_owned(),
                offset_ns: 1_700_000_000_000_000_042,
                drift_ppm: -18.75,
                residual_rms_ns: 21.4,
                residual_max_ns: 96.0,
                uncertainty_ns: 40.1,
                pairs: 600,
                steps: 1,
            }],
        };
        report
    }

    #[test]
    fn stages_stand_beside_their_clocks_and_the_line() {
        let text = text(&crossed());
        let row = |name: &str| {
            let found = text.lines().find(|l| l.trim_start().starts_with(name));
            found
                .unwrap_or_else(|| panic!("no {name} in\n{text}"))
                .to_owned()
        };
        assert!(text.starts_with("Stages that cross clocks\n"));
        let cells = |row: String| {
            row.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let exchange = cells(row("exchange  "));
        assert_eq!(exchange[1..6], ["exchange", "<b>", "counter", "as", "UTC"]);
        assert_eq!(exchange[6..8], ["5,000", "3"]);
        // Stamps that all lie after the receive leave no figure, and are seen all the same.
        let card = cells(row("card  "));
        assert_eq!(card[5..], ["0", "9", "–", "–", "–", "–", "–"]);
        let line = row("UTC of this machine");
        assert!(
            line.contains("2023-11-14T22:13:20.000000042Z  -18.750 ppm")
                && line.ends_with(" 21 ns    96 ns    600    1"),
            "{line}"
        );
        assert!(text.contains("nobody keeps the exchange's clock"));
        assert!(text.contains("9 packets came in before being stamped, by the two clocks of card"));
    }

    #[test]
    fn every_rendering_has_it_and_keeps_it_apart() {
        let mut report = crossed();
        let points = report.curves[0].points.clone();
        report.curves.push(Curve {
            stage: Stage::Exchange,
            points,
        });
        assert_eq!(
            json::parse(&json::render(&report)).unwrap().clocks,
            report.clocks
        );
        let page = html::render(&report);
        assert!(page.contains("<h2>Stages that cross clocks</h2>"));
        assert!(page.contains("exchange &lt;b&gt;") && !page.contains("exchange <b>"));
        assert!(page.contains("</span>decoded<small>") && !page.contains("</span>receive<small>"));
        assert!(page.contains("curve s-receive") && !page.contains("curve s-exchange"));
        let run = |name: &str| Run {
            name: name.to_owned(),
            report: report.clone(),
            ..Run::default()
        };
        let mut document = Document {
            runs: vec![run("r")],
            ..Document::default()
        };
        let md = markdown::render(&document);
        let latency = md.split("## Stages that cross clocks").next().unwrap();
        assert!(latency.contains("| decoded |") && !latency.contains("| receive |"));
        assert!(md.contains("## Lines between the clocks") && md.contains("\n| receive |"));
        let csv = csv::render(&document);
        let rows: Vec<&str> = csv.lines().collect();
        let columns = rows[0].split(',').count();
        for row in [
            "clocks,r,exchange,negative,3,,,,,,exchange <b> to counter as UTC",
            "clock line,r,,offset,1700000000000000042,,,,,,UTC of this machine",
            "clock line,r,,drift a second,-18750,,,,,,UTC of this machine",
        ] {
            assert!(rows.contains(&row), "{row} in {rows:?}");
            assert_eq!(row.split(',').count(), columns);
        }
        document.runs.push(run("s"));
        assert!(markdown::render(&document).contains("\n| s | exchange |"));
        assert!(
            html::document(&document)
                .contains("<td class=\"t\">s</td><td class=\"t\">exchange</td>")
        );
    }

    #[test]
    fn a_session_of_another_day_is_called_one() {
        let mut report = crossed();
        let mut figures = *report.figures(Stage::Exchange).unwrap();
        figures.above = 1;
        report.latency.set("exchange", figures);
        assert!(said(&report).contains(&"1 of exchange above the range".to_owned()));
        figures.above = figures.count;
        report.latency.set("exchange", figures);
        assert!(said(&report).iter().any(|s| s.contains("another day")));
    }

    #[test]
    fn runs_have_a_column_and_summaries_of_before_are_read() {
        let (mut before, _) = sample(1);
        before.clock_backwards = 7;
        let now = crossed();
        let mut out = String::new();
        let tables = tables([("old", &before), ("new", &now)].into_iter());
        tables.iter().for_each(|t| t.render(&mut out));
        let of = |start: &str| {
            let row = out.lines().find(|l| l.trim_start().starts_with(start));
            row.map(|row| row.split_whitespace().collect::<Vec<_>>())
        };
        assert_eq!(
            of("old ").unwrap()[1..6],
            ["receive", "–", "–", "5,000", "7"]
        );
        assert!(of("new").is_some());
        assert!(text(&RunReport::default()).is_empty());
        assert!(super::tables([("", &RunReport::default())].into_iter()).is_empty());
    }
}
