//! The checks as text: by subject, worst first, with reason, effect and fix.

use super::{Check, Status};
use std::fmt::Write as _;

/// Columns that are filled.
const WIDTH: usize = 118;
/// Where names begin, behind the status.
const NAMES: usize = 11;

/// The list, and a line that counts it. What is `OK` has its reason alone; a fix is not broken, since it is a command.
pub fn render(checks: &[Check]) -> String {
    let names = checks.iter().map(|c| c.name.chars().count()).max();
    let width = names.unwrap_or(0);
    let reasons = NAMES + width + 2;
    let mut out = String::new();
    let mut subjects: Vec<&str> = Vec::new();
    for check in checks {
        if !subjects.contains(&check.subject()) {
            subjects.push(check.subject());
        }
    }
    for subject in subjects {
        let mut own: Vec<&Check> = checks.iter().filter(|c| c.subject() == subject).collect();
        own.sort_by_key(|c| c.status);
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{subject}");
        for check in own {
            let _ = write!(out, "  {:7}  {:width$}  ", check.status.name(), check.name);
            wrap(&check.reason, reasons, &mut out);
            if check.status != Status::Ok {
                let _ = write!(out, "{:NAMES$}effect: ", "");
                wrap(&check.effect, NAMES + 8, &mut out);
            }
            if !check.fix.is_empty() {
                let _ = writeln!(out, "{:NAMES$}fix:    {}", "", check.fix);
            }
        }
        out.push('\n');
    }
    let count = |status: Status| checks.iter().filter(|c| c.status == status).count();
    let all = [Status::Fail, Status::Warn, Status::Unknown, Status::Ok];
    let counts: Vec<String> = all
        .iter()
        .map(|&s| format!("{} {}", count(s), s.name()))
        .collect();
    let _ = writeln!(out, "{}", counts.join(", "));
    out
}

/// The text from the column where `out` ends, broken between words, with lines that go on at `indent`. A word longer than
/// a line stands alone.
fn wrap(text: &str, indent: usize, out: &mut String) {
    let mut column = indent;
    for (i, word) in text.split_whitespace().enumerate() {
        let len = word.chars().count();
        if i > 0 && column + 1 + len > WIDTH {
            let _ = write!(out, "\n{:indent$}", "");
            column = indent;
        } else if i > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += len;
    }
    out.push('\n');
}
