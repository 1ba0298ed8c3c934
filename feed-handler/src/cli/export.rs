use super::selection::Selection;
use clap::ValueEnum;
use feed_common::program::{Failure, Progress, warn};
use feed_handler::export::{
    Destination, ExportError, Exported, Finished, JournalExported, Prices, Table, What,
    export_capture, export_journals, parts,
};
use feed_handler::report::units::plural;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  feed-handler export day.pcap --what bbo --to bbo.parquet\n  feed-handler export day.pcap \
                  --what depth:10 --symbol 'A*' --to depth.arrow\n  feed-handler export runs/today --what trades --to - \
                  --columns symbol,timestamp,price,quantity\n\nRows are those of `bbo` and `trades`, of orders as they are \
                  published, or of all levels up to N whenever one of them has changed; docs/EXPORT.md says what is in \
                  every column. A folder is that of a run with a journal, or of a journal. The file gets its name when it \
                  is whole."
)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Which table: bbo, trades, orders, or depth:N
    #[arg(long, value_name = "TABLE")]
    what: What,
    /// Where to: a name that ends with .parquet, .arrow or .csv, or `-` for CSV on standard output
    #[arg(long, value_name = "OUT")]
    to: Destination,
    /// Only these columns, in this order
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    columns: Vec<String>,
    /// Prices in Parquet and Arrow: `decimal` with 9 places, or `int`, units of 1e-9
    #[arg(long, default_value = "decimal")]
    price: Price,
}

/// How prices are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Price {
    Decimal,
    Int,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let done = match arguments.selection.input.file.is_dir() {
        true => of_run(arguments),
        false => of_capture(arguments),
    };
    match done {
        Ok(()) => Ok(()),
        Err(Ended::Failed(failure)) => Err(failure),
        Err(Ended::Export(e)) if e.is_reader_gone() => Ok(()),
        Err(Ended::Export(e)) if e.is_usage() => Err(Failure::usage(e)),
        Err(Ended::Export(e)) => Err(Failure::running(e)),
    }
}

/// Why nothing was exported.
enum Ended {
    Failed(Failure),
    Export(ExportError),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Ended {
        Ended::Failed(failure)
    }
}

impl From<ExportError> for Ended {
    fn from(e: ExportError) -> Ended {
        Ended::Export(e)
    }
}

impl Arguments {
    fn table(&self) -> Result<Table, ExportError> {
        let prices = match self.price {
            Price::Decimal => Prices::Decimal,
            Price::Int => Prices::Integer,
        };
        Table::begin(self.to.clone(), self.what, &self.columns, prices)
    }

    /// What of the rows has no place in their columns: a warning, or under `--strict` a failure.
    fn judge(&self, table: &Finished) -> Result<(), Failure> {
        let left_out = table.left_out;
        let causes = [
            (
                left_out.prices,
                "price of 1,000,000,000 or more",
                "--price int has room for it",
            ),
            (
                left_out.times,
                "time beyond the year 2262",
                "--to - shows it",
            ),
        ];
        for (n, what, hint) in causes {
            if n > 0 {
                let said = format!("{}: {n} times null for a {what}: {hint}", self.file());
                self.lacks(said)?;
            }
        }
        Ok(())
    }

    /// A warning, or under `--strict` a failure.
    fn lacks(&self, what: String) -> Result<(), Failure> {
        match self.selection.input.strict {
            true => Err(Failure::running(what)),
            false => {
                warn(what);
                Ok(())
            }
        }
    }

    fn file(&self) -> std::path::Display<'_> {
        self.selection.input.file.display()
    }
}

fn of_capture(arguments: &Arguments) -> Result<(), Ended> {
    let selection = &arguments.selection;
    let file = selection.input.open()?;
    let capture = selection.merged(
        &file,
        match arguments.to {
            Destination::Standard => Progress::beside_rows,
            Destination::File(..) => Progress::of_file,
        },
    )?;
    let exported = export_capture(&capture, arguments.what, arguments.table()?)?;
    let Exported {
        table,
        faults,
        passed,
    } = exported;
    selection.check_protocol(&passed)?;
    if table.undated {
        warn(format_args!(
            "{}: no date: times are in since_midnight; --date gives one",
            arguments.file()
        ));
    }
    selection.judge(Ok(()), faults, &passed)?;
    arguments.judge(&table)?;
    Ok(table.keep()?)
}

fn of_run(arguments: &Arguments) -> Result<(), Ended> {
    let selection = &arguments.selection;
    selection.check_run()?;
    let wanted = selection.wanted()?;
    let parts = parts(&selection.input.file).map_err(Failure::usage)?;
    let exported = export_journals(&parts, &wanted, arguments.what, arguments.table()?)?;
    let JournalExported {
        table,
        lost,
        damaged,
        damage,
        unpriced,
        unknown_breaks,
    } = exported;
    let file = arguments.file();
    if let Some(damage) = damage {
        let places = plural(damaged, "damaged place");
        arguments.lacks(format!("{places}, the first: {damage}"))?;
    }
    if lost > 0 {
        let records = plural(lost, "record");
        arguments.lacks(format!(
            "{file}: {records} published and not in the journal"
        ))?;
    }
    if unpriced > 0 {
        let prints = plural(unpriced, "print");
        arguments.lacks(format!(
            "{file}: {prints} without a price: of orders that entered before"
        ))?;
    }
    if unknown_breaks > 0 {
        let breaks = plural(unknown_breaks, "break");
        warn(format_args!(
            "{file}: {breaks} without what they void: a journal has no match numbers of executions"
        ));
    }
    arguments.judge(&table)?;
    Ok(table.keep()?)
}
