//! What a counting pass takes each stream for, while it finds out whether that is right.
//!
//! Which protocol a stream speaks and which streams are lines of one channel is only certain at the end of a capture.
//! A look at its first datagrams tells nearly always, so a pass counts by that, watches, and says at the end whether
//! its count holds.

use super::appearance::Appearance;
use super::detect::{DetectError, Verdict};
use super::evidence::Evidence;
use super::lines::{Channels, Lines};
use super::{Dissect, Streams};
use feed_common::capture::{Datagram, Lend};
use std::collections::HashSet;
use std::net::SocketAddr;

/// Datagrams by which to judge a capture at first.
const AHEAD: usize = 1 << 12;

/// How the datagrams of a stream are counted.
#[derive(Clone, Copy)]
pub(super) struct Route {
    pub(super) protocol: &'static dyn Dissect,
    /// The place of the protocol in [`Routes::protocols`].
    pub(super) slot: usize,
    pub(super) channel: usize,
}

/// The routes of all streams.
pub(super) struct Routes {
    streams: Streams,
    channels: Channels,
    /// Nothing is left to be found out.
    certain: bool,
    appearance: Appearance,
    /// By the number of the stream.
    routes: Vec<Option<Route>>,
    verdicts: Vec<Verdict>,
    protocols: Vec<&'static dyn Dissect>,
    /// Channels in use.
    used: usize,
    evidence: Option<Evidence>,
}

impl Routes {
    /// By a look at the beginning of a capture; `pass` begins one reading of it. Streams that are `given` are certain.
    pub(super) fn guess<D: Lend>(
        pass: impl Fn() -> D,
        given: Option<&Streams>,
        lines: &Lines,
    ) -> Routes {
        let first = || First {
            datagrams: pass(),
            left: AHEAD,
        };
        let streams = match given {
            Some(streams) => streams.clone(),
            None => Streams::detect(first()).unwrap_or_default(),
        };
        let channels = Channels::new(first(), &streams, lines);
        let several = *lines == Lines::Found && channels.streams().count() > 1;
        Routes {
            used: channels.count(),
            evidence: several.then(Evidence::default),
            certain: false,
            ..Routes::certain(streams, channels)
        }
    }

    /// Of what is known.
    pub(super) fn certain(streams: Streams, channels: Channels) -> Routes {
        Routes {
            streams,
            channels,
            certain: true,
            appearance: Appearance::default(),
            routes: Vec::new(),
            verdicts: Vec::new(),
            protocols: Vec::new(),
            used: 0,
            evidence: None,
        }
    }

    /// The number of the stream to a destination.
    #[inline(always)]
    pub(super) fn stream(&mut self, destination: Option<SocketAddr>) -> usize {
        self.appearance.number(destination)
    }

    /// The route of a stream that no datagram can change any more.
    #[inline(always)]
    pub(super) fn settled(&self, stream: usize) -> Option<&Route> {
        match self.verdicts.get(stream)? {
            Verdict::Decided(_) => self.routes[stream].as_ref(),
            _ => None,
        }
    }

    /// The route of a datagram of a stream, unless it is of no known protocol.
    pub(super) fn of(&mut self, stream: usize, datagram: &Datagram<'_>) -> Option<Route> {
        match self.verdicts.get_mut(stream) {
            Some(Verdict::Decided(_)) => {}
            Some(verdict) => verdict.look(datagram),
            None => self.appeared(datagram),
        }
        self.routes[stream]
    }

    /// Where packets are taken that say which streams carry the same, while that is to be found out.
    #[inline(always)]
    pub(super) fn evidence(&mut self) -> Option<&mut Evidence> {
        self.evidence.as_mut()
    }

    #[cold]
    fn appeared(&mut self, datagram: &Datagram<'_>) {
        let mut verdict = Verdict::default();
        verdict.look(datagram);
        let known = self.streams.at(datagram.dst);
        let protocol = match (known, verdict) {
            (None, Verdict::Decided(protocol)) if !self.certain => Some(protocol),
            (None, Verdict::Possible) if !self.certain => self.streams.agreed(),
            _ => known,
        };
        self.verdicts.push(verdict);
        let route = protocol.map(|protocol| Route {
            protocol,
            slot: self.slot(protocol),
            channel: self.channels.of(datagram).unwrap_or_else(|| {
                self.used += 1;
                self.used - 1
            }),
        });
        self.routes.push(route);
    }

    /// The place of a protocol among those met; that of a BinaryFILE is called as what it carries.
    fn slot(&mut self, protocol: &'static dyn Dissect) -> usize {
        let known = self
            .protocols
            .iter()
            .position(|p| p.name() == protocol.name());
        known.unwrap_or_else(|| {
            self.protocols.push(protocol);
            self.protocols.len() - 1
        })
    }

    /// The protocols met.
    pub(super) fn protocols(&self) -> &[&'static dyn Dissect] {
        &self.protocols
    }

    /// After the last datagram: what the streams speak.
    pub(super) fn streams(&self) -> Result<Streams, DetectError> {
        Streams::conclude(self.appearance.order(), &self.verdicts)
    }

    /// After the last datagram: the channels of `streams`, where everything was taken for what it is.
    pub(super) fn confirmed(&mut self, streams: &Streams, lines: &Lines) -> Option<Channels> {
        let order = self.appearance.order();
        let name = |protocol: Option<&dyn Dissect>| protocol.map(Dissect::name);
        let mut both = order.iter().zip(&self.routes);
        if !both.all(|(&dst, route)| name(streams.at(dst)) == name(route.map(|r| r.protocol))) {
            return None;
        }
        let several = self.routes.iter().flatten().nth(1).is_some();
        if *lines == Lines::Found && several && self.evidence.is_none() {
            return None;
        }
        let evidence = self.evidence.take().unwrap_or_default();
        let channels = Channels::grouped(&self.appearance, streams, lines, evidence);
        // As many pairs of taken and true channel as there are of each: the same channels, if by other numbers.
        let (mut taken, mut pairs) = (HashSet::new(), HashSet::new());
        for (&dst, route) in order.iter().zip(&self.routes) {
            if let Some(route) = route {
                taken.insert(route.channel);
                pairs.insert((route.channel, channels.at(dst)));
            }
        }
        (taken.len() == pairs.len() && pairs.len() == channels.count()).then_some(channels)
    }
}

/// The first datagrams of others.
struct First<D> {
    datagrams: D,
    left: usize,
}

impl<D: Lend> Lend for First<D> {
    fn lend(&mut self) -> Option<Datagram<'_>> {
        self.left = self.left.checked_sub(1)?;
        self.datagrams.lend()
    }
}
