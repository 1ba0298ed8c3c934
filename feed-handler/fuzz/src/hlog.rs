//! Interval logs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use feed_common::latency::Stage;
use feed_common::latency::log::{LogReader, LogWriter};
use feed_common::time::UnixNanos;
use flate2::{Compression, write::ZlibEncoder};
use std::io::Write;

/// A log. One that begins with a NUL is the inside of a histogram instead: no fuzzer finds its way through base64, a
/// checksum and a compressor.
pub fn hlog(data: &[u8]) {
    match data {
        [0, inside @ ..] => read(&line(inside)),
        text => {
            if let Ok(text) = std::str::from_utf8(text) {
                read(text);
            }
        }
    }
}

/// The line of a log that holds these bytes as its histogram.
pub fn line(inside: &[u8]) -> String {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(inside).expect("memory");
    let packed = packed.finish().expect("memory");
    let mut payload = 0x1C84_9314_u32.to_be_bytes().to_vec();
    payload.extend((packed.len() as u32).to_be_bytes());
    payload.extend(packed);
    format!(
        "Tag=decoded,0.000,1.000,1.000,{}\n",
        STANDARD.encode(payload)
    )
}

/// Every histogram that is read is written, and read again as the same.
fn read(text: &str) {
    let reader = LogReader::new(text);
    let (mut lines, mut read) = (0, 0);
    for interval in reader {
        lines += 1;
        let Ok(interval) = interval else { continue };
        read += 1;
        // Enough to see whether it can be, and a fuzzer has better to do.
        if read > 4 {
            continue;
        }
        let zero = UnixNanos(0);
        let mut log = LogWriter::begin(Vec::new(), zero, &[]).expect("memory");
        log.write(
            None,
            Stage::Decoded,
            &interval.cells.histogram(),
            zero,
            zero,
        )
        .expect("memory");
        let log = String::from_utf8(log.finish().expect("memory")).expect("text");
        let again = LogReader::new(&log)
            .next()
            .expect("a line")
            .expect("our own");
        assert_eq!(again.cells, interval.cells);
    }
    assert!(lines <= text.lines().count());
}
