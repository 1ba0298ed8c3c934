//! Packs messages into packets the way an exchange does: what happens within a few microseconds shares a packet, a
//! full packet goes at once, and a second of silence is filled by a heartbeat.

use super::rng::Rng;
use super::{MessageSink, PacketSink, Spec};
use feed_common::time::UnixNanos;
use feed_common::wire::moldudp64::PacketBuilder;
use std::io;
use zerocopy::IntoBytes;

/// A packet being filled, in the framing of a protocol.
pub trait Framer {
    /// Appends a message; false, changing nothing, when it does not fit.
    fn push(&mut self, message: &[u8]) -> bool;

    /// True before the first message.
    fn is_empty(&self) -> bool;

    /// Bytes of the packet as it stands.
    fn len(&self) -> usize;

    /// The packet, sent at `time`; another one begins after it. Not called when empty.
    fn take(&mut self, time: UnixNanos) -> &[u8];

    /// A heartbeat, sent at `time`; `None` where the protocol has none outside its messages.
    fn heartbeat(&mut self, time: UnixNanos) -> Option<&[u8]>;

    /// The end of the session, sent at `time`; `None` where the protocol has no packet for it.
    fn end_of_session(&mut self, time: UnixNanos) -> Option<&[u8]>;
}

/// The packet that a framer makes at some time, if any.
type Encode<F> = fn(&mut F, UnixNanos) -> Option<&[u8]>;

/// Messages in, packets out.
pub struct Packer<'a, F> {
    sink: &'a mut dyn PacketSink,
    framer: F,
    rng: Rng,
    midnight: UnixNanos,
    /// Exchange time of the first and last message in the packet being filled.
    first: u64,
    last: u64,
    /// Messages in it.
    messages: u16,
    /// When the last packet went, after midnight; `None` before the first.
    sent: Option<u64>,
    packets: u64,
    bytes: u64,
}

impl<'a, F: Framer> Packer<'a, F> {
    /// A packet waits this long for more messages after its first.
    const WINDOW_NS: u64 = 5_000;
    /// From the matching engine to the wire: at least this, and up to as much again.
    const PUBLISH_NS: u64 = 2_000;
    const HEARTBEAT_NS: u64 = 1_000_000_000;
    /// Between the last message and the end of session.
    const END_NS: u64 = 1_000_000;

    /// Packets of the session that `spec` describes go to `sink`.
    pub fn new(spec: &Spec, framer: F, sink: &'a mut dyn PacketSink) -> Packer<'a, F> {
        Packer {
            sink,
            framer,
            rng: Rng::new(spec.seed ^ 0x7061_636b_6572),
            midnight: spec.midnight(),
            first: 0,
            last: 0,
            messages: 0,
            sent: None,
            packets: 0,
            bytes: 0,
        }
    }

    /// Sends what is left and ends the session. Packets and payload bytes in all.
    pub fn finish(mut self) -> io::Result<(u64, u64)> {
        self.flush()?;
        let time = self.sent.unwrap_or(self.last) + Self::END_NS;
        self.send(time, F::end_of_session)?;
        Ok((self.packets, self.bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.framer.is_empty() {
            return Ok(());
        }
        let ready = self.last + Self::PUBLISH_NS + self.rng.below(Self::PUBLISH_NS);
        // A 10 Gbit/s port sends a byte in 0.8 ns; frames have 66 bytes around the payload, gap included.
        let port_time = (self.framer.len() as u64 + 66) * 4 / 5;
        let port_free = self.sent.map_or(0, |sent| sent + port_time);
        self.send(ready.max(port_free), |framer, at| Some(framer.take(at)))?;
        Ok(())
    }

    fn heartbeats_until(&mut self, time: u64) -> io::Result<()> {
        while let Some(sent) = self.sent
            && sent + Self::HEARTBEAT_NS <= time
        {
            if !self.send(sent + Self::HEARTBEAT_NS, F::heartbeat)? {
                break;
            }
        }
        Ok(())
    }

    /// Sends a packet, if there is such a one.
    fn send(&mut self, time: u64, packet: Encode<F>) -> io::Result<bool> {
        let at = UnixNanos(self.midnight.0 + time);
        let Some(payload) = packet(&mut self.framer, at) else {
            return Ok(false);
        };
        self.sent = Some(time);
        self.packets += 1;
        self.bytes += payload.len() as u64;
        let messages = std::mem::take(&mut self.messages);
        self.sink.carrying(messages, at, payload)?;
        Ok(true)
    }
}

impl<F: Framer> MessageSink for Packer<'_, F> {
    fn message(&mut self, time: u64, message: &[u8]) -> io::Result<()> {
        if !self.framer.is_empty() && time > self.first + Self::WINDOW_NS {
            self.flush()?;
        }
        if self.framer.is_empty() {
            self.heartbeats_until(time)?;
            self.first = time;
        }
        if !self.framer.push(message) {
            self.flush()?;
            self.first = time;
            let pushed = self.framer.push(message);
            assert!(pushed, "the payload limit is checked to hold any message");
        }
        self.last = time;
        self.messages += 1;
        Ok(())
    }
}

/// MoldUDP64 packets.
pub struct MoldFramer {
    builder: PacketBuilder,
    bytes: usize,
    out: Vec<u8>,
}

impl MoldFramer {
    /// Packets of the session that `spec` describes.
    pub fn new(spec: &Spec) -> MoldFramer {
        MoldFramer {
            builder: PacketBuilder::new(session_name(spec), 1, spec.payload_limit),
            bytes: Self::HEADER,
            out: Vec::with_capacity(spec.payload_limit),
        }
    }

    const HEADER: usize = size_of::<feed_common::wire::moldudp64::Header>();

    fn set(&mut self, bytes: &[u8]) -> &[u8] {
        self.out.clear();
        self.out.extend_from_slice(bytes);
        &self.out
    }
}

impl Framer for MoldFramer {
    fn push(&mut self, message: &[u8]) -> bool {
        let pushed = self.builder.push(message);
        if pushed {
            self.bytes += 2 + message.len();
        }
        pushed
    }

    fn is_empty(&self) -> bool {
        self.builder.is_empty()
    }

    fn len(&self) -> usize {
        self.bytes
    }

    fn take(&mut self, _time: UnixNanos) -> &[u8] {
        self.out.clear();
        self.out.extend_from_slice(self.builder.payload());
        self.builder.clear();
        self.bytes = Self::HEADER;
        &self.out
    }

    fn heartbeat(&mut self, _time: UnixNanos) -> Option<&[u8]> {
        Some(self.set(self.builder.heartbeat().as_bytes()))
    }

    fn end_of_session(&mut self, _time: UnixNanos) -> Option<&[u8]> {
        Some(self.set(self.builder.end_of_session().as_bytes()))
    }
}

/// Ten characters that differ between days and, mostly, between seeds, so that two sessions are not taken for two
/// lines of one.
pub(super) fn session_name(spec: &Spec) -> [u8; 10] {
    const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut name = *b"          ";
    let d = spec.date;
    let date = format!("{:02}{:02}{:02}", d.year() % 100, d.month(), d.day());
    name[..6].copy_from_slice(date.as_bytes());
    let mut rest = spec.seed;
    for place in name[6..].iter_mut().rev() {
        *place = DIGITS[(rest % 36) as usize];
        rest /= 36;
    }
    name
}
