//! Sends packets to multicast groups on a schedule, and measures how well it was kept.
//!
//! Payloads are usually borrowed from a mapped capture file, and then nothing is copied on the way to the kernel. Packets
//! are sent in the order given, on one thread.

mod route;
mod sender;
mod service;

pub use route::{Route, RouteError, parse_map, parse_target};
pub use sender::{Interface, OpenError, Sender, SenderOptions};
pub use service::{Column, Sendings};

use crate::schedule::{Lateness, Pacer, ScheduleReport, Speed};
use crate::sys::BATCH;
use feed_common::sys::sleep_precisely;
use feed_common::time::Clock;
use std::hint::black_box;
use std::io;
use std::net::SocketAddrV4;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A packet to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing<P> {
    /// When, in nanoseconds after the first packet at original speed. One that goes back is due with the packet before it.
    pub offset: u64,
    /// Which sender takes it: an index.
    pub line: usize,
    /// The UDP payload.
    pub payload: P,
}

/// What a replay did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendReport {
    /// Packets the kernel took.
    pub packets: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// From the start to the last packet, in nanoseconds.
    pub duration: u64,
    /// Calls repeated because the kernel had no room or was interrupted.
    pub retries: u64,
    /// Calls refused because of an earlier datagram that nobody listened for (127.0.0.0/8 only); they were repeated.
    pub refused: u64,
    /// Packets given up after [`ATTEMPTS`] calls.
    pub unsent: u64,
    /// True when it was stopped before the last packet.
    pub stopped: bool,
    /// Distance from the schedule; `None` without one.
    pub schedule: Option<ScheduleReport>,
    /// What sending took, from the begin of the call that carried a packet to its return.
    pub service: Option<Column>,
    /// The same from when the packet was due: what the sender held up is in it. `None` without a schedule.
    pub response: Option<Column>,
}

impl SendReport {
    /// Packets per second.
    pub fn rate(&self) -> u64 {
        (self.packets as u128 * 1_000_000_000 / self.duration.max(1) as u128) as u64
    }
}

/// Calls made for a packet before it is given up; the wait between them makes this about a tenth of a second.
pub const ATTEMPTS: u32 = 1_000;

/// The system refused a packet for a reason that will not pass.
#[derive(Debug, thiserror::Error)]
#[error("sending to {target}: {reason}")]
pub struct SendError {
    /// Where it was to go.
    pub target: SocketAddrV4,
    /// What the system said.
    pub reason: io::Error,
}

/// Sends `packets` through `senders` until they end or `stop` is set. Panics when a packet names a sender that is not
/// there.
///
/// With a schedule, a packet's send time is taken right before the call that carries it; of packets that were due
/// together and share a call, all but the first count as sent when the call had returned, which is the latest they
/// can have been.
pub fn replay<P: AsRef<[u8]>>(
    packets: impl IntoIterator<Item = Outgoing<P>>,
    senders: &[Sender],
    speed: Speed,
    stop: &AtomicBool,
) -> Result<SendReport, SendError> {
    let mut packets = in_order(packets);
    let mut report = SendReport::default();
    let (mut lateness, mut sendings) = (Lateness::new(), Sendings::new());
    let mut batch = Batch::new();
    sleep_precisely();

    let mut next = packets.next();
    let pacer = Pacer::start(Clock::new());
    while let Some(first) = next {
        // What may touch the disk comes before the wait: the packet after this one, and the end of this one.
        next = packets.next();
        black_box(first.payload.as_ref().last());
        let due = speed.due(first.offset);
        let go = match due {
            Some(due) => pacer.wait(due, stop),
            None => true,
        };
        if !go || stop.load(Ordering::Relaxed) {
            report.stopped = true;
            break;
        }
        let line = first.line;
        batch.begin(first, due);
        let before = pacer.now();
        while let Some(packet) = next.take_if(|packet| batch.takes(packet, speed, before)) {
            let due = speed.due(packet.offset);
            batch.push(packet, due);
            next = packets.next();
        }
        let mut payloads = [&[][..]; BATCH];
        transmit(&senders[line], batch.payloads(&mut payloads), &mut report)?;
        report.duration = pacer.now();
        if let Some(due) = due {
            lateness.record(due, before);
        }
        for &due in batch.later_dues() {
            lateness.record(due, report.duration);
        }
        for due in batch.dues() {
            sendings.record(due, before, report.duration);
        }
    }
    report.schedule = if speed == Speed::Max {
        None
    } else {
        lateness.report()
    };
    (report.service, report.response) = (sendings.service(), sendings.response());
    Ok(report)
}

/// Packets keep their order even where the capture's clock went back: then none is due before the one ahead of it, and
/// none counts as late for it.
fn in_order<P>(
    packets: impl IntoIterator<Item = Outgoing<P>>,
) -> impl Iterator<Item = Outgoing<P>> {
    let mut latest = 0;
    packets.into_iter().map(move |packet| {
        latest = packet.offset.max(latest);
        Outgoing {
            offset: latest,
            ..packet
        }
    })
}

/// Packets of one sender that go in one call.
struct Batch<P> {
    /// At most [`BATCH`].
    payloads: Vec<P>,
    dues: [u64; BATCH],
    line: usize,
    scheduled: bool,
}

impl<P: AsRef<[u8]>> Batch<P> {
    fn new() -> Batch<P> {
        Batch {
            payloads: Vec::with_capacity(BATCH),
            dues: [0; BATCH],
            line: 0,
            scheduled: false,
        }
    }

    fn begin(&mut self, packet: Outgoing<P>, due: Option<u64>) {
        (self.line, self.scheduled) = (packet.line, due.is_some());
        self.payloads.clear();
        self.push(packet, due);
    }

    fn push(&mut self, packet: Outgoing<P>, due: Option<u64>) {
        self.dues[self.payloads.len()] = due.unwrap_or(0);
        self.payloads.push(packet.payload);
    }

    /// Whether `packet` may go along: same sender, and due by `now` too.
    fn takes(&self, packet: &Outgoing<P>, speed: Speed, now: u64) -> bool {
        let due = speed.due(packet.offset).is_none_or(|due| due <= now);
        self.payloads.len() < BATCH && packet.line == self.line && due
    }

    /// The payloads, as the kernel wants them.
    fn payloads<'a>(&'a self, all: &'a mut [&'a [u8]; BATCH]) -> &'a [&'a [u8]] {
        for (slot, payload) in all.iter_mut().zip(&self.payloads) {
            *slot = payload.as_ref();
        }
        &all[..self.payloads.len()]
    }

    /// When each was due, where there is a schedule.
    fn dues(&self) -> impl Iterator<Item = Option<u64>> {
        let dues = &self.dues[..self.payloads.len()];
        dues.iter().map(|due| self.scheduled.then_some(*due))
    }

    fn later_dues(&self) -> &[u64] {
        if self.scheduled {
            &self.dues[1..self.payloads.len()]
        } else {
            &[]
        }
    }
}

/// Gives the kernel `payloads` in order, repeating what it has no room for. Bounded by [`ATTEMPTS`] per packet.
fn transmit(sender: &Sender, payloads: &[&[u8]], report: &mut SendReport) -> Result<(), SendError> {
    let mut rest = payloads;
    let mut attempts = 0;
    while !rest.is_empty() {
        match sender.send(rest) {
            Ok(sent) => {
                report.packets += sent as u64;
                report.bytes += rest[..sent].iter().map(|p| p.len() as u64).sum::<u64>();
                rest = &rest[sent..];
                attempts = 0;
                continue;
            }
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => report.refused += 1,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => report.retries += 1,
            Err(e) if no_room(&e) => {
                report.retries += 1;
                std::thread::sleep(Duration::from_micros(100));
            }
            Err(reason) => {
                return Err(SendError {
                    target: sender.target(),
                    reason,
                });
            }
        }
        attempts += 1;
        if attempts == ATTEMPTS {
            report.unsent += 1;
            rest = &rest[1..];
            attempts = 0;
        }
    }
    Ok(())
}

/// True for the errors that pass when the device has drained its queue.
fn no_room(e: &io::Error) -> bool {
    e.kind() == io::ErrorKind::WouldBlock
        || matches!(e.raw_os_error(), Some(libc::ENOBUFS | libc::ENOMEM))
}

#[cfg(test)]
mod tests;
