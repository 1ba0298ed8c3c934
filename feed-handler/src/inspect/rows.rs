//! Facts in rows of fixed columns: for people, as CSV, and as JSON objects.
//!
//! Prices are plain decimals with as many places as they need and no more (`12.5`, `7`, `0.0001`): exact whatever the
//! scale of the wire, and the same for every protocol. In JSON they are strings, as `decode` has them.

use super::text::{escape, number, put, quoted, separate};
use feed_common::event::Price;
use feed_common::time::UnixNanos;
use feed_common::wire::message::trimmed;

/// How rows are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RowFormat {
    /// Aligned columns, for people.
    #[default]
    Table,
    /// Comma-separated values behind a header; what is not known is empty.
    Csv,
    /// Objects; what is not known is null.
    Json,
}

/// A column's name, and its width in a table.
pub(crate) struct Column(pub &'static str, pub usize);

/// One value of a row.
#[derive(Clone, Copy)]
pub(crate) enum Cell<'a> {
    /// A symbol with its padding.
    Symbol(&'a [u8]),
    /// A letter.
    Letter(u8),
    Number(u64),
    /// A price, or none.
    Price(Price),
    Unknown,
}

impl Cell<'_> {
    /// A time, where it is known.
    pub(crate) fn time(time: UnixNanos) -> Cell<'static> {
        match time.is_known() {
            true => Cell::Number(time.0),
            false => Cell::Unknown,
        }
    }

    /// What is there only beside a price.
    pub(crate) fn beside(price: Price, quantity: u64) -> Cell<'static> {
        match price.is_some() {
            true => Cell::Number(quantity),
            false => Cell::Unknown,
        }
    }
}

/// Writes the line above the rows, where the format has one.
pub(crate) fn header(format: RowFormat, columns: &[Column], to: &mut Vec<u8>) {
    for (i, Column(name, width)) in columns.iter().enumerate() {
        match format {
            RowFormat::Json => return,
            RowFormat::Csv => {
                separate(i, b',', to);
                to.extend(name.as_bytes());
            }
            RowFormat::Table => {
                separate(i, b' ', to);
                align(i, *width, to, |to| to.extend(name.as_bytes()));
            }
        }
    }
    to.push(b'\n');
}

/// Writes a row, which ends its line but in JSON, where it is an object without its closing brace.
pub(crate) fn row(format: RowFormat, columns: &[Column], cells: &[Cell<'_>], to: &mut Vec<u8>) {
    for (i, (Column(name, width), &cell)) in columns.iter().zip(cells).enumerate() {
        match format {
            RowFormat::Json => {
                to.push(if i == 0 { b'{' } else { b',' });
                quoted(name.as_bytes(), to);
                to.push(b':');
                json(cell, to);
            }
            RowFormat::Csv => {
                separate(i, b',', to);
                csv(cell, to);
            }
            RowFormat::Table => {
                separate(i, b' ', to);
                align(i, *width, to, |to| shown(cell, to));
            }
        }
    }
    if format != RowFormat::Json {
        to.push(b'\n');
    }
}

/// Writes a symbol as text, without its padding.
pub(crate) fn text(symbol: &[u8], to: &mut Vec<u8>) {
    escape(trimmed(symbol), to);
}

/// Writes counts as a JSON object.
pub(super) fn counts<'a>(counts: impl IntoIterator<Item = (&'a str, u64)>, to: &mut Vec<u8>) {
    to.push(b'{');
    for (i, (name, n)) in counts.into_iter().enumerate() {
        separate(i, b',', to);
        quoted(name.as_bytes(), to);
        to.push(b':');
        number(n, to);
    }
    to.push(b'}');
}

/// The first column to the left, the others to the right.
fn align(i: usize, width: usize, to: &mut Vec<u8>, what: impl FnOnce(&mut Vec<u8>)) {
    let start = to.len();
    what(to);
    let missing = width.saturating_sub(to.len() - start);
    let place = if i == 0 { to.len() } else { start };
    to.splice(place..place, std::iter::repeat_n(b' ', missing));
}

fn json(cell: Cell<'_>, to: &mut Vec<u8>) {
    match cell {
        Cell::Symbol(bytes) => quoted(trimmed(bytes), to),
        Cell::Letter(letter) => quoted(&[letter], to),
        Cell::Number(n) => number(n, to),
        Cell::Price(p) if p.is_some() => {
            to.push(b'"');
            price(p, to);
            to.push(b'"');
        }
        Cell::Price(_) | Cell::Unknown => to.extend(b"null"),
    }
}

/// Writes a value as a field of CSV; what is not known is empty.
pub(crate) fn csv(cell: Cell<'_>, to: &mut Vec<u8>) {
    match cell {
        Cell::Symbol(bytes) => field(trimmed(bytes), to),
        Cell::Letter(letter) => to.push(letter),
        Cell::Number(n) => number(n, to),
        Cell::Price(p) if p.is_some() => price(p, to),
        Cell::Price(_) | Cell::Unknown => {}
    }
}

fn shown(cell: Cell<'_>, to: &mut Vec<u8>) {
    match cell {
        Cell::Symbol(bytes) => text(bytes, to),
        Cell::Unknown => to.push(b'-'),
        Cell::Price(p) if !p.is_some() => to.push(b'-'),
        other => csv(other, to),
    }
}

/// A symbol as a field of RFC 4180. Symbols are printable ASCII; a byte that is not is shown as `\u00xx`.
fn field(symbol: &[u8], to: &mut Vec<u8>) {
    let plain = |b: &u8| b.is_ascii_graphic() && !b"\",\\".contains(b);
    if symbol.iter().all(plain) {
        to.extend(symbol);
        return;
    }
    to.push(b'"');
    for &b in symbol {
        match b {
            b'"' => to.extend(b"\"\""),
            b' '..=b'~' => to.push(b),
            _ => put(to, format_args!("\\u{b:04x}")),
        }
    }
    to.push(b'"');
}

/// The shortest exact decimal.
fn price(price: Price, to: &mut Vec<u8>) {
    const ONE: u64 = 10u64.pow(Price::DECIMALS);
    if price.0 < 0 {
        to.push(b'-');
    }
    let value = price.0.unsigned_abs();
    number(value / ONE, to);
    let mut fraction = value % ONE;
    if fraction > 0 {
        to.push(b'.');
        // Each digit taken leaves a tenth; the last one that counts leaves nothing.
        let mut unit = ONE / 10;
        while fraction > 0 {
            to.push(b'0' + (fraction / unit) as u8);
            fraction %= unit;
            unit /= 10;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] = [
        Column("symbol", 8),
        Column("side", 4),
        Column("price", 8),
        Column("quantity", 8),
    ];

    fn shown(format: RowFormat, cells: &[Cell<'_>]) -> String {
        let mut to = Vec::new();
        header(format, &COLUMNS, &mut to);
        row(format, &COLUMNS, cells, &mut to);
        String::from_utf8(to).unwrap()
    }

    #[test]
    fn one_row_in_every_format() {
        let cells = [
            Cell::Symbol(b"AB      "),
            Cell::Letter(b'B'),
            Cell::Price(Price(12_500_000_000)),
            Cell::Number(300),
        ];
        assert_eq!(
            shown(RowFormat::Csv, &cells),
            "symbol,side,price,quantity\nAB,B,12.5,300\n"
        );
        assert_eq!(
            shown(RowFormat::Json, &cells),
            r#"{"symbol":"AB","side":"B","price":"12.5","quantity":300"#
        );
        assert_eq!(
            shown(RowFormat::Table, &cells),
            "symbol   side    price quantity\nAB          B     12.5      300\n"
        );
    }

    #[test]
    fn what_is_not_known_and_what_no_symbol_should_be() {
        let cells = [
            Cell::Symbol(b"A,\"\x01 "),
            Cell::Letter(b'S'),
            Cell::Price(Price::NULL),
            Cell::beside(Price::NULL, 7),
        ];
        assert!(shown(RowFormat::Csv, &cells).ends_with("\n\"A,\"\"\\u0001\",S,,\n"));
        assert!(shown(RowFormat::Json, &cells).ends_with(r#""price":null,"quantity":null"#));
        assert!(shown(RowFormat::Table, &cells).ends_with(" -        -\n"));
    }

    #[test]
    fn prices_are_exact_and_short() {
        for (value, want) in [
            (0, "0"),
            (7_000_000_000, "7"),
            (100_000, "0.0001"),
            (1, "0.000000001"),
            (-12_340_000_000, "-12.34"),
            (i64::MAX, "9223372036.854775807"),
            (i64::MIN + 1, "-9223372036.854775807"),
        ] {
            let mut to = Vec::new();
            price(Price(value), &mut to);
            assert_eq!(String::from_utf8(to).unwrap(), want);
        }
    }
}
