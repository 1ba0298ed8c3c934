//! What `book`, `bbo`, `trades` and `export` share: a capture through the pipeline, which symbols of it, and what was wrong.

use super::input::{Input, listed};
use super::stats::{check_lines, lines};
use clap::ValueEnum;
use feed_common::capture::CaptureFile;
use feed_common::program::{Failure, Progress, printed, warn};
use feed_common::time::CivilDate;
use feed_handler::inspect::{Lines, Merged, Passed, RowFormat};
use feed_handler::report::units::plural;
use feed_handler::subscribe::{Filter, Glob};
use std::io;

#[derive(clap::Args)]
pub struct Selection {
    #[command(flatten)]
    pub input: Input,
    /// Only these symbols: `*` stands for any characters, `?` for one; may be repeated
    #[arg(long = "symbol", value_name = "GLOB")]
    symbols: Vec<Glob>,
    /// Which streams are lines of one channel: `auto` tells by their bytes, `separate` keeps them apart, or list the
    /// groups of each channel: `G:P,G:P;G:P,G:P`
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = lines)]
    lines: Lines,
    /// The session's date, where exchange times have none: that of the first packet when left out
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<CivilDate>,
}

/// How rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rows {
    Table,
    Csv,
    Json,
}

impl From<Rows> for RowFormat {
    fn from(rows: Rows) -> RowFormat {
        match rows {
            Rows::Table => RowFormat::Table,
            Rows::Csv => RowFormat::Csv,
            Rows::Json => RowFormat::Json,
        }
    }
}

impl Selection {
    /// Tells the streams of the capture and pairs its lines; `watch` shows each reading of it.
    pub fn merged<'f>(
        &self,
        file: &'f CaptureFile,
        watch: fn(&CaptureFile) -> Progress,
    ) -> Result<Merged<'f>, Failure> {
        let streams = self.input.streams(file)?;
        if let Lines::Given(channels) = &self.lines {
            check_lines(channels, file, &self.input)?;
        }
        let path = self.input.file.display();
        if streams.unrecognised() > 0 {
            let streams = plural(streams.unrecognised() as u64, "stream");
            warn(format_args!(
                "{path}: {streams} of no known protocol left out"
            ));
        }
        let wanted = self.wanted()?;
        Merged::new(file, &streams, &self.lines, self.date, watch)
            .map(|merged| merged.wanting(wanted))
            .map_err(|e| Failure::usage(format_args!("{path}: {e}")))
    }

    /// Which symbols.
    pub fn wanted(&self) -> Result<Filter, Failure> {
        let wanted = Filter::of(self.symbols.clone());
        wanted.map_err(|e| Failure::usage(format_args!("--symbol: {e}")))
    }

    /// What says how a capture is read says nothing about what a run has kept.
    #[cfg(feature = "export")]
    pub fn check_run(&self) -> Result<(), Failure> {
        let given = [
            ("--protocol", self.input.protocol_name().is_some()),
            ("--lines", self.lines != Lines::Found),
            ("--date", self.date.is_some()),
        ];
        match given.iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((what, _)) => Err(Failure::usage(format_args!(
                "{}: a run's journal has been decoded: {what} is for captures",
                self.input.file.display()
            ))),
        }
    }

    /// Before anything is printed: a capture without a packet of the protocol that was named is the wrong one.
    pub fn check_protocol(&self, passed: &Passed<'_>) -> Result<(), Failure> {
        match self.input.protocol_name() {
            Some(name) if passed.frames == 0 => Err(Failure::usage(format_args!(
                "{}: no packet of {name} in it",
                self.input.file.display()
            ))),
            _ => Ok(()),
        }
    }

    /// When the facts have been printed, or could not be: what they lack, and what was wrong with what they are made
    /// of. `faults` are those of the books and further causes, by name.
    pub fn judge<'a>(
        &self,
        written: io::Result<()>,
        faults: impl IntoIterator<Item = (&'a str, u64)>,
        passed: &Passed<'_>,
    ) -> Result<(), Failure> {
        if let Err(e) = written {
            return printed(Err(e)); // whoever left early did not read the rest of the file either
        }
        let path = self.input.file.display();
        let skipped = passed.datagrams.skipped().iter();
        if let Some(skipped) = listed(skipped.map(|(reason, n)| (reason.name(), n))) {
            warn(format_args!("{path}: frames without a datagram: {skipped}"));
        }
        if passed.lost > 0 {
            warn(format_args!(
                "{path}: {} missing in {}: what follows from them is not known",
                plural(passed.lost, "message"),
                plural(passed.gaps, "gap")
            ));
        }
        let dropped = |wanted: bool| {
            let drops = passed.drops.iter().map(|(&name, &n)| (name, n));
            listed(drops.filter(|&(name, _)| PLACES.contains(&name) == wanted))
        };
        if let Some(dropped) = dropped(true) {
            warn(format_args!("{path}: packets left out: {dropped}"));
        }
        let faults = listed(faults);
        let malformed = dropped(false);
        if !self.input.strict {
            if let Some(malformed) = &malformed {
                warn(format_args!("{path}: malformed: {malformed}"));
            }
            if let Some(faults) = &faults {
                warn(format_args!("{path}: faults: {faults}"));
            }
        }
        self.input.judge(malformed, &passed.datagrams)?;
        match faults {
            Some(faults) if self.input.strict => {
                Err(Failure::running(format_args!("{path}: faults: {faults}")))
            }
            _ => Ok(()),
        }
    }
}

/// Causes that are no damage: there was no room for a packet, or its session was over.
const PLACES: [&str; 2] = ["old_session", "stash_full"];
