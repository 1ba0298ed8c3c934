//! Every hole of every channel of a capture: `gaps`.
//!
//! A hole is a range of numbers that a line has come past without bringing it. It is noticed by the first packet behind
//! it, of data or one that only says what comes next, and it is closed by whoever brings its numbers, however late. What
//! is listed is a hole of the channel, or of one line where another had brought the numbers already; and beside holes what
//! ends or begins a numbering. Holes that no line fills stay open.

mod entry;
mod holes;
mod listing;
mod rows;

pub use entry::{By, Cause, Closed, Entry, Hole, Mark, SessionName, Shown, Turned, What};
pub use rows::{GapFormat, GapRows};

use super::directory::{CaptureChannel, Directory};
use super::lines::Lines;
use super::numberings::{Began, Numberings};
use super::walk::{Came, Visit, walk};
use super::{Dissect, Message, Streams, View};
use crate::transport::FrameKind;
use entry::{Of, Sight};
use feed_common::capture::Lend;
use feed_common::wire::ProtocolName;
use feed_common::wire::iex::SystemEvent;
use feed_common::wire::mdp3::template;
use feed_common::wire::message::Value;
use feed_common::wire::pitch::EndOfSession;
use holes::Holes;
use listing::Listing;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;

/// Takes entries as they are certain, in the order of the times at which they were noticed.
///
/// A hole is only certain when it is closed, or at the end. What was noticed behind it waits for it, up to a bound: a hole
/// that stays open for longer comes out of order.
pub trait GapSink {
    /// The channels there are, before anything else.
    fn begin(&mut self, channels: &[CaptureChannel]) -> io::Result<()>;

    /// An entry.
    fn entry(&mut self, entry: &Entry) -> io::Result<()>;

    /// There are no more.
    fn end(&mut self, totals: &Totals) -> io::Result<()>;
}

/// What `gaps` comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Totals {
    /// Channels of the capture.
    pub channels: u64,
    /// Holes listed.
    pub holes: u64,
    /// Those that were closed: by another line, later by the same, or by a server.
    pub closed: u64,
    /// Those that stay open.
    pub open: u64,
    /// Numbers in these: messages, or packets where packets are numbered.
    pub lost: u64,
    /// Sessions and numberings that began after others.
    pub restarts: u64,
}

/// What going through a capture came to.
pub struct Found<D> {
    /// The sums.
    pub totals: Totals,
    /// What was malformed, by name.
    pub errors: BTreeMap<&'static str, u64>,
    /// The reading that has come to its end.
    pub datagrams: D,
}

/// Lists the holes of a capture whose streams are known; `pass` begins one reading of it. An error is the sink's.
pub fn gaps<D: Lend>(
    pass: impl Fn() -> D,
    streams: &Streams,
    lines: &Lines,
    sink: &mut dyn GapSink,
) -> io::Result<Found<D>> {
    let directory = Directory::new(&pass, streams, lines);
    sink.begin(&directory.channels)?;
    let channels = directory.channels.iter().map(|known| Channel {
        lines: known.lines.len(),
        senders: vec![None; known.lines.len()],
        numberings: Numberings::default(),
    });
    let mut seen = Seen {
        channels: channels.collect(),
        listing: Listing::new(sink),
        new: Vec::new(),
    };
    let mut datagrams = pass();
    let errors = walk(&mut datagrams, &directory, &mut seen);
    let Seen {
        channels,
        mut listing,
        ..
    } = seen;
    for channel in channels {
        listing.restarts(channel.numberings.restarts());
        for holes in channel.numberings.into_all() {
            holes.finish(&mut listing);
        }
    }
    let totals = listing.finish(directory.channels.len() as u64)?;
    Ok(Found {
        totals,
        errors,
        datagrams,
    })
}

struct Seen<'s> {
    channels: Vec<Channel>,
    listing: Listing<'s>,
    /// What the frame at hand brings; kept for its memory.
    new: Vec<Range<u64>>,
}

struct Channel {
    lines: usize,
    /// Who sent what was new on each line last: packets of anybody else are not the line's.
    senders: Vec<Option<SocketAddr>>,
    numberings: Numberings<Holes>,
}

impl Visit for Seen<'_> {
    fn frame(&mut self, came: &Came, protocol: &'static dyn Dissect, frame: &View<'_>) {
        if frame.kind == FrameKind::Unsequenced {
            return;
        }
        let channel = &mut self.channels[came.channel];
        let of = Of {
            channel: came.channel,
            lines: channel.lines,
        };
        let mark = Mark {
            time: came.time,
            packet: came.number,
        };
        let (holes, began) = channel.numberings.of(frame);
        if let Some(began) = began {
            holes.name(SessionName::of(frame), frame.units.then_some(frame.unit));
            let turned = match began {
                Began::First => None,
                Began::Session => Some(Turned::Session),
                Began::Anew => Some(Turned::anew(protocol.protocol())),
            };
            if let Some(turned) = turned {
                let what = turned.at(frame.span.first, came.line);
                self.listing.list_now(holes.entry(of, mark, what));
            }
        }
        let by = match came.line {
            None => By::Retransmission,
            Some(line) => sent_by(&mut channel.senders, line, came.src, || {
                holes.goes_on(line, frame.span)
            }),
        };
        let shown = match frame.kind {
            FrameKind::Heartbeat => Shown::Heartbeat,
            FrameKind::EndOfSession => Shown::EndOfSession,
            _ => Shown::Data,
        };
        let sight = Sight { of, mark, shown };
        let is_new = holes.bring(by, frame.span, sight, &mut self.new, &mut self.listing);
        let turned = match shown {
            Shown::EndOfSession => Some(Turned::EndOfSession),
            _ if is_new => says(protocol, frame),
            _ => None,
        };
        if let Some(turned) = turned
            && !(turned == Turned::EndOfSession && holes.ends())
        {
            let what = turned.at(frame.span.first, came.line);
            self.listing.list_now(holes.entry(of, mark, what));
        }
    }

    fn end(&mut self, _came: &Came) -> bool {
        !self.listing.has_failed()
    }
}

/// Who a packet on a line is from: the line, unless its sender is none of the lines' and it does not go on where the line
/// had come to. A line may have a new sender.
fn sent_by(
    senders: &mut [Option<SocketAddr>],
    line: usize,
    sender: Option<SocketAddr>,
    goes_on: impl FnOnce() -> bool,
) -> By {
    if !senders.contains(&sender) {
        if senders[line].is_some() && !goes_on() {
            return By::Retransmission;
        }
        senders[line] = sender;
    }
    By::Line(line)
}

/// What the messages of a frame say of its numbering, where a protocol has a message for it.
fn says(protocol: &'static dyn Dissect, frame: &View<'_>) -> Option<Turned> {
    let (says, turned): (fn(&dyn Message) -> bool, _) = match protocol.protocol() {
        ProtocolName::Mdp3 => (resets_channel, Turned::ChannelReset),
        ProtocolName::Pitch => (ends_unit, Turned::EndOfSession),
        ProtocolName::Iex => (ends_messages, Turned::EndOfSession),
        _ => return None,
    };
    let mut found = false;
    protocol.messages(frame, &mut |message| {
        found = says(message);
        !found
    });
    found.then_some(turned)
}

fn resets_channel(message: &dyn Message) -> bool {
    message.code() == u32::from(template::CHANNEL_RESET)
}

fn ends_unit(message: &dyn Message) -> bool {
    message.code() == u32::from(EndOfSession::TYPE)
}

/// Whether it is the system event that ends the messages of IEX.
fn ends_messages(message: &dyn Message) -> bool {
    let mut ends = false;
    if message.code() == u32::from(SystemEvent::TYPE) {
        message.visit(&mut |name, value| {
            ends |= name == "event" && matches!(value, Value::Text(b"C"));
        });
    }
    ends
}

#[cfg(test)]
pub(super) mod tests;
