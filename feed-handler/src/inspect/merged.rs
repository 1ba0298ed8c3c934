//! A capture through the pipeline of a run: its streams merged into channels, and their events handed to an outlet.
//!
//! A file holds everything there is to come, so a hole waits for as long as the stash has room; only what must be given
//! up then, and at the end, is lost.

use super::Streams;
use super::kept::room;
use super::lines::{Channels, Lines};
use crate::book::BookLimits;
use crate::config::defaults::CHANNELS_PER_CAPTURE_MAX;
use crate::pipeline::{Channel, ChannelSetup, Lane, LaneTime, SessionDay};
use crate::protocol::itch50::Itch50File;
use crate::protocol::{Decode, Definitions, ForProtocol, Protocol, with_protocol, zone};
use crate::publish::Outlet;
use crate::subscribe::Filter;
use feed_common::capture::{CaptureFile, Datagrams};
use feed_common::latency::NoProbe;
use feed_common::packet::{Packet, PacketBatch, PacketSource, RxError, RxMeta};
use feed_common::program::{Progress, Watched};
use feed_common::time::CivilDate;
use feed_common::wire::ProtocolName;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

/// Packets of a channel that can wait for one before them: as many as a second of a busy feed has.
const STASH_PACKETS: usize = 1 << 14;

/// Longest packet that can wait: what a network of jumbo frames carries.
const STASH_PACKET_BYTES: usize = 9216;

/// Datagrams after which memory of the file is let go, and whole pages of any machine.
const RELEASE_PACKETS: u32 = 1 << 16;
const RELEASE_ALIGN: usize = 1 << 16;

/// A capture whose streams are known, to be gone through any number of times.
pub struct Merged<'f> {
    file: &'f CaptureFile,
    groups: Vec<Group>,
    channels: usize,
    date: Option<CivilDate>,
    watch: fn(&CaptureFile) -> Progress,
    wanted: Filter,
}

/// The channels of one protocol.
struct Group {
    speaks: Speaks,
    channels: BTreeMap<usize, Vec<Option<SocketAddr>>>,
}

/// What streams are decoded as: their protocol, and whether they are chunks of a BinaryFILE and not datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Speaks {
    protocol: ProtocolName,
    chunks: bool,
}

/// There are more channels in a capture than are followed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} channels in one capture; at most {CHANNELS_PER_CAPTURE_MAX} are followed at once")]
pub struct TooManyChannels(usize);

/// What going through a capture came to, besides what the outlet made of it.
#[derive(Debug)]
pub struct Passed<'f> {
    /// Frames of the channels' protocols.
    pub frames: u64,
    /// Messages delivered, each once.
    pub messages: u64,
    /// Holes given up, after merging.
    pub gaps: u64,
    /// Messages in them.
    pub lost: u64,
    /// New sessions after the first.
    pub restarts: u64,
    /// What was not delivered, by cause.
    pub drops: BTreeMap<&'static str, u64>,
    /// What was odd and delivered all the same, by name.
    pub oddities: BTreeMap<&'static str, u64>,
    /// The file as far as it was read: what had no datagram, and where it is cut.
    pub datagrams: Datagrams<'f>,
}

impl<'f> Merged<'f> {
    /// Pairs the streams of a capture into channels. `date` is that of exchange times that have none; `watch` makes
    /// what shows how far a reading of the file is, of which this is one.
    pub fn new(
        file: &'f CaptureFile,
        streams: &Streams,
        lines: &Lines,
        date: Option<CivilDate>,
        watch: fn(&CaptureFile) -> Progress,
    ) -> Result<Merged<'f>, TooManyChannels> {
        let channels = Channels::new(Watched::new(file, watch(file)), streams, lines);
        if channels.count() > CHANNELS_PER_CAPTURE_MAX {
            return Err(TooManyChannels(channels.count()));
        }
        let mut groups: BTreeMap<Speaks, BTreeMap<usize, Vec<_>>> = BTreeMap::new();
        for (destination, channel) in channels.streams() {
            if let Some(protocol) = streams.at(destination) {
                let speaks = Speaks {
                    protocol: protocol.protocol(),
                    chunks: destination.is_none(),
                };
                let group = groups.entry(speaks).or_default();
                group.entry(channel).or_default().push(destination);
            }
        }
        let groups = groups.into_iter().map(|(speaks, mut channels)| {
            channels.values_mut().for_each(|lines| lines.sort());
            Group { speaks, channels }
        });
        Ok(Merged {
            file,
            groups: groups.collect(),
            channels: channels.count(),
            date,
            watch,
            wanted: Filter::default(),
        })
    }

    /// Messages of other symbols are passed over.
    pub fn wanting(mut self, wanted: Filter) -> Merged<'f> {
        self.wanted = wanted;
        self
    }

    /// Channels, numbered from 0 in the order in which they appear; events carry the number.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// How large the books of a channel can get.
    pub fn room(&self) -> BookLimits {
        room(self.channels, self.file.length())
    }

    /// Hands every event to `outlet`, protocol by protocol and within one in the order of the file, until `enough` says
    /// so.
    pub fn run<H: Outlet>(&self, outlet: H, enough: impl Fn(&H) -> bool) -> (H, Passed<'f>) {
        let mut passed = Passed {
            frames: 0,
            messages: 0,
            gaps: 0,
            lost: 0,
            restarts: 0,
            drops: BTreeMap::new(),
            oddities: BTreeMap::new(),
            datagrams: Datagrams::new(self.file),
        };
        let mut outlet = outlet;
        for group in &self.groups {
            passed.datagrams = Datagrams::new(self.file);
            let pass = Pass {
                capture: self,
                group,
                outlet,
                enough: &enough,
                passed: &mut passed,
            };
            outlet = match group.speaks.chunks {
                true => pass.call::<Itch50File>(),
                false => with_protocol(group.speaks.protocol, pass),
            };
        }
        if self.groups.is_empty() {
            while passed.datagrams.next().is_some() {}
        }
        (outlet, passed)
    }

    /// What the capture says of instruments, wherever it does, where their streams need not say it themselves.
    fn definitions<P: Protocol>(&self) -> Definitions {
        let mut definitions = Definitions::default();
        if P::Decoder::ANNOUNCED_APART {
            definitions.gather::<P>(Watched::new(self.file, (self.watch)(self.file)));
        }
        definitions
    }

    fn setup(&self, group: &Group, channel: usize, lines: &[Option<SocketAddr>]) -> ChannelSetup {
        let zone = zone(group.speaks.protocol);
        ChannelSetup {
            name: String::new(),
            number: channel as u16,
            lines: lines.len(),
            window_nanos: u64::MAX,
            stash_slots: match group.speaks.chunks {
                true => 1, // its numbers are counted, so none is ever missing
                false => STASH_PACKETS,
            },
            stash_slot_bytes: STASH_PACKET_BYTES,
            day: match self.date {
                Some(date) => SessionDay::Midnight(zone.midnight(date)),
                None => SessionDay::FirstPacket(zone),
            },
        }
    }
}

/// One way through the file, for the channels of one protocol.
struct Pass<'p, 'f, H> {
    capture: &'p Merged<'f>,
    group: &'p Group,
    outlet: H,
    enough: &'p dyn Fn(&H) -> bool,
    passed: &'p mut Passed<'f>,
}

impl<H: Outlet> ForProtocol for Pass<'_, '_, H> {
    type Out = H;

    fn call<P: Protocol>(self) -> H {
        let Pass {
            capture,
            group,
            outlet,
            enough,
            passed,
        } = self;
        let definitions = Arc::new(capture.definitions::<P>());
        let instruments = capture.room().instruments;
        let setups = group.channels.iter().map(|(&number, lines)| {
            let setup = capture.setup(group, number, lines);
            let mut decoder = P::Decoder::with_room(instruments);
            decoder.subscribe(Box::new(capture.wanted.clone()));
            decoder.refer(definitions.clone());
            (setup, P::Framing::default(), decoder)
        });
        let mut lane: Lane<P, H, NoProbe> =
            Lane::new(setups.collect(), LaneTime::Captured, 0, outlet, NoProbe);
        let lines = group.channels.values().flatten().copied().zip(0..);
        let mut source = Source {
            datagrams: &mut passed.datagrams,
            progress: (capture.watch)(capture.file),
            lines: lines.collect(),
            file: capture.file,
            released: 0,
            left: RELEASE_PACKETS,
        };
        // What was read to tell its streams.
        capture
            .file
            .release(0..capture.file.bytes().map_or(0, <[u8]>::len));
        while !enough(lane.outlet()) && lane.step(&mut source).is_ok() {}
        lane.finish();
        passed.messages += lane.messages();
        add(&mut passed.drops, lane.drops().by_cause());
        for channel in lane.channels() {
            passed.channel(channel);
        }
        lane.into_outlet()
    }
}

impl Passed<'_> {
    fn channel<P: Protocol>(&mut self, channel: &Channel<P>) {
        self.frames += channel.lines().iter().map(|l| l.packets).sum::<u64>();
        let sequence = channel.sequence();
        self.gaps += sequence.gaps;
        // The sum over channels of hostile numbers could leave the range.
        self.lost = self.lost.saturating_add(sequence.lost);
        self.restarts += sequence.restarts;
        add(&mut self.oddities, channel.oddities());
    }
}

fn add(
    to: &mut BTreeMap<&'static str, u64>,
    counts: impl IntoIterator<Item = (&'static str, u64)>,
) {
    for (name, n) in counts {
        if n > 0 {
            *to.entry(name).or_default() += n;
        }
    }
}

/// The datagrams of a file as packets of the lane that has their streams; those of others are passed over.
struct Source<'s, 'f> {
    datagrams: &'s mut Datagrams<'f>,
    progress: Progress,
    lines: HashMap<Option<SocketAddr>, u16>,
    file: &'f CaptureFile,
    /// Bytes whose memory was let go.
    released: usize,
    /// Datagrams until the next is.
    left: u32,
}

impl Source<'_, '_> {
    /// Lets go of what was read: a mapped file would otherwise be in memory as a whole.
    #[cold]
    fn release(&mut self) {
        self.left = RELEASE_PACKETS;
        let taken = self.datagrams.taken() as usize / RELEASE_ALIGN * RELEASE_ALIGN;
        if taken > self.released && self.file.compression().is_none() {
            self.file.release(self.released..taken);
            self.released = taken;
        }
    }
}

/// One packet, or none where the datagram is another lane's.
struct One<'a> {
    meta: Option<RxMeta>,
    bytes: &'a [u8],
}

impl PacketSource for Source<'_, '_> {
    type Batch<'a>
        = One<'a>
    where
        Self: 'a;

    fn poll(&mut self) -> Result<One<'_>, RxError> {
        self.progress.step(|| self.datagrams.taken());
        self.left -= 1;
        if self.left == 0 {
            self.release();
        }
        let datagram = self.datagrams.next().ok_or(RxError::End)?;
        let line = self.lines.get(&datagram.dst);
        let meta = line.map(|&line| RxMeta {
            kernel: datagram.time,
            len: datagram.payload.len() as u32,
            line,
            ..RxMeta::default()
        });
        let bytes = datagram.payload;
        Ok(One { meta, bytes })
    }
}

impl PacketBatch for One<'_> {
    fn len(&self) -> usize {
        self.meta.is_some().into()
    }

    fn get(&self, i: usize) -> Packet<'_> {
        let Some(meta) = &self.meta else {
            panic!("packet {i} of none");
        };
        let bytes = self.bytes;
        Packet { meta, bytes }
    }
}
