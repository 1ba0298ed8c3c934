//! Tables for people.

use super::svg::escape;
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

    /// Appends it as Markdown, under a heading.
    pub fn markdown(&self, out: &mut String) {
        let _ = writeln!(out, "## {}\n", marked_down(&self.title));
        let mut row = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| marked_down(cell)).collect();
            let _ = writeln!(out, "| {} |", cells.join(" | "));
        };
        row(&self.head);
        let rule = |column| {
            if column < self.text_columns {
                "---"
            } else {
                "---:"
            }
        };
        let rules: Vec<String> = (0..self.head.len()).map(|c| rule(c).to_owned()).collect();
        row(&rules);
        self.rows.iter().for_each(|cells| row(cells));
        out.push('\n');
    }

    /// Appends it as HTML, without its title.
    pub(super) fn html(&self, out: &mut String) {
        out.push_str("<div class=\"scroll\"><table class=\"plain\">\n<tr>");
        let class = |column| {
            if column < self.text_columns {
                " class=\"t\""
            } else {
                ""
            }
        };
        for (column, head) in self.head.iter().enumerate() {
            let _ = write!(out, "<th{}>{}</th>", class(column), escape(head));
        }
        out.push_str("</tr>\n");
        for row in &self.rows {
            out.push_str("<tr>");
            for (column, cell) in row.iter().enumerate() {
                let text = escape(cell);
                let _ = match cell.as_str() {
                    "regressed" | "broken" => write!(out, "<td class=\"t bad\">{text}</td>"),
                    "improved" | "kept" => write!(out, "<td class=\"t good\">{text}</td>"),
                    _ => write!(out, "<td{}>{text}</td>", class(column)),
                };
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</table></div>\n");
    }
}

/// Text that Markdown takes for text.
pub(super) fn marked_down(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '|' | '*' | '`' | '[' | ']' | '\\' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}
