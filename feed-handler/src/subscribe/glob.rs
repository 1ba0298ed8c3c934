//! Patterns for symbols: `*` stands for any run of characters, `?` for one.

use feed_common::wire::message::trimmed;
use std::fmt;
use std::str::FromStr;

/// Longest pattern: symbols have 8 characters, and between any two of them a `*` can be meant.
pub const GLOB_BYTES_MAX: usize = 32;

/// A pattern of symbols. Case matters; the symbol's padding is not part of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Glob(Box<str>);

/// What is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a symbol pattern of 1 to {GLOB_BYTES_MAX} printable ASCII characters without blanks, such as \"A*\" or \
     \"MSFT\""
)]
pub struct GlobError;

impl Glob {
    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a symbol, padded or not, is meant.
    pub fn matches(&self, symbol: &[u8]) -> bool {
        let (pattern, symbol) = (self.0.as_bytes(), trimmed(symbol));
        let (mut p, mut s) = (0, 0);
        // Behind the last `*`, and how much of the symbol it stands for so far: only that one can be wrong.
        let mut star = None;
        while s < symbol.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    star = Some((p + 1, s));
                    p += 1;
                }
                Some(&b) if b == b'?' || b == symbol[s] => (p, s) = (p + 1, s + 1),
                _ => match star {
                    Some((behind, taken)) => {
                        star = Some((behind, taken + 1));
                        (p, s) = (behind, taken + 1);
                    }
                    None => return false,
                },
            }
        }
        pattern[p..].iter().all(|&b| b == b'*')
    }
}

impl FromStr for Glob {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Glob, GlobError> {
        let fits = (1..=GLOB_BYTES_MAX).contains(&text.len());
        match fits && text.bytes().all(|b| b.is_ascii_graphic()) {
            true => Ok(Glob(text.into())),
            false => Err(GlobError),
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(glob: &str, symbol: &str) -> bool {
        glob.parse::<Glob>().unwrap().matches(symbol.as_bytes())
    }

    #[test]
    fn stars_and_question_marks() {
        for (glob, yes, no) in [
            ("MSFT", &["MSFT", "MSFT    "][..], &["MSF", "MSFTX", ""][..]),
            ("A*", &["A", "AA", "AAPL    "], &["BA", "a"]),
            ("*", &["", "A", "ZZZZZZZZ"], &[]),
            ("?", &["A"], &["", "AB"]),
            ("*L", &["L", "AAPL", "LL"], &["LA"]),
            ("A*P?", &["AAPL", "APX", "APPP"], &["AP", "AAP"]),
            ("*A*A*", &["AA", "BANANA"], &["A", "BAN"]),
        ] {
            yes.iter()
                .for_each(|s| assert!(matches(glob, s), "{glob} {s}"));
            no.iter()
                .for_each(|s| assert!(!matches(glob, s), "{glob} {s}"));
        }
    }

    #[test]
    fn what_no_symbol_can_have_is_refused() {
        for text in ["", "A B", "A\n", "Ä", &"A".repeat(33)] {
            assert_eq!(text.parse::<Glob>(), Err(GlobError), "{text:?}");
        }
        assert!("A".repeat(32).parse::<Glob>().is_ok());
    }

    /// The definition, word for word.
    fn slowly(pattern: &[u8], symbol: &[u8]) -> bool {
        match (pattern.split_first(), symbol.split_first()) {
            (None, rest) => rest.is_none(),
            (Some((b'*', p)), s) => slowly(p, symbol) || s.is_some_and(|(_, s)| slowly(pattern, s)),
            (Some(_), None) => false,
            (Some((b'?', p)), Some((_, s))) => slowly(p, s),
            (Some((a, p)), Some((b, s))) => a == b && slowly(p, s),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_its_definition(glob in "[AB*?]{1,10}", symbol in "[AB]{0,8}") {
            prop_assert_eq!(matches(&glob, &symbol), slowly(glob.as_bytes(), symbol.as_bytes()));
        }
    }
}
