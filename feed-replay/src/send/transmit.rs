//! Hands packets that are due to the system, and repeats what it had no room for.

use super::window::{Ready, Window};
use super::{Outgoing, SendError, SendReport, Sender};
use crate::sys::{BATCH, Outbox};
use std::io;
use std::time::Duration;

/// Calls made for a packet before it is given up; the wait between them makes this about a tenth of a second.
pub const ATTEMPTS: u32 = 1_000;

/// Gives the system the first `count` packets of `window`, which go the same way, in order. Bounded by [`ATTEMPTS`] per
/// packet.
pub fn transmit<P: AsRef<[u8]>, I: Iterator<Item = Outgoing<P>>>(
    window: &Window<'_, I, P>,
    count: usize,
    senders: &[Sender],
    outbox: &mut Outbox,
    report: &mut SendReport,
) -> Result<(), SendError> {
    let mut slices = [&[][..]; BATCH];
    let slices = &mut slices[..count];
    window.slices(slices);
    let (mut done, mut attempts) = (0, 0);
    while done < count {
        let first = &window.ready()[done];
        let sender = &senders[first.line];
        let handed = match first.is_frame() {
            true => sender.send_frames(outbox, &slices[done..]).map(|n| (n, 0)),
            false => sender.send_datagrams(outbox, &slices[done..]),
        };
        match handed {
            Ok((taken, in_runs)) => {
                report.calls += 1;
                report.packets += taken as u64;
                report.in_runs += in_runs as u64;
                let taken = window.ready().range(done..done + taken);
                for packet in taken {
                    report.bytes += packet.payload.as_ref().len() as u64;
                    report.in_parts += u64::from(in_parts(packet, sender));
                    done += 1;
                }
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
                    reason: sender.explain(reason),
                });
            }
        }
        attempts += 1;
        if attempts == ATTEMPTS {
            report.unsent += 1;
            done += 1;
            attempts = 0;
        }
    }
    Ok(())
}

fn in_parts<P: AsRef<[u8]>>(packet: &Ready<P>, sender: &Sender) -> bool {
    packet.payload.as_ref().len() > sender.whole_max()
}

/// True for the errors that pass when the device has drained its queue.
fn no_room(e: &io::Error) -> bool {
    e.kind() == io::ErrorKind::WouldBlock
        || matches!(e.raw_os_error(), Some(libc::ENOBUFS | libc::ENOMEM))
}
