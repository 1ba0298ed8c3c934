//! The sessions of a scenario as its lines send them, and what a handler makes of them when nothing goes wrong.

use crate::books::CleanBooks;
use crate::scenario::Scenario;
use crate::trace::{Deed, Trace, Traced, TracedDecoder, TracedOutlet};
use feed_common::event::Record;
use feed_common::latency::NoProbe;
use feed_common::packet::{Packet, PacketBatch, PacketSource, RxError, RxMeta};
use feed_common::time::{CivilDate, TickScale, Ticks, UnixNanos};
use feed_handler::book::BookLimits;
use feed_handler::pipeline::{ChannelSetup, Lane, LaneTime, SessionDay};
use feed_handler::protocol::{Decode, Definitions, Protocol};
use feed_handler::publish::{BookTotals, Booked, Digest, Outlet, Publish, Records};
use feed_handler::transport::{Framing, Session};
use feed_replay::synth::rng::{Rng, splitmix64};
use feed_replay::synth::{GenerateError, Recording, Spec};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// The sessions that are sent one after another.
pub struct Play {
    /// In the order of their sending.
    pub epochs: Vec<Epoch>,
}

/// One session.
pub struct Epoch {
    /// When it begins.
    pub start: u64,
    /// When its first packet is sent, but for one that announces it.
    pub first_at: u64,
    /// When that says that it was.
    pub sent: UnixNanos,
    /// What its packets call it.
    pub session: Session,
    /// A packet that reaches every line before all others, and behind all of the session before. Where nothing but the first packet of a numbering says that
    /// it begins anew, a handler that misses it cannot know.
    pub herald: Option<Vec<u8>>,
    /// For each line, what it sends.
    pub lines: Vec<Vec<Sent>>,
    /// All of it, for servers.
    pub recording: Recording,
}

/// A packet as it is sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// When.
    pub at: u64,
    /// Its messages; 0 for a heartbeat.
    pub messages: u16,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// How often what a session ended with is said again, so that nothing lost at its end stays unknown for long.
const REPEATS: u64 = 6;
const REPEATED_EVERY_NS: u64 = 2_000_000;

impl Play {
    /// Makes the sessions.
    pub fn of<P: Protocol>(scenario: &Scenario) -> Result<Play, GenerateError> {
        let mut rng = Rng::new(splitmix64(scenario.seed ^ 0x706c_6179));
        let mut play = Play { epochs: Vec::new() };
        let mut start = 0;
        for number in 0..=scenario.restarts {
            let last = number == scenario.restarts;
            let mut epoch = Epoch::of::<P>(scenario, number, start)?;
            match last {
                true => epoch.repeat_the_end::<P>(),
                false => epoch.cut::<P>(&mut rng),
            }
            start = epoch.end() + rng.below(2_000_000);
            play.epochs.push(epoch);
        }
        Ok(play)
    }

    /// When the last packet is sent.
    pub fn end(&self) -> u64 {
        self.epochs.last().map_or(0, Epoch::end)
    }
}

impl Epoch {
    fn of<P: Protocol>(
        scenario: &Scenario,
        number: u64,
        start: u64,
    ) -> Result<Epoch, GenerateError> {
        let spec = |payload_limit| {
            let spec = Spec::new(scenario.protocol, scenario.messages, scenario.seed);
            Spec {
                symbols: 4,
                rate: scenario.rate,
                halts: 1,
                payload_limit,
                // What is sent later says so, and is of another session where there are any.
                date: CivilDate::from_days(spec.date.days() + number as i64).unwrap_or(spec.date),
                ..spec
            }
        };
        let one_packing = !regroups::<P>();
        let first = scenario.lines[0].payload;
        let (recording, _) = Recording::of(&spec(first))?;
        // Only the first packet of a numbering without sessions says that it is another.
        let heralded = number > 0 && P::Framing::BEGINS;
        let (start, lead) = match heralded {
            true => (
                start + scenario.longest_way(),
                scenario.longest_way() + 1_000_000,
            ),
            false => (start, 0),
        };
        let mut epoch = Epoch {
            start,
            first_at: start + lead,
            sent: UnixNanos::UNKNOWN,
            session: Session::default(),
            herald: None,
            lines: Vec::new(),
            recording,
        };
        for line in &scenario.lines {
            let made;
            let recording = match one_packing || line.payload == first {
                true => &epoch.recording,
                false => {
                    made = Recording::of(&spec(line.payload))?.0;
                    &made
                }
            };
            let packets = recording.packets().map(|packet| Sent {
                at: start + lead + packet.offset,
                messages: packet.messages,
                payload: packet.payload.to_vec(),
            });
            epoch.lines.push(packets.collect());
        }
        let first = epoch.lines[0][0].payload.clone();
        if let Ok((frame, _)) = P::Framing::default().open(&first) {
            (epoch.session, epoch.sent) = (frame.session, frame.sent);
        }
        epoch.herald = heralded.then_some(first);
        Ok(epoch)
    }

    /// Ends it in the middle, at the same message on every line.
    fn cut<P: Protocol>(&mut self, rng: &mut Rng) {
        let mut framing = P::Framing::default();
        let mut end_of = |packet: &Sent| match framing.open(&packet.payload) {
            Ok((frame, _)) => frame.span.end(),
            Err(_) => 0,
        };
        let packets = self.lines[0].len() as u64;
        let last = rng.between(packets.min(2) / 2, packets - 1) as usize;
        let end = end_of(&self.lines[0][last]);
        for line in &mut self.lines {
            let keep = line.iter().take_while(|packet| end_of(packet) <= end);
            let keep = keep.count();
            line.truncate(keep);
        }
    }

    /// Says again what the session ended with. Where that is an announcement of what would come next, it is said alone:
    /// nothing else shows what was lost right before it then.
    fn repeat_the_end<P: Protocol>(&mut self) {
        for line in &mut self.lines {
            let Some(last) = line.last() else {
                continue;
            };
            let end = last.at;
            let announces = last.messages == 0 && !P::Framing::UNITS;
            // Several, where each tells of another unit.
            let several = if announces { 1 } else { 4 };
            let tail: Vec<Sent> = line[line.len().saturating_sub(several)..].to_vec();
            for nth in 1..=REPEATS {
                let again = tail.iter().map(|packet| Sent {
                    at: end + nth * REPEATED_EVERY_NS,
                    ..packet.clone()
                });
                line.extend(again);
            }
        }
    }

    /// When its last packet is sent.
    pub fn end(&self) -> u64 {
        let lasts = self.lines.iter().filter_map(|line| line.last());
        lasts.map(|packet| packet.at).max().unwrap_or(self.start)
    }
}

/// Whether lines may pack messages differently: not where packets are numbered, nor where a packet is a message, nor where
/// the time at which a packet was sent says more than that.
fn regroups<P: Protocol>() -> bool {
    let batches = P::NAME == feed_common::wire::ProtocolName::Native;
    !P::Framing::PACKETS && !P::Framing::BEGINS && !batches
}

/// The numbering that a frame's unit is: where a protocol has one only, frames may use it to say which feed they are of.
pub fn unit<P: Protocol>(of_frame: u8) -> u8 {
    if P::Framing::UNITS { of_frame } else { 0 }
}

/// Names the numbering of a deed.
pub fn same_unit<P: Protocol>(deed: &mut Deed) {
    if let Deed::Message { unit: of, .. } | Deed::Gap { unit: of, .. } = deed {
        *of = unit::<P>(*of);
    }
}

/// What instruments are, where exchanges announce them apart from what happens to them.
pub fn definitions<P: Protocol>(play: &Play) -> Arc<Definitions> {
    let mut definitions = Definitions::default();
    let packets = play.epochs.iter().flat_map(|epoch| &epoch.lines[0]);
    for packet in packets.filter(|_| P::Decoder::ANNOUNCED_APART) {
        let mut framing = P::Framing::default();
        let Ok((frame, _)) = framing.open(&packet.payload) else {
            continue;
        };
        for (id, directory) in frame.messages.filter_map(P::Decoder::announcement) {
            definitions.insert(id, directory);
        }
    }
    Arc::new(definitions)
}

/// What a session is to a handler that gets all of it.
pub struct Truth {
    /// Its messages by session and unit, in order.
    pub epochs: Vec<BTreeMap<u8, Vec<Message>>>,
    /// The records.
    pub records: Vec<Record>,
    /// Their digest.
    pub digest: Digest,
    /// The books at the end.
    pub books: Option<BookTotals>,
    /// The books of each session after each of its packets, where they are watched.
    pub clean: Vec<CleanBooks>,
    /// What instruments are.
    pub definitions: Arc<Definitions>,
}

/// A message that must be delivered once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its number: of its packet, where those are numbered.
    pub sequence: u64,
    /// Numbers that it takes.
    pub numbers: u64,
    /// Over its bytes.
    pub hash: u64,
}

impl Message {
    /// The number after it.
    pub fn end(self) -> u64 {
        self.sequence.saturating_add(self.numbers)
    }
}

impl Truth {
    /// What the packets of the first line come to.
    pub fn of<P: Protocol>(play: &Play, watched: bool) -> Truth {
        let definitions = definitions::<P>(play);
        let (mut lane, trace, records) = lane::<P>(1, 0, 1, &definitions);
        let mut truth = Truth {
            epochs: Vec::new(),
            records: Vec::new(),
            digest: Digest::EMPTY,
            books: None,
            clean: Vec::new(),
            definitions,
        };
        let (mut now, mut seen) = (0, 0);
        for epoch in &play.epochs {
            let packets = epoch.lines[0].iter().map(|packet| &packet.payload);
            let mut clean = CleanBooks::default();
            for payload in epoch.herald.iter().chain(packets) {
                now += 1;
                step(&mut lane, 0, now, now, payload);
                if let Some(next) = lane.channels()[0].expected(0).filter(|_| watched) {
                    let new = records.since(&mut seen);
                    let touched = new.iter().map(|r| r.instrument.get()).collect();
                    let books = lane.outlet().inner().channel(0);
                    clean.note(next, books.expect("a channel"), &touched);
                }
            }
            truth.clean.push(clean);
            let mut units: BTreeMap<u8, Vec<Message>> = BTreeMap::new();
            for mut deed in trace.take() {
                same_unit::<P>(&mut deed);
                if let Deed::Message {
                    unit,
                    sequence,
                    numbers,
                    hash,
                    ..
                } = deed
                {
                    units.entry(unit).or_default().push(Message {
                        sequence,
                        numbers,
                        hash,
                    });
                }
            }
            truth.epochs.push(units);
        }
        lane.finish();
        assert!(trace.take().is_empty(), "nothing was missing");
        truth.digest = lane.outlet().digest(0);
        truth.books = lane.outlet().books(0);
        truth.records = records.since(&mut 0);
        truth
    }
}

/// Records on their way to whoever looks.
#[derive(Clone, Debug, Default)]
pub struct Kept(Rc<RefCell<Vec<Record>>>);

impl Kept {
    /// Those behind the first `seen`, of which there are more then.
    pub fn since(&self, seen: &mut usize) -> Vec<Record> {
        let all = self.0.borrow();
        all[std::mem::replace(seen, all.len())..].to_vec()
    }
}

impl Publish for Kept {
    fn publish(&mut self, record: &Record) {
        self.0.borrow_mut().push(*record);
    }
}

/// A lane that notes what it does.
pub type TracedLane<P> = Lane<Traced<P>, TracedOutlet<Booked<Kept>>, NoProbe>;

/// Room for the books of small sessions.
const LIMITS: BookLimits = BookLimits {
    orders: 1 << 12,
    levels: 1 << 12,
    instruments: 64,
};

/// A lane of one channel, numbered 0, what it notes, and its records.
pub fn lane<P: Protocol>(
    lines: usize,
    window: u64,
    stash: usize,
    definitions: &Arc<Definitions>,
) -> (TracedLane<P>, Trace, Kept) {
    let (trace, kept) = (Trace::default(), Kept::default());
    let setup = ChannelSetup {
        name: "simulated".into(),
        number: 0,
        lines,
        window_nanos: window,
        stash_slots: stash,
        stash_slot_bytes: Spec::PAYLOAD_LIMIT,
        day: SessionDay::Midnight(UnixNanos(1)),
    };
    let mut decoder = TracedDecoder::<P>::new(P::Decoder::with_room(64), trace.clone());
    decoder.refer(Arc::clone(definitions));
    let records = Records::new(kept.clone(), 1);
    let books = Booked::new(records, 0..1, &LIMITS, true);
    let books = books.expect("so small a book can be mapped");
    let lane = Lane::new(
        vec![(setup, P::Framing::default(), decoder)],
        LaneTime::Received(TickScale::from_ratio(1, 1)),
        0,
        TracedOutlet::new(books, trace.clone()),
        NoProbe,
    );
    (lane, trace, kept)
}

/// Hands a lane a packet that arrived on `line` and was taken off it at `rx`.
pub fn step<P: Protocol>(
    lane: &mut TracedLane<P>,
    line: usize,
    arrived: u64,
    rx: u64,
    bytes: &[u8],
) {
    let meta = RxMeta {
        rx: Ticks(rx),
        kernel: UnixNanos(arrived),
        len: bytes.len() as u32,
        line: line as u16,
        ..RxMeta::default()
    };
    let taken = lane.step(&mut One(Some((meta, bytes))));
    debug_assert!(matches!(taken, Ok(1)));
}

/// A source with a single packet.
struct One<'p>(Option<(RxMeta, &'p [u8])>);

struct Batch<'p>(Option<(RxMeta, &'p [u8])>);

impl<'p> PacketSource for One<'p> {
    type Batch<'a>
        = Batch<'p>
    where
        Self: 'a;

    fn poll(&mut self) -> Result<Batch<'p>, RxError> {
        Ok(Batch(self.0.take()))
    }
}

impl PacketBatch for Batch<'_> {
    fn len(&self) -> usize {
        usize::from(self.0.is_some())
    }

    fn get(&self, _: usize) -> Packet<'_> {
        let (meta, bytes) = self.0.as_ref().expect("one packet");
        Packet { meta, bytes }
    }
}
