//! Recovery over real sockets: an exchange plays a session on lossy multicast lines and answers for what was lost, and
//! what the handler publishes is what the whole session gives from its file.
//!
//! All of it runs in a network namespace that this test makes for itself; where the system allows none it says so and
//! passes.

mod harness;
#[allow(dead_code)]
#[path = "harness/scratch.rs"]
mod scratch;
mod sessions;

use feed_handler::config::{ChannelPlan, Plan, ServiceKind, ServicePlan};
use feed_handler::net::Interface;
use feed_handler::pipeline::Join;
use feed_handler::run::{Handler, Input, Outcome};
use feed_replay::exchange::{
    self, Exchange, History, Limits, LoopTiming, Numbering, Service, Shape, Source, Timing,
};
use feed_replay::fault::ServerFaults;
use feed_replay::schedule::Speed;
use feed_replay::send::SenderOptions;
use feed_replay::synth::{Protocol, Recording, Spec};
use scratch::Scratch;
use sessions::{Faults, Feed, GROUPS, LAYOUTS, from_file, pcap, plan};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

const TESTS: &[harness::Test] = &[
    (
        "what_both_lines_lose_is_sent_again",
        what_both_lines_lose_is_sent_again,
    ),
    (
        "what_both_lines_lose_is_replayed_over_a_connection",
        what_both_lines_lose_is_replayed_over_a_connection,
    ),
    (
        "a_line_that_dies_costs_nothing",
        a_line_that_dies_costs_nothing,
    ),
    (
        "a_handler_that_joins_late_reaches_the_same_books_by_snapshot",
        a_handler_that_joins_late_reaches_the_same_books_by_snapshot,
    ),
    (
        "cme_books_are_mended_and_joined_by_the_snapshot_loop",
        cme_books_are_mended_and_joined_by_the_snapshot_loop,
    ),
    (
        "a_killed_handler_comes_back_by_snapshot",
        a_killed_handler_comes_back_by_snapshot,
    ),
    (
        "a_killed_handler_comes_back_from_the_start",
        a_killed_handler_comes_back_from_the_start,
    ),
    (
        "what_no_server_has_is_declared",
        what_no_server_has_is_declared,
    ),
];

const MESSAGES: u64 = 20_000;

fn main() {
    harness::run("recovery", TESTS);
}

/// A session, and what it gives from its file.
struct World {
    history: Arc<History>,
    shape: Shape,
    /// Nanoseconds for which the exchange stays after the session.
    grace: u64,
    feed: Feed,
}

impl World {
    fn new(seed: u64) -> World {
        World::at(seed, Speed::ORIGINAL, 400_000_000)
    }

    fn at(seed: u64, speed: Speed, grace: u64) -> World {
        let spec = Spec {
            rate: 50_000,
            ..Spec::new(Protocol::Itch50, MESSAGES, seed)
        };
        let (session, _) = Recording::of(&spec).unwrap();
        let shape = Shape {
            lead: 50_000_000,
            speed,
            ..Shape::default()
        };
        let history = History::of(&session, Numbering::MoldUdp64, &shape).unwrap();
        World {
            history: Arc::new(history),
            shape,
            grace,
            feed: Feed::new(Protocol::Itch50, MESSAGES, seed, Faults::default()),
        }
    }

    /// Opens an exchange of two lines and one server; where the server listens.
    fn exchange(
        &self,
        lines: [&str; 2],
        service: Service,
        faults: &str,
    ) -> (Exchange, SocketAddrV4) {
        let line = |(i, faults): (usize, &str)| exchange::LinePlan {
            name: ["A", "B"][i].to_owned(),
            target: GROUPS[i],
            interface: "lo".to_owned(),
            options: SenderOptions::default(),
            faults: faults.parse().unwrap(),
        };
        let plan = exchange::Plan {
            seed: 7,
            source: Source::Made(Spec::new(Protocol::Itch50, 1, 1)),
            shape: self.shape.clone(),
            timing: Timing {
                heartbeat: 5_000_000,
                grace: self.grace,
            },
            lines: lines.into_iter().enumerate().map(line).collect(),
            loops: Vec::new(),
            servers: vec![exchange::ServerPlan {
                name: "server".to_owned(),
                address: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0),
                interface: None,
                service,
                faults: faults.parse::<ServerFaults>().unwrap(),
            }],
        };
        let exchange = Exchange::of(self.history.clone(), &plan).unwrap();
        let address = exchange.servers().next().unwrap();
        (exchange, address)
    }

    /// From the file, in both layouts the same.
    fn filed(&self) -> Outcome {
        let [one, two] = LAYOUTS
            .map(|threads| from_file(&plan(Protocol::Itch50, threads), self.feed.lossless()));
        assert_eq!(one.record_digest(), two.record_digest());
        one
    }
}

fn service(kind: ServiceKind, server: SocketAddrV4) -> Option<ServicePlan> {
    Some(ServicePlan {
        attempts: 20,
        // The server's thread may have to wait for its turn.
        limit: Duration::from_secs(5),
        ..ServicePlan::new(kind, vec![server])
    })
}

/// Runs a handler from `late` after the exchange has begun until that has ended.
fn live(plan: &Plan, exchange: Exchange, late: Duration) -> (Outcome, exchange::Report) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let before = late
            .is_zero()
            .then(|| Handler::start(plan, &Input::Live).unwrap());
        let begun = Instant::now();
        let playing = scope.spawn(|| exchange.run(&stop).unwrap());
        let handler = before.unwrap_or_else(|| {
            thread::sleep(late.saturating_sub(begun.elapsed()));
            Handler::start(plan, &Input::Live).unwrap()
        });
        let report = playing.join().unwrap();
        (handler.finish(), report)
    })
}

fn channel(plan: &mut Plan) -> &mut ChannelPlan {
    let channel = &mut plan.lanes[0].channels[0];
    channel.reorder_window = Duration::from_millis(5);
    channel.stash_packets = 1 << 14;
    channel
}

/// Nothing lost, and everything as from the file.
fn assert_whole(outcome: &Outcome, world: &World, report: &exchange::Report, what: &str) {
    let lane = &outcome.lanes[0];
    let channel = &lane.channels[0];
    assert_eq!(
        (channel.sequence.gaps, channel.sequence.lost),
        (0, 0),
        "{what}"
    );
    assert_eq!(lane.messages, MESSAGES, "{what}");
    let from_file = world.filed();
    assert_eq!(outcome.record_digest(), from_file.record_digest(), "{what}");
    assert_eq!(outcome.book_digest(), from_file.book_digest(), "{what}");
    if lane.drops.values().all(|&n| n == 0) {
        for (number, line) in channel.lines.iter().enumerate() {
            assert_eq!(
                line.lost,
                report.account.lost(number).count(),
                "{what}, line {number}"
            );
        }
    }
    // More where a line was late for longer than the window.
    let both = report.account.lost_by_all().count();
    assert!(
        channel.sequence.recovered >= both,
        "{what}: {both} lost on both"
    );
}

fn what_both_lines_lose_is_sent_again() {
    let world = World::new(3);
    for threads in LAYOUTS {
        for faults in ["", "refuse=20% late=0..2ms wrong=10% loss=10%"] {
            let lossy = "loss=10% burst=2 dup=2% reorder=1%x3";
            let mold = Service::MoldUdp64(Limits::default());
            let (exchange, server) = world.exchange([lossy, lossy], mold, faults);
            let mut plan = plan(Protocol::Itch50, threads);
            channel(&mut plan).recovery = service(ServiceKind::MoldUdp64, server);
            let (outcome, report) = live(&plan, exchange, Duration::ZERO);
            assert!(report.account.lost_by_all().count() > 20);
            assert_whole(&outcome, &world, &report, &format!("{threads}, {faults:?}"));
            let counts: std::collections::BTreeMap<_, _> =
                outcome.recovery[0].1.iter().copied().collect();
            assert!(
                counts["requests"] > 0 && counts["requests_failed"] == 0,
                "{counts:?}"
            );
        }
    }
}

fn what_both_lines_lose_is_replayed_over_a_connection() {
    let world = World::new(4);
    for threads in LAYOUTS {
        let (exchange, server) = world.exchange(["loss=5%"; 2], Service::SoupBinTcp, "");
        let mut plan = plan(Protocol::Itch50, threads);
        channel(&mut plan).recovery = service(ServiceKind::SoupBinTcp, server);
        let (outcome, report) = live(&plan, exchange, Duration::ZERO);
        assert!(report.account.lost_by_all().count() > 5);
        assert_whole(&outcome, &world, &report, &threads.to_string());
    }
}

fn a_line_that_dies_costs_nothing() {
    let world = World::new(5);
    for threads in LAYOUTS {
        let dies = "silence=1h@200ms";
        let (exchange, _) = world.exchange([dies, ""], Service::SoupBinTcp, "");
        let mut plan = plan(Protocol::Itch50, threads);
        channel(&mut plan);
        let (outcome, report) = live(&plan, exchange, Duration::ZERO);
        assert!(report.account.counts(0).silenced > 100);
        assert_eq!(report.account.lost_by_all().count(), 0);
        let channel = &outcome.lanes[0].channels[0];
        assert_eq!(
            (channel.sequence.lost, outcome.lanes[0].messages),
            (0, MESSAGES)
        );
        let from_file = world.filed();
        assert_eq!(outcome.record_digest(), from_file.record_digest());
        assert_eq!(outcome.book_digest(), from_file.book_digest());
    }
}

fn a_handler_that_joins_late_reaches_the_same_books_by_snapshot() {
    let world = World::new(6);
    for threads in LAYOUTS {
        let (exchange, server) = world.exchange([""; 2], Service::Glimpse, "");
        let mut plan = plan(Protocol::Itch50, threads);
        channel(&mut plan).join = Join::Snapshot;
        channel(&mut plan).snapshot = service(ServiceKind::Glimpse, server);
        let (outcome, _) = live(&plan, exchange, Duration::from_millis(250));
        let lane = &outcome.lanes[0];
        assert!(lane.messages < MESSAGES, "it did not join late");
        assert_eq!(lane.channels[0].sequence.lost, 0);
        assert_eq!(
            outcome.book_digest(),
            world.filed().book_digest(),
            "{threads}"
        );
    }
}

/// Levels on two groups and orders on one.
const LOOPS: [SocketAddrV4; 3] = [
    SocketAddrV4::new(Ipv4Addr::new(239, 192, 60, 11), 26_461),
    SocketAddrV4::new(Ipv4Addr::new(239, 192, 60, 12), 26_461),
    SocketAddrV4::new(Ipv4Addr::new(239, 192, 60, 13), 26_461),
];

fn cme_books_are_mended_and_joined_by_the_snapshot_loop() {
    const MESSAGES: u64 = 5_000;
    let spec = Spec {
        rate: 5_000,
        symbols: 24,
        ..Spec::new(Protocol::Mdp3, MESSAGES, 8)
    };
    let (session, _) = Recording::of(&spec).unwrap();
    let shape = Shape {
        lead: 50_000_000,
        ..Shape::default()
    };
    let history = Arc::new(History::of(&session, Numbering::Counted, &shape).unwrap());
    let lossless = pcap(session.packets().map(|p| (p.time, 0, p.payload)));
    let scratch = Scratch::new();
    let definitions = scratch.0.join("session.pcap");
    std::fs::write(&definitions, &lossless).unwrap();
    let clean = from_file(&plan(Protocol::Mdp3, LAYOUTS[0]), lossless);
    for threads in LAYOUTS {
        for (late, lossy) in [(0, "loss=5%"), (300, "")] {
            let line = |target, faults: &str| exchange::LinePlan {
                name: format!("{target}"),
                target,
                interface: "lo".to_owned(),
                options: SenderOptions::default(),
                faults: faults.parse().unwrap(),
            };
            let looped = |(i, target)| exchange::LoopPlan {
                line: line(target, "loss=5%"),
                timing: LoopTiming {
                    orders: i == 2,
                    period: 50_000_000,
                    ..LoopTiming::default()
                },
            };
            let exchange = exchange::Plan {
                seed: 7,
                source: Source::Made(spec.clone()),
                shape: shape.clone(),
                timing: Timing {
                    heartbeat: 5_000_000,
                    grace: 2_000_000_000,
                },
                lines: GROUPS.map(|group| line(group, lossy)).into(),
                loops: LOOPS.into_iter().enumerate().map(looped).collect(),
                servers: Vec::new(),
            };
            let exchange = Exchange::of(history.clone(), &exchange).unwrap();
            let mut plan = plan(Protocol::Mdp3, threads);
            let channel = channel(&mut plan);
            channel.definitions = Some(definitions.clone());
            channel.snapshot = Some(ServicePlan {
                orders: LOOPS[2..].into(),
                interface: Some(Interface::Name("lo".to_owned())),
                ..ServicePlan::new(ServiceKind::Mdp3, LOOPS[..2].into())
            });
            let (outcome, report) = live(&plan, exchange, Duration::from_millis(late));
            let lane = &outcome.lanes[0];
            let what = format!(
                "{threads}, {late} ms late, {:?} {:?} {:?} {:?}",
                outcome.recovery, lane.oddities, lane.drops, lane.channels[0].sequence
            );
            let both = report.account.lost_by_all().count();
            assert_eq!(both > 0, late == 0, "{what}");
            assert!(lane.messages < MESSAGES, "{what}");
            assert_eq!(outcome.book_digest(), clean.book_digest(), "{what}");
            let counts: std::collections::BTreeMap<_, _> =
                outcome.recovery[0].1.iter().copied().collect();
            assert!(counts["joins"] >= 3 && counts["snapshots"] > 0, "{what}");
        }
    }
}

fn a_killed_handler_comes_back_by_snapshot() {
    let joins = |channel: &mut ChannelPlan, server| {
        channel.join = Join::Snapshot;
        channel.snapshot = service(ServiceKind::Glimpse, server);
    };
    let (summary, world) = killed_and_started_again(Service::Glimpse, joins);
    assert!(
        summary["messages"].as_u64() < Some(MESSAGES),
        "it was not late: {summary}"
    );
    let filed = world.filed().book_digest().map(|d| d.to_string());
    assert_eq!(summary["book_digest"].as_str(), filed.as_deref());
}

fn a_killed_handler_comes_back_from_the_start() {
    let joins = |channel: &mut ChannelPlan, server| {
        channel.join = Join::Start;
        channel.recovery = service(ServiceKind::MoldUdp64, server);
    };
    let mold = Service::MoldUdp64(Limits::default());
    let (summary, world) = killed_and_started_again(mold, joins);
    assert!(
        summary["sequence"]["recovered"].as_u64() > Some(0),
        "it was not late: {summary}"
    );
    assert_eq!(summary["messages"], MESSAGES);
    let filed = world.filed();
    let books = filed.book_digest().map(|d| d.to_string());
    assert_eq!(summary["book_digest"].as_str(), books.as_deref());
    let records = filed.record_digest().to_string();
    assert_eq!(summary["record_digest"].as_str(), Some(records.as_str()));
}

/// The handler as a program, killed in the middle of a session and started again: the second one's summary.
fn killed_and_started_again(
    service: Service,
    joins: impl Fn(&mut ChannelPlan, SocketAddrV4),
) -> (serde_json::Value, World) {
    // Slow enough that a loaded machine starts a program before the session is over.
    let world = World::at(8, Speed::Millionths(500_000), 1_500_000_000);
    let middle = (0..60_000).map(|ms| ms * 1_000_000);
    let middle = middle.take_while(|&at| world.history.reached(at) < MESSAGES / 2);
    let middle = Duration::from_nanos(middle.last().unwrap());
    let scratch = Scratch::new();
    let (exchange, server) = world.exchange([""; 2], service, "");
    let mut plan = plan(Protocol::Itch50, LAYOUTS[0]);
    joins(channel(&mut plan), server);
    let config = scratch.0.join("feed.toml");
    std::fs::write(&config, plan.to_toml().unwrap()).unwrap();
    let (killed, again) = (scratch.0.join("killed"), scratch.0.join("again"));
    let (stop, length) = (
        AtomicBool::new(false),
        Duration::from_nanos(exchange.length()),
    );
    thread::scope(|scope| {
        let mut first = Program::start(&config, 60_000, &killed);
        let begun = Instant::now();
        scope.spawn(|| exchange.run(&stop).unwrap());
        thread::sleep(middle.saturating_sub(begun.elapsed()));
        assert!(first.0.try_wait().unwrap().is_none(), "it had ended");
        drop(first);
        let left = length.saturating_sub(begun.elapsed());
        let mut second = Program::start(&config, left.as_millis(), &again);
        assert!(second.0.wait().unwrap().success());
    });
    assert!(!killed.join("summary.json").exists());
    let summary = std::fs::read(again.join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    let sequence = &summary["sequence"];
    assert_eq!(
        (&sequence["gaps"], &sequence["lost"]),
        (&0.into(), &0.into()),
        "{summary}"
    );
    (summary, world)
}

/// A running handler. It is killed where it is not waited for.
struct Program(Child);

impl Program {
    fn start(config: &Path, millis: u128, out: &Path) -> Program {
        let mut program = Command::new(env!("CARGO_BIN_EXE_feed-handler"));
        program.args(["run", "--duration", &format!("{millis}ms"), "-c"]);
        program.arg(config).arg("--out").arg(out);
        program.stdout(Stdio::null()).stderr(Stdio::null());
        Program(program.spawn().unwrap())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn what_no_server_has_is_declared() {
    let world = World::new(7);
    let nothing = Service::MoldUdp64(Limits::default());
    let (exchange, server) = world.exchange(["loss=5%"; 2], nothing, "refuse=100%");
    let mut plan = plan(Protocol::Itch50, LAYOUTS[0]);
    channel(&mut plan).recovery = Some(ServicePlan {
        attempts: 2,
        answer: Duration::from_millis(5),
        ..ServicePlan::new(ServiceKind::MoldUdp64, vec![server])
    });
    let (outcome, report) = live(&plan, exchange, Duration::ZERO);
    let (lane, sequence) = (&outcome.lanes[0], outcome.lanes[0].channels[0].sequence);
    let both = report.account.lost_by_all();
    assert!(both.count() > 5 && sequence.recovered == 0);
    if lane.drops.values().all(|&n| n == 0) {
        assert_eq!(sequence.lost, both.count());
        assert_eq!(lane.messages + sequence.lost, MESSAGES);
    }
}
