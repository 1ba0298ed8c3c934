//! The list of `gaps` as text, CSV or JSON, written as it comes.

use super::entry::{Entry, Hole, What};
use super::{GapSink, Totals};
use crate::inspect::CaptureChannel;
use crate::report::units::{count, plural, time};
use serde::Serialize;
use std::io::{self, Write};

/// How the list is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GapFormat {
    /// A line an entry, for people, with the channels above and the sum below.
    #[default]
    Text,
    /// Comma-separated values behind a header; what does not apply is empty.
    Csv,
    /// One object: `channels`, `entries`, `totals`; what does not apply is null.
    Json,
}

/// Writes entries.
pub struct GapRows<W> {
    format: GapFormat,
    out: W,
    /// The protocols of the channels.
    protocols: Vec<&'static str>,
    rows: u64,
}

/// An entry as a JSON object; the same names head the columns of CSV.
#[derive(Serialize)]
struct Row {
    time: Option<String>,
    time_ns: Option<u64>,
    packet: u64,
    channel: usize,
    protocol: &'static str,
    unit: Option<u8>,
    session: String,
    kind: &'static str,
    line: Option<String>,
    first: u64,
    last: Option<u64>,
    count: Option<u64>,
    shown_by: Option<&'static str>,
    lacked_by: Option<Vec<String>>,
    state: Option<&'static str>,
    closed_by: Option<String>,
    late_ns: Option<u64>,
    cause: Option<&'static str>,
}

impl<W: Write> GapRows<W> {
    /// Writes to `out`, which should be buffered.
    pub fn new(format: GapFormat, out: W) -> GapRows<W> {
        GapRows {
            format,
            out,
            protocols: Vec::new(),
            rows: 0,
        }
    }

    /// The output.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn row(&self, entry: &Entry) -> Row {
        let time = entry.mark.time;
        let (kind, line, first, hole) = match &entry.what {
            What::Hole(hole) => ("hole", None, hole.first, Some(hole)),
            What::Turned {
                turned,
                first,
                line,
            } => (turned.name(), *line, *first, None),
        };
        let closed = hole.and_then(|h| h.closed);
        let state = |h: &Hole| if h.closed.is_some() { "closed" } else { "open" };
        let names = |h: &Hole| {
            let lines = h.lacked_by.iter();
            lines.map(|&line| CaptureChannel::line_name(line)).collect()
        };
        Row {
            time: time.is_known().then(|| time.to_string()),
            time_ns: time.is_known().then_some(time.0),
            packet: entry.mark.packet,
            channel: entry.channel,
            protocol: self.protocols.get(entry.channel).copied().unwrap_or(""),
            unit: entry.unit,
            session: entry.session.to_string(),
            kind,
            line: line.map(CaptureChannel::line_name),
            first,
            last: hole.map(|h| h.last),
            count: hole.map(Hole::count),
            shown_by: hole.map(|h| h.shown.name()),
            lacked_by: hole.map(names),
            state: hole.map(state),
            closed_by: closed.map(|c| c.by.name(CaptureChannel::line_name)),
            late_ns: closed.map(|c| c.late),
            cause: hole.map(|h| h.cause.name()),
        }
    }
}

impl<W: Write> GapSink for GapRows<W> {
    fn begin(&mut self, channels: &[CaptureChannel]) -> io::Result<()> {
        self.protocols = channels.iter().map(|c| c.protocol.name()).collect();
        match self.format {
            GapFormat::Text => text_head(channels, &mut self.out),
            GapFormat::Csv => writeln!(self.out, "{CSV_HEAD}"),
            GapFormat::Json => json_head(channels, &mut self.out),
        }
    }

    fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        let row = self.row(entry);
        let rows = self.rows;
        match self.format {
            GapFormat::Text => text(&row, rows == 0, &mut self.out)?,
            GapFormat::Csv => csv(&row, &mut self.out)?,
            GapFormat::Json => {
                let object = serde_json::to_string(&row)?;
                let between = if rows == 0 { "\n" } else { ",\n" };
                write!(self.out, "{between}{object}")?;
            }
        }
        self.rows += 1;
        Ok(())
    }

    fn end(&mut self, totals: &Totals) -> io::Result<()> {
        match self.format {
            GapFormat::Text => {
                if self.rows > 0 {
                    writeln!(self.out)?;
                }
                writeln!(self.out, "{totals}")?;
            }
            GapFormat::Csv => {}
            GapFormat::Json => {
                let totals = serde_json::to_string(totals)?;
                writeln!(self.out, "\n],\"totals\":{totals}}}")?;
            }
        }
        self.out.flush()
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let channels = plural(self.channels, "channel");
        let holes = plural(self.holes, "hole");
        let (closed, open) = (count(self.closed), count(self.open));
        write!(f, "{channels}, {holes}: {closed} closed, {open} open")?;
        match self.open {
            0 => Ok(()),
            _ => write!(f, " with {} lost", plural(self.lost, "number")),
        }
    }
}

fn text_head(channels: &[CaptureChannel], out: &mut impl Write) -> io::Result<()> {
    for (number, channel) in channels.iter().enumerate() {
        write!(out, "channel {number}  {}", channel.protocol.name())?;
        for line in 0..channel.lines.len() {
            let (name, group) = (CaptureChannel::line_name(line), channel.group(line));
            write!(out, "  line {name} {group}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn text(row: &Row, is_first: bool, out: &mut impl Write) -> io::Result<()> {
    let none = || "-".to_owned();
    if is_first {
        writeln!(
            out,
            "\n{:<30} {:>9} {:>7} {:>4} {:<10} {:<14} {:>10} {:>10} {:>7}  {:<14} {:<9} {:<14} {:>8}  cause",
            "time",
            "packet",
            "channel",
            "unit",
            "session",
            "what",
            "first",
            "last",
            "count",
            "shown by",
            "lacked by",
            "closed by",
            "late",
        )?;
    }
    let unit = row.unit.map_or_else(none, |unit| unit.to_string());
    let (time_of, session) = (row.time.clone().unwrap_or_else(none), &row.session);
    let session = if session.is_empty() { "-" } else { session };
    write!(
        out,
        "{time_of:<30} {:>9} {:>7} {unit:>4} {session:<10} {:<14} {:>10}",
        row.packet, row.channel, row.kind, row.first,
    )?;
    let (Some(last), Some(count)) = (row.last, row.count) else {
        return writeln!(out);
    };
    let lacked_by = row.lacked_by.as_ref().map(|lines| lines.join(" "));
    let lacked_by = lacked_by.filter(|l| !l.is_empty()).unwrap_or_else(none);
    let closed_by = row.closed_by.as_deref().unwrap_or("nothing");
    let late = row.late_ns.map_or_else(none, time);
    let (shown, cause) = (row.shown_by.unwrap_or("-"), row.cause.unwrap_or("-"));
    writeln!(
        out,
        " {last:>10} {count:>7}  {shown:<14} {lacked_by:<9} {closed_by:<14} {late:>8}  {cause}"
    )
}

const CSV_HEAD: &str = "time,packet,channel,protocol,unit,session,kind,line,first,last,count,shown_by,lacked_by,state,\
                        closed_by,late_ns,cause";

fn csv(row: &Row, out: &mut impl Write) -> io::Result<()> {
    fn shown(value: Option<impl ToString>) -> String {
        value.map_or_else(String::new, |value| value.to_string())
    }
    let lacked_by = row.lacked_by.as_ref().map(|lines| lines.join(" "));
    let columns = [
        shown(row.time.as_ref()),
        row.packet.to_string(),
        row.channel.to_string(),
        row.protocol.to_owned(),
        shown(row.unit),
        quoted(&row.session),
        row.kind.to_owned(),
        shown(row.line.as_ref()),
        row.first.to_string(),
        shown(row.last),
        shown(row.count),
        shown(row.shown_by),
        shown(lacked_by),
        shown(row.state),
        shown(row.closed_by.as_ref()),
        shown(row.late_ns),
        shown(row.cause),
    ];
    writeln!(out, "{}", columns.join(","))
}

/// A field of RFC 4180.
fn quoted(text: &str) -> String {
    match text.contains(['"', ',']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

#[derive(Serialize)]
struct ChannelRow {
    channel: usize,
    protocol: &'static str,
    lines: Vec<LineRow>,
}

#[derive(Serialize)]
struct LineRow {
    line: String,
    group: String,
}

fn json_head(channels: &[CaptureChannel], out: &mut impl Write) -> io::Result<()> {
    let channels = channels.iter().enumerate().map(|(channel, known)| {
        let line = |line| LineRow {
            line: CaptureChannel::line_name(line),
            group: known.group(line),
        };
        ChannelRow {
            channel,
            protocol: known.protocol.name(),
            lines: (0..known.lines.len()).map(line).collect(),
        }
    });
    let channels = serde_json::to_string(&channels.collect::<Vec<_>>())?;
    write!(out, "{{\"channels\":{channels},\"entries\":[")
}
