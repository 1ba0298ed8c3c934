use clap::ValueEnum;
use feed_common::program::{Failure, print, print_line};
use feed_common::wire::ProtocolName;
use feed_handler::protocol::{About, about, messages};
use serde_json::{Value, json};
use std::fmt::Write as _;

#[derive(clap::Args)]
#[command(after_help = "Example:\n  feed-handler protocols --format markdown")]
pub struct Arguments {
    /// How to print them; json lists every message type too
    #[arg(long, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
    Markdown,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    match arguments.format {
        Format::Text => print(&text()),
        Format::Json => print_line(facts()),
        Format::Markdown => print(&markdown()),
    }
}

/// A row of the table.
fn rows() -> Vec<[String; 6]> {
    let all = ProtocolName::ALL.iter().map(|&name| {
        let About {
            feed,
            versions,
            framing,
            books,
        } = about(name);
        let count = messages(name).len().to_string();
        let [feed, versions, framing, books] = [feed, versions, framing, books].map(str::to_owned);
        [name.to_string(), feed, versions, framing, count, books]
    });
    all.collect()
}

const COLUMNS: [&str; 6] = [
    "protocol", "feed", "versions", "framing", "messages", "books",
];

fn text() -> String {
    let rows = rows();
    let widths: Vec<usize> = (0..COLUMNS.len())
        .map(|i| {
            let cells = rows.iter().map(|row| row[i].chars().count());
            cells.chain([COLUMNS[i].len()]).max().unwrap_or(0)
        })
        .collect();
    let mut out = String::new();
    let header = COLUMNS.map(str::to_owned);
    for row in [&header].into_iter().chain(&rows) {
        let cells = row.iter().zip(&widths);
        let line: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}", line.join("  ").trim_end());
    }
    out
}

fn markdown() -> String {
    let mut out = format!("| {} |\n|{}\n", COLUMNS.join(" | "), "---|".repeat(6));
    for mut row in rows() {
        row[0] = format!("`{}`", row[0]);
        let _ = writeln!(out, "| {} |", row.join(" | "));
    }
    out
}

fn facts() -> Value {
    let protocols = ProtocolName::ALL.iter().map(|&name| {
        let about = about(name);
        let messages = messages(name).into_iter();
        json!({
            "name": name.name(),
            "feed": about.feed,
            "versions": about.versions,
            "framing": about.framing,
            "books": about.books,
            "messages": messages.map(|(key, name)| json!({"type": key, "name": name})).collect::<Vec<_>>(),
        })
    });
    json!({"protocols": protocols.collect::<Vec<_>>()})
}
