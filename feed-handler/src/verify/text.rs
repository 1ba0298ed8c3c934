//! A verdict for people.

use super::{Compared, Part, PartKind, Verdict};
use crate::report::units::{count, plural};
use crate::trail::{GapMark, Place};
use std::fmt::Write;

/// Parts that are named one by one; the rest are counted.
const NAMED: usize = 10;

/// Gaps that are named in one part.
const GAPS_NAMED: usize = 5;

/// The verdict as text.
pub fn render(verdict: &Verdict) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    for side in &verdict.sides {
        let of = match &side.input {
            None => "live".to_owned(),
            Some(input) if input.as_os_str() == side.name.as_str() => "handled again".to_owned(),
            Some(input) => format!("of {}", input.display()),
        };
        let came_to = match &side.totals {
            None => "no end".to_owned(),
            Some(t) => format!(
                "{}, {}, {} of {} lost",
                plural(t.messages, "message"),
                plural(t.published, "record"),
                plural(t.gaps, "gap"),
                count(t.lost)
            ),
        };
        let _ = writeln!(out, "{:<24} {of}: {came_to}", side.name);
    }
    out.push('\n');
    for compared in &verdict.records.compared {
        let _ = writeln!(out, "{:<24} {}", named(&compared.place), extent(compared));
    }
    let names = [0, 1].map(|i: usize| verdict.sides[i].name.as_str());
    for part in verdict.records.parts.iter().take(NAMED) {
        let _ = write!(out, "\n{}: {}", named(&part.place), described(part, names));
    }
    let more = verdict.records.parts_total.saturating_sub(NAMED as u64);
    if more > 0 {
        let _ = writeln!(out, "\nand {} more", stretches(more));
    }
    if let Some(first) = &verdict.first {
        let _ = writeln!(
            out,
            "\nThe first record that differs is at sequence {}:",
            count(first.sequence)
        );
        for (name, record) in names.into_iter().zip(&first.records) {
            let record = match record {
                Some(record) if record.sequence != first.sequence => {
                    format!("nothing there; at {}: {record}", count(record.sequence))
                }
                Some(record) => record.to_string(),
                None => "nothing there".to_owned(),
            };
            let _ = writeln!(out, "  {name:<22} {record}");
        }
    }
    if !verdict.totals.is_empty() {
        out.push('\n');
        for total in &verdict.totals {
            let [a, b] = &total.sides;
            let _ = writeln!(out, "{:<24} {a} and {b}", total.what.replace('_', " "));
        }
    }
    for note in &verdict.notes {
        let _ = writeln!(out, "\nnote: {note}");
    }
    let _ = writeln!(out, "\n{}", summary(verdict));
    out
}

/// The verdict in a sentence.
pub fn summary(verdict: &Verdict) -> String {
    let at = |part: &Part| {
        let what = named(&part.place);
        match (&verdict.first, part.kind, part.to) {
            (Some(first), _, _) => format!("{what} at sequence {}", count(first.sequence)),
            (None, PartKind::Begins | PartKind::Ends | PartKind::OneSided, _) | (None, _, None) => {
                format!("{what} from sequence {} on", count(part.from))
            }
            (None, _, Some(to)) => format!(
                "{what} between sequence {} and {}",
                count(part.from),
                count(to.saturating_sub(1))
            ),
        }
    };
    match verdict.records.parts.first() {
        _ if verdict.equal => "equal".to_owned(),
        Some(part) => format!("different: they part first on {}", at(part)),
        None => {
            let what: Vec<_> = verdict
                .totals
                .iter()
                .map(|t| t.what.replace('_', " "))
                .collect();
            format!("different: {}", what.join(", "))
        }
    }
}

fn named(place: &Place) -> String {
    let mut name = place.channel.clone();
    if place.unit > 0 {
        let _ = write!(name, " unit {}", place.unit);
    }
    if place.epoch > 0 {
        let _ = write!(name, " session {}", place.epoch + 1);
    }
    name
}

fn extent(compared: &Compared) -> String {
    let range = match (compared.from, compared.to) {
        (Some(from), Some(to)) => format!("{} to {}", count(from), count(to.saturating_sub(1))),
        (Some(from), None) => format!("from {} to its end", count(from)),
        _ => return "nothing that both have noted".to_owned(),
    };
    let stretches = stretches(compared.stretches);
    match compared.parted {
        0 => format!("{range} in {stretches}: equal"),
        1 => format!("{range} in {stretches}: 1 differs"),
        n => format!("{range} in {stretches}: {} differ", count(n)),
    }
}

fn stretches(n: u64) -> String {
    match n {
        1 => "1 stretch".to_owned(),
        n => format!("{} stretches", count(n)),
    }
}

/// What a part is, in a line, and what is known of it besides, in lines below.
fn described(part: &Part, names: [&str; 2]) -> String {
    let from = count(part.from);
    let less = part.less.map_or("", |less| names[less]);
    let more = part.less.map_or("", |less| names[1 - less]);
    let to = part.to.map(|to| count(to.saturating_sub(1)));
    let mut text = match (part.kind, to) {
        (PartKind::Records, Some(to)) => format!("other records between {from} and {to}"),
        (PartKind::Records, None) => format!("other records from {from} on"),
        (PartKind::Order, Some(to)) => format!("records in another order between {from} and {to}"),
        (PartKind::Order, None) => format!("records in another order from {from} on"),
        (PartKind::Begins, _) => format!("{more} begins at {from}, {less} later"),
        (PartKind::Ends, Some(to)) => format!("{less} ends before {from}, {more} goes on to {to}"),
        (PartKind::Ends, None) => format!("{less} ends before {from}, {more} goes on"),
        (PartKind::OneSided, _) => format!("only {more} has it, from {from} on"),
    };
    if let [Some(a), Some(b)] = part.records {
        let _ = write!(text, " ({} and {})", plural(a, "record"), count(b));
    }
    text.push('\n');
    for (i, gaps) in part.gaps.iter().enumerate() {
        for gap in gaps.iter().take(GAPS_NAMED) {
            let (name, other) = (names[i], names[1 - i]);
            let _ = writeln!(
                text,
                "  {name} has a gap there that {other} has not: {}",
                told(gap)
            );
        }
        let more = gaps.len().saturating_sub(GAPS_NAMED);
        if more > 0 {
            let _ = writeln!(text, "  and {} more", count(more as u64));
        }
    }
    text
}

fn told(gap: &GapMark) -> String {
    let last = gap.first.saturating_add(gap.count.saturating_sub(1));
    let lost = count(gap.count);
    match gap.count {
        1 => format!("1 lost, {}", count(gap.first)),
        _ => format!("{lost} lost, {} to {}", count(gap.first), count(last)),
    }
}
