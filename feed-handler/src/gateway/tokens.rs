//! Who may come in: tokens in a file that only its owner can read.

use std::fmt;
use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Shorter ones can be guessed.
const LEAST: usize = 16;

/// Longer ones are a mistake; so are longer files.
const MOST: usize = 256;
const FILE_MOST: u64 = 1 << 20;

/// Tokens that clients show. None means that none is asked for.
#[derive(Clone, Default)]
pub struct Tokens(Vec<Box<[u8]>>);

/// Why tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// It cannot be read.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Others can read it, or change it.
    #[error("{path}: others may read or write it (mode {mode:04o}): expected mode 0600")]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A line that is no token.
    #[error(
        "{path}:{line}: expected a token of {LEAST} to {MOST} printable ASCII characters without blanks"
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// Which.
        line: usize,
    },
    /// Nobody could come in.
    #[error("{path}: no token in it")]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

impl Tokens {
    /// Reads a token a line; empty lines and those that begin with `#` are passed over.
    pub fn read(path: &Path) -> Result<Tokens, TokensError> {
        let failed = |error| TokensError::Io {
            path: path.into(),
            error,
        };
        let file = File::open(path).map_err(failed)?;
        // Of the file that is open: what has its name may be another by then.
        let mode = file.metadata().map_err(failed)?.mode() & 0o7777;
        if mode & 0o077 != 0 {
            let path = path.into();
            return Err(TokensError::Mode { path, mode });
        }
        let mut text = String::new();
        file.take(FILE_MOST)
            .read_to_string(&mut text)
            .map_err(failed)?;
        let mut tokens = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let token = line.trim();
            if token.is_empty() || token.starts_with('#') {
                continue;
            }
            let fits = (LEAST..=MOST).contains(&token.len());
            if !fits || !token.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(TokensError::Line {
                    path: path.into(),
                    line: number + 1,
                });
            }
            tokens.push(token.as_bytes().into());
        }
        match tokens.is_empty() {
            true => Err(TokensError::Empty { path: path.into() }),
            false => Ok(Tokens(tokens)),
        }
    }

    /// Whether none is asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is one of them. All are looked at to their end, so that the time says nothing of how much was right.
    pub fn allow(&self, shown: &[u8]) -> bool {
        let mut allowed = false;
        for token in &self.0 {
            allowed |= black_box(is_same(shown, token));
        }
        allowed
    }
}

/// Takes as long as `token` is, whatever is shown.
fn is_same(shown: &[u8], token: &[u8]) -> bool {
    let mut different = shown.len() ^ token.len();
    for (i, byte) in token.iter().enumerate() {
        let other = shown.get(i).copied().unwrap_or(0);
        different = black_box(different | usize::from(other ^ byte));
    }
    different == 0
}

/// They stay unsaid.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tokens", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::PermissionsExt;

    fn read(text: &[u8], mode: u32) -> Result<Tokens, TokensError> {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("feed-tokens-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        write(&path, text).unwrap();
        set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let tokens = Tokens::read(&path);
        std::fs::remove_file(&path).unwrap();
        tokens
    }

    #[test]
    fn what_is_in_the_file_and_nothing_else_is_allowed() {
        let text = b"# desk\n0123456789abcdef\n\n  fedcba9876543210-long  \n";
        let tokens = read(text, 0o600).unwrap();
        assert!(tokens.allow(b"0123456789abcdef") && tokens.allow(b"fedcba9876543210-long"));
        for no in [
            &b""[..],
            b"0123456789abcde",
            b"0123456789abcdeg",
            b"0123456789abcdef\0",
            b"0123456789abcdef0",
            b"# desk",
        ] {
            assert!(!tokens.allow(no), "{no:?}");
        }
        assert!(!Tokens::default().allow(b""));
        assert_eq!(format!("{tokens:?}"), "2 tokens");
    }

    #[test]
    fn files_that_others_can_read_or_that_hold_no_tokens_are_refused() {
        let good = b"0123456789abcdef\n";
        for mode in [0o640, 0o604, 0o620, 0o666] {
            let refused = read(good, mode);
            assert!(matches!(refused, Err(TokensError::Mode { mode: m, .. }) if m == mode));
        }
        assert!(matches!(
            read(b"# none\n", 0o600),
            Err(TokensError::Empty { .. })
        ));
        for bad in [&b"# x\nshort\n"[..], b"\n0123456789 abcdef\n"] {
            assert!(matches!(
                read(bad, 0o600),
                Err(TokensError::Line { line: 2, .. })
            ));
        }
        assert!(matches!(
            read(b"\xFF\xFE", 0o600),
            Err(TokensError::Io { .. })
        ));
    }
}
