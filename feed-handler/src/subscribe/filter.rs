//! Which symbols are wanted: patterns in order, of which the last that matches decides.

use super::Glob;

/// Rules of one filter at most. Every new symbol is held against all of them.
pub const RULES_MAX: usize = 64;

/// Decides about symbols. The default wants every one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    rules: Vec<Rule>,
    /// About symbols that no rule matches.
    otherwise: bool,
}

/// What is decided about the symbols of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its symbols.
    pub symbols: Glob,
    /// Whether they are wanted.
    pub wanted: bool,
}

/// A filter has as many rules as it can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected at most {RULES_MAX} symbol patterns; \"*\" replaces them all")]
pub struct TooManyRules;

impl Default for Filter {
    fn default() -> Filter {
        Filter {
            rules: Vec::new(),
            otherwise: true,
        }
    }
}

impl Filter {
    /// Wants the symbols of these patterns and no others; without any, every symbol.
    pub fn of(symbols: Vec<Glob>) -> Result<Filter, TooManyRules> {
        let mut filter = Filter {
            rules: Vec::new(),
            otherwise: symbols.is_empty(),
        };
        for symbols in symbols {
            filter.add(symbols, true)?;
        }
        Ok(filter)
    }

    /// Decides anew about the symbols of a pattern, whatever has been decided about them.
    pub fn add(&mut self, symbols: Glob, wanted: bool) -> Result<(), TooManyRules> {
        if symbols.as_str() == "*" {
            (self.rules, self.otherwise) = (Vec::new(), wanted);
            return Ok(());
        }
        // A rule behind it decides about the same symbols.
        self.rules.retain(|rule| rule.symbols != symbols);
        if self.rules.len() == RULES_MAX {
            return Err(TooManyRules);
        }
        self.rules.push(Rule { symbols, wanted });
        Ok(())
    }

    /// Whether a symbol, padded or not, is wanted.
    pub fn wants(&self, symbol: &[u8]) -> bool {
        let mut rules = self.rules.iter().rev();
        let last = rules.find(|rule| rule.symbols.matches(symbol));
        last.map_or(self.otherwise, |rule| rule.wanted)
    }

    /// True when every symbol is wanted, whatever it is.
    pub fn wants_all(&self) -> bool {
        self.otherwise && self.rules.iter().all(|rule| rule.wanted)
    }

    /// The rules, the weakest first.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether symbols that no rule matches are wanted.
    pub fn otherwise(&self) -> bool {
        self.otherwise
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> Glob {
        text.parse().unwrap()
    }

    #[test]
    fn the_last_rule_that_matches_decides() {
        let mut f = Filter::of(vec![glob("A*"), glob("MSFT")]).unwrap();
        assert!(f.wants(b"AAPL    ") && f.wants(b"MSFT    ") && !f.wants(b"SPY     "));
        f.add(glob("AA*"), false).unwrap();
        assert!(!f.wants(b"AAPL    ") && f.wants(b"AMD     "));
        f.add(glob("A*"), true).unwrap();
        assert!(f.wants(b"AAPL    "), "said again, it is the last");
        assert_eq!(f.rules().len(), 3);
        f.add(glob("*"), false).unwrap();
        assert_eq!((f.rules().len(), f.wants(b"AMD     ")), (0, false));
        f.add(glob("*"), true).unwrap();
        assert_eq!(f, Filter::default());
    }

    #[test]
    fn no_pattern_is_every_symbol() {
        let f = Filter::of(Vec::new()).unwrap();
        assert!(f.wants_all() && f.wants(b"ANY     "));
        let mut f = Filter::of(vec![glob("A")]).unwrap();
        assert!(!f.wants_all());
        f = Filter::default();
        f.add(glob("A"), true).unwrap();
        assert!(f.wants_all());
        f.add(glob("A"), false).unwrap();
        assert!(!f.wants_all());
    }

    #[test]
    fn rules_are_bounded() {
        let all = (0..RULES_MAX).map(|i| glob(&format!("S{i}"))).collect();
        let mut f = Filter::of(all).unwrap();
        assert_eq!(f.add(glob("B"), true), Err(TooManyRules));
        assert_eq!(f.add(glob("S7"), false), Ok(()), "instead of what was said");
        assert!(!f.wants(b"S7"));
    }
}
