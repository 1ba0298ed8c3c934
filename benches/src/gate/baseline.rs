//! What functions are held against: a committed file, and the verdicts.

use super::{Count, TOLERANCE, TOLERANCE_OTHER_COMPILER};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::{fs, io};

/// What was counted when the baseline was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// The compiler.
    pub rustc: String,
    /// The functions.
    pub counts: Vec<Count>,
}

impl Baseline {
    /// Where it is committed.
    pub fn path() -> PathBuf {
        [env!("CARGO_MANIFEST_DIR"), "instructions.json"]
            .iter()
            .collect()
    }

    /// Reads the file's text; what is wrong with it, if so.
    pub fn parse(text: &str) -> Result<Baseline, String> {
        let all: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
        let rustc = all["rustc"].as_str().ok_or("\"rustc\" is missing")?;
        let functions = all["functions"]
            .as_object()
            .ok_or("\"functions\" is missing")?;
        let count = |(name, figure): (&String, &Value)| {
            let (per, instructions) = (figure["per"].as_str(), figure["instructions"].as_f64());
            let (Some(per), Some(instructions)) = (per, instructions) else {
                return Err(format!("{name}: \"per\" or \"instructions\" is missing"));
            };
            Ok(Count {
                name: name.clone(),
                per: per.to_owned(),
                instructions,
            })
        };
        Ok(Baseline {
            rustc: rustc.to_owned(),
            counts: functions.iter().map(count).collect::<Result<_, _>>()?,
        })
    }

    /// Writes the file.
    pub fn write(&self) -> io::Result<()> {
        let function = |c: &Count| {
            // A hundredth of an instruction is less than a thousandth of anything here.
            let rounded = (c.instructions * 100.0).round() / 100.0;
            let figure = json!({ "per": c.per, "instructions": rounded });
            (c.name.clone(), figure)
        };
        let functions: Map<_, _> = self.counts.iter().map(function).collect();
        let all = json!({ "rustc": self.rustc, "functions": functions });
        let text = serde_json::to_string_pretty(&all).map_err(io::Error::other)?;
        fs::write(Self::path(), text + "\n")
    }
}

/// A function's verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Within the tolerance.
    Same,
    /// Heavier than the tolerance.
    Heavier,
    /// Lighter than the tolerance: the baseline should say so, or the next change may undo it unseen.
    Lighter,
    /// The baseline does not have it.
    Unknown,
    /// The baseline has it and it was not counted.
    Missing,
}

impl Verdict {
    /// Whether the gate is closed for it.
    pub fn fails(self) -> bool {
        matches!(self, Verdict::Heavier | Verdict::Unknown | Verdict::Missing)
    }
}

/// A line of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The function.
    pub name: String,
    /// What its figures were divided by.
    pub per: String,
    /// What the baseline says.
    pub baseline: Option<f64>,
    /// What was counted.
    pub now: Option<f64>,
    /// What follows.
    pub verdict: Verdict,
}

impl Line {
    /// By how much it is heavier, as a share.
    pub fn change(&self) -> Option<f64> {
        Some(self.now? / self.baseline? - 1.0)
    }
}

/// What a function may be heavier by with this compiler and that of the baseline.
pub fn tolerance(baseline: &Baseline, rustc: &str) -> f64 {
    match baseline.rustc == rustc {
        true => TOLERANCE,
        false => TOLERANCE_OTHER_COMPILER,
    }
}

/// Holds counts against a baseline: a line for each function of either, those of the baseline that are `excused` left out.
pub fn compare(
    baseline: &Baseline,
    now: &[Count],
    tolerance: f64,
    excused: impl Fn(&str) -> bool,
) -> Vec<Line> {
    let before = |name: &str| baseline.counts.iter().find(|c| c.name == name);
    let counted = now.iter().map(|c| {
        let then = before(&c.name).map(|b| b.instructions);
        let verdict = match then.map(|then| c.instructions / then - 1.0) {
            None => Verdict::Unknown,
            Some(change) if change > tolerance => Verdict::Heavier,
            Some(change) if change < -tolerance => Verdict::Lighter,
            Some(_) => Verdict::Same,
        };
        Line {
            name: c.name.clone(),
            per: c.per.clone(),
            baseline: then,
            now: Some(c.instructions),
            verdict,
        }
    });
    let is_missing = |b: &&Count| !excused(&b.name) && now.iter().all(|c| c.name != b.name);
    let missing = baseline.counts.iter().filter(is_missing).map(|b| Line {
        name: b.name.clone(),
        per: b.per.clone(),
        baseline: Some(b.instructions),
        now: None,
        verdict: Verdict::Missing,
    });
    counted.chain(missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(name: &str, instructions: f64) -> Count {
        Count {
            name: name.into(),
            per: "message".into(),
            instructions,
        }
    }

    fn verdicts(now: &[Count], tolerance: f64) -> Vec<Verdict> {
        let baseline = Baseline {
            rustc: "rustc 1".into(),
            counts: vec![count("a", 100.0), count("b", 50.0)],
        };
        let lines = compare(&baseline, now, tolerance, |_| false);
        lines.iter().map(|line| line.verdict).collect()
    }

    #[test]
    fn a_tenth_more_closes_the_gate_and_a_tenth_less_does_not() {
        let heavier = verdicts(&[count("a", 110.0), count("b", 51.0)], TOLERANCE);
        assert_eq!(heavier, [Verdict::Heavier, Verdict::Same]);
        let lighter = verdicts(&[count("a", 90.0), count("b", 49.0)], TOLERANCE);
        assert_eq!(lighter, [Verdict::Lighter, Verdict::Same]);
        assert!(Verdict::Heavier.fails() && !Verdict::Lighter.fails() && !Verdict::Same.fails());
    }

    #[test]
    fn what_only_one_side_has_closes_it_too() {
        let found = verdicts(&[count("a", 100.0), count("new", 1.0)], TOLERANCE);
        assert_eq!(found, [Verdict::Same, Verdict::Unknown, Verdict::Missing]);
        assert!(Verdict::Unknown.fails() && Verdict::Missing.fails());
    }

    #[test]
    fn another_compiler_is_given_more_room() {
        let now = [count("a", 108.0), count("b", 50.0)];
        let baseline = Baseline {
            rustc: "rustc 1".into(),
            counts: Vec::new(),
        };
        let (same, other) = (
            tolerance(&baseline, "rustc 1"),
            tolerance(&baseline, "rustc 2"),
        );
        assert_eq!(verdicts(&now, same), [Verdict::Heavier, Verdict::Same]);
        assert_eq!(verdicts(&now, other), [Verdict::Same, Verdict::Same]);
    }

    #[test]
    fn the_committed_file_can_be_read() {
        let text = fs::read_to_string(Baseline::path()).expect("it is committed");
        let baseline = Baseline::parse(&text).expect("as it was written");
        assert!(baseline.counts.iter().all(|c| c.instructions > 0.0));
        assert!(!baseline.counts.is_empty());
        assert!(Baseline::parse("{\"rustc\": \"1\"}").is_err());
    }
}
