//! Reading one histogram of an interval log: the "V2 compressed" encoding of HdrHistogram.
//!
//! hdrhistogram's own deserializer takes the announced length at its word (up to 4 GB) and negates what it reads
//! without a check; a log may come from anywhere, so the payload is read here, within limits. Layout, big-endian:
//! cookie, compressed length, then a zlib stream of cookie, payload length, 0, digits, lowest, highest, 1.0, counts.

use flate2::read::ZlibDecoder;
use hdrhistogram::Histogram;
use std::io::Read;

const COMPRESSED_COOKIE: u32 = 0x1C84_9314;
const COOKIE: u32 = 0x1C84_9313;
const HEADER: usize = 40;

/// A histogram of four digits over all 63 bits encodes to less than this many bytes of counts.
const COUNTS_MAX: u64 = 9 << 20;

/// A histogram as it was read: of an hour of intervals most cells are empty, and only those with values take memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cells {
    digits: u8,
    lowest: u64,
    highest: u64,
    cells: Vec<Cell>,
}

/// A cell with values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The lowest value that falls into it.
    pub low: u64,
    /// The highest one.
    pub high: u64,
    /// How many did; never 0.
    pub count: u64,
}

impl Cells {
    /// In rising order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Cell> + Clone + '_ {
        self.cells.iter().copied()
    }

    /// Decimal digits to which values are told apart.
    pub fn digits(&self) -> u8 {
        self.digits
    }

    /// The same with room for every cell.
    pub fn histogram(&self) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(self.lowest, self.highest, self.digits)
            .expect("the header has been checked");
        for cell in &self.cells {
            histogram.saturating_record_n(cell.low, cell.count);
        }
        histogram
    }
}

/// Decodes a compressed payload; the error says what is wrong with it. `inflated` is memory to be used again.
pub(super) fn decode(bytes: &[u8], inflated: &mut Vec<u8>) -> Result<Cells, &'static str> {
    let (cookie, packed) = bytes
        .split_first_chunk::<4>()
        .ok_or("the histogram is cut short")?;
    if u32::from_be_bytes(*cookie) != COMPRESSED_COOKIE {
        return Err("the histogram is not in compressed V2 form");
    }
    let packed = packed.get(4..).ok_or("the histogram is cut short")?;
    inflated.clear();
    ZlibDecoder::new(packed)
        .take(HEADER as u64 + COUNTS_MAX)
        .read_to_end(inflated)
        .map_err(|_| "the histogram does not inflate")?;
    let (header, counts) = inflated
        .split_first_chunk::<HEADER>()
        .ok_or("the histogram is cut short")?;
    let header = Header::read(header)?;
    let counts = counts
        .get(..header.payload)
        .ok_or("the histogram is cut short")?;
    fill(&header, counts)
}

struct Header {
    payload: usize,
    digits: u8,
    lowest: u64,
    highest: u64,
}

impl Header {
    fn read(b: &[u8; HEADER]) -> Result<Header, &'static str> {
        let word = |at: usize| u32::from_be_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]]);
        let long = |at: usize| u64::from(word(at)) << 32 | u64::from(word(at + 4));
        if word(0) != COOKIE {
            return Err("the histogram is not in V2 form");
        }
        if word(8) != 0 || f64::from_bits(long(32)) != 1.0 {
            return Err("the histogram is shifted or scaled");
        }
        let header = Header {
            payload: word(4) as usize,
            digits: u8::try_from(word(12)).unwrap_or(u8::MAX),
            lowest: long(16),
            highest: long(24),
        };
        // Values that are told apart above the lowest must be within 63 bits: HdrHistogram has no others.
        let apart = |digits: u8| (2 * 10u64.pow(digits.into())).next_power_of_two().ilog2();
        let sane = header.digits <= 4
            && header.lowest >= 1
            && header.lowest.ilog2() + apart(header.digits) <= 63
            && header.highest >= header.lowest.saturating_mul(2)
            && header.highest <= i64::MAX as u64;
        if sane {
            Ok(header)
        } else {
            Err("the histogram's range is not sensible")
        }
    }
}

/// Counts are zigzag varints: a positive one is the count of the next cell, a negative one skips that many.
fn fill(header: &Header, mut counts: &[u8]) -> Result<Cells, &'static str> {
    let mut cells = Vec::new();
    let mut index = 0u64;
    while !counts.is_empty() {
        let (zigzag, rest) = varint(counts).ok_or("a count is cut short")?;
        counts = rest;
        let value = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
        if value < 0 {
            index = index.saturating_add(value.unsigned_abs());
            continue;
        }
        let (low, high) =
            cell_at(header, index).ok_or("the histogram has more counts than its range")?;
        if value > 0 {
            let count = value as u64;
            cells.push(Cell { low, high, count });
        }
        index += 1;
    }
    Ok(Cells {
        digits: header.digits,
        lowest: header.lowest,
        highest: header.highest,
        cells,
    })
}

/// At most nine bytes of seven bits, low first; the ninth holds eight.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (i, byte) in bytes.iter().enumerate().take(9) {
        let (bits, more) = if i == 8 {
            (*byte, false)
        } else {
            (byte & 0x7f, byte & 0x80 != 0)
        };
        value |= u64::from(bits) << (7 * i);
        if !more {
            return Some((value, &bytes[i + 1..]));
        }
    }
    None
}

/// The lowest and the highest value of a cell, by the index arithmetic all HdrHistogram implementations share; `None`
/// for one beyond the range.
fn cell_at(header: &Header, index: u64) -> Option<(u64, u64)> {
    let unit = header.lowest.ilog2();
    let half_bits = (2 * 10u64.pow(u32::from(header.digits)))
        .next_power_of_two()
        .ilog2()
        - 1;
    let half = 1u64 << half_bits;
    let bucket = index >> half_bits;
    let within = index & (half - 1);
    // The first two half buckets share the finest step.
    let (step, sub) = match bucket {
        0 => (0, within),
        b => (u32::try_from(b - 1).ok()?, within + half),
    };
    let shift = step.checked_add(unit).filter(|s| *s < u64::BITS)?;
    let low = sub.checked_shl(shift).filter(|low| low >> shift == sub)?;
    let high = low.checked_add((1 << shift) - 1)?;
    // Buckets double until one holds the highest value, and the last is there as a whole.
    let whole = (half << 1) - 1;
    let last = (header.highest | whole << unit).ilog2();
    (low.max(1).ilog2() <= last).then_some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<Cells, &'static str> {
        decode(bytes, &mut Vec::new())
    }

    fn encode(h: &Histogram<u64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(h, &mut bytes).unwrap();
        bytes
    }

    /// Packs raw V2 bytes, for payloads no histogram would write.
    fn pack(digits: u32, lowest: u64, highest: u64, length: u32, counts: &[u8]) -> Vec<u8> {
        use std::io::Write;
        let mut inner = Vec::new();
        inner.extend(COOKIE.to_be_bytes());
        inner.extend(length.to_be_bytes());
        inner.extend(0u32.to_be_bytes());
        inner.extend(digits.to_be_bytes());
        inner.extend(lowest.to_be_bytes());
        inner.extend(highest.to_be_bytes());
        inner.extend(1.0f64.to_be_bytes());
        inner.extend(counts);
        let mut z = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        z.write_all(&inner).unwrap();
        let z = z.finish().unwrap();
        [
            &COMPRESSED_COOKIE.to_be_bytes()[..],
            &(z.len() as u32).to_be_bytes(),
            &z,
        ]
        .concat()
    }

    #[test]
    fn counts_by_hand() {
        // Two of value 0, three cells empty, one of value 4: zigzag 4, -3 as 5, 1 as 2.
        let cells = read(&pack(3, 1, 1_000_000, 3, &[4, 5, 2])).unwrap();
        let cell = |value, count| Cell {
            low: value,
            high: value,
            count,
        };
        assert_eq!(cells.iter().collect::<Vec<_>>(), [cell(0, 2), cell(4, 1)]);
        let h = cells.histogram();
        assert_eq!((h.len(), h.count_at(0), h.count_at(4)), (3, 2, 1));
    }

    #[test]
    fn nonsense_is_refused() {
        let ninth = [0xff; 9];
        for (bytes, why) in [
            (vec![], "cut short"),
            (vec![0x1c, 0x84, 0x93, 0x14, 0, 0], "cut short"),
            (vec![0x1c, 0x84, 0x93, 0x13, 0, 0, 0, 0], "compressed V2"),
            (
                [&COMPRESSED_COOKIE.to_be_bytes()[..], &[0; 20]].concat(),
                "inflate",
            ),
            (pack(3, 1, 1_000_000, u32::MAX, &[2]), "cut short"),
            (pack(5, 1, 1_000_000, 1, &[2]), "sensible"),
            (pack(3, 0, 1_000_000, 1, &[2]), "sensible"),
            (pack(3, 1, u64::MAX, 1, &[2]), "sensible"),
            (pack(3, 1 << 53, i64::MAX as u64, 1, &[2]), "sensible"),
            (pack(3, 1, 1_000_000, 2, &[0x80, 0x80]), "count is cut"),
            // A run of 2^63 empty cells, then a count.
            (
                pack(3, 1, 1_000_000, 10, &[&ninth[..], &[2]].concat()),
                "more counts",
            ),
        ] {
            let got = read(&bytes).expect_err(why);
            assert!(got.contains(why), "{got} instead of {why}");
        }
    }

    #[test]
    fn every_range_that_is_read_has_a_histogram() {
        for digits in 0..=4 {
            for lowest in (0..62).map(|power| 1u64 << power) {
                let read = read(&pack(digits, lowest, i64::MAX as u64, 1, &[2]));
                let made = Histogram::<u64>::new_with_bounds(lowest, i64::MAX as u64, digits as u8);
                assert_eq!(read.is_ok(), made.is_ok(), "{digits} {lowest}");
                assert!(read.is_err() || read.is_ok_and(|cells| cells.histogram().len() == 1));
            }
        }
    }

    proptest! {
        #[test]
        fn reads_what_the_crate_writes(
            digits in 1u8..=4,
            lowest in prop::sample::select(vec![1u64, 2, 100, 1024]),
            values in prop::collection::vec((0u64..5_000_000_000, 1u64..1 << 40), 0..50),
        ) {
            let mut h = Histogram::new_with_bounds(lowest, 5_000_000_000, digits).unwrap();
            values.iter().for_each(|(v, n)| h.saturating_record_n(*v, *n));
            let cells = read(&encode(&h)).unwrap();
            let seen: Vec<_> = cells.iter().map(|c| (c.high, c.count)).collect();
            let want: Vec<_> = h
                .iter_recorded()
                .map(|c| (c.value_iterated_to(), c.count_at_value()))
                .collect();
            prop_assert_eq!(seen, want);
            let back = cells.histogram();
            prop_assert_eq!(&back, &h);
            prop_assert_eq!((back.max(), back.min()), (h.max(), h.min()));
        }

        #[test]
        fn any_bytes_are_read_or_refused(counts in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = read(&counts);
            let _ = read(&pack(2, 1, 3_600_000_000_000, counts.len() as u32, &counts));
        }
    }
}
