//! Rows on their way into a file.

use super::batch::Gathered;
use super::columns::{Column, Prices, schema};
use super::csv::CsvWriter;
use super::output::{Destination, Form, Output};
use super::{ExportError, What, arrow, parquet};
use crate::inspect::rows::Cell;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use crossbeam_channel::{Sender, bounded};
use std::io::{BufWriter, Write};
use std::thread::{Builder, JoinHandle};

/// Batches that wait to be written.
const WAITING: usize = 2;

/// Bytes that are written at once.
const BUFFER: usize = 1 << 18;

/// A table being written. After the first failure rows are not taken any more.
pub struct Table {
    output: Output,
    columns: Vec<Column>,
    /// Which of them are wanted, in the order in which they are.
    picked: Vec<usize>,
    to: To,
    rows: u64,
    undated: bool,
    failed: Option<ExportError>,
}

enum To {
    Csv(CsvWriter<Sink>),
    Thread {
        gathered: Gathered,
        batches: Sender<RecordBatch>,
        writes: JoinHandle<Result<(), Refused>>,
    },
}

type Sink = BufWriter<Box<dyn Write + Send>>;

/// What a form's library said.
type Refused = Box<dyn std::error::Error + Send + Sync>;

/// Values that have no place in their column, and are null there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Prices of a thousand million and more, where they are decimals.
    pub prices: u64,
    /// Times beyond the year 2262.
    pub times: u64,
}

/// A table that is written, and not kept yet.
#[derive(Debug)]
pub struct Finished {
    output: Output,
    /// Its rows.
    pub rows: u64,
    /// There are times without a date.
    pub undated: bool,
    /// What is not in them.
    pub left_out: LeftOut,
}

impl Finished {
    /// The file gets its name. One that is not kept goes away.
    pub fn keep(self) -> Result<(), ExportError> {
        self.output.keep()
    }
}

impl Table {
    /// A table of what is asked for: all columns of it, or the `wanted`, in their order.
    pub fn begin(
        to: Destination,
        what: What,
        wanted: &[String],
        prices: Prices,
    ) -> Result<Table, ExportError> {
        let columns = what.columns();
        let picked = pick(what, &columns, wanted)?;
        let form = to.form();
        let output = Output::begin(to)?;
        let out = BufWriter::with_capacity(BUFFER, output.writer()?);
        let shown = || picked.iter().map(|&at| &columns[at]);
        let to = match form {
            Form::Csv => {
                let names = shown().map(|column| &*column.name);
                To::Csv(CsvWriter::new(out, names).map_err(|e| output.failed(e))?)
            }
            form => {
                let schema = schema(shown(), prices, &what.to_string());
                let gathered = Gathered::new(schema.clone(), shown(), prices);
                let (batches, taken) = bounded::<RecordBatch>(WAITING);
                let write = move || write(form, out, &schema, taken.into_iter());
                let writes = Builder::new().name("columns".to_owned()).spawn(write);
                To::Thread {
                    gathered,
                    batches,
                    writes: writes.map_err(ExportError::Thread)?,
                }
            }
        };
        Ok(Table {
            output,
            columns,
            picked,
            to,
            rows: 0,
            undated: false,
            failed: None,
        })
    }

    /// Takes a row: a cell for each column of the table, wanted or not. The last is a time without a date.
    #[inline]
    pub(crate) fn row(&mut self, cells: &[Cell<'_>]) {
        debug_assert_eq!(cells.len(), self.columns.len());
        if self.failed.is_some() {
            return;
        }
        self.rows += 1;
        self.undated |= !matches!(cells.last(), Some(Cell::Unknown));
        match &mut self.to {
            To::Csv(csv) => {
                if let Err(e) = csv.row(cells, &self.picked) {
                    self.failed = Some(self.output.failed(e));
                }
            }
            To::Thread {
                gathered, batches, ..
            } => match gathered.take(cells, &self.picked) {
                Ok(None) => {}
                Ok(Some(batch)) => {
                    // Whoever takes them says at the end why it has stopped.
                    if batches.send(batch).is_err() {
                        self.failed = Some(self.output.refused("it is not written"));
                    }
                }
                Err(e) => self.failed = Some(e),
            },
        }
    }

    /// True when nothing more can be written.
    pub fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// The last row has been taken: waits until all are written.
    pub fn finish(self) -> Result<Finished, ExportError> {
        let Table {
            output,
            to,
            rows,
            undated,
            failed,
            ..
        } = self;
        let left_out = match to {
            To::Csv(csv) => {
                if let Some(failed) = failed {
                    return Err(failed);
                }
                csv.finish().map_err(|e| output.failed(e))?;
                LeftOut::default()
            }
            To::Thread {
                mut gathered,
                batches,
                writes,
            } => {
                if let Some(last) = gathered.batch() {
                    // It says why it does not take it.
                    let _ = batches.send(last);
                }
                drop(batches);
                match writes.join() {
                    Ok(Ok(())) => {}
                    Ok(Err(refused)) => return Err(why(&output, refused)),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
                if let Some(failed) = failed {
                    return Err(failed);
                }
                gathered.left_out()
            }
        };
        Ok(Finished {
            output,
            rows,
            undated,
            left_out,
        })
    }
}

/// What the system said, where it was the system.
fn why(output: &Output, refused: Refused) -> ExportError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&*refused);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            let source = match io.raw_os_error() {
                Some(code) => std::io::Error::from_raw_os_error(code),
                None => std::io::Error::new(io.kind(), io.to_string()),
            };
            return output.failed(source);
        }
        cause = error.source();
    }
    output.refused(refused)
}

/// Writes batches until there are no more.
fn write(
    form: Form,
    out: Sink,
    schema: &SchemaRef,
    batches: impl Iterator<Item = RecordBatch>,
) -> Result<(), Refused> {
    match form {
        Form::Parquet => {
            let mut writer = parquet::writer(out, schema)?;
            for batch in batches {
                writer.write(&batch)?;
            }
            writer.into_inner()?.flush()?;
        }
        Form::Arrow => {
            let mut writer = arrow::writer(out, schema)?;
            for batch in batches {
                writer.write(&batch)?;
            }
            writer.finish()?;
            writer.into_inner()?.flush()?;
        }
        Form::Csv => unreachable!("rows of CSV are written as they come"),
    }
    Ok(())
}

fn pick(what: What, columns: &[Column], wanted: &[String]) -> Result<Vec<usize>, ExportError> {
    if wanted.is_empty() {
        return Ok((0..columns.len()).collect());
    }
    let mut picked = Vec::new();
    for name in wanted {
        let Some(at) = columns.iter().position(|column| column.name == *name) else {
            return Err(ExportError::Column {
                asked: name.clone(),
                what,
                has: columns.iter().map(|c| c.name.clone().into()).collect(),
            });
        };
        if picked.contains(&at) {
            return Err(ExportError::ColumnTwice(name.clone()));
        }
        picked.push(at);
    }
    Ok(picked)
}
