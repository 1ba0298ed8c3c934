//! Tables for people.

use std::fmt::Write;

/// Names come from configurations and captures; control characters would steer the terminal.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// Rows of aligned columns under a title.
pub struct Table {
    title: String,
    head: Vec<String>,
    /// Leading columns of text; the rest are numbers and stand at the right.
    text_columns: usize,
    /// The rows, each with a cell for every column.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows, whose first columns are text.
    pub fn new(title: impl Into<String>, head: &[&str], text_columns: usize) -> Table {
        Table {
            title: title.into(),
            head: head.iter().map(|h| (*h).to_owned()).collect(),
            text_columns,
            rows: Vec::new(),
        }
    }

    /// Appends it, each line with its end.
    pub fn render(&self, out: &mut String) {
        let width = |column: usize| {
            std::iter::once(&self.head)
                .chain(&self.rows)
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let _ = writeln!(out, "{}", self.title);
        for row in std::iter::once(&self.head).chain(&self.rows) {
            let mut line = String::from("  ");
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                if column > 0 {
                    line.push_str("  ");
                }
                let _ = if column < self.text_columns {
                    write!(line, "{cell:<width$}")
                } else {
                    write!(line, "{cell:>width$}")
                };
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
}
