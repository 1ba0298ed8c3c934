//! Latency budgets: limits by stage and quantile, and whether runs keep them.
//!
//! ```toml
//! [published]
//! p99 = "5us"
//! p999 = "50us"
//! ```

use super::folder::Run;
use super::{Figures, units::time};
use feed_common::config::{ConfigError, TimeSpan};
use feed_common::latency::{MEASURED, Stage};
use serde::Serialize;
use std::ops::Range;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// A figure that can have a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Figure {
    Min,
    P50,
    P90,
    P99,
    P999,
    P9999,
    Max,
}

impl Figure {
    const ALL: [Figure; 7] = [
        Figure::Min,
        Figure::P50,
        Figure::P90,
        Figure::P99,
        Figure::P999,
        Figure::P9999,
        Figure::Max,
    ];

    const fn name(self) -> &'static str {
        match self {
            Figure::Min => "min",
            Figure::P50 => "p50",
            Figure::P90 => "p90",
            Figure::P99 => "p99",
            Figure::P999 => "p999",
            Figure::P9999 => "p9999",
            Figure::Max => "max",
        }
    }

    fn of(self, figures: &Figures) -> u64 {
        match self {
            Figure::Min => figures.min,
            Figure::P50 => figures.p50,
            Figure::P90 => figures.p90,
            Figure::P99 => figures.p99,
            Figure::P999 => figures.p999,
            Figure::P9999 => figures.p9999,
            Figure::Max => figures.max,
        }
    }
}

/// Limits, in the order of their file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget(Vec<(Stage, Figure, TimeSpan)>);

/// What became of one limit in one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// The run's name.
    pub run: String,
    /// The stage's name.
    pub stage: &'static str,
    /// The figure's name: `p99`.
    pub figure: &'static str,
    /// The limit, in ns.
    pub limit_ns: u64,
    /// What it was, in ns; none where the stage has no figures.
    pub found_ns: Option<u64>,
    /// Whether it was kept.
    pub kept: bool,
}

impl Judged {
    /// In words, where it was broken.
    pub fn broken(&self) -> Option<String> {
        let Judged { stage, figure, .. } = self;
        match self.found_ns {
            _ if self.kept => None,
            None => Some(format!("{stage} has no figures")),
            Some(found) => Some(format!(
                "{stage} {figure} is {} and may be {}",
                time(found),
                time(self.limit_ns)
            )),
        }
    }
}

impl Budget {
    /// Reads a budget file.
    pub fn load(path: &Path) -> Result<Budget, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Budget::parse(&text, path)
    }

    /// Reads the text of one; `path` is only for messages.
    pub fn parse(text: &str, path: &Path) -> Result<Budget, ConfigError> {
        let file = DeTable::parse(text).map_err(|e| ConfigError::of_toml(path, text, &e))?;
        let mut wrong = Vec::new();
        let mut limits = Vec::new();
        for (name, table) in file.get_ref() {
            let stage = MEASURED
                .into_iter()
                .find(|s| s.name() == name.get_ref().as_ref());
            let Some(stage) = stage else {
                let stages = listed(MEASURED.map(Stage::name));
                let said = format!(
                    "unknown stage `{}`, expected one of {stages}",
                    name.get_ref()
                );
                wrong.push((name.span(), said));
                continue;
            };
            let DeValue::Table(table) = table.get_ref() else {
                let said = format!("expected a table such as [{}] with limits", stage.name());
                wrong.push((table.span(), said));
                continue;
            };
            for (key, value) in table {
                match limit(key.get_ref(), key.span(), value.get_ref(), value.span()) {
                    Ok((figure, span)) => limits.push((value.span().start, stage, figure, span)),
                    Err(e) => wrong.push(e),
                }
            }
        }
        if limits.is_empty() && wrong.is_empty() {
            wrong.push((
                0..0,
                "a budget without limits, expected such as [published] p99 = \"5us\"".to_owned(),
            ));
        }
        if !wrong.is_empty() {
            return Err(ConfigError::invalid(path, text, wrong));
        }
        limits.sort_by_key(|limit| limit.0);
        let limits = limits
            .into_iter()
            .map(|(_, stage, figure, span)| (stage, figure, span));
        Ok(Budget(limits.collect()))
    }

    /// Holds each run against every limit.
    pub fn judge(&self, runs: &[Run]) -> Vec<Judged> {
        let judged = |run: &Run| {
            let of = |&(stage, figure, limit): &(Stage, Figure, TimeSpan)| {
                let found = run.report.figures(stage).map(|f| figure.of(f));
                Judged {
                    run: run.name.clone(),
                    stage: stage.name(),
                    figure: figure.name(),
                    limit_ns: limit.0,
                    found_ns: found,
                    kept: found.is_some_and(|found| found <= limit.0),
                }
            };
            self.0.iter().map(of).collect::<Vec<_>>()
        };
        runs.iter().flat_map(judged).collect()
    }
}

fn limit(
    key: &str,
    at: Range<usize>,
    value: &DeValue<'_>,
    value_at: Range<usize>,
) -> Result<(Figure, TimeSpan), (Range<usize>, String)> {
    let figure = Figure::ALL
        .into_iter()
        .find(|f| f.name() == key)
        .ok_or_else(|| {
            let figures = listed(Figure::ALL.map(Figure::name));
            (
                at,
                format!("unknown key `{key}`, expected one of {figures}"),
            )
        })?;
    let DeValue::String(text) = value else {
        return Err((value_at, "expected a duration such as \"250us\"".to_owned()));
    };
    let span = text
        .parse()
        .map_err(|e| (value_at, format!("invalid value {text:?}, {e}")))?;
    Ok((figure, span))
}

fn listed<const N: usize>(names: [&str; N]) -> String {
    names.map(|name| format!("`{name}`")).join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::sample;
    use super::*;

    fn parse(text: &str) -> Result<Budget, String> {
        Budget::parse(text, Path::new("budget.toml")).map_err(|e| e.to_string())
    }

    fn run() -> Run {
        Run {
            name: "r".to_owned(),
            report: sample(1).0,
            ..Run::default()
        }
    }

    #[test]
    fn limits_are_kept_or_broken() {
        let run = run();
        let p99 = run.report.figures(Stage::Published).unwrap().p99;
        let text =
            format!("[published]\np99 = \"{p99}ns\"\nmax = \"1ns\"\n[gap_closed]\np50 = \"1s\"\n");
        let judged = parse(&text).unwrap().judge(&[run]);
        let kept: Vec<_> = judged.iter().map(|j| (j.stage, j.figure, j.kept)).collect();
        assert_eq!(
            kept,
            [
                ("published", "p99", true),
                ("published", "max", false),
                ("gap_closed", "p50", false)
            ]
        );
        assert_eq!(judged[0].broken(), None);
        assert!(judged[1].broken().unwrap().ends_with(" and may be 1 ns"));
        assert_eq!(judged[2].broken().unwrap(), "gap_closed has no figures");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, want) in [
            (
                "[publish]\np99 = \"5us\"\n",
                "budget.toml:1:2: unknown stage `publish`, expected one of `exchange`",
            ),
            ("[kernel]\n", "budget.toml:1:2: unknown stage `kernel`"),
            (
                "[decoded]\n\np98 = \"5us\"\n",
                "budget.toml:3:1: unknown key `p98`, expected one of `min`, `p50`",
            ),
            (
                "[decoded]\ncount = 5\n",
                "budget.toml:2:1: unknown key `count`",
            ),
            (
                "[decoded]\np50 = 5\n",
                "budget.toml:2:7: expected a duration",
            ),
            (
                "[decoded]\np50 = \"5\"\n",
                "budget.toml:2:7: invalid value \"5\", expected a duration",
            ),
            (
                "decoded = 3\n",
                "budget.toml:1:11: expected a table such as [decoded]",
            ),
            ("[decoded\n", "budget.toml:1:"),
            ("", "budget.toml:1:1: a budget without limits"),
        ] {
            let said = parse(text).expect_err(text);
            assert!(said.starts_with(want), "{said}");
        }
        let both = parse("[a]\n[decoded]\np1 = \"1us\"\n").expect_err("two");
        assert_eq!(both.lines().count(), 2, "{both}");
    }
}
