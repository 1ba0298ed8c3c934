//! Memory stays flat however long a capture is that has to be unpacked or comes through a pipe.
//!
//! The test runs itself again as a reader of its standard input, and looks at the most memory that one ever had.

use std::io::{self, BufWriter, Write};
use std::process::{Command, Stdio};

use feed_common::capture::{CaptureFile, Datagrams, PcapWriter};
use feed_common::time::UnixNanos;

/// Set in the reader, to how it opens its input.
const READER: &str = "CAPTURE_MEMORY_READER";

/// 84 MB of frames.
const FRAMES: u64 = 60_000;
const FRAME: usize = 1_400;

/// A few blocks and what a test program has by itself.
const MEMORY_MAX: u64 = 48 << 20;

#[test]
fn memory_stays_flat() {
    if let Ok(how) = std::env::var(READER) {
        return read(&how);
    }
    let plain = |to: &mut dyn Write| write(to);
    let zstd = |to: &mut dyn Write| {
        let mut packed = zstd::Encoder::new(to, 1)?;
        write(&mut packed)?;
        packed.finish().map(drop)
    };
    let gzip = |to: &mut dyn Write| {
        let mut packed = flate2::write::GzEncoder::new(to, flate2::Compression::fast());
        write(&mut packed)?;
        packed.finish().map(drop)
    };
    check("once", plain);
    check("once", zstd);
    check("once", gzip);
    check("often", zstd);
}

/// Gives a reader what `source` writes, and looks at what it says.
fn check(how: &str, source: impl Fn(&mut dyn Write) -> io::Result<()>) {
    let mut reader = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "memory_stays_flat", "--nocapture"])
        .env(READER, how)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a reader");
    let mut to = BufWriter::new(reader.stdin.take().expect("a pipe"));
    source(&mut to).expect("a reader that takes all of it");
    drop(to);
    let said = reader.wait_with_output().expect("an end");
    let said = String::from_utf8(said.stdout).expect("text");
    let facts = said.lines().find_map(|line| line.strip_prefix("read "));
    let facts: Vec<u64> = facts
        .unwrap_or_else(|| panic!("{said}"))
        .split(' ')
        .map(|fact| fact.parse().expect("a number"))
        .collect();
    assert_eq!(facts[0], FRAMES, "{how}");
    assert!(facts[1] < MEMORY_MAX, "{how}: {} bytes", facts[1]);
}

/// Frames that are no datagrams and differ a little, so that they can be packed and are not all alike.
fn write(to: &mut dyn Write) -> io::Result<()> {
    let mut file = PcapWriter::new(to)?;
    let mut frame = [0; FRAME];
    for i in 0..FRAMES {
        frame[20..28].copy_from_slice(&i.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
        file.frame(UnixNanos(i), &frame)?;
    }
    file.finish().map(drop)
}

fn read(how: &str) {
    let file = match how {
        "once" => CaptureFile::open_once("-"),
        _ => CaptureFile::open("-"),
    };
    let file = file.expect("readable");
    let mut datagrams = Datagrams::new(&file);
    while datagrams.next().is_some() {}
    assert_eq!(datagrams.cut(), None);
    let status = std::fs::read_to_string("/proc/self/status").expect("proc");
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = most.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: u64 = kib.and_then(|n| n.parse().ok()).expect("a number of kB");
    // On a line of its own: the harness begins one and does not end it.
    println!("\nread {} {}", datagrams.frames(), kib << 10);
}
