//! Retransmissions over real sockets: an exchange plays a session of NYSE Pillar on lossy multicast lines, is asked over a
//! connection for what both lost, and answers to a group; the handler's books are those that the whole session gives from
//! its file.
//!
//! All of it runs in a network namespace that this test makes for itself; where the system allows none it says so and
//! passes.

mod harness;
mod sessions;

use feed_handler::config::{Account, FeedId, LinePlan, ServiceKind, ServicePlan};
use feed_handler::net::{Interface, LineAddress};
use feed_handler::run::{Handler, Input};
use feed_replay::exchange::{
    self, Exchange, History, Numbering, PillarLimits, Service, Shape, Source, Timing,
};
use feed_replay::send::SenderOptions;
use feed_replay::synth::{Protocol, Recording, Spec};
use sessions::{Faults, Feed, GROUPS, LAYOUTS, from_file, plan};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

const TESTS: &[harness::Test] = &[(
    "what_both_lines_lose_is_retransmitted_to_a_group",
    what_both_lines_lose_is_retransmitted_to_a_group,
)];

const MESSAGES: u64 = 20_000;
const ANSWERS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 192, 60, 3), 26_460);

fn main() {
    harness::run("retransmission", TESTS);
}

/// An exchange of two lossy lines and a request server; where that listens.
fn exchange(history: &Arc<History>, shape: &Shape) -> (Exchange, SocketAddrV4) {
    let line = |(name, target): (&str, SocketAddrV4)| exchange::LinePlan {
        name: name.to_owned(),
        target,
        interface: "lo".to_owned(),
        options: SenderOptions::default(),
        faults: "loss=10% burst=2 dup=2%".parse().unwrap(),
    };
    let plan = exchange::Plan {
        seed: 7,
        source: Source::Made(Spec::new(Protocol::Pillar, 1, 1)),
        shape: shape.clone(),
        timing: Timing {
            heartbeat: 5_000_000,
            grace: 2_000_000_000,
        },
        lines: ["A", "B"].into_iter().zip(GROUPS).map(line).collect(),
        loops: Vec::new(),
        servers: vec![exchange::ServerPlan {
            name: "server".to_owned(),
            address: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0),
            interface: Some("lo".to_owned()),
            service: Service::Pillar {
                limits: PillarLimits::default(),
                group: ANSWERS,
            },
            faults: "loss=2% late=0..2ms".parse().unwrap(),
        }],
    };
    let exchange = Exchange::of(Arc::clone(history), &plan).unwrap();
    let address = exchange.servers().next().unwrap();
    (exchange, address)
}

fn service(server: SocketAddrV4) -> ServicePlan {
    ServicePlan {
        account: Account {
            user: "ACME01".to_owned(),
            ..Account::default()
        },
        attempts: 20,
        // The server's thread may have to wait for its turn.
        answer: Duration::from_millis(100),
        feed: FeedId {
            product: 11,
            channel: 1,
        },
        lines: vec![LinePlan {
            name: "A".to_owned(),
            address: LineAddress {
                group: ANSWERS,
                interface: Some(Interface::Name("lo".to_owned())),
                source: None,
            },
            retransmission: false,
        }],
        ..ServicePlan::new(ServiceKind::Pillar, vec![server])
    }
}

fn what_both_lines_lose_is_retransmitted_to_a_group() {
    let spec = Spec {
        rate: 50_000,
        ..Spec::new(Protocol::Pillar, MESSAGES, 3)
    };
    let (session, _) = Recording::of(&spec).unwrap();
    let shape = Shape {
        lead: 50_000_000,
        ..Shape::default()
    };
    let history = Arc::new(History::of(&session, Numbering::Pillar, &shape).unwrap());
    let feed = Feed::new(Protocol::Pillar, MESSAGES, 3, Faults::default());
    for threads in LAYOUTS {
        let filed = from_file(&plan(Protocol::Pillar, threads), feed.lossless());
        let (exchange, server) = exchange(&history, &shape);
        let mut plan = plan(Protocol::Pillar, threads);
        let channel = &mut plan.lanes[0].channels[0];
        channel.reorder_window = Duration::from_millis(5);
        channel.stash_packets = 1 << 14;
        channel.recovery = Some(service(server));
        let handler = Handler::start(&plan, &Input::Live).unwrap();
        let report = exchange.run(&AtomicBool::new(false)).unwrap();
        let outcome = handler.finish();
        let sequence = outcome.lanes[0].channels[0].sequence;
        let counts: BTreeMap<_, _> = outcome.recovery[0].1.iter().copied().collect();
        let what = format!("{threads}: {counts:?}");
        assert!(report.account.lost_by_all().count() > 20, "{what}");
        assert_eq!((sequence.gaps, sequence.lost), (0, 0), "{what}");
        assert_eq!(outcome.lanes[0].messages, MESSAGES, "{what}");
        // Records of mappings say when their packet was sent, so their digest is another.
        assert_eq!(outcome.book_digest(), filed.book_digest(), "{what}");
        let answers = report.servers[0].answers;
        assert!(counts["requests"] > 0 && counts["failed"] == 0, "{what}");
        assert_eq!(answers.requests, counts["requests"], "{what}");
        assert_eq!(counts["connected"], 1, "{what}");
    }
}
