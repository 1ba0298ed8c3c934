//! Making a history: from a made session or a capture, in the shape in which it is to be played.

use super::{Entry, Epoch, History, Numbering};
use crate::fault::SessionFaults;
use crate::info::Survey;
use crate::schedule::Speed;
use crate::synth::Recording;
use feed_common::capture::{CaptureFile, Datagrams, Format};
use feed_common::wire::ProtocolName;
use feed_common::wire::moldudp64::{self, Header, ParseError};
use feed_common::wire::pillar;
use std::net::SocketAddr;
use std::ops::Range;
use zerocopy::IntoBytes;

/// How a session is played.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Nanoseconds before its first packet.
    pub lead: u64,
    /// Multiple of its own speed; at [`Speed::Max`] all of it is sent at once.
    pub speed: Speed,
    /// What goes wrong with it.
    pub faults: SessionFaults,
}

impl Default for Shape {
    /// At once, at its own speed, with nothing wrong.
    fn default() -> Shape {
        Shape {
            lead: 0,
            speed: Speed::ORIGINAL,
            faults: SessionFaults::default(),
        }
    }
}

/// Why there is no history.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// Nothing to play.
    #[error("the session has no packets")]
    Empty,
    /// It should be MoldUDP64.
    #[error("packet {packet} is no packet of MoldUDP64: {reason}")]
    Malformed {
        /// Which, from 1.
        packet: u64,
        /// What is wrong with it.
        reason: ParseError,
    },
    /// Numbers would not fit 64 bits.
    #[error("packet {packet} has sequence numbers beyond 2^64")]
    Beyond {
        /// Which, from 1.
        packet: u64,
    },
    /// Other framings have no session to begin anew.
    #[error("only MoldUDP64 sessions can restart")]
    Restart,
    /// Which of them?
    #[error("the capture has {} groups; name one: {}", .0.len(), list(.0))]
    Groups(Vec<SocketAddr>),
    /// A slip.
    #[error("the capture has no packets to {0}")]
    Absent(SocketAddr),
    /// Messages without packets.
    #[error("the capture has messages, but no packets and no times to send them at")]
    BinaryFile,
}

/// At most ten: a capture can hold thousands.
fn list(groups: &[SocketAddr]) -> String {
    let names: Vec<_> = groups.iter().take(10).map(SocketAddr::to_string).collect();
    let more = if groups.len() > names.len() {
        ", ..."
    } else {
        ""
    };
    names.join(", ") + more
}

impl Numbering {
    /// That of a protocol's usual framing.
    pub fn of(protocol: ProtocolName) -> Numbering {
        match protocol {
            ProtocolName::Itch50 => Numbering::MoldUdp64,
            ProtocolName::Pillar => Numbering::Pillar,
            _ => Numbering::Counted,
        }
    }
}

impl History {
    /// Of a made session.
    pub fn of(
        session: &Recording,
        numbering: Numbering,
        shape: &Shape,
    ) -> Result<History, HistoryError> {
        let mut builder = Builder::new(numbering, shape);
        for packet in session.packets() {
            builder.push(packet.offset, packet.messages, packet.payload)?;
        }
        builder.finish()
    }

    /// Of what a capture has to one group: the one named, or the only one. Where `numbering` is not said, it is that of
    /// the protocol that the bytes look like.
    pub fn captured(
        file: &CaptureFile,
        group: Option<SocketAddr>,
        numbering: Option<Numbering>,
        shape: &Shape,
    ) -> Result<History, HistoryError> {
        if file.format() == Format::BinaryFile {
            return Err(HistoryError::BinaryFile);
        }
        let streams = Survey::of(file).streams;
        let (group, known) = match group {
            Some(group) => {
                let known = streams.get(&group);
                (group, known.ok_or(HistoryError::Absent(group))?)
            }
            None if streams.len() > 1 => {
                return Err(HistoryError::Groups(streams.into_keys().collect()));
            }
            None => {
                let (group, known) = streams.iter().next().ok_or(HistoryError::Empty)?;
                (*group, known)
            }
        };
        let numbering = numbering.unwrap_or_else(|| {
            let protocol = known.protocol().and_then(ProtocolName::of);
            protocol.map_or(Numbering::Counted, Numbering::of)
        });
        let mut builder = Builder::new(numbering, shape);
        let (mut datagrams, mut first) = (Datagrams::new(file), None);
        while let Some(datagram) = datagrams.next() {
            if datagram.dst == Some(group) {
                let first = *first.get_or_insert(datagram.time.0);
                builder.push(datagram.time.0.saturating_sub(first), 1, datagram.payload)?;
            }
        }
        builder.finish()
    }
}

struct Builder<'s> {
    shape: &'s Shape,
    history: History,
    /// Packets seen.
    seen: u64,
    /// The session as the source calls it.
    source: [u8; 10],
    /// Restarts so far.
    restarts: usize,
    /// Taken off the source's sequence numbers; unknown between a restart and the first packet after it.
    shift: Option<u64>,
    latest: u64,
}

impl<'s> Builder<'s> {
    fn new(numbering: Numbering, shape: &'s Shape) -> Builder<'s> {
        Builder {
            shape,
            history: History {
                numbering,
                bytes: Vec::new(),
                packets: Vec::new(),
                index: Vec::new(),
                epochs: Vec::new(),
            },
            seen: 0,
            source: [0; 10],
            restarts: 0,
            shift: Some(0),
            latest: shape.lead,
        }
    }

    /// The next packet of the source, `offset` after its first. Packets keep their order where the source's clock goes
    /// back.
    fn push(&mut self, offset: u64, messages: u16, payload: &[u8]) -> Result<(), HistoryError> {
        self.seen += 1;
        let due = self.shape.speed.due(offset).unwrap_or(0);
        self.latest = due.saturating_add(self.shape.lead).max(self.latest);
        let header = moldudp64::parse(payload).map(|(header, _)| header);
        // Sequence 0 is what collectors write who wrap bare messages: it numbers nothing.
        if self.seen == 1 && header.is_ok_and(|header| header.sequence.get() == 0) {
            self.history.numbering = Numbering::Counted;
        }
        match self.history.numbering {
            Numbering::Counted if self.shape.faults.restarts.is_empty() => {
                let first = self.reached();
                let end = first.checked_add(messages.into());
                let end = end.ok_or(HistoryError::Beyond { packet: self.seen })?;
                self.take(first..end, payload);
                Ok(())
            }
            Numbering::Pillar if self.shape.faults.restarts.is_empty() => {
                self.numbered(payload);
                Ok(())
            }
            Numbering::Counted | Numbering::Pillar => Err(HistoryError::Restart),
            Numbering::MoldUdp64 => {
                let packet = self.seen;
                let header = header.map_err(|reason| HistoryError::Malformed { packet, reason })?;
                self.sequenced(*header, payload)
            }
        }
    }

    /// A packet of Pillar. Heartbeats are left out.
    fn numbered(&mut self, payload: &[u8]) {
        let reached = self.reached();
        let numbers = match pillar::parse(payload) {
            Ok((header, _)) if header.number_msgs == 0 => return,
            Ok((header, _)) => {
                let first = u64::from(header.seq_num.get());
                first..first + u64::from(header.number_msgs)
            }
            Err(_) => reached..reached,
        };
        let goes_on = numbers.start >= reached;
        self.take(if goes_on { numbers } else { reached..reached }, payload);
    }

    /// A packet of MoldUDP64. What says only what comes next is left out, and so is what comes late from before the
    /// session began.
    fn sequenced(&mut self, header: Header, payload: &[u8]) -> Result<(), HistoryError> {
        let beyond = HistoryError::Beyond { packet: self.seen };
        let (sequence, count) = (header.sequence.get(), u64::from(header.blocks()));
        if count == 0 {
            return Ok(());
        }
        self.restart(self.latest);
        if self.history.epochs.is_empty() || header.session != self.source {
            self.source = header.session;
            self.shift = Some(0);
            self.epoch(self.latest, sequence);
        }
        let shift = *self.shift.get_or_insert(sequence.saturating_sub(1));
        let Some(epoch) = self.history.epochs.last().copied() else {
            return Ok(());
        };
        let Some(sequence) = sequence
            .checked_sub(shift)
            .filter(|&s| s >= epoch.sequence(epoch.begin))
        else {
            return Ok(());
        };
        let first = sequence.wrapping_add(epoch.offset);
        let end = first.checked_add(count).filter(|_| first >= epoch.begin);
        sequence.checked_add(count).ok_or(beyond.clone())?;
        let end = end.ok_or(beyond)?;
        let begin = self.history.bytes.len();
        self.take(first..end, payload);
        let header = Header {
            session: epoch.session,
            sequence: sequence.into(),
            ..header
        };
        self.history.bytes[begin..begin + size_of::<Header>()].copy_from_slice(header.as_bytes());
        Ok(())
    }

    /// The restarts until `now`: what is numbered N then will be 1.
    fn restart(&mut self, now: u64) {
        let restarts = &self.shape.faults.restarts;
        while let Some(&at) = restarts.get(self.restarts).filter(|&&at| at <= now) {
            self.restarts += 1;
            if !self.history.epochs.is_empty() {
                self.shift = None;
                self.epoch(at, 1);
            }
        }
    }

    /// A session begins at a time, with this sequence number.
    fn epoch(&mut self, at: u64, sequence: u64) {
        let begin = match self.history.epochs.is_empty() {
            true => sequence,
            false => self.reached(),
        };
        let at = if self.history.epochs.is_empty() {
            0
        } else {
            at
        };
        self.history.epochs.push(Epoch {
            session: renamed(self.source, self.restarts),
            at,
            begin,
            offset: begin.wrapping_sub(sequence),
        });
    }

    fn take(&mut self, numbers: Range<u64>, payload: &[u8]) {
        let reached = self.reached();
        let history = &mut self.history;
        history.bytes.extend_from_slice(payload);
        if !numbers.is_empty() && numbers.start >= reached {
            history.index.push(history.packets.len());
        }
        history.packets.push(Entry {
            at: self.latest,
            end: history.bytes.len(),
            reached: reached.max(numbers.end),
            numbers,
        });
    }

    fn reached(&self) -> u64 {
        let last = self.history.packets.last();
        last.map_or(self.history.begin(), |packet| packet.reached)
    }

    fn finish(mut self) -> Result<History, HistoryError> {
        if self.history.packets.is_empty() {
            return Err(HistoryError::Empty);
        }
        self.restart(u64::MAX);
        Ok(self.history)
    }
}

/// The name of a session after so many restarts: its last letter or digit counts them.
fn renamed(mut session: [u8; 10], restarts: usize) -> [u8; 10] {
    const NAMES: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    if restarts == 0 {
        return session;
    }
    let last = session.iter().rposition(|&b| b != b' ').unwrap_or(0);
    let old = NAMES
        .iter()
        .position(|&b| b == session[last].to_ascii_uppercase());
    session[last] = NAMES[(old.unwrap_or(0) + restarts) % NAMES.len()];
    session
}
