//! Columns for other tools: what a capture or a run's journal says, as Parquet, Arrow IPC or CSV.
//!
//! A [`What`] names a table; [`what`](self) has the rows of each, which are those that `bbo`, `trades` and the published
//! records have, found by the same code. Rows go as [cells](crate::inspect) into a [`Table`], which writes CSV as it comes
//! or gathers columns in [`batch`](self)es for a thread that writes them.
//!
//! Memory does not follow from how long the input is: a batch has at most [`BATCH_ROWS`] rows and a row group of a Parquet
//! file [`GROUP_ROWS`], both fewer where there are many columns. Only names of instruments are kept, at most
//! [`NAMES_MAX`].
//!
//! A file is written under another name in its folder and gets its own when it is whole, so an export that fails leaves
//! what was there before.

mod arrow;
mod batch;
mod bests;
mod capture;
mod columns;
mod csv;
mod exact;
mod journal;
mod names;
mod output;
mod parquet;
mod replay;
mod run;
mod table;
mod what;

pub use batch::{BATCH_ROWS, GROUP_ROWS};
pub use capture::{Exported, export_capture};
pub use columns::{Column, PRICE_DECIMALS, Prices, Type};
pub use journal::{JournalExported, export_journals};
pub use names::NAMES_MAX;
pub use output::{Destination, Form};
pub use run::{Part, RunError, parts};
pub use table::{Finished, LeftOut, Table};
pub use what::{DEPTH_MAX, UnknownWhat, What};

use std::path::PathBuf;

/// Why an export did not come about.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file, or standard output, takes no more.
    #[error(transparent)]
    Output(#[from] crate::report::WriteError),
    /// The library that writes the form refused.
    #[error("{}: {reason}", path.display())]
    Form {
        /// What was written to.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// There is no thread to write on.
    #[error("cannot start the thread that writes: {0}")]
    Thread(std::io::Error),
    /// A dictionary has no room for them.
    #[error("more than {NAMES_MAX} names of instruments: choose some with --symbol")]
    Names,
    /// A column was asked for that the table does not have.
    #[error("there is no column {asked}: {what} has {}", has.join(", "))]
    Column {
        /// What was asked for.
        asked: String,
        /// The table.
        what: What,
        /// The columns it has.
        has: Vec<String>,
    },
    /// A column was asked for twice.
    #[error("column {0} is asked for twice")]
    ColumnTwice(String),
    /// The books of the capture cannot be kept.
    #[error(transparent)]
    Books(#[from] crate::book::BookError),
    /// A journal cannot be read.
    #[error(transparent)]
    Journal(#[from] feed_common::journal::JournalError),
    /// A journal does not have what was asked for.
    #[error("{0}")]
    NotInJournal(String),
}

impl ExportError {
    /// True when nobody reads the output any more.
    pub fn is_reader_gone(&self) -> bool {
        matches!(self, ExportError::Output(e) if e.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// True when something else has to be asked for.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            ExportError::Column { .. } | ExportError::ColumnTwice(_) | ExportError::NotInJournal(_)
        )
    }
}
