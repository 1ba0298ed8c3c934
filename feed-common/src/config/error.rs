//! What is wrong with a configuration, and where.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Why there is no plan.
#[derive(Debug)]
pub enum ConfigError {
    /// The file could not be read.
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file was read and is wrong.
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, in the order of the file; never empty.
        problems: Vec<Problem>,
    },
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong and what was expected.
    pub message: String,
}

impl ConfigError {
    /// What the TOML parser found wrong with `text`, in the words of a configuration: keys and values, not fields and
    /// variants.
    pub fn of_toml(path: &Path, text: &str, e: &toml::de::Error) -> ConfigError {
        let message = e
            .message()
            .replace("unknown field", "unknown key")
            .replace("missing field", "missing key")
            .replace("duplicate field", "duplicate key")
            .replace("unknown variant", "unknown value")
            .replace("expected u64", "expected a whole number")
            .replace('\n', ", ");
        ConfigError::invalid(path, text, vec![(e.span().unwrap_or(0..0), message)])
    }

    /// Takes problems by their place in `text`.
    pub fn invalid(path: &Path, text: &str, mut found: Vec<(Range<usize>, String)>) -> ConfigError {
        found.sort_by_key(|(span, _)| span.start);
        let problems = found.into_iter().map(|(span, message)| {
            let (line, column) = place(text, span.start);
            Problem {
                line,
                column,
                message,
            }
        });
        ConfigError::Invalid {
            path: path.to_owned(),
            problems: problems.collect(),
        }
    }

    /// What is wrong with the file's content; empty when it could not be read.
    pub fn problems(&self) -> &[Problem] {
        match self {
            ConfigError::Read { .. } => &[],
            ConfigError::Invalid { problems, .. } => problems,
        }
    }
}

/// Line and column of a byte offset, both from 1.
pub fn place(text: &str, offset: usize) -> (usize, usize) {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = &text[..end];
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    let line = before.matches('\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Read { path, source } => {
                write!(f, "{}: cannot be read: {source}", path.display())
            }
            ConfigError::Invalid { path, problems } => {
                for (i, p) in problems.iter().enumerate() {
                    let end = if i == 0 { "" } else { "\n" };
                    write!(
                        f,
                        "{end}{}:{}:{}: {}",
                        path.display(),
                        p.line,
                        p.column,
                        p.message
                    )?;
                }
                Ok(())
            }
        }
    }
}

// No `source`: `Display` already says what the system said.
impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_from_one_and_in_characters() {
        let text = "a\nµb\n";
        assert_eq!(place(text, 0), (1, 1));
        assert_eq!(place(text, 1), (1, 2));
        assert_eq!(place(text, 2), (2, 1));
        assert_eq!(place(text, 4), (2, 2), "µ is two bytes and one column");
        assert_eq!(place(text, text.len()), (3, 1));
        assert_eq!(place(text, 99), (3, 1), "past the end is the end");
    }
}
