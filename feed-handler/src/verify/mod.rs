//! Parity: where a run and a capture, or two runs, part.
//!
//! A run's folder has its trail ([`crate::trail`]) and the configuration it had; a capture is handled again under that
//! configuration, which gives its trail. The two are held against each other stretch by stretch ([`compare`]). Where they
//! part first, and both sides can be handled again (a capture can, and a run that was of one or kept what it received),
//! the records of that stretch are looked at one by one.
//!
//! What follows from two trails alone is a stretch and not a number: a fingerprint says that records differ, and not
//! which.

mod compare;
mod narrow;
mod rerun;
mod side;
mod text;

pub use compare::{Compared, Comparison, Part, PartKind, compare};
pub use narrow::{Narrowed, ShownRecord};
pub use side::SideFacts;
pub use text::{render, summary};

use crate::run::StartError;
use crate::trail::{Totals, TrailError};
use feed_common::capture::OpenError;
use feed_common::packet::RxError;
use serde::Serialize;
use side::Side;
use std::path::{Path, PathBuf};

/// Why nothing could be compared.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// What should be a run's folder is none.
    #[error("{} is not the folder of a run: {reason}", path.display())]
    NoRun {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The trail cannot be read.
    #[error("{}: {source}", path.display())]
    Trail {
        /// The file.
        path: PathBuf,
        /// Why.
        source: TrailError,
    },
    /// The configuration that the run had cannot be read.
    #[error(transparent)]
    Plan(#[from] crate::config::ConfigError),
    /// The capture cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The capture cannot be handled.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The capture is of something else.
    #[error("{}: nothing in it was sent to a line of the run's configuration", .0.display())]
    Foreign(PathBuf),
    /// The capture failed while it was read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The capture.
        path: PathBuf,
        /// What failed.
        source: RxError,
    },
}

/// What came out.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// Nothing parts.
    pub equal: bool,
    /// The two sides.
    pub sides: [SideFacts; 2],
    /// What both came to that differs, by name.
    pub totals: Vec<Difference>,
    /// Where their records part, and what was compared.
    #[serde(flatten)]
    pub records: Comparison,
    /// Where they part first, record by record; `None` where they do not, or where that is not to be had.
    pub first: Option<Narrowed>,
    /// What limits the answer.
    pub notes: Vec<String>,
}

/// A total that is not the same on both sides.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// Which.
    pub what: &'static str,
    /// On either side.
    pub sides: [String; 2],
}

/// Holds a run against another run, or against a capture.
pub fn verify(run: &Path, other: &Path) -> Result<Verdict, VerifyError> {
    let a = Side::of_run(run)?;
    let b = match other.is_dir() {
        true => Side::of_run(other)?,
        false => Side::of_capture(other, &a.plan)?,
    };
    let mut records = compare(&a.trail, &b.trail);
    let mut notes = notes(&a, &b);
    let first = narrow::narrow(&mut records, [&a, &b], &mut notes)?;
    let totals = match (&a.trail.totals, &b.trail.totals) {
        (Some(a), Some(b)) => differences(a, b),
        _ => Vec::new(),
    };
    Ok(Verdict {
        equal: records.parts.is_empty() && totals.is_empty(),
        sides: [a.facts(), b.facts()],
        totals,
        records,
        first,
        notes,
    })
}

fn differences(a: &Totals, b: &Totals) -> Vec<Difference> {
    let number = |n: u64| n.to_string();
    let books = |t: &Totals| t.book_digest.clone().unwrap_or_else(|| "none".to_owned());
    let all = [
        ("messages", number(a.messages), number(b.messages)),
        ("published", number(a.published), number(b.published)),
        ("gaps", number(a.gaps), number(b.gaps)),
        ("lost", number(a.lost), number(b.lost)),
        ("restarts", number(a.restarts), number(b.restarts)),
        (
            "record_digest",
            a.record_digest.clone(),
            b.record_digest.clone(),
        ),
        ("book_digest", books(a), books(b)),
    ];
    let differ = all.into_iter().filter(|(_, a, b)| a != b);
    differ
        .map(|(what, a, b)| Difference {
            what,
            sides: [a, b],
        })
        .collect()
}

/// What the two sides lack, and what makes them differ from the start.
fn notes(a: &Side, b: &Side) -> Vec<String> {
    let mut notes = Vec::new();
    for side in [a, b] {
        let (name, trail) = (&side.name, &side.trail);
        if let Some(damage) = &trail.damage {
            notes.push(format!(
                "{name}: not all of its trail can be read: {damage}"
            ));
        }
        if trail.missed > 0 {
            let missed = trail.missed;
            notes.push(format!(
                "{name}: {missed} of its marks were overwritten before they were written: stretches are longer there"
            ));
        }
        if trail.totals.is_none() {
            notes.push(format!(
                "{name}: its trail has no end: the run goes on, or was ended from outside"
            ));
        }
        if trail.every == 0 {
            notes.push(format!(
                "{name}: it kept no digests on the way (digest_every = 0): only beginnings, gaps and ends are compared"
            ));
        }
        notes.extend(side.cut.iter().map(|cut| format!("{name}: {cut}")));
    }
    let differ = [
        ("session", a.plan.session != b.plan.session),
        ("book", a.plan.book != b.plan.book),
        ("subscribe", a.plan.symbols != b.plan.symbols),
    ];
    for (section, _) in differ.iter().filter(|(_, differ)| *differ) {
        notes.push(format!(
            "the two runs had different configurations: [{section}] is not the same"
        ));
    }
    notes
}
