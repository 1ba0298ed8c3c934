//! Where an export goes, and its name once it is whole.

use super::ExportError;
use crate::report::{Replacement, WriteError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// How tables are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Apache Parquet.
    Parquet,
    /// An Arrow IPC file.
    Arrow,
    /// Comma-separated values.
    Csv,
}

/// Where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard output, as CSV.
    Standard,
    /// A file, in the form that its ending names.
    File(PathBuf, Form),
}

/// A name whose ending says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a name that ends with .parquet, .arrow or .csv, or - for CSV on standard output")]
pub struct UnknownForm;

impl FromStr for Destination {
    type Err = UnknownForm;

    fn from_str(text: &str) -> Result<Destination, UnknownForm> {
        if text == "-" {
            return Ok(Destination::Standard);
        }
        let path = PathBuf::from(text);
        let form = match path.extension().and_then(|e| e.to_str()) {
            Some("parquet") => Form::Parquet,
            Some("arrow") => Form::Arrow,
            Some("csv") => Form::Csv,
            _ => return Err(UnknownForm),
        };
        Ok(Destination::File(path, form))
    }
}

impl Destination {
    /// How it is written.
    pub fn form(&self) -> Form {
        match self {
            Destination::Standard => Form::Csv,
            Destination::File(_, form) => *form,
        }
    }
}

/// An output that is being written. A file that is not kept goes away.
#[derive(Debug)]
pub(super) enum Output {
    Standard,
    File(PathBuf, Replacement),
}

impl Output {
    pub(super) fn begin(to: Destination) -> Result<Output, ExportError> {
        Ok(match to {
            Destination::Standard => Output::Standard,
            Destination::File(path, _) => {
                let file = Replacement::create(&path)?;
                Output::File(path, file)
            }
        })
    }

    /// What takes the bytes.
    pub(super) fn writer(&self) -> Result<Box<dyn Write + Send>, ExportError> {
        Ok(match self {
            Output::Standard => Box::new(io::stdout()),
            Output::File(_, file) => Box::new(file.file().try_clone().map_err(|e| self.failed(e))?),
        })
    }

    fn path(&self) -> &Path {
        match self {
            Output::Standard => Path::new("standard output"),
            Output::File(path, _) => path,
        }
    }

    pub(super) fn failed(&self, source: io::Error) -> ExportError {
        WriteError::new(self.path(), source).into()
    }

    pub(super) fn refused(&self, reason: impl std::fmt::Display) -> ExportError {
        ExportError::Form {
            path: self.path().to_owned(),
            reason: reason.to_string(),
        }
    }

    /// Everything has been written: the file gets its name, in place of one that had it before.
    pub(super) fn keep(self) -> Result<(), ExportError> {
        match self {
            Output::Standard => Ok(()),
            Output::File(_, file) => Ok(file.keep()?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_says_the_form() {
        let form = |text: &str| text.parse::<Destination>().map(|to| to.form());
        assert_eq!(form("a/b.parquet"), Ok(Form::Parquet));
        assert_eq!(form("b.c.arrow"), Ok(Form::Arrow));
        assert_eq!((form("x.csv"), form("-")), (Ok(Form::Csv), Ok(Form::Csv)));
        for text in ["", "x", "x.txt", "parquet", ".csv", "x.csv/", "x.CSV"] {
            assert!(form(text).is_err() || text == "x.csv/", "{text}");
        }
    }
}
