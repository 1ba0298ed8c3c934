//! Reading /proc and /sys within bounds, under a root that tests can put anywhere.

use super::cores::{self, Cores};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;

/// Longest file that is read whole.
const FILE_BYTES_MAX: usize = 256 << 10;
/// Most entries of a folder.
const ENTRIES_MAX: usize = 65_536;
/// Longest single value, such as a governor's name.
const WORD_CHARS_MAX: usize = 64;

/// The machine's own account of itself.
#[derive(Clone, Debug)]
pub struct Host {
    root: PathBuf,
}

/// Why something could not be read. The path is as on a real machine, without the root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// It is not there: another kernel, a driver without it, or a container.
    #[error("there is no {path}")]
    Missing {
        /// What was looked for.
        path: String,
    },
    /// It is there and this user may not read it.
    #[error("{path} cannot be read by this user")]
    Denied {
        /// What was looked for.
        path: String,
    },
    /// The system said something else.
    #[error("{path} cannot be read: {why}")]
    Failed {
        /// What was looked for.
        path: String,
        /// What the system said.
        why: String,
    },
    /// It is too long to be what was looked for.
    #[error("{path} is longer than {limit}")]
    Long {
        /// What was looked for.
        path: String,
        /// The limit, with its unit.
        limit: String,
    },
    /// It was read and makes no sense.
    #[error("{path} says `{found}`: expected {expected}")]
    Garbage {
        /// What was read.
        path: String,
        /// How it begins.
        found: String,
        /// What it should have been.
        expected: &'static str,
    },
}

impl Unread {
    /// Something that was read and makes no sense.
    pub(super) fn garbage(path: &str, found: &str, expected: &'static str) -> Unread {
        Unread::Garbage {
            path: path.to_owned(),
            found: found.chars().take(40).collect::<String>().trim().to_owned(),
            expected,
        }
    }

    fn new(path: &str, error: io::Error) -> Unread {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Unread::Missing { path },
            io::ErrorKind::PermissionDenied => Unread::Denied { path },
            _ => Unread::Failed {
                path,
                why: error.to_string(),
            },
        }
    }
}

impl Host {
    /// The machine whose /proc and /sys lie under `root`; `/` for this one.
    pub fn new(root: impl Into<PathBuf>) -> Host {
        Host { root: root.into() }
    }

    /// A whole file as text, at most 256 KiB. What is not UTF-8 or could move a terminal's cursor is replaced.
    pub(super) fn text(&self, path: &str) -> Result<String, Unread> {
        let bytes = self.bytes(path, FILE_BYTES_MAX + 1)?;
        if bytes.len() > FILE_BYTES_MAX {
            return Err(Unread::Long {
                path: path.to_owned(),
                limit: "256 KiB".into(),
            });
        }
        Ok(printable(&bytes))
    }

    /// The first 64 KiB of a file of any length: of files that say the same of each of many cores.
    pub(super) fn head(&self, path: &str) -> Result<String, Unread> {
        Ok(printable(&self.bytes(path, 64 << 10)?))
    }

    /// A file of one line, without its end.
    pub(super) fn line(&self, path: &str) -> Result<String, Unread> {
        let text = self.text(path)?;
        let line = text.trim();
        match line.contains('\n') || line.len() > 4096 {
            true => Err(Unread::garbage(path, line, "one line")),
            false => Ok(line.to_owned()),
        }
    }

    /// A file of one word.
    pub(super) fn word(&self, path: &str) -> Result<String, Unread> {
        let line = self.line(path)?;
        let fits = !line.is_empty() && line.chars().count() <= WORD_CHARS_MAX;
        match fits && line.chars().all(|c| c.is_ascii_graphic()) {
            true => Ok(line),
            false => Err(Unread::garbage(path, &line, "one word")),
        }
    }

    /// A file of one whole number.
    pub(super) fn number(&self, path: &str) -> Result<i64, Unread> {
        let line = self.line(path)?;
        let number = line.parse();
        number.map_err(|_| Unread::garbage(path, &line, "a whole number"))
    }

    /// A file that lists cores, such as `0-3,8`; empty for none.
    pub(super) fn cores(&self, path: &str) -> Result<Cores, Unread> {
        let line = self.line(path)?;
        cores::parse(&line).ok_or_else(|| Unread::garbage(path, &line, "a list of cores"))
    }

    /// The names in a folder, in order.
    pub(super) fn list(&self, path: &str) -> Result<Vec<String>, Unread> {
        let entries = fs::read_dir(self.at(path)).map_err(|e| Unread::new(path, e))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| Unread::new(path, e))?;
            if names.len() == ENTRIES_MAX {
                return Err(Unread::Long {
                    path: path.to_owned(),
                    limit: format!("{ENTRIES_MAX} entries"),
                });
            }
            names.push(printable(entry.file_name().as_encoded_bytes()));
        }
        names.sort();
        Ok(names)
    }

    /// The last part of where a link leads.
    pub(super) fn link(&self, path: &str) -> Result<String, Unread> {
        let to = fs::read_link(self.at(path)).map_err(|e| Unread::new(path, e))?;
        let name = to.file_name().unwrap_or(to.as_os_str());
        Ok(printable(name.as_encoded_bytes()))
    }

    /// True when there is such a file or folder.
    pub(super) fn has(&self, path: &str) -> bool {
        self.at(path).exists()
    }

    /// At most `most` bytes from the beginning of a file.
    pub(super) fn bytes(&self, path: &str, most: usize) -> Result<Vec<u8>, Unread> {
        let mut bytes = Vec::new();
        let read = File::open(self.at(path))
            .and_then(|file| file.take(most as u64).read_to_end(&mut bytes));
        read.map_err(|e| Unread::new(path, e))?;
        Ok(bytes)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}

/// Text without anything that a terminal would take for a command.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let kept = |c: char| match c.is_control() && c != '\n' && c != '\t' {
        true => char::REPLACEMENT_CHARACTER,
        false => c,
    };
    text.chars().map(kept).collect()
}
