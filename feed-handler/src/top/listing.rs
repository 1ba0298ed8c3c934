//! Tables of cells, before it is known how much room there is: in full as text, as much as fits on a screen.

use crate::report::units::{count, percent, time};
use crate::report::{Table, plain};

/// One figure or name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// A name, or words.
    Text(String),
    /// Words that ask for attention.
    Alarm(String),
    /// A count.
    Count(u64),
    /// A count that asks for attention when it is not 0.
    Loss(u64),
    /// A count a second, where it is known.
    Rate(Option<u64>),
    /// Nanoseconds, where they are known.
    Time(Option<u64>),
    /// A part of a whole.
    Share(u64, u64),
}

/// How counts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digits {
    /// `12,345,678`
    All,
    /// `12.3 M`, from a million on.
    Few,
}

impl Cell {
    /// A name that comes from a configuration, without what would steer a terminal.
    pub fn name(name: &str) -> Cell {
        Cell::Text(plain(name))
    }

    /// As it is shown.
    pub fn text(&self, digits: Digits) -> String {
        let number = |n: u64| match digits {
            Digits::All => count(n),
            Digits::Few => short(n),
        };
        let unknown = || "-".to_owned();
        match self {
            Cell::Text(text) | Cell::Alarm(text) => text.clone(),
            Cell::Count(n) | Cell::Loss(n) => number(*n),
            Cell::Rate(n) => n.map_or_else(unknown, number),
            Cell::Time(nanos) => nanos.map_or_else(unknown, time),
            Cell::Share(part, whole) => percent(*part, *whole),
        }
    }

    /// Whether it asks for attention.
    pub fn alarms(&self) -> bool {
        matches!(self, Cell::Alarm(_) | Cell::Loss(1..))
    }

    fn is_known(&self) -> bool {
        !matches!(self, Cell::Rate(None) | Cell::Time(None))
    }
}

/// A table under a title.
#[derive(Clone, Debug)]
pub struct Listing {
    /// What it is of.
    pub title: &'static str,
    /// A name for every column, the most important first: what has no room is left out from the end.
    pub head: &'static [&'static str],
    /// Leading columns of names; the rest stand at the right.
    pub names: usize,
    /// A cell for every column.
    pub rows: Vec<Vec<Cell>>,
}

impl Listing {
    /// The whole of it, without columns of which nothing is known.
    pub fn table(&self) -> Table {
        let is_known =
            |c: &usize| self.rows.is_empty() || self.rows.iter().any(|row| row[*c].is_known());
        let columns: Vec<usize> = (0..self.head.len()).filter(is_known).collect();
        let head: Vec<&str> = columns.iter().map(|&c| self.head[c]).collect();
        let names = columns.iter().filter(|&&c| c < self.names).count();
        let mut table = Table::new(self.title, &head, names);
        for row in &self.rows {
            let cells = columns.iter().map(|&c| row[c].text(Digits::All));
            table.rows.push(cells.collect());
        }
        table
    }
}

/// A count of at most seven characters: three digits and a unit from a million on.
pub fn short(n: u64) -> String {
    if n < 1_000_000 {
        return count(n);
    }
    let mut value = n as f64;
    for unit in ["", "k", "M", "G", "T", "P", "E"] {
        if value < 999.5 {
            let digits = match value {
                v if v < 9.995 => 2,
                v if v < 99.95 => 1,
                _ => 0,
            };
            return format!("{value:.digits$} {unit}");
        }
        value /= 1_000.0;
    }
    count(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_counts_have_three_digits() {
        for (n, want) in [
            (0, "0"),
            (999_999, "999,999"),
            (1_000_000, "1.00 M"),
            (9_994_999, "9.99 M"),
            (12_345_678, "12.3 M"),
            (999_499_999, "999 M"),
            (999_500_000, "1.00 G"),
            (u64::MAX, "18.4 E"),
        ] {
            assert_eq!(short(n), want, "{n}");
            assert!(want.len() <= 7);
        }
    }

    #[test]
    fn cells_are_plain_and_say_when_they_need_attention() {
        assert_eq!(Cell::name("a\u{1b}[2J").text(Digits::All), "a\u{fffd}[2J");
        assert_eq!(Cell::Rate(None).text(Digits::All), "-");
        assert_eq!(Cell::Time(Some(1_500)).text(Digits::Few), "1.50 µs");
        assert_eq!(Cell::Share(1, 4).text(Digits::Few), "25.0 %");
        assert!(Cell::Loss(1).alarms() && !Cell::Loss(0).alarms());
        assert!(!Cell::Count(1).alarms());
    }

    #[test]
    fn text_has_no_columns_of_which_nothing_is_known() {
        let listing = Listing {
            title: "Things",
            head: &["thing", "a second", "all"],
            names: 1,
            rows: vec![vec![
                Cell::name("x"),
                Cell::Rate(None),
                Cell::Count(1_234_567),
            ]],
        };
        let mut text = String::new();
        listing.table().render(&mut text);
        assert_eq!(text, "Things\n  thing        all\n  x      1,234,567\n");
    }
}
