//! The latency report: one model, then its renderings.
//!
//! A run fills a [`RunReport`]; [`json`] writes it as `summary.json`, [`terminal`] as the table printed at the end,
//! [`html`] as one file that opens without a network. Nothing here measures or judges anything.

mod chart;
mod file;
mod holes;
pub mod html;
pub mod json;
mod model;
mod ordered;
mod svg;
mod table;
pub mod terminal;
pub mod units;

pub use file::{WriteError, write_atomically};
pub use model::{
    Books, Consumer, Curve, Figures, Holes, IntervalPoint, Lead, Line, Recording, Recovery,
    RunReport, Sequence, Share, stack,
};
pub use ordered::Ordered;
pub use table::{Table, plain};

use std::path::Path;

/// Writes `summary.json` and `report.html` into `dir`, which is made if it is not there. Each file appears whole or
/// not at all.
pub fn write_run(dir: &Path, report: &RunReport) -> Result<(), WriteError> {
    std::fs::create_dir_all(dir).map_err(|source| WriteError::new(dir, source))?;
    write_atomically(&dir.join("summary.json"), json::render(report).as_bytes())?;
    write_atomically(&dir.join("report.html"), html::render(report).as_bytes())
}
