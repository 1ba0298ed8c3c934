//! The latency report: one model, then its renderings.
//!
//! A run fills a [`RunReport`]; [`json`] writes it as `summary.json`, [`terminal`] as the table printed at the end,
//! [`html`] as one file that opens without a network. A [`Run`] is read back from its folder, and a [`Document`] of
//! runs is rendered as any of [`html`], [`markdown`], [`json`] and [`csv`]. Nothing here measures anything; [`compare`]
//! and [`Budget`] judge what was measured.

mod budget;
mod bursts;
mod chart;
mod clocks;
pub mod compare;
mod cost;
pub mod csv;
mod document;
mod file;
mod folder;
pub mod hgrm;
mod holes;
pub mod html;
pub mod json;
mod kinds;
pub mod markdown;
mod model;
mod omission;
mod ordered;
mod pauses;
mod processes;
mod stack;
mod svg;
mod table;
pub mod terminal;
mod timeline;
pub mod units;

pub use budget::{Budget, Judged};
pub use bursts::{Arrivals, Crowd, Window};
pub use clocks::{ClockLine, Clocks, Crossing};
pub use cost::Instruments;
pub use document::{Document, text};
pub use file::{Replacement, WriteError, write_atomically};
pub use folder::{FolderError, LOG, Run, SUMMARY, read_gaps};
pub use kinds::{ChannelTotals, MessageType, SLOWEST, Sampled, SlowSymbol};
pub use model::{
    Books, Consumer, Curve, Figures, GapPoint, Holes, INJECTED, Journal, Lead, Line, Recording,
    Recovery, RunReport, Sequence,
};
pub use ordered::Ordered;
pub use pauses::{Calm, LONG_PAUSE_NANOS, Pauses, Tail, Tails};
pub use processes::Process;
pub use stack::{Share, stack, stack_at};
pub use table::{Table, plain};
pub use timeline::IntervalPoint;

use std::path::Path;

/// Writes `summary.json` and `report.html` into `dir`, which is made if it is not there. Each file appears whole or
/// not at all.
pub fn write_run(dir: &Path, report: &RunReport) -> Result<(), WriteError> {
    std::fs::create_dir_all(dir).map_err(|source| WriteError::new(dir, source))?;
    write_atomically(&dir.join("summary.json"), json::render(report).as_bytes())?;
    write_atomically(&dir.join("report.html"), html::render(report).as_bytes())
}
