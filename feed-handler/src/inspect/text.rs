//! Writing numbers and text, as CSV, JSON and lines for people have them in common.

use std::io::Write;

/// A decimal integer. Most of what is printed is integers, and the formatting machinery takes ten times as long.
pub(super) fn number(mut n: u64, to: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    to.extend(&digits[at..]);
}

pub(super) fn quoted(text: &[u8], to: &mut Vec<u8>) {
    to.push(b'"');
    escape(text, to);
    to.push(b'"');
}

/// Text as the inside of a JSON string. Wire text is ASCII; what is not is shown as its byte.
pub(super) fn escape(text: &[u8], to: &mut Vec<u8>) {
    let plain = |&b: &u8| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\';
    if text.iter().all(plain) {
        to.extend_from_slice(text);
        return;
    }
    for &b in text {
        match b {
            b'"' | b'\\' => to.extend([b'\\', b]),
            b' '..=b'~' => to.push(b),
            _ => put(to, format_args!("\\u{b:04x}")),
        }
    }
}

pub(super) fn put(to: &mut Vec<u8>, what: std::fmt::Arguments<'_>) {
    // Writing to memory cannot fail.
    let _ = to.write_fmt(what);
}

pub(super) fn separate(i: usize, by: u8, to: &mut Vec<u8>) {
    if i > 0 {
        to.push(by);
    }
}
