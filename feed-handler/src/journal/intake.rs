//! The cold end of a lane's journal: records out of the queue, into the segments.

use super::keep::JournalGauge;
use super::tap::CHUNK;
use feed_common::event::Record;
use feed_common::journal::{JournalError, JournalWriter};
use feed_common::packet::{PacketBatch, PacketSource, RxError};
use feed_common::record::{GapCause, GapRecord};
use feed_common::ring::Consumer;
use feed_common::time::UnixNanos;
use std::time::{Duration, Instant};
use zerocopy::FromBytes;

/// After a failed write nothing is written for so long: what comes meanwhile is lost at once, and costs no attempt.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// Where the records of a lane come out, and the journal they go into.
pub(super) struct Intake {
    queue: Consumer,
    gauge: JournalGauge,
    writer: JournalWriter,
    /// Of the next record among all that the lane publishes.
    position: u64,
    /// Records the queue is known to have had no room for.
    lost_before: u64,
    /// What is missing right before the next record and is not in the journal yet.
    missing: Option<Missing>,
    /// When writing may be tried again, after it has failed.
    retry: Option<Instant>,
    error: Option<JournalError>,
    records: Vec<Record>,
    ended: bool,
}

#[derive(Clone, Copy)]
struct Missing {
    first: u64,
    count: u64,
    cause: GapCause,
}

impl Intake {
    pub fn new(queue: Consumer, gauge: JournalGauge, writer: JournalWriter) -> Intake {
        Intake {
            queue,
            gauge,
            writer,
            position: 0,
            lost_before: 0,
            missing: None,
            retry: None,
            error: None,
            records: Vec::with_capacity(CHUNK),
            ended: false,
        }
    }

    /// Whether the lane has given up its queue and everything is out of it.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Writes a batch of what is queued; how many records that were.
    pub fn take(&mut self) -> usize {
        let mut records = std::mem::take(&mut self.records);
        records.clear();
        // Where runs begin that nothing is missing within, and how many records were lost before each.
        let mut runs: Vec<(usize, u64)> = Vec::new();
        match self.queue.poll() {
            Ok(batch) => {
                for i in 0..batch.len() {
                    let slot = batch.get(i);
                    let Ok(record) = Record::read_from_bytes(slot.bytes) else {
                        continue; // the tap writes nothing else
                    };
                    let lost = slot.meta.ring_drops;
                    if runs.last().is_none_or(|&(_, before)| before != lost) {
                        runs.push((records.len(), lost));
                    }
                    records.push(record);
                }
            }
            // A ring in memory has no errors.
            Err(RxError::End | RxError::Io(_)) => self.ended = true,
        }
        for (i, &(from, lost)) in runs.iter().enumerate() {
            let to = runs.get(i + 1).map_or(records.len(), |&(next, _)| next);
            self.lose_before(lost);
            self.write(&records[from..to]);
        }
        if self.ended {
            self.end();
        }
        let taken = records.len();
        self.records = records;
        taken
    }

    /// Records that found the queue full stand before the next one.
    fn lose_before(&mut self, lost: u64) {
        let more = lost.saturating_sub(self.lost_before);
        self.lost_before = lost;
        self.miss(more, GapCause::QUEUE_FULL);
    }

    fn miss(&mut self, count: u64, cause: GapCause) {
        if count == 0 {
            return;
        }
        let first = self.position;
        let missing = self.missing.get_or_insert(Missing {
            first,
            count: 0,
            cause,
        });
        missing.count += count;
        if missing.cause != cause {
            missing.cause = GapCause::UNKNOWN; // several
        }
        self.position += count;
    }

    fn write(&mut self, records: &[Record]) {
        let before = self.writer.number();
        let had_gap = self.missing.is_some();
        let failed = match self.retry {
            Some(at) if Instant::now() < at => true,
            _ => self.append(records).is_err(),
        };
        let gap = u64::from(had_gap && self.missing.is_none());
        let written = (self.writer.number() - before) - gap;
        self.position += written;
        self.gauge.write(written);
        if failed {
            let left = records.len() as u64 - written;
            self.gauge.fail(left);
            self.miss(left, GapCause::NO_ROOM);
        }
    }

    /// Appends what is missing and these records, as far as it can.
    fn append(&mut self, records: &[Record]) -> Result<(), ()> {
        let appended = self.append_gap().and_then(|()| self.writer.append(records));
        match appended {
            Ok(()) => {
                self.retry = None;
                Ok(())
            }
            Err(e) => {
                self.retry = Some(Instant::now() + RETRY);
                self.error.get_or_insert(e);
                Err(())
            }
        }
    }

    fn append_gap(&mut self) -> Result<(), JournalError> {
        let Some(missing) = self.missing else {
            return Ok(());
        };
        self.writer.append(&[GapRecord {
            timestamp: UnixNanos::now().0.into(),
            first: missing.first.into(),
            count: missing.count.into(),
            channel: u16::MAX.into(),
            cause: missing.cause.0,
            ..GapRecord::default()
        }])?;
        self.missing = None;
        self.gauge.note_gap();
        Ok(())
    }

    /// What was lost behind the last record.
    fn end(&mut self) {
        self.lose_before(self.gauge.lost_before());
        if let Err(e) = self.append_gap() {
            self.error.get_or_insert(e);
        }
    }

    /// The journal, and what went wrong with it first.
    pub fn finish(self) -> (JournalWriter, Option<JournalError>) {
        (self.writer, self.error)
    }
}
