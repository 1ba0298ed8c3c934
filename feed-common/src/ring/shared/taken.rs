//! How long records took to reach consumers in other processes, said by these.
//!
//! A consumer cannot write into the file it reads, and should not: so it keeps its own figures and leaves them beside the
//! file when it ends, as `NAME.taken.EPOCH.PROCESS`: an interval log ([`crate::latency::log`]) with a line of
//! [`Stage::Taken`]. The writer collects those of its epoch at its own end. Nothing is shared but the name; what is in such
//! a file is anybody's word, read as any log is. [`TakenLog`] does that in Rust, `feed-common/include/feed_taken.h` in C and
//! `scripts/python/feed_shm/taken.py` in Python; they count alike to the last cell.
//!
//! | of the file | |
//! |---|---|
//! | name | `NAME.taken.EPOCH.PROCESS` in decimal: the shared file's name and epoch, the consumer's process number |
//! | made | as that with `.new` behind it, not through a link, then renamed |
//! | mode | 0644 |
//! | text | HdrHistogram's interval log, format 1.3: comments, the names of the columns, and a line if anything was counted |
//! | line | `Tag=process:PROCESS/taken,START,LENGTH,MAX,HISTOGRAM`: seconds since the base time, seconds, ms |
//! | histogram | encoding V2 (zigzag LEB128 counts) in a zlib stream in base64; of nanoseconds from 1 to 10^10 at three digits, 24,745 cells, longer values in the last |
//!
//! What is counted is the time from a record's `rx` to a reading of the same clock when the consumer has it, once for each
//! batch: the processor's counter (`RDTSC` where CPUID tells of RDTSCP and an invariant counter, `CNTVCT_EL0` on AArch64),
//! nanoseconds of `CLOCK_MONOTONIC` where there is none. The header's factor makes nanoseconds of its ticks. A record with
//! an `rx` of 0 was made without a packet and is not counted, a negative time counts as 0.

use super::read::SharedReader;
use crate::event::Record;
use crate::latency::log::{LogReader, LogWriter};
use crate::latency::{Cells, Resolution, Stage, StageSet};
use crate::sys::shared::{beside, make, open_regular};
use crate::time::{Clock, TickScale, Ticks, UnixNanos};
use std::fs;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

/// Before the number of the process in a line's tag.
pub const PROCESS: &str = "process:";

/// Consumers whose figures are collected; what more there are is not looked at.
pub const CONSUMERS_MAX: usize = 4_096;

/// Bytes of a file that are read.
const BYTES_MAX: u64 = 16 << 20;

/// A consumer's figures.
pub struct TakenLog {
    set: StageSet,
    clock: Clock,
    scale: TickScale,
    begun: UnixNanos,
    path: PathBuf,
}

impl TakenLog {
    /// Of this process, about what it reads there. Calibrates the clock (up to 200 ms, the first time in a process).
    pub fn of(reader: &SharedReader) -> TakenLog {
        let (epoch, process) = (reader.facts().epoch, std::process::id());
        TakenLog {
            set: StageSet::new(Resolution::default()),
            clock: Clock::new(),
            scale: reader.facts().scale,
            begun: UnixNanos::now(),
            path: beside(reader.path(), &format!(".taken.{epoch}.{process}")),
        }
    }

    /// The consumer has these records in its hands now. Reads the clock once, and does not allocate.
    #[inline]
    pub fn take(&mut self, records: &[Record]) {
        self.take_at(self.clock.now(), records);
    }

    /// The consumer had these records in its hands then. One that was received later than that, by the counter of another
    /// core, took no time.
    #[inline]
    pub fn take_at(&mut self, now: Ticks, records: &[Record]) {
        for rx in records.iter().map(|r| Ticks(r.rx.get())) {
            // One that was made without a packet says nothing.
            if rx != Ticks(0) {
                self.set
                    .record(Stage::Taken, self.scale.nanos(now.since(rx)));
            }
        }
    }

    /// Leaves the figures so far beside the file, in place of those that were left before; says where. After an error
    /// nothing new is there.
    pub fn leave(&self) -> io::Result<&Path> {
        let now = UnixNanos::now();
        let comment = format!("taken by process {}", std::process::id());
        let mut log = LogWriter::begin(Vec::new(), self.begun, &[&comment])?;
        let source = format!("{PROCESS}{}", std::process::id());
        log.write_set(&self.set, self.begun, now, Some(&source))?;
        let text = log.finish()?;
        let new = beside(&self.path, ".new");
        // Left by a process of the same number that ended in the middle of this.
        let _ = fs::remove_file(&new);
        let mut file = make(&new, text.len() as u64, 0o644, None)?;
        let left = file.write_all(&text);
        match left.and_then(|()| fs::rename(&new, &self.path)) {
            Ok(()) => Ok(&self.path),
            Err(error) => {
                let _ = fs::remove_file(&new);
                Err(error)
            }
        }
    }
}

/// What one consumer left.
#[derive(Debug)]
pub struct TakenBy {
    /// Its process.
    pub pid: u32,
    /// From the receive of a record's packet to the record in its hands, in ns.
    pub cells: Vec<Cells>,
    /// Why not all of it could be read.
    pub fault: Option<String>,
}

/// What consumers of the file of this name and epoch have left, by process.
pub fn collect(path: &Path, epoch: u64) -> io::Result<Vec<TakenBy>> {
    let mut found: Vec<_> = left(path, Some(epoch))?.collect();
    found.sort();
    Ok(found
        .into_iter()
        .map(|(pid, path)| {
            let mut cells = Vec::new();
            let fault = read(&path, &mut cells).err();
            TakenBy { pid, cells, fault }
        })
        .collect())
}

/// Deletes what consumers of the file of this name have left, of any epoch; that of other users stays where the folder
/// wants it so. For who has collected it, or takes the name over.
pub fn clear(path: &Path) -> io::Result<()> {
    for (_, path) in left(path, None)? {
        match fs::remove_file(&path) {
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(())
}

/// Process and path of what was left of an epoch, or of any.
fn left(path: &Path, epoch: Option<u64>) -> io::Result<impl Iterator<Item = (u32, PathBuf)>> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = path.file_name().unwrap_or_default().to_owned();
    let process = move |entry: io::Result<fs::DirEntry>| {
        let entry = entry.ok()?;
        let file = entry.file_name();
        let rest = file.to_str()?.strip_prefix(name.to_str()?)?;
        let (of, process) = rest.strip_prefix(".taken.")?.split_once('.')?;
        let of: u64 = of.parse().ok()?;
        let wanted = epoch.is_none_or(|epoch| epoch == of);
        wanted.then_some((process.parse().ok()?, entry.path()))
    };
    Ok(fs::read_dir(folder)?
        .filter_map(process)
        .take(CONSUMERS_MAX))
}

fn read(path: &Path, cells: &mut Vec<Cells>) -> Result<(), String> {
    /// Lines of a file; a consumer writes one.
    const LINES_MAX: usize = 64;
    let (file, facts) = open_regular(path, false).map_err(|e| e.to_string())?;
    if facts.len() > BYTES_MAX {
        return Err(format!(
            "{} bytes are more than any consumer leaves",
            facts.len()
        ));
    }
    for interval in LogReader::over(BufReader::new(file.take(BYTES_MAX))).take(LINES_MAX) {
        let interval = interval.map_err(|e| e.to_string())?;
        if interval.stage == Some(Stage::Taken) {
            cells.push(interval.cells);
        }
    }
    Ok(())
}
