//! A running handler: lanes, the bridge to blocking consumers, and the cold threads around them.

use super::assemble::{Hot, LaneRunning, LaneStart, start_lane};
use super::board::{Board, Shown, ShownLane};
use super::books::Following;
use super::clock::{CardFit, CardPairing, Pairing};
use super::consumers::Consumer;
use super::control::Control;
use super::end::LaneEnd;
use super::exposition::Exposition;
use super::facts;
use super::gauge::{Gauge, Reading};
use super::recovery::{Desk, RecoveryEnd};
use super::shared::{LEAVING, ProcessEnd, Sharing};
use super::start::{Input, StartError, join};
use crate::config::{BookKeep, ConsumerPlan, LanePlan, LaneThreads, Plan, ProtocolName};
use crate::journal::{JournalEnd, Journals, Tap};
use crate::pipeline::{ChannelSetup, HoleEnds, SessionDay};
use crate::protocol::zone;
use crate::publish::{
    BookTotals, Bridge, ConsumerGauge, ConsumerStats, Digest, Mark, MarkReader, Marks, Watch,
};
use crate::record::{Queue, RecordEnd, Recorder};
use crate::sequence::HoleEnd;
use crate::subscribe::{Changes, Filter, Subscription};
use crossbeam_channel::Receiver;
use feed_common::capture::{Format, SectionDescription};
use feed_common::event::Record;
use feed_common::latency::recorder::{CHANNEL_DIGITS, Collector, pair, pair_by_channel};
use feed_common::latency::{Resolution, StageSet};
use feed_common::ring::shared::Session;
use feed_common::ring::{Subscriber, Writer, broadcast};
use feed_common::sys::lock_memory;
use feed_common::time::{Clock, FitQuality, FitReader, UnixNanos, Zone};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// Largest latency told apart; longer ones are counted there and as above.
const HIGHEST_NANOS: u64 = 10_000_000_000;

/// How long an interval waits for a lane that is stalled; its values then come with the next.
const COLLECT_TIMEOUT: Duration = Duration::from_millis(50);

/// What a hot thread says before it does anything else.
type Settled = Result<(), StartError>;

/// A run in progress.
pub struct Handler {
    lanes: Vec<LaneRunning>,
    collectors: Vec<Collector>,
    /// Of the channels of each lane that has several.
    of_channels: Vec<Vec<Collector>>,
    gauges: Vec<Arc<Gauge>>,
    subscribers: Vec<Subscriber<Record>>,
    marks: Vec<Subscriber<Mark>>,
    /// By lane; only of a live run.
    hole_ends: Vec<Receiver<HoleEnd>>,
    /// By lane, where the rings are in shared memory.
    shared: Vec<Sharing>,
    consumers: Vec<Consumer>,
    consumer_gauges: Vec<Arc<ConsumerGauge>>,
    bridge: Option<JoinHandle<Vec<ConsumerStats>>>,
    measuring: Vec<JoinHandle<u64>>,
    subscription: Arc<Subscription>,
    /// Only of a live run: from a file, what is wanted is what the plan says.
    control: Option<Control>,
    board: Arc<Board>,
    metrics: Option<Exposition>,
    recorder: Option<Recorder>,
    journals: Option<Journals>,
    recovery: Option<JoinHandle<Vec<RecoveryEnd>>>,
    pairing: Pairing,
    clock: Clock,
    stop: Arc<AtomicBool>,
    /// When it was started: the day of a live session that says none.
    today: UnixNanos,
    facts: Vec<(String, String)>,
    interval: StageSet,
    /// What each channel has of [`Stage::Published`] in it, where there are several.
    by_channel: Vec<StageSet>,
}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// By lane.
    pub lanes: Vec<LaneEnd>,
    /// Consumers on queues.
    pub consumers: Vec<ConsumerStats>,
    /// Consumers in other processes that said how long records took to reach them.
    pub processes: Vec<ProcessEnd>,
    /// How well the wall clock was fitted.
    pub clocks: FitQuality,
    /// And the clocks of the cards that stamped packets.
    pub cards: Vec<CardFit>,
    /// The last interval of every lane.
    pub last: StageSet,
    /// The same of each channel's [`Stage::Published`](feed_common::latency::Stage::Published), where there are several.
    pub last_by_channel: Vec<StageSet>,
    /// What the system granted: buffers, pages.
    pub facts: Vec<(String, String)>,
    /// What was kept of the input, where that was asked for.
    pub record: Option<RecordEnd>,
    /// What was kept of what was published, by lane, where that was asked for.
    pub journals: Vec<JournalEnd>,
    /// What recovery did, by channel and service.
    pub recovery: Vec<RecoveryEnd>,
}

impl Outcome {
    /// The digest of all records.
    pub fn record_digest(&self) -> Digest {
        let channels = self.lanes.iter().flat_map(|l| &l.channels);
        Digest::combine(channels.map(|c| (c.name.as_str(), c.digest)))
    }

    /// The digest of all books; `None` when none are kept.
    pub fn book_digest(&self) -> Option<Digest> {
        let books = self.channel_books().map(|(name, b)| (name, b.digest));
        let books: Vec<_> = books.collect();
        (!books.is_empty()).then(|| Digest::combine(books))
    }

    /// The books that are kept, with their channel's name.
    pub fn channel_books(&self) -> impl Iterator<Item = (&str, &BookTotals)> {
        let channels = self.lanes.iter().flat_map(|l| &l.channels);
        channels.filter_map(|c| Some((c.name.as_str(), c.books.as_ref()?)))
    }
}

impl Handler {
    /// Opens everything the plan names and starts its lanes. An error means that nothing runs.
    pub fn start(plan: &Plan, input: &Input) -> Result<Handler, StartError> {
        Handler::start_watched(plan, input, None)
    }

    /// The same with the records of one stretch handed out, for looking into a file: the lane that has it allocates.
    pub fn start_watched(
        plan: &Plan,
        input: &Input,
        watch: Option<Watch>,
    ) -> Result<Handler, StartError> {
        if let Input::File(file) = input {
            if plan.record.is_some() {
                return Err(StartError::RecordInput);
            }
            let one =
                plan.channels().count() == 1 && plan.lanes[0].protocol == ProtocolName::Itch50;
            if file.format() == Format::BinaryFile && !one {
                return Err(StartError::BinaryFileChannels);
            }
        }
        if plan.lock_memory {
            lock_memory()?;
        }
        let changes = plan.lanes.iter().map(|l| Changes::new(l.channels.len()));
        let wanted = Filter::of(plan.symbols.clone())?;
        let subscription = Arc::new(Subscription::new(wanted, changes.collect()));
        let board = Arc::new(Board::default());
        let metrics = match plan.metrics {
            Some(address) => Some(Exposition::start(address, board.clone())?),
            None => None,
        };
        let control = match (&plan.control, input) {
            (Some(path), Input::Live) => {
                Some(Control::start(path, subscription.clone(), board.clone())?)
            }
            _ => None,
        };
        let clock = Clock::new();
        let (pairing, fit) =
            Pairing::start(clock.clone()).map_err(|source| StartError::Thread {
                lane: "clock".into(),
                source,
            })?;
        let resolution = Resolution::new(HIGHEST_NANOS, plan.latency.digits)?;
        let (ready, threads_ready) = mpsc::channel();
        let mut handler = Handler {
            lanes: Vec::new(),
            collectors: Vec::new(),
            of_channels: Vec::new(),
            gauges: Vec::new(),
            subscribers: Vec::new(),
            marks: Vec::new(),
            hole_ends: Vec::new(),
            shared: Vec::new(),
            consumers: Vec::new(),
            consumer_gauges: Vec::new(),
            bridge: None,
            measuring: Vec::new(),
            subscription,
            control,
            board,
            metrics,
            recorder: None,
            journals: None,
            recovery: None,
            pairing,
            clock: clock.clone(),
            stop: Arc::default(),
            today: UnixNanos::now(),
            facts: Vec::new(),
            interval: StageSet::new(resolution),
            by_channel: by_channel(plan, resolution),
        };
        // From here on an error must end what has been started.
        match handler.start_lanes(plan, input, watch, resolution, fit, (ready, threads_ready)) {
            Ok(()) => Ok(handler),
            Err(e) => {
                handler.finish();
                Err(e)
            }
        }
    }

    fn start_lanes(
        &mut self,
        plan: &Plan,
        input: &Input,
        watch: Option<Watch>,
        resolution: Resolution,
        fit: FitReader,
        (ready, threads_ready): (mpsc::Sender<Settled>, mpsc::Receiver<Settled>),
    ) -> Result<(), StartError> {
        let mut writers = Vec::new();
        for lane in &plan.lanes {
            let writer = match self.share(plan, lane, input)? {
                Some(writer) => writer,
                None => broadcast::<Record>(plan.publish_slots)?,
            };
            let (pages, reason) = writer.pages();
            let fact = format!(
                "{} records on {pages:?} pages: {reason}",
                plan.publish_slots
            );
            self.facts
                .push((format!("broadcast ring {}", lane.name), fact));
            self.subscribers.push(writer.subscriber());
            writers.push(writer);
        }
        // Consumers are there before the first record.
        self.start_bridge(plan)?;
        let mut taps = self.start_journals(plan)?.into_iter();
        let mut queues = self.start_recorder(plan, fit.clone())?.into_iter();
        let mut number = 0;
        let mut desk = Desk::default();
        let subscription = self.subscription.clone();
        for ((lane, writer), changes) in plan.lanes.iter().zip(writers).zip(subscription.lanes()) {
            let link = match input {
                Input::Live => desk.lane(lane, number, &self.clock)?,
                Input::File(_) => None, // what a file lacks nobody is asked for
            };
            let setups = lane.channels.iter().map(|channel| {
                number += 1;
                ChannelSetup {
                    name: channel.name.clone(),
                    number: number - 1,
                    lines: channel.lines.len(),
                    window_nanos: channel.reorder_window.as_nanos() as u64,
                    stash_slots: channel.stash_packets,
                    stash_slot_bytes: lane.slot_bytes,
                    day: session_day(plan, lane.protocol, input, self.today),
                }
            });
            // A receiving thread of its own is watched for pauses, and measures nothing else.
            let receiving = match (input, lane.threads) {
                (Input::Live, LaneThreads::Two { .. }) => {
                    let (recorder, collector) = pair(resolution, self.clock.clone());
                    self.collectors.push(collector);
                    Some(recorder)
                }
                _ => None,
            };
            // A lane's only channel has what the lane has.
            let apart = Some(lane.channels.len()).filter(|n| *n > 1).unwrap_or(0);
            let (recorder, collector, of_channels) =
                pair_by_channel(resolution, self.clock.clone(), apart);
            let gauge = Arc::new(Gauge::new(lane.channels.iter().map(|c| c.lines.len())));
            let marks = Marks::new(plan.digest_every)?.with_watch(watch.clone());
            self.marks.push(marks.subscriber());
            let hole_ends = match input {
                Input::Live => {
                    let (to, ends) = HoleEnds::new();
                    self.hole_ends.push(ends);
                    Some(to)
                }
                // What became of the holes of a file is for `gaps` to say, which has the whole of it.
                Input::File(_) => None,
            };
            let start = LaneStart {
                setups: setups.collect(),
                plan: lane.clone(),
                book: plan.book,
                channels_total: plan.channels().count(),
                sample_messages: plan.latency.sample_messages,
                writer,
                marks,
                receiving,
                recorder: match input {
                    Input::Live => recorder.with_fit(fit.clone()),
                    Input::File(_) => recorder.of_capture(),
                },
                wanted: subscription.filter(),
                changes: changes.clone(),
                journal: taps.next(),
                record: queues.next(),
                link,
                hole_ends,
                hot: Hot {
                    clock: self.clock.clone(),
                    stop: self.stop.clone(),
                    gauge: gauge.clone(),
                    inject: plan.latency.inject,
                    ready: ready.clone(),
                },
            };
            let running = start_lane(start, input)?;
            self.facts.extend(running.facts.iter().cloned());
            self.lanes.push(running);
            self.collectors.push(collector);
            self.of_channels.push(of_channels);
            self.gauges.push(gauge);
        }
        self.recovery = desk.start(self.clock.clone())?;
        let threads: usize = self.lanes.iter().map(|l| l.threads).sum();
        // Every thread reports before it does anything else, so this ends.
        threads_ready
            .iter()
            .take(threads)
            .collect::<Result<(), _>>()?;
        self.show(plan, input);
        if let Some(recorder) = &self.recorder {
            let sockets = self.lanes.iter().filter_map(|l| l.sockets.clone());
            recorder.begin(sockets.collect());
        }
        Ok(())
    }

    /// A lane's ring in shared memory, where the plan says so.
    fn share(
        &mut self,
        plan: &Plan,
        lane: &LanePlan,
        input: &Input,
    ) -> Result<Option<Writer<Record>>, StartError> {
        let Some(shared) = &plan.shared_memory else {
            return Ok(None);
        };
        let session = match (input, plan.session.date) {
            (_, Some(date)) => date.to_string(),
            (Input::Live, None) => Zone::Utc.date_of(self.today).to_string(),
            (Input::File(file), None) => file.path().display().to_string(),
        };
        let scale = self.clock.scale();
        let (writer, sharing) = Sharing::start(shared, plan, lane, Session::new(&session), scale)?;
        self.facts.push(sharing.fact());
        self.shared.push(sharing);
        Ok(Some(writer))
    }

    /// Lets the run be seen from now on.
    fn show(&self, plan: &Plan, input: &Input) {
        let running = self.lanes.iter().zip(&self.gauges);
        let lanes = plan.lanes.iter().zip(running);
        let journals = self.journals.as_ref().map(Journals::gauges);
        let journals = journals.unwrap_or_default().iter().cloned().map(Some);
        let lanes = lanes.zip(journals.chain(std::iter::repeat(None)));
        let lanes = lanes.map(|((plan, (running, gauge)), journal)| ShownLane {
            plan: plan.clone(),
            gauge: gauge.clone(),
            sockets: running.sockets.clone(),
            journal,
        });
        let is_live = matches!(input, Input::Live);
        let channels = plan.channels();
        let channels = channels.map(|(lane, c)| (c.name.clone(), self.gauges[lane].clone()));
        let books = Following::new(
            self.subscribers.clone(),
            channels.collect(),
            self.clock.clone(),
            is_live,
            plan.book.keep == BookKeep::Full && plan.book.publish_bbo,
        );
        self.board.begin(Shown {
            clock: self.clock.clone(),
            started: Instant::now(),
            is_live,
            lanes: lanes.collect(),
            consumers: self.consumer_gauges.clone(),
            books,
        });
    }

    /// Starts the journals, if there are to be any; a tap for each lane then.
    fn start_journals(&mut self, plan: &Plan) -> Result<Vec<Tap>, StartError> {
        let Some(journal) = &plan.journal else {
            return Ok(Vec::new());
        };
        let records = self.subscribers.iter().map(Subscriber::from_now);
        let started = Journals::start(journal, plan.lanes.iter().zip(records));
        let (journals, taps) = started.map_err(Box::new)?;
        self.journals = Some(journals);
        Ok(taps)
    }

    /// Starts the recorder, if there is to be one; a queue for each lane then.
    fn start_recorder(&mut self, plan: &Plan, fit: FitReader) -> Result<Vec<Queue>, StartError> {
        let Some(record) = &plan.record else {
            return Ok(Vec::new());
        };
        let machine = facts::machine();
        let fact = |name| {
            let found = machine.iter().find(|(n, _)| n == name);
            found.map_or("", |(_, fact)| fact.as_str())
        };
        let machine = SectionDescription {
            hardware: fact("processor"),
            os: fact("kernel"),
            application: concat!("feed-handler ", env!("CARGO_PKG_VERSION")),
            comment: "",
        };
        let (recorder, queues) = Recorder::start(record, &plan.lanes, &machine, fit)?;
        self.recorder = Some(recorder);
        Ok(queues)
    }

    fn start_bridge(&mut self, plan: &Plan) -> Result<(), StartError> {
        if plan.consumers.is_empty() {
            return Ok(());
        }
        let mut bridge = Bridge::new(self.subscribers.iter().map(Subscriber::from_now).collect());
        for consumer in &plan.consumers {
            let ConsumerPlan {
                name,
                queue,
                lanes,
                trust,
                when_full,
            } = consumer;
            let receiver = bridge.consumer(name, *queue, lanes, *trust, *when_full);
            self.consumers.push(Consumer::new(&consumer.name, receiver));
        }
        self.consumer_gauges = bridge.gauges();
        let thread = Builder::new()
            .name("bridge".into())
            .spawn(move || bridge.run());
        self.bridge = Some(thread.map_err(|source| StartError::Thread {
            lane: "bridge".into(),
            source,
        })?);
        Ok(())
    }

    /// The blocking consumers' receiving ends, once.
    pub fn take_consumers(&mut self) -> Vec<Consumer> {
        std::mem::take(&mut self.consumers)
    }

    /// Starts a thread for every blocking consumer that nobody has taken, which takes its records and measures when it
    /// had them.
    pub fn measure_consumers(&mut self) -> Result<(), StartError> {
        for consumer in std::mem::take(&mut self.consumers) {
            let (recorder, collector) = pair(self.interval.resolution(), self.clock.clone());
            let name = consumer.name.clone();
            let thread = Builder::new()
                .name(format!("consumer-{name}"))
                .spawn(move || consumer.measure(recorder));
            self.measuring
                .push(thread.map_err(|source| StartError::Thread { lane: name, source })?);
            self.collectors.push(collector);
        }
        Ok(())
    }

    /// Makes polling readers of each lane's records.
    pub fn subscribers(&self) -> &[Subscriber<Record>] {
        &self.subscribers
    }

    /// A reader of every lane's marks, from the oldest that are still held.
    pub fn marks(&self) -> MarkReader {
        MarkReader::new(&self.marks)
    }

    /// What became of each hole of a live run, by lane; each is read once, by whoever comes first. It must be polled, and
    /// not blocked on: see [`HoleEnds`].
    pub fn hole_ends(&self) -> Vec<Receiver<HoleEnd>> {
        self.hole_ends.clone()
    }

    /// When it was started, whose day is that of a live session that the plan gives no date.
    pub fn today(&self) -> UnixNanos {
        self.today
    }

    /// What is wanted, to be changed while it runs.
    pub fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    /// Where its state can be read while it goes.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// The clock all stamps of this run are read from.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Asks the lanes to drain and end.
    pub fn stop(&self) {
        self.stop.store(true, Relaxed);
    }

    /// True when every lane has ended, because its input did or because it was stopped.
    pub fn is_finished(&self) -> bool {
        self.lanes.iter().all(|l| l.decode.is_finished())
    }

    /// What the lanes have counted so far.
    pub fn reading(&self) -> Reading {
        let mut sum = Reading::default();
        self.gauges.iter().for_each(|g| sum += g.read());
        sum
    }

    /// Bytes of its input that every lane has read; `None` where that is live.
    pub fn position(&self) -> Option<u64> {
        let positions = self.lanes.iter().filter_map(|l| l.position.as_ref());
        positions.map(|p| p.read()).min()
    }

    /// Ends the running latency interval of every lane and returns their sum.
    pub fn interval(&mut self) -> &StageSet {
        self.interval.reset();
        self.by_channel.iter_mut().for_each(StageSet::reset);
        let of_channels = self.of_channels.iter_mut().flatten();
        of_channels.for_each(Collector::ask);
        self.collectors.iter_mut().for_each(Collector::ask);
        let mut by_channel = self.by_channel.iter_mut();
        // Lanes' collectors come first.
        let of_channels = self.of_channels.iter_mut().map(Some);
        let of_channels = of_channels.chain(std::iter::repeat_with(|| None));
        for (collector, of_channels) in self.collectors.iter_mut().zip(of_channels) {
            let set = collector.collect(COLLECT_TIMEOUT).interval();
            if let Some(set) = set {
                self.interval.add(set);
            }
            match of_channels {
                Some(none) if none.is_empty() => {
                    if let (Some(only), Some(set)) = (by_channel.next(), set) {
                        only.add(set);
                    }
                }
                Some(several) => {
                    for (own, sum) in several.iter_mut().zip(&mut by_channel) {
                        // The lane has answered, and they with it, or will with it another time.
                        if let Some(set) = own.collect(Duration::ZERO).interval() {
                            sum.add(set);
                        }
                    }
                }
                None => {}
            }
        }
        &self.interval
    }

    /// What each channel has of [`Stage::Published`](feed_common::latency::Stage::Published) in the interval that was ended
    /// last, in the configuration's order; empty where there is one channel. Of other stages nothing is to be read.
    pub fn by_channel(&self) -> &[StageSet] {
        &self.by_channel
    }

    /// Stops what still runs, waits for it, and says what it came to.
    pub fn finish(mut self) -> Outcome {
        self.stop();
        drop(self.control.take());
        drop(self.metrics.take());
        let stamped = self.lanes.iter_mut();
        let stamped = stamped.map(|l| (std::mem::take(&mut l.cards), l.sockets.clone()));
        let stamped: Vec<_> = stamped.collect();
        let mut lanes: Vec<LaneEnd> = self.lanes.drain(..).map(join_lane).collect();
        let mut cards = Vec::new();
        for (lane, sockets) in stamped {
            let sockets = sockets.as_deref().unwrap_or_default();
            self.facts.extend(lane.facts(sockets));
            cards.extend(lane.pairings.into_iter().map(CardPairing::finish));
        }
        // Lanes of one file each walk the whole of it: what is another lane's is foreign to nobody.
        let packets: Vec<u64> = lanes.iter().map(|l| l.packets).collect();
        for (i, lane) in lanes.iter_mut().enumerate() {
            let others: u64 = packets.iter().sum::<u64>() - packets[i];
            lane.source.foreign = lane.source.foreign.saturating_sub(others);
        }
        if !self.shared.is_empty() {
            std::thread::sleep(LEAVING);
        }
        let mut processes = Vec::new();
        for shared in self.shared.drain(..).map(Sharing::finish) {
            self.facts.push(shared.quotes);
            processes.extend(shared.processes);
        }
        drop(std::mem::take(&mut self.consumers));
        let bridge = self.bridge.take().map(join);
        self.measuring.drain(..).for_each(|m| {
            join(m);
        });
        // Every queue is given up by now: a lane that ended has dropped its own.
        let record = self.recorder.take().map(Recorder::finish);
        let journals = self.journals.take().map(Journals::finish);
        let recovery = self.recovery.take().map(join);
        self.interval();
        Outcome {
            lanes,
            consumers: bridge.unwrap_or_default(),
            processes,
            clocks: self.pairing.finish(),
            cards,
            last: self.interval,
            last_by_channel: self.by_channel,
            facts: self.facts,
            record,
            journals: journals.unwrap_or_default(),
            recovery: recovery.unwrap_or_default(),
        }
    }
}

/// A set for each of a plan's channels, where there are several.
fn by_channel(plan: &Plan, resolution: Resolution) -> Vec<StageSet> {
    let own = Resolution::new(resolution.highest_nanos(), CHANNEL_DIGITS).unwrap_or(resolution);
    match plan.channels().count() {
        1 => Vec::new(),
        n => (0..n).map(|_| StageSet::new(own)).collect(),
    }
}

fn join_lane(running: LaneRunning) -> LaneEnd {
    let received = running.receive.map(join);
    let mut end = join(running.decode);
    if let Some(received) = received {
        let error = end.source.error.take();
        end.source = received;
        end.source.error = end.source.error.or(error);
    }
    if let Some(sockets) = running.sockets {
        end.add_sockets(&sockets);
    }
    end
}

/// Where the dates of a lane's times since midnight come from: the configuration, else the first packet's own time
/// (from a file) or today (live).
fn session_day(plan: &Plan, protocol: ProtocolName, input: &Input, today: UnixNanos) -> SessionDay {
    let zone = plan.session.zone.unwrap_or_else(|| zone(protocol));
    match (plan.session.date, input) {
        (Some(date), _) => SessionDay::Midnight(zone.midnight(date)),
        (None, Input::Live) => SessionDay::Midnight(zone.midnight(zone.date_of(today))),
        (None, Input::File(_)) => SessionDay::FirstPacket(zone),
    }
}
