//! End to end: a sender, real multicast over `lo`, the whole handler; what comes out is what the file of the same
//! session gives, and every loss is known beforehand.
//!
//! All of it runs in a network namespace that this test makes for itself, so nothing can get out. A namespace can only
//! be entered while one thread runs, so this test has its own `main`. Where the system allows none it says so and
//! passes.

mod harness;
mod sessions;

use feed_common::event::{Kind, Record, Trust};
use feed_common::ring::Reader;
use feed_common::sys::pin_current_thread;
use feed_handler::config::{Believed, ConsumerPlan, JournalPlan, LaneThreads, Plan, WhenFull};
use feed_handler::journal::check;
use feed_handler::publish::{Delivery, Digest};
use feed_handler::report::RunReport;
use feed_handler::run::{Consumer, Handler, Input, Outcome, ask_status};
use feed_replay::schedule::Speed;
use feed_replay::send::{Interface, Outgoing, Sender, SenderOptions, replay};
use feed_replay::synth::{Layout, Protocol};
use sessions::{CHANNEL, Faults, Feed, GROUPS, LAYOUTS, everything, from_file, plan};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

const TESTS: &[harness::Test] = &[
    (
        "two_lossy_lines_live_give_what_the_whole_session_gives_from_its_file",
        two_lossy_lines_live_give_what_the_whole_session_gives_from_its_file,
    ),
    (
        "what_both_lines_lose_is_declared_exactly",
        what_both_lines_lose_is_declared_exactly,
    ),
    (
        "a_filter_gives_live_what_it_gives_from_the_file",
        a_filter_gives_live_what_it_gives_from_the_file,
    ),
    (
        "what_is_wanted_changes_by_command",
        what_is_wanted_changes_by_command,
    ),
    (
        "a_stop_drains_what_the_sockets_hold",
        a_stop_drains_what_the_sockets_hold,
    ),
    (
        "metrics_and_status_come_to_what_the_summary_says",
        metrics_and_status_come_to_what_the_summary_says,
    ),
    (
        "lines_that_fall_silent_are_said_to_be_stale",
        lines_that_fall_silent_are_said_to_be_stale,
    ),
];

/// What has been sent is there by then, also where the lane has to wait for its core. What still waits for a hole to be
/// filled is delivered when the lane ends.
const GRACE: Duration = Duration::from_secs(5);

fn main() {
    harness::run("live", TESTS);
}

fn two_lossy_lines_live_give_what_the_whole_session_gives_from_its_file() {
    let faults = Faults {
        per_line: 200,
        ..Faults::default()
    };
    for (seed, protocol) in (1..).zip(everything()) {
        let feed = Feed::new(protocol, 20_000, seed, faults);
        assert!(feed.left_out.iter().all(|&n| n > 0));
        let from_file = LAYOUTS.map(|threads| {
            let outcome = from_file(&plan(protocol, threads), feed.lossless());
            (outcome.record_digest(), outcome.book_digest())
        });
        assert_eq!(from_file[0], from_file[1], "{protocol:?}");
        let (from_file, books_from_file) = from_file[0];
        for threads in LAYOUTS {
            let what = format!("{protocol:?}, {threads}");
            let seen = live(&plan_with_consumers(protocol, threads), &feed);
            let (lane, channel) = (&seen.outcome.lanes[0], &seen.outcome.lanes[0].channels[0]);
            assert_eq!(
                lane.drops.values().sum::<u64>(),
                0,
                "{what}: {:?}",
                lane.drops
            );
            assert_eq!(
                (channel.sequence.gaps, channel.sequence.lost),
                (0, 0),
                "{what}"
            );
            let lost = [0, 1].map(|line: usize| channel.lines[line].lost);
            assert_eq!(lost, feed.left_out, "{what}: what each line lost");
            assert_eq!(lane.messages, feed.messages, "{what}");
            assert_eq!(
                seen.outcome.record_digest(),
                from_file,
                "{what}: live and file"
            );
            assert_eq!(seen.outcome.book_digest(), books_from_file, "{what}");
            assert!(books_from_file.is_some());
            // The polling consumer has read every record, and the same ones.
            assert_eq!(seen.polled.records, lane.published, "{what}");
            assert_eq!(
                seen.polled.digest(),
                from_file,
                "{what}: as a consumer read it"
            );
            // Blocking consumers have every record or were told how many they lost.
            for (told, stats) in seen.told.iter().zip(&seen.outcome.consumers) {
                assert_eq!(told.records, stats.delivered, "{what}: {stats:?}");
                assert_eq!(told.lost, stats.lost, "{what}: {stats:?}");
                assert_eq!(
                    told.records + told.lost,
                    lane.published,
                    "{what}: {stats:?}"
                );
            }
            let [fast, slow] = &seen.told[..] else {
                panic!("two consumers")
            };
            assert_eq!(fast.lost, 0, "{what}: its queue had room for all");
            assert_eq!(fast.digest(), from_file, "{what}: through the bridge");
            assert!(slow.lost > 0, "{what}: a queue of 16 and a slow consumer");
        }
    }
}

fn what_both_lines_lose_is_declared_exactly() {
    let faults = Faults {
        per_line: 100,
        hole_every: 100,
        ..Faults::default()
    };
    for protocol in [Protocol::Itch50, Protocol::Native(Layout::Mixed)] {
        let feed = Feed::new(protocol, 20_000, 21, faults);
        assert!(feed.holes.len() > 2);
        for threads in LAYOUTS {
            let seen = live(&plan_with_consumers(protocol, threads), &feed);
            let channel = &seen.outcome.lanes[0].channels[0];
            let lost: u64 = feed.holes.iter().map(|hole| hole.1).sum();
            assert_eq!(channel.sequence.gaps, feed.holes.len() as u64, "{threads}");
            assert_eq!(channel.sequence.lost, lost, "{threads}");
            assert_eq!(
                seen.polled.gaps, feed.holes,
                "{protocol:?}, {threads}: gap records"
            );
            let line_lost = [0, 1].map(|line: usize| channel.lines[line].lost);
            assert_eq!(line_lost, feed.left_out, "{threads}");
            // A file of the same lines declares the same.
            let file = from_file(&plan(protocol, threads), feed.capture());
            assert_eq!(
                file.record_digest(),
                seen.outcome.record_digest(),
                "{threads}"
            );
            assert_eq!(file.book_digest(), seen.outcome.book_digest(), "{threads}");
        }
    }
}

fn a_stop_drains_what_the_sockets_hold() {
    let feed = Feed::new(Protocol::Itch50, 2_000, 31, Faults::default());
    let sent: Vec<_> = feed.outgoing().take(160).collect();
    let mut waited = 0;
    for threads in [
        LaneThreads::One { core: Some(0) },
        LaneThreads::Two {
            receive_core: Some(0),
            decode_core: None,
        },
    ] {
        let handler = Handler::start(&plan(Protocol::Itch50, threads), &Input::Live).unwrap();
        let senders = senders();
        // On the receiving thread's own core: while this sends, that cannot run, so packets wait when the stop comes.
        let left = thread::scope(|scope| {
            let sending = scope.spawn(|| {
                pin_current_thread(0).unwrap();
                let go = AtomicBool::new(false);
                let report = replay(sent.iter().copied(), &senders, Speed::Max, &go).unwrap();
                assert_eq!(report.packets, sent.len() as u64);
                handler.stop();
                sent.len() as u64 - handler.reading().packets
            });
            sending.join().unwrap()
        });
        waited += left;
        let outcome = handler.finish();
        let lane = &outcome.lanes[0];
        assert_eq!(lane.drops.values().sum::<u64>(), 0, "{:?}", lane.drops);
        assert_eq!(lane.packets, sent.len() as u64, "{threads}");
        assert!(lane.source.error.is_none());
    }
    assert!(waited > 0, "nothing was left to drain");
}

fn lines_that_fall_silent_are_said_to_be_stale() {
    let feed = Feed::new(Protocol::Itch50, 2_000, 31, Faults::default());
    let sent: Vec<_> = feed.outgoing().take(160).collect();
    for threads in LAYOUTS {
        let mut plan = plan_with_consumers(Protocol::Itch50, threads);
        plan.consumers.truncate(1);
        plan.consumers[0].trust = Believed::Valid;
        plan.lanes[0].channels[0].stale_after = Some(Duration::from_millis(150));
        let mut handler = Handler::start(&plan, &Input::Live).unwrap();
        let consumer = handler.take_consumers().remove(0);
        let go = AtomicBool::new(false);
        let senders = senders();
        let told = thread::scope(|scope| {
            let told = scope.spawn(move || {
                let records = consumer
                    .receiver
                    .iter()
                    .filter_map(|delivery| match delivery {
                        Delivery::Record(r) if r.data.kind == Kind::TRUST.0 => Some(Trust(r.trust)),
                        _ => None,
                    });
                records.collect::<Vec<_>>()
            });
            for part in sent.chunks(80) {
                replay(part.iter().copied(), &senders, Speed::Max, &go).unwrap();
                thread::sleep(Duration::from_millis(450));
            }
            let outcome = handler.finish();
            let times = outcome.lanes[0].oddities["channel_silent"];
            let told = told.join().unwrap();
            assert_eq!(
                told.iter().filter(|&&t| t == Trust::STALE).count() as u64,
                times
            );
            told
        });
        // A machine that stalls may make more of them.
        assert!(told.len() >= 3, "{threads}: {told:?}");
        let want = [Trust::STALE, Trust::VALID].into_iter().cycle();
        assert!(told.iter().copied().eq(want.take(told.len())), "{told:?}");
    }
}

fn a_filter_gives_live_what_it_gives_from_the_file() {
    let faults = Faults {
        per_line: 100,
        ..Faults::default()
    };
    for protocol in [Protocol::Itch50, Protocol::Native(Layout::Mixed)] {
        let feed = Feed::new(protocol, 20_000, 51, faults);
        for threads in LAYOUTS {
            let mut plan = plan_with_consumers(protocol, threads);
            plan.symbols = ["G*", "?B*"].map(|glob| glob.parse().unwrap()).into();
            let from_file = from_file(&plan, feed.lossless());
            let seen = live(&plan, &feed);
            let lane = &seen.outcome.lanes[0];
            assert_eq!(lane.messages, feed.messages, "{threads}");
            assert!(lane.filtered > 1000, "{threads}: {}", lane.filtered);
            assert_eq!(lane.filtered, from_file.lanes[0].filtered, "{threads}");
            assert_eq!(seen.outcome.record_digest(), from_file.record_digest());
            assert_eq!(seen.polled.digest(), from_file.record_digest());
        }
    }
}

fn what_is_wanted_changes_by_command() {
    let socket = std::env::temp_dir().join(format!("feed-live-{}.sock", std::process::id()));
    let ctl = |request: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_feed-handler"));
        let ended = command
            .arg("ctl")
            .arg("--socket")
            .arg(&socket)
            .args(request);
        let ended = ended.output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        (
            ended.status.code(),
            String::from_utf8(ended.stdout).unwrap(),
            said,
        )
    };
    let feed = Feed::new(Protocol::Itch50, 20_000, 61, Faults::default());
    for threads in LAYOUTS {
        let (status, _, said) = ctl(&["list"]);
        assert_eq!(status, Some(1));
        assert!(said.contains("nothing listens there"), "{said}");
        let mut plan = plan(Protocol::Itch50, threads);
        plan.control = Some(socket.clone());
        let handler = Handler::start(&plan, &Input::Live).unwrap();
        let mut reader = handler.subscribers()[0].from_oldest();
        let senders = senders();
        let packets: Vec<_> = feed.outgoing().collect();
        // What a part of the session brought, once all of it has come in.
        let mut part = |from: usize, to: usize| {
            let go = AtomicBool::new(false);
            let first = packets[from * packets.len() / 3].offset;
            let part = &packets[from * packets.len() / 3..to * packets.len() / 3];
            let part = part.iter().map(|p| Outgoing {
                offset: p.offset - first,
                ..*p
            });
            replay(part, &senders, Speed::ORIGINAL, &go).unwrap();
            let sent = (to * packets.len() / 3) as u64;
            let deadline = Instant::now() + Duration::from_secs(10);
            while handler.reading().packets < sent && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(1));
            }
            let (mut records, mut batch) = (Vec::new(), [Record::default(); 256]);
            while let Ok(n @ 1..) = reader.read(&mut batch) {
                records.extend_from_slice(&batch[..n]);
            }
            records
        };
        let is_g = |r: &&Record| r.data.symbol[0] == b'G';
        let whole = part(0, 1);
        assert!(whole.iter().any(|r| is_g(&r)));
        let (status, said, _) = ctl(&["unsubscribe", "G*", "--format", "json"]);
        assert_eq!(status, Some(0));
        assert_eq!(
            said,
            "{\"rules\":[{\"symbols\":\"G*\",\"wanted\":false}],\"otherwise\":true}\n"
        );
        let without = part(1, 2);
        // The lane comes to one instrument after another while packets flow; after the last there is nothing more.
        let clear = |r: &Record| is_g(&r) && r.data.kind == Kind::CLEAR.0;
        assert!(without.iter().filter(|r| clear(r)).count() > 1);
        let last = without.iter().rposition(clear).unwrap();
        let voided = without[last..].iter().filter(is_g);
        // Void, and with it the best prices there were.
        let void = |r: &Record| {
            let said = [Kind::CLEAR, Kind::BID, Kind::OFFER].contains(&Kind(r.data.kind));
            said && r.data.price.get() == i64::MIN && r.data.quantity.get() == 0
        };
        let other = voided.into_iter().find(|r| !void(r));
        assert_eq!(other, None, "{threads}");
        let (status, said, _) = ctl(&["subscribe", "G*"]);
        assert_eq!(status, Some(0));
        assert!(said.starts_with("G*  "), "{said}");
        let late = part(2, 3);
        assert!(late.iter().any(|r| is_g(&r)));
        for record in &late {
            let trust = match is_g(&record) {
                true => Trust::RECOVERING,
                false => Trust::VALID,
            };
            assert_eq!(record.trust, trust.0, "{threads}");
        }
        let outcome = handler.finish();
        let lane = &outcome.lanes[0];
        assert_eq!(lane.messages, feed.messages, "{threads}");
        assert!(lane.filtered > 0);
        assert!(!socket.exists(), "it takes its socket away");
    }
}

/// What a live run came to, as the handler and its consumers say.
struct Seen {
    outcome: Outcome,
    polled: Taken,
    told: Vec<Taken>,
}

/// What a consumer took.
struct Taken {
    records: u64,
    lost: u64,
    state: Digest,
    gaps: Vec<(u64, u64)>,
}

impl Taken {
    fn new() -> Taken {
        Taken {
            records: 0,
            lost: 0,
            state: Digest::EMPTY,
            gaps: Vec::new(),
        }
    }

    fn take(&mut self, record: &Record) {
        self.records += 1;
        self.state.update(record);
        if record.data.kind == Kind::GAP.0 {
            self.gaps
                .push((record.sequence.get(), record.order_id.get()));
        }
    }

    fn digest(&self) -> Digest {
        Digest::combine([(CHANNEL, self.state)])
    }
}

/// What the process says over HTTP and over its socket, when everything has come in, is what it leaves behind.
fn metrics_and_status_come_to_what_the_summary_says() {
    let dir = std::env::temp_dir().join(format!("feed-live-metrics-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let (config, socket) = (dir.join("feed.toml"), dir.join("feed.sock"));
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9464); // of this namespace
    let faults = Faults {
        per_line: 200,
        ..Faults::default()
    };
    let feed = Feed::new(Protocol::Itch50, 20_000, 71, faults);
    let mut plan = plan_with_consumers(Protocol::Itch50, LAYOUTS[0]);
    plan.consumers.truncate(1);
    (plan.metrics, plan.control) = (Some(address), Some(socket.clone()));
    plan.journal = Some(JournalPlan::new(dir.join("journal")));
    std::fs::write(&config, plan.to_toml().unwrap()).unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_feed-handler"))
        .args(["run", "--duration", "60s", "-c"])
        .arg(&config)
        .arg("--out")
        .arg(dir.join("out"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let running = || ask_status(&socket).ok().filter(|s| s.pid > 0);
    assert!(until(|| running().is_some()), "it does not start");
    assert_eq!(running().unwrap().pid, process.id());
    let go = AtomicBool::new(false);
    let sent = replay(feed.outgoing(), &senders(), Speed::ORIGINAL, &go).unwrap();
    assert!(until(|| running().unwrap().packets() == sent.packets));
    // Channels and lines are as of the last interval.
    let intervals = running().unwrap().intervals;
    assert!(until(|| running().unwrap().intervals > intervals + 1));
    let (metrics, status) = (scraped(address), running().unwrap());
    let kill = ["-TERM".to_owned(), process.id().to_string()];
    assert!(Command::new("kill").args(kill).status().unwrap().success());
    assert!(process.wait().unwrap().success());
    let summary = std::fs::read_to_string(dir.join("out/summary.json")).unwrap();
    let summary: RunReport = serde_json::from_str(&summary).unwrap();
    let journal = check(&dir.join("journal/lane")).unwrap();
    std::fs::remove_dir_all(&dir).unwrap();

    let sum = |name: &str, labels: &[&str]| {
        let name = format!("feed_handler_{name}");
        let found = metrics.iter().filter(|(sample, _)| {
            sample.split('{').next() == Some(name.as_str())
                && labels.iter().all(|label| sample.contains(label))
        });
        let found: Vec<f64> = found.map(|(_, value)| *value).collect();
        assert!(!found.is_empty(), "no {name}");
        found.iter().sum::<f64>() as u64
    };
    assert_eq!(sum("packets_total", &[]), summary.packets);
    assert_eq!(sum("messages_total", &[]), summary.messages);
    assert_eq!(summary.messages, feed.messages);
    assert_eq!(sum("records_published_total", &[]), summary.published);
    let sequence = summary.sequence;
    assert!(sequence.duplicates > 0);
    for (name, want) in [
        ("channel_gaps_total", sequence.gaps),
        ("channel_lost_messages_total", sequence.lost),
        ("channel_duplicate_packets_total", sequence.duplicates),
        ("channel_recovered_messages_total", sequence.recovered),
        ("channel_restarts_total", sequence.restarts),
        ("channel_open_holes", 0),
        ("channel_trust", 0),
    ] {
        assert_eq!(
            sum(name, &[&format!("channel=\"{CHANNEL}\"")]),
            want,
            "{name}"
        );
    }
    for line in &summary.lines {
        let label = format!("line=\"{}\"", line.line);
        for (name, want) in [
            ("line_packets_total", line.packets),
            ("line_messages_total", line.messages),
            ("line_first_messages_total", line.first),
            ("line_lost_messages", line.lost),
            ("line_lost_alone_messages", line.lost_alone.unwrap()),
            ("line_duplicate_packets_total", line.duplicates),
        ] {
            assert_eq!(sum(name, &[&label]), want, "{name} {label}");
        }
    }
    for (cause, &want) in summary
        .drops
        .iter()
        .filter(|(cause, _)| *cause != "foreign")
    {
        assert_eq!(sum("dropped_total", &[&format!("cause=\"{cause}\"")]), want);
    }
    assert_eq!(
        sum("consumer_delivered_records_total", &[]),
        summary.consumers[0].taken
    );
    for stage in &status.stages {
        let label = format!("stage=\"{}\"", stage.stage);
        let count = sum("stage_latency_seconds_count", &[&label]);
        assert_eq!(count, stage.total.count);
        assert_eq!(
            Some(count),
            summary.latency.get(&stage.stage).map(|f| f.count)
        );
    }
    assert!(status.stages.len() > 3);
    // What was published is in the journal or counted as lost, and the journal says the same of itself.
    let kept = &summary.journals[0];
    assert_eq!(kept.records + kept.lost, summary.published, "{kept:?}");
    assert_eq!((journal.published, journal.lost), (kept.records, kept.lost));
    assert_eq!(sum("journal_records_total", &[]), kept.records);
    assert_eq!(sum("journal_lost_records_total", &[]), kept.lost);
    assert_eq!(status.lanes[0].journal.unwrap().records, kept.records);
    // The socket says the same.
    assert_eq!(status.messages(), summary.messages);
    assert_eq!(status.channels[0].lines[0].first, summary.lines[0].first);
}

/// Tries for ten seconds.
fn until(done: impl Fn() -> bool) -> bool {
    (0..500).any(|_| {
        thread::sleep(Duration::from_millis(20));
        done()
    })
}

/// The samples that are told there.
fn scraped(address: SocketAddrV4) -> Vec<(String, f64)> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(text.ends_with("# EOF\n"));
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    samples.map(sample).collect()
}

/// Handles a feed live while a polling consumer and the plan's blocking ones take its records.
fn live(plan: &Plan, feed: &Feed) -> Seen {
    let mut handler = Handler::start(plan, &Input::Live).unwrap();
    let reader = handler.subscribers()[0].from_oldest();
    let consumers = handler.take_consumers();
    let senders = senders();
    thread::scope(|scope| {
        let polled = scope.spawn(move || poll(reader));
        let told: Vec<_> = consumers
            .into_iter()
            .map(|consumer| scope.spawn(move || hear(consumer)))
            .collect();
        let go = AtomicBool::new(false);
        let report = replay(feed.outgoing(), &senders, Speed::ORIGINAL, &go).unwrap();
        assert_eq!(report.packets, feed.carried().count() as u64);
        let late = Instant::now() + GRACE;
        while handler.reading().packets < report.packets && Instant::now() < late {
            thread::sleep(Duration::from_millis(5));
        }
        let outcome = handler.finish();
        Seen {
            outcome,
            polled: polled.join().unwrap(),
            told: told.into_iter().map(|t| t.join().unwrap()).collect(),
        }
    })
}

fn poll(mut reader: Reader<Record>) -> Taken {
    let mut taken = Taken::new();
    let mut batch = [Record::default(); 256];
    while !reader.is_closed() {
        match reader.read(&mut batch) {
            // Two cores are shared with lane and sender; the ring holds more than the session.
            Ok(0) => thread::sleep(Duration::from_micros(200)),
            Ok(n) => batch[..n].iter().for_each(|r| taken.take(r)),
            Err(overrun) => taken.lost += overrun.lost,
        }
    }
    taken
}

fn hear(consumer: Consumer) -> Taken {
    let mut taken = Taken::new();
    for delivery in &consumer.receiver {
        match delivery {
            Delivery::Record(record) => taken.take(&record),
            Delivery::Lost(n) => taken.lost += n,
            Delivery::Withheld(n) => panic!("{n} records withheld of who asked for all"),
            Delivery::Conflated(n) => panic!("{n} records conflated of who asked for all"),
        }
        if consumer.name == SLOW && taken.records.is_multiple_of(16) {
            thread::sleep(Duration::from_millis(1));
        }
    }
    taken
}

const SLOW: &str = "slow";

fn plan_with_consumers(protocol: Protocol, threads: LaneThreads) -> Plan {
    let consumer = |name: &str, queue| ConsumerPlan {
        name: name.to_owned(),
        queue,
        when_full: WhenFull::Drop,
        trust: Believed::Any,
        lanes: vec![0],
    };
    Plan {
        consumers: vec![consumer("fast", 1 << 16), consumer(SLOW, 16)],
        ..plan(protocol, threads)
    }
}

fn senders() -> [Sender; 2] {
    let lo = Interface::named("lo").unwrap();
    GROUPS.map(|group| Sender::open(group, &lo, SenderOptions::default()).unwrap())
}
