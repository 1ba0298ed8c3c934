//! Every message of a capture, field by field, in file order and before any merging.

use super::text::{escape, number, put, quoted, separate};
use super::{Dissect, Message, Streams, View};
use feed_common::capture::{Datagram, Lend};
use feed_common::wire::message::{Value, trimmed};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};

/// How messages are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A line a message, for people.
    #[default]
    Text,
    /// A JSON object a line: `packet`, `seq`, `type`, `name`, then the fields under the names of the specification.
    Json,
}

/// What to print, and when to stop.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How.
    pub format: Format,
    /// Messages at most.
    pub limit: u64,
    /// Whether the first malformed packet or message is the end.
    pub strict: bool,
}

/// What was printed, and what could not be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// Messages printed.
    pub messages: u64,
    /// What was malformed, by name. Malformed messages are printed with the reason; of malformed packets nothing is.
    pub errors: BTreeMap<&'static str, u64>,
    /// The first thing that was malformed.
    pub first: Option<Malformed>,
}

/// Something that cannot be read, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Number of its frame; in a BinaryFILE, of the record.
    pub packet: u64,
    /// Its sequence number, if it is a message.
    pub seq: Option<u64>,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "packet {}", self.packet)?;
        if let Some(seq) = self.seq {
            write!(f, ", message {seq}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// Prints messages to `out`.
pub fn decode(
    mut datagrams: impl Lend,
    streams: &Streams,
    options: Options,
    out: &mut impl Write,
) -> io::Result<Decoded> {
    let mut printer = Printer {
        options,
        decoded: Decoded::default(),
        lines: Vec::new(),
    };
    while let Some(datagram) = datagrams.lend() {
        if let Some(protocol) = streams.of(&datagram) {
            printer.datagram(protocol, &datagram);
            out.write_all(&printer.lines)?;
            printer.lines.clear();
        }
        if printer.is_done() {
            break;
        }
    }
    Ok(printer.decoded)
}

struct Printer {
    options: Options,
    decoded: Decoded,
    /// What the datagram at hand gave.
    lines: Vec<u8>,
}

impl Printer {
    fn is_done(&self) -> bool {
        let (decoded, options) = (&self.decoded, &self.options);
        decoded.messages >= options.limit || (options.strict && decoded.first.is_some())
    }

    fn datagram(&mut self, protocol: &dyn Dissect, d: &Datagram<'_>) {
        let mut rest = d.payload;
        // Every frame has a header, so the rest gets shorter.
        while !self.is_done() {
            match protocol.open(rest, d.number) {
                Ok(frame) => {
                    self.frame(protocol, d, &frame);
                    rest = frame.rest;
                    if rest.is_empty() {
                        return;
                    }
                }
                Err(e) => return self.malformed(e.name(), d.number, None, &e),
            }
        }
    }

    fn frame(&mut self, protocol: &dyn Dissect, d: &Datagram<'_>, frame: &View<'_>) {
        let mut number = 0;
        protocol.messages(frame, &mut |message| {
            if self.is_done() {
                return false;
            }
            let code = message.code();
            let place = Place {
                // Without frames, the record's own number.
                packet: match d.dst {
                    Some(_) => d.number,
                    None => d.number + number,
                },
                seq: match frame.packets {
                    true => frame.span.first,
                    false => frame.span.first.saturating_add(number),
                },
                key: protocol.type_key(code),
                name: protocol.type_name(code),
            };
            if let Some(e) = message.error() {
                self.malformed(e.name(), place.packet, Some(place.seq), &e);
            }
            match self.options.format {
                Format::Json => json(&place, message, &mut self.lines),
                Format::Text => text(&place, message, &mut self.lines),
            }
            self.lines.push(b'\n');
            self.decoded.messages += 1;
            number += 1;
            true
        });
    }

    #[cold]
    fn malformed(
        &mut self,
        name: &'static str,
        packet: u64,
        seq: Option<u64>,
        reason: &dyn fmt::Display,
    ) {
        *self.decoded.errors.entry(name).or_default() += 1;
        self.decoded.first.get_or_insert_with(|| Malformed {
            packet,
            seq,
            reason: reason.to_string(),
        });
    }
}

/// What is known of a message besides itself.
struct Place {
    packet: u64,
    seq: u64,
    key: String,
    name: Option<&'static str>,
}

fn json(place: &Place, message: &dyn Message, to: &mut Vec<u8>) {
    to.extend(b"{\"packet\":");
    number(place.packet, to);
    to.extend(b",\"seq\":");
    number(place.seq, to);
    to.extend(b",\"type\":");
    quoted(place.key.as_bytes(), to);
    to.extend(b",\"name\":");
    match place.name {
        Some(name) => quoted(name.as_bytes(), to),
        None => to.extend(b"null"),
    }
    if let Some(e) = message.error() {
        to.extend(b",\"error\":");
        quoted(e.to_string().as_bytes(), to);
    }
    message.visit(&mut |name, value| {
        to.push(b',');
        json_field(name, value, to);
    });
    to.push(b'}');
}

fn json_field(name: &'static str, value: Value<'_>, to: &mut Vec<u8>) {
    to.push(b'"');
    to.extend_from_slice(name.as_bytes());
    to.extend_from_slice(b"\":");
    match value {
        Value::Unsigned(_) | Value::Signed(_) | Value::Time(_) => plain(value, to),
        Value::Null => to.extend(b"null"),
        // JSON has no word for what is not a number.
        Value::Float(n) if !n.is_finite() => to.extend(b"null"),
        Value::Float(_) => plain(value, to),
        Value::Text(bytes) => quoted(trimmed(bytes), to),
        Value::Hex(_) | Value::Price { .. } => {
            to.push(b'"');
            plain(value, to);
            to.push(b'"');
        }
        Value::Rows(rows) => {
            to.push(b'[');
            for entry in 0..rows.count() {
                separate(entry, b',', to);
                to.push(b'{');
                let mut fields = 0;
                rows.visit(entry, &mut |name, value| {
                    separate(fields, b',', to);
                    json_field(name, value, to);
                    fields += 1;
                });
                to.push(b'}');
            }
            to.push(b']');
        }
    }
}

fn text(place: &Place, message: &dyn Message, to: &mut Vec<u8>) {
    let name = place.name.unwrap_or("unknown type");
    let Place {
        packet, seq, key, ..
    } = place;
    put(to, format_args!("{packet:>8} {seq:>10} {key} {name:<24}"));
    if let Some(e) = message.error() {
        put(to, format_args!(" ({e})"));
    }
    message.visit(&mut |name, value| {
        to.push(b' ');
        text_field(name, value, to);
    });
}

fn text_field(name: &'static str, value: Value<'_>, to: &mut Vec<u8>) {
    to.extend(name.as_bytes());
    to.push(b'=');
    plain(value, to);
}

/// A value without quotes.
fn plain(value: Value<'_>, to: &mut Vec<u8>) {
    match value {
        Value::Unsigned(n) | Value::Time(n) => number(n, to),
        Value::Signed(n) => put(to, format_args!("{n}")),
        // The shortest digits that are this number and no other.
        Value::Float(n) => put(to, format_args!("{n:?}")),
        Value::Null => to.push(b'-'),
        Value::Rows(rows) => {
            to.push(b'[');
            for entry in 0..rows.count() {
                separate(entry, b',', to);
                to.push(b'{');
                let mut fields = 0;
                rows.visit(entry, &mut |name, value| {
                    separate(fields, b' ', to);
                    text_field(name, value, to);
                    fields += 1;
                });
                to.push(b'}');
            }
            to.push(b']');
        }
        Value::Text(bytes) => escape(trimmed(bytes), to),
        Value::Hex(bytes) => bytes.iter().for_each(|b| put(to, format_args!("{b:02x}"))),
        Value::Price { mantissa, decimals } => price(mantissa, decimals, to),
    }
}

/// A decimal with every place, also where they are zeros.
fn price(mantissa: i128, decimals: u32, to: &mut Vec<u8>) {
    if mantissa < 0 {
        to.push(b'-');
    }
    let start = to.len();
    match u64::try_from(mantissa.unsigned_abs()) {
        Ok(n) => number(n, to),
        Err(_) => put(to, format_args!("{}", mantissa.unsigned_abs())),
    }
    let decimals = decimals as usize;
    if decimals > 0 {
        let digits = to.len() - start;
        let missing = (decimals + 1).saturating_sub(digits);
        to.splice(start..start, std::iter::repeat_n(b'0', missing));
        to.insert(to.len() - decimals, b'.');
    }
}

#[cfg(test)]
mod tests;
