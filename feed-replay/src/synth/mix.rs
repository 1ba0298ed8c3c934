//! What order flow is made of.

use std::fmt;
use std::str::FromStr;

/// Shares of the message types in the order flow of market hours, in hundredths of a percent. What they leave is adds
/// and deletes, which balance each other: an order that was added is executed or deleted in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mix {
    /// `F`: adds that name their participant.
    pub attributed: u32,
    /// `U`: replaces.
    pub replace: u32,
    /// `E`: executions at the order's price.
    pub execute: u32,
    /// `C`: executions at another price; crosses add some more.
    pub execute_at: u32,
    /// `X`: partial cancels.
    pub cancel: u32,
    /// `P`: trades against hidden orders.
    pub hidden: u32,
}

impl Mix {
    /// About what Nasdaq sends: adds 45 % (`F` among them), deletes 40 %.
    pub const USUAL: Mix = Mix {
        attributed: 250,
        replace: 700,
        execute: 350,
        execute_at: 40,
        cancel: 200,
        hidden: 100,
    };

    /// Everything.
    pub(super) const WHOLE: u32 = 10_000;

    /// Adds and deletes together are at least this.
    const BALANCE_MIN: u32 = Self::WHOLE / 5;

    /// What is left for adds and deletes, `F` included; of a mix that passes the check.
    pub(super) fn balance(&self) -> u32 {
        Self::WHOLE - (self.replace + self.execute + self.execute_at + self.cancel + self.hidden)
    }

    /// Whether there is such order flow, and what is wrong with it if not.
    pub fn check(&self) -> Result<(), String> {
        let parts = [
            self.replace,
            self.execute,
            self.execute_at,
            self.cancel,
            self.hidden,
        ];
        let sum: u64 = parts.iter().map(|&part| u64::from(part)).sum();
        if sum > (Self::WHOLE - Self::BALANCE_MIN).into() {
            return Err(
                "U, E, C, X and P together must leave at least 20 percent for adds and deletes"
                    .into(),
            );
        }
        if self.execute + self.execute_at > self.balance() / 2 {
            return Err(
                "E and C cannot be more than the adds, half of what the others leave".into(),
            );
        }
        if self.attributed > self.balance() / 2 {
            return Err("F cannot be more than the adds, half of what the others leave".into());
        }
        Ok(())
    }

    fn part(&mut self, name: &str) -> Option<&mut u32> {
        Some(match name {
            "F" => &mut self.attributed,
            "U" => &mut self.replace,
            "E" => &mut self.execute,
            "C" => &mut self.execute_at,
            "X" => &mut self.cancel,
            "P" => &mut self.hidden,
            _ => return None,
        })
    }
}

impl FromStr for Mix {
    type Err = String;

    /// Reads `TYPE=PERCENT,...`; what is not named is as usual.
    fn from_str(text: &str) -> Result<Mix, String> {
        let mut mix = Mix::USUAL;
        for entry in text.split(',') {
            let (name, percent) = entry
                .split_once('=')
                .ok_or_else(|| format!("expected TYPE=PERCENT, found {entry:?}"))?;
            let part = mix
                .part(name)
                .ok_or_else(|| format!("{name:?} is not one of F, U, E, C, X and P"))?;
            *part = hundredths(percent).ok_or_else(|| {
                format!("{percent:?} is not a percentage from 0 to 100 with at most two decimals")
            })?;
        }
        mix.check()?;
        Ok(mix)
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let parts = [
            ("F", self.attributed),
            ("U", self.replace),
            ("E", self.execute),
            ("C", self.execute_at),
            ("X", self.cancel),
            ("P", self.hidden),
        ];
        for (i, (name, part)) in parts.into_iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{name}={}", part / 100)?;
            match part % 100 {
                0 => {}
                tenths if tenths % 10 == 0 => write!(f, ".{}", tenths / 10)?,
                hundredths => write!(f, ".{hundredths:02}")?,
            }
        }
        Ok(())
    }
}

/// A percentage of at most 100 in hundredths.
fn hundredths(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |s: &str| !s.is_empty() && s.len() <= 3 && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 2 {
        return None;
    }
    let scale = if fraction.len() == 1 { 10 } else { 1 };
    let value = whole.parse::<u32>().ok()? * 100 + fraction.parse::<u32>().ok()? * scale;
    (value <= Mix::WHOLE).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_is_read_and_written() {
        let usual = "F=2.5,U=7,E=3.5,C=0.4,X=2,P=1";
        assert_eq!(Mix::USUAL.to_string(), usual);
        assert_eq!(usual.parse(), Ok(Mix::USUAL));
        let other: Mix = "E=10.25,U=0".parse().unwrap();
        assert_eq!(
            (other.execute, other.replace, other.cancel),
            (1_025, 0, 200)
        );
        assert_eq!(other.to_string(), "F=2.5,U=0,E=10.25,C=0.4,X=2,P=1");
        assert_eq!(other.balance(), 10_000 - 1_025 - 40 - 200 - 100);
    }

    #[test]
    fn what_is_no_mix_says_why() {
        for (text, why) in [
            ("", "TYPE=PERCENT"),
            ("E", "TYPE=PERCENT"),
            ("A=5", "not one of"),
            ("E=", "not a percentage"),
            ("E=1.234", "not a percentage"),
            ("E=101", "not a percentage"),
            ("E=-1", "not a percentage"),
            ("E=+1", "not a percentage"),
            ("U=80", "at least 20 percent"),
            ("U=50,E=20", "more than the adds"),
            ("F=50", "more than the adds"),
        ] {
            let reason = text.parse::<Mix>().unwrap_err();
            assert!(reason.contains(why), "{text}: {reason}");
        }
    }
}
