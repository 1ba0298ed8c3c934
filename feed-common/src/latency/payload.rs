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

/// Decodes a compressed payload; the error says what is wrong with it.
pub(super) fn decode(bytes: &[u8]) -> Result<Histogram<u64>, &'static str> {
    let (cookie, packed) = bytes
        .split_first_chunk::<4>()
        .ok_or("the histogram is cut short")?;
    if u32::from_be_bytes(*cookie) != COMPRESSED_COOKIE {
        return Err("the histogram is not in compressed V2 form");
    }
    let packed = packed.get(4..).ok_or("the histogram is cut short")?;
    let mut inflated = Vec::new();
    ZlibDecoder::new(packed)
        .take(HEADER as u64 + COUNTS_MAX)
        .read_to_end(&mut inflated)
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
        let sane = header.digits <= 4
            && header.lowest >= 1
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
fn fill(header: &Header, mut counts: &[u8]) -> Result<Histogram<u64>, &'static str> {
    let mut histogram = Histogram::new_with_bounds(header.lowest, header.highest, header.digits)
        .map_err(|_| "the histogram's range is not sensible")?;
    let cells = histogram.distinct_values() as u64;
    let mut index = 0u64;
    while !counts.is_empty() {
        let (zigzag, rest) = varint(counts).ok_or("a count is cut short")?;
        counts = rest;
        let value = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
        if value < 0 {
            index = index.saturating_add(value.unsigned_abs());
            continue;
        }
        if index >= cells {
            return Err("the histogram has more counts than its range");
        }
        if value > 0 {
            histogram.saturating_record_n(value_at(header, index), value as u64);
        }
        index += 1;
    }
    Ok(histogram)
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

/// The lowest value of a cell, by the index arithmetic all HdrHistogram implementations share.
fn value_at(header: &Header, index: u64) -> u64 {
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
        b => ((b - 1) as u32, within + half),
    };
    sub << (step + unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
    use proptest::prelude::*;

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
        let h = decode(&pack(3, 1, 1_000_000, 3, &[4, 5, 2])).unwrap();
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
            (pack(3, 1, 1_000_000, 2, &[0x80, 0x80]), "count is cut"),
            // A run of 2^63 empty cells, then a count.
            (
                pack(3, 1, 1_000_000, 10, &[&ninth[..], &[2]].concat()),
                "more counts",
            ),
        ] {
            let got = decode(&bytes).expect_err(why);
            assert!(got.contains(why), "{got} instead of {why}");
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
            let back = decode(&encode(&h)).unwrap();
            prop_assert_eq!(&back, &h);
            prop_assert_eq!((back.max(), back.min()), (h.max(), h.min()));
        }

        #[test]
        fn any_bytes_are_read_or_refused(counts in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&counts);
            let _ = decode(&pack(2, 1, 3_600_000_000_000, counts.len() as u32, &counts));
        }
    }
}
