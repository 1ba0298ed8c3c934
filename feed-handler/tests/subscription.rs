//! What is wanted, from a plan and changed while a lane runs: which records come out, how far they are to be believed,
//! and what is counted.

mod sessions;

use feed_common::capture::CaptureFile;
use feed_common::event::{Kind, NO_SYMBOL, Record, Trust};
use feed_common::latency::NoProbe;
use feed_common::packet::RxError;
use feed_common::time::{Clock, UnixNanos};
use feed_handler::net::file::{CaptureSource, LineMap};
use feed_handler::pipeline::{ChannelSetup, Lane, LaneTime, SessionDay};
use feed_handler::protocol::itch50::Itch50;
use feed_handler::protocol::native::Native;
use feed_handler::protocol::{Decode, Protocol};
use feed_handler::publish::{Publish, Records};
use feed_handler::subscribe::{Changes, Filter, Glob};
use feed_replay::synth::{Layout, Protocol as Made};
use sessions::{Faults, Feed, GROUPS, from_file, plan};
use std::collections::BTreeSet;
use std::sync::Arc;

const MESSAGES: u64 = 20_000;

#[derive(Default)]
struct Taken(Vec<Record>);

impl Publish for Taken {
    fn publish(&mut self, record: &Record) {
        self.0.push(*record);
    }
}

/// A lane at some point of a session.
struct Run<'f, P: Protocol> {
    lane: Lane<P, Records<Taken>, NoProbe>,
    source: CaptureSource<'f>,
    changes: Arc<Changes>,
}

impl<'f, P: Protocol> Run<'f, P> {
    fn begin(file: &'f CaptureFile, filter: Filter) -> Run<'f, P> {
        let setup = ChannelSetup {
            name: "c".into(),
            number: 0,
            lines: 2,
            window_nanos: 1_000_000,
            stash_slots: 64,
            stash_slot_bytes: 2048,
            day: SessionDay::Midnight(UnixNanos(1)),
        };
        let mut decoder = P::Decoder::with_room(1 << 16);
        decoder.subscribe(Box::new(filter));
        let channel = (setup, P::Framing::default(), decoder);
        let records = Records::new(Taken::default(), 1);
        let changes = Changes::new(1);
        let lane = Lane::new(vec![channel], LaneTime::Captured, 0, records, NoProbe);
        Run {
            lane: lane.with_changes(changes.clone()),
            source: CaptureSource::new(
                file,
                LineMap::new(GROUPS.into_iter().zip(0..)).unwrap(),
                Clock::new(),
            ),
            changes,
        }
    }

    /// Goes on until so many messages have been delivered, or to the end.
    fn until(&mut self, messages: u64) {
        while self.lane.messages() < messages {
            self.lane.resubscribe();
            match self.lane.step(&mut self.source) {
                Ok(_) => {}
                Err(RxError::End) => return self.lane.finish(),
                Err(e) => panic!("{e}"),
            }
        }
    }

    /// Posts a change and lets the lane take it up before anything else comes.
    fn change(&mut self, filter: &Filter) {
        self.changes.post(filter);
        (0..1000).for_each(|_| {
            self.lane.resubscribe();
        });
        self.changes.collect();
    }

    fn published(&self) -> usize {
        use feed_handler::publish::Outlet;
        self.lane.outlet().published() as usize
    }

    fn filtered(&self) -> u64 {
        self.lane.channels()[0].filtered()
    }

    /// Everything that came out, but for the receive times, which are the test's.
    fn records(self) -> Vec<Record> {
        let mut records = self.lane.into_outlet().into_sink().0;
        records.iter_mut().for_each(|r| r.rx.set(0));
        records
    }
}

fn glob(text: &str) -> Glob {
    text.parse().unwrap()
}

fn wanting(symbols: &[&str]) -> Filter {
    Filter::of(symbols.iter().copied().map(glob).collect()).unwrap()
}

fn is_about(record: &Record, filter: &Filter) -> bool {
    record.data.symbol != NO_SYMBOL && filter.wants(&record.data.symbol)
}

fn session(protocol: Made, seed: u64) -> CaptureFile {
    let feed = Feed::new(protocol, MESSAGES, seed, Faults::default());
    CaptureFile::from_memory("session", feed.lossless()).unwrap()
}

fn a_filter_leaves_the_others_out<P: Protocol>(protocol: Made) {
    let file = session(protocol, 5);
    let mut whole = Run::<P>::begin(&file, Filter::default());
    whole.until(u64::MAX);
    assert_eq!(whole.filtered(), 0);
    let whole = whole.records();
    let filter = wanting(&["G*", "N*", "?B*"]);
    let mut some = Run::<P>::begin(&file, filter.clone());
    some.until(u64::MAX);
    assert_eq!(some.lane.messages(), MESSAGES, "counted all the same");
    let others = whole
        .iter()
        .filter(|r| r.data.symbol != NO_SYMBOL && !filter.wants(&r.data.symbol));
    let messages: BTreeSet<u64> = others.map(|r| r.sequence.get()).collect();
    assert_eq!(some.filtered(), messages.len() as u64);
    let want: Vec<_> = whole
        .into_iter()
        .filter(|r| !messages.contains(&r.sequence.get()))
        .collect();
    assert!(want.len() > 500 && messages.len() > 500);
    assert_eq!(some.records(), want, "with the same instrument numbers");
}

#[test]
fn a_filter_leaves_the_others_out_of_itch() {
    a_filter_leaves_the_others_out::<Itch50>(Made::Itch50);
}

#[test]
fn a_filter_leaves_the_others_out_of_native() {
    a_filter_leaves_the_others_out::<Native>(Made::Native(Layout::Mixed));
}

fn changes_while_it_runs<P: Protocol>(protocol: Made) {
    let file = session(protocol, 6);
    let mut run = Run::<P>::begin(&file, Filter::default());
    run.until(MESSAGES / 2);
    let before = run.published();
    let g = wanting(&["G*"]);
    let mut not_g = Filter::default();
    not_g.add(glob("G*"), false).unwrap();
    run.change(&not_g);
    let cleared = run.published();
    run.until(MESSAGES * 3 / 4);
    let filtered = run.filtered();
    assert!(filtered > 0);
    let again = run.published();
    run.change(&Filter::default());
    assert_eq!(run.published(), again, "nothing is void by it");
    run.until(u64::MAX);
    assert_eq!(run.filtered(), filtered);

    let records = run.records();
    let known: BTreeSet<_> = records[..before]
        .iter()
        .filter(|r| is_about(r, &g))
        .map(|r| (r.instrument.get(), r.data.symbol))
        .collect();
    let clears = &records[before..cleared];
    assert!(clears.iter().all(|r| r.data.kind == Kind::CLEAR.0));
    let clears: BTreeSet<_> = clears
        .iter()
        .map(|r| (r.instrument.get(), r.data.symbol))
        .collect();
    assert!(known.len() > 1);
    assert_eq!(clears, known);
    assert!(!records[cleared..again].iter().any(|r| is_about(r, &g)));
    assert!(records[..again].iter().all(|r| r.trust == Trust::VALID.0));
    let late = records[again..].iter().filter(|r| is_about(r, &g));
    let late: Vec<_> = late.collect();
    assert!(!late.is_empty());
    assert!(late.iter().all(|r| r.trust == Trust::RECOVERING.0));
    let others = records[again..].iter().filter(|r| !is_about(r, &g));
    assert!(others.clone().count() > 1000);
    assert!(others.into_iter().all(|r| r.trust == Trust::VALID.0));
}

#[test]
fn itch_changes_while_it_runs() {
    changes_while_it_runs::<Itch50>(Made::Itch50);
}

#[test]
fn native_changes_while_it_runs() {
    changes_while_it_runs::<Native>(Made::Native(Layout::Mixed));
}

/// Two sessions one after the other in a capture.
fn two_sessions(protocol: Made) -> CaptureFile {
    let feeds = [7, 8].map(|seed| Feed::new(protocol, MESSAGES, seed, Faults::default()));
    let second = |payload: &[u8]| {
        // The name of a session is in the first bytes of MoldUDP64's header, and behind the native one's first eight.
        let at = if protocol == Made::Itch50 { 0 } else { 8 };
        let mut payload = payload.to_vec();
        payload[at..at + 4].copy_from_slice(b"NEXT");
        payload
    };
    let lossless = |feed: &Feed| {
        let of_a = feed.carried().filter(|(_, line, _)| *line == 0);
        of_a.map(|(time, _, payload)| (time, payload.to_vec()))
            .collect::<Vec<_>>()
    };
    let [a, b] = [lossless(&feeds[0]), lossless(&feeds[1])];
    let b = b
        .into_iter()
        .map(|(time, payload)| (time, second(&payload)));
    let all: Vec<_> = a.into_iter().chain(b).collect();
    let packets = all.iter().map(|(time, payload)| (*time, 0, &payload[..]));
    CaptureFile::from_memory("sessions", sessions::pcap(packets)).unwrap()
}

fn a_new_session_is_whole_again<P: Protocol>(protocol: Made) {
    let file = two_sessions(protocol);
    let g = wanting(&["G*"]);
    let mut run = Run::<P>::begin(&file, wanting(&["N*"]));
    run.until(MESSAGES / 2);
    run.change(&wanting(&["N*", "G*"]));
    run.until(u64::MAX);
    assert_eq!(run.lane.channels()[0].sequence().restarts, 1);
    let records = run.records();
    let restart = records
        .iter()
        .position(|r| r.data.kind == Kind::CLEAR.0 && r.data.symbol == NO_SYMBOL)
        .unwrap();
    let trusts = |records: &[Record]| -> BTreeSet<u8> {
        let about = records.iter().filter(|r| is_about(r, &g));
        about.map(|r| r.trust).collect()
    };
    assert_eq!(trusts(&records[..restart]), [Trust::RECOVERING.0].into());
    assert_eq!(trusts(&records[restart..]), [Trust::VALID.0].into());
}

#[test]
fn a_new_session_of_itch_is_whole_again() {
    a_new_session_is_whole_again::<Itch50>(Made::Itch50);
}

#[test]
fn a_new_session_of_native_is_whole_again() {
    a_new_session_is_whole_again::<Native>(Made::Native(Layout::Mixed));
}

#[test]
fn a_run_counts_what_it_leaves_out() {
    let feed = Feed::new(Made::Itch50, MESSAGES, 9, Faults::default());
    let mut digests = BTreeSet::new();
    for threads in sessions::LAYOUTS {
        let mut plan = plan(Made::Itch50, threads);
        plan.symbols = vec![glob("G*")];
        let outcome = from_file(&plan, feed.lossless());
        let lane = &outcome.lanes[0];
        assert_eq!(lane.messages, MESSAGES);
        assert!(lane.filtered > MESSAGES / 2 && lane.published < MESSAGES / 2);
        digests.insert(outcome.record_digest().to_string());
    }
    assert_eq!(digests.len(), 1, "in either layout");
}
