//! The channels of a capture with their lines by name, and what came beside the lines.

use super::lines::{Channels, Lines};
use super::{Dissect, Streams};
use crate::transport::{FrameKind, Session};
use feed_common::capture::Lend;
use feed_common::wire::ProtocolName;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;

/// Sessions of a channel by which it is told whose retransmissions it has; with more it has nobody's.
const SESSIONS_MAX: usize = 64;

/// A channel of a capture.
#[derive(Clone)]
pub struct CaptureChannel {
    /// What its streams speak.
    pub protocol: &'static dyn Dissect,
    /// Where its lines were sent, in their order: as the user listed them, else by address. A BinaryFILE has none.
    pub lines: Vec<Option<SocketAddr>>,
}

impl CaptureChannel {
    /// What its streams speak, by the name.
    pub fn protocol_name(&self) -> ProtocolName {
        self.protocol.protocol()
    }

    /// The name of a line: `A`, `B`, and behind `Z` its number.
    pub fn line_name(line: usize) -> String {
        match u8::try_from(line) {
            Ok(n @ 0..26) => char::from(b'A' + n).to_string(),
            _ => (line + 1).to_string(),
        }
    }

    /// Group and port of a line; empty for a BinaryFILE.
    pub fn group(&self, line: usize) -> String {
        let address = self.lines.get(line).copied().flatten();
        address.map_or_else(String::new, |address| address.to_string())
    }
}

/// Where the datagrams of a stream belong.
#[derive(Clone, Copy)]
pub(super) struct Belongs {
    pub(super) channel: usize,
    /// `None`: beside the lines.
    pub(super) line: Option<usize>,
}

/// All channels, numbered from 0 in the order in which they appear.
pub(super) struct Directory {
    pub(super) channels: Vec<CaptureChannel>,
    by_destination: HashMap<Option<SocketAddr>, Belongs>,
}

impl Directory {
    /// Pairs the streams of a capture into channels; `pass` begins one reading of it.
    ///
    /// A stream to a single host that shares protocol and every session with one multicast channel is what a server
    /// answered to somebody who had missed something of it. It stands beside the lines, unless the user says what lines
    /// there are.
    pub(super) fn new<D: Lend>(
        pass: impl Fn() -> D,
        streams: &Streams,
        lines: &Lines,
    ) -> Directory {
        let paired = Channels::new(pass(), streams, lines);
        let listed: HashMap<SocketAddr, usize> = match lines {
            Lines::Given(lists) => lists.iter().flatten().copied().zip(0..).collect(),
            _ => HashMap::new(),
        };
        let mut members: BTreeMap<usize, Vec<Option<SocketAddr>>> = BTreeMap::new();
        for (destination, channel) in paired.streams() {
            members.entry(channel).or_default().push(destination);
        }
        for lines in members.values_mut() {
            let place = |d: &SocketAddr| listed.get(d).copied().unwrap_or(usize::MAX);
            lines.sort_by_key(|d| (d.as_ref().map(place), *d));
        }
        let answers = match lines {
            Lines::Found => answers(pass, streams, &paired, &members),
            _ => HashMap::new(),
        };
        let mut directory = Directory {
            channels: Vec::new(),
            by_destination: HashMap::new(),
        };
        let mut numbers = HashMap::new();
        for (&channel, lines) in &members {
            let first = lines.first().and_then(|&first| streams.at(first));
            let Some(protocol) = first.filter(|_| !answers.contains_key(&channel)) else {
                continue;
            };
            let number = directory.channels.len();
            numbers.insert(channel, number);
            for (line, &destination) in lines.iter().enumerate() {
                let line = Some(line);
                let belongs = Belongs {
                    channel: number,
                    line,
                };
                directory.by_destination.insert(destination, belongs);
            }
            let lines = lines.clone();
            directory.channels.push(CaptureChannel { protocol, lines });
        }
        for (aside, host) in &answers {
            for &destination in &members[aside] {
                let (channel, line) = (numbers[host], None);
                let belongs = Belongs { channel, line };
                directory.by_destination.insert(destination, belongs);
            }
        }
        directory
    }

    /// Where what is sent to a destination belongs.
    pub(super) fn at(&self, destination: Option<SocketAddr>) -> Option<Belongs> {
        self.by_destination.get(&destination).copied()
    }
}

/// The channels that are answers to somebody, each with the channel that they are of.
fn answers<D: Lend>(
    pass: impl Fn() -> D,
    streams: &Streams,
    paired: &Channels,
    members: &BTreeMap<usize, Vec<Option<SocketAddr>>>,
) -> HashMap<usize, usize> {
    let multicast = |d: &Option<SocketAddr>| d.is_some_and(|d| d.ip().is_multicast());
    let (hosts, others): (Vec<_>, Vec<_>) = members
        .iter()
        .filter(|(_, lines)| lines.iter().all(Option::is_some))
        .map(|(&channel, lines)| (channel, lines))
        .partition(|(_, lines)| lines.iter().any(multicast));
    if hosts.is_empty() || others.is_empty() {
        return HashMap::new();
    }
    let sessions = sessions(pass(), streams, paired);
    let of = |channel| {
        let known = sessions.get(&channel);
        known.filter(|s| (1..SESSIONS_MAX).contains(&s.len()))
    };
    let host_of = |channel| {
        let asked = of(channel)?;
        let mut fitting = hosts
            .iter()
            .filter(|&&(host, _)| of(host).is_some_and(|all| asked.is_subset(all)));
        match (fitting.next(), fitting.next()) {
            (Some(&(host, _)), None) => Some((channel, host)),
            _ => None,
        }
    };
    others.iter().filter_map(|&(c, _)| host_of(c)).collect()
}

/// The sessions of each channel, by protocol and name; those without a name are none.
fn sessions<D: Lend>(
    mut datagrams: D,
    streams: &Streams,
    paired: &Channels,
) -> HashMap<usize, BTreeSet<(&'static str, Session)>> {
    let mut sessions: HashMap<usize, BTreeSet<_>> = HashMap::new();
    while let Some(datagram) = datagrams.lend() {
        let (Some(protocol), Some(channel)) = (streams.of(&datagram), paired.of(&datagram)) else {
            continue;
        };
        let known = sessions.entry(channel).or_default();
        if known.len() < SESSIONS_MAX
            && let Ok(frame) = protocol.open(datagram.payload, datagram.number)
            && frame.kind != FrameKind::Unsequenced
            && frame.session_name() != Session::default()
        {
            known.insert((protocol.name(), frame.session));
        }
    }
    sessions
}
