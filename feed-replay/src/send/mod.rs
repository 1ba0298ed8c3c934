//! Sends packets to multicast groups on a schedule, and measures how well it was kept.
//!
//! Packets are sent in the order given, on one thread: through a UDP socket for each target, or as whole frames through
//! one packet socket. Payloads are usually borrowed from a mapped capture file, and then a UDP socket copies nothing on
//! the way to the kernel. Everything that can be done before a packet is due is done before ([`replay`]'s window); from
//! then on there is a system call, and no allocation.

mod capture;
mod interface;
mod members;
mod open;
mod route;
mod runs;
mod sender;
mod service;
mod transmit;
mod window;

pub use capture::{Copied, Payload, captured};
pub use interface::Interface;
pub use open::{NoFrames, OpenError, Opened, SocketChoice, SocketKind, open};
pub use route::{Route, RouteError, parse_map, parse_target};
pub use sender::{Sender, SenderOptions};
pub use service::{Column, Sendings};
pub use transmit::ATTEMPTS;

use crate::schedule::{Lateness, Pacer, Peak, ScheduleReport, Speed};
use crate::sys::{BATCH, Outbox};
use feed_common::sys::sleep_precisely;
use feed_common::time::Clock;
use std::io;
use std::net::SocketAddrV4;
use std::sync::atomic::{AtomicBool, Ordering};
use transmit::transmit;
use window::Window;

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
    /// Calls that took them.
    pub calls: u64,
    /// Packets that went in runs, as one until behind the socket.
    pub in_runs: u64,
    /// Packets longer than the interface takes whole: the system sent them in parts.
    pub in_parts: u64,
    /// Most packets that were sent in a millisecond of the replay's clock.
    pub peak: u64,
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

/// The system refused a packet for a reason that will not pass.
#[derive(Debug, thiserror::Error)]
#[error("sending to {target}: {reason}")]
pub struct SendError {
    /// Where it was to go.
    pub target: SocketAddrV4,
    /// What the system said.
    pub reason: io::Error,
}

/// Nearer to its schedule than this, a replay makes a call for each packet, so that the time of each is known; further
/// behind, it sends what is due in as few calls as it can.
const BEHIND_NS: u64 = 50_000;

/// Sends `packets` through `senders` until they end or `stop` is set. Panics when a packet names a sender that is not
/// there.
///
/// With a schedule, a packet's send time is taken right before the call that carries it; of packets that share a call
/// because the replay is behind, all but the first count as sent when the call had returned, which is the latest they
/// can have been. Packets are taken from their source some milliseconds before they are due, where there is time for it.
pub fn replay<P: AsRef<[u8]>>(
    packets: impl IntoIterator<Item = Outgoing<P>>,
    senders: &[Sender],
    speed: Speed,
    stop: &AtomicBool,
) -> Result<SendReport, SendError> {
    let mut window = Window::new(in_order(packets).fuse(), senders, speed);
    let (mut report, mut outbox) = (SendReport::default(), Outbox::new());
    let (mut lateness, mut sendings, mut peak) =
        (Lateness::new(), Sendings::new(), Peak::default());
    let scheduled = speed != Speed::Max;
    let clock = Clock::new();
    sleep_precisely();

    window.begin();
    let mut pacer = Pacer::start(clock);
    loop {
        window.go_on(&pacer);
        let Some(due) = window.due() else {
            break;
        };
        let begun = pacer.wait(due, stop);
        let Some(begun) = begun.filter(|_| !stop.load(Ordering::Relaxed)) else {
            report.stopped = true;
            break;
        };
        let most = match scheduled && begun - due <= BEHIND_NS {
            true => 1,
            false => {
                window.catch_up(begun);
                BATCH
            }
        };
        let count = window.together(begun, most);
        let sent_before = report.packets;
        transmit(&window, count, senders, &mut outbox, &mut report)?;
        let done = pacer.now();
        report.duration = done;
        peak.count(done, report.packets - sent_before);
        let mut sent = begun;
        for packet in window.ready().range(..count) {
            let due = scheduled.then_some(packet.due);
            if let Some(due) = due {
                lateness.record(due, sent);
            }
            sendings.record(due, begun, done);
            sent = done;
        }
        window.pass(count);
    }
    report.schedule = lateness.report();
    report.peak = peak.most();
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

#[cfg(test)]
mod tests;
