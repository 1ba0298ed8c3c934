//! Real sockets, on 127.0.0.1 only.

use super::*;
use crate::exchange::{Limits, Shape, Timing};
use crate::fault::Spans;
use crate::send::SenderOptions;
use crate::synth::{Protocol, Spec};
use feed_common::wire::moldudp64::{END_OF_SESSION, Request, parse};
use feed_common::wire::soupbintcp::{
    CURRENT_SESSION, FromServer, LoginRequest, Packet, PacketStream,
};
use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use zerocopy::IntoBytes;

fn receiver() -> (UdpSocket, SocketAddrV4) {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    socket.set_recv_buffer_size(4 << 20).unwrap();
    socket
        .bind(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0).into())
        .unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let socket = UdpSocket::from(socket);
    let SocketAddr::V4(address) = socket.local_addr().unwrap() else {
        panic!("bound to IPv4");
    };
    (socket, address)
}

fn line(target: SocketAddrV4, faults: &str) -> LinePlan {
    LinePlan {
        name: "line".into(),
        target,
        interface: "lo".into(),
        options: SenderOptions::default(),
        faults: faults.parse().unwrap(),
    }
}

fn server(address: &str, faults: &str) -> ServerPlan {
    ServerPlan {
        name: "server".into(),
        address: address.parse().unwrap(),
        interface: None,
        service: Service::MoldUdp64(Limits::default()),
        faults: faults.parse().unwrap(),
    }
}

fn plan(protocol: Protocol, messages: u64, lines: Vec<LinePlan>, servers: Vec<ServerPlan>) -> Plan {
    Plan {
        seed: 3,
        source: Source::Made(Spec {
            rate: 5_000,
            ..Spec::new(protocol, messages, 3)
        }),
        shape: Shape::default(),
        timing: Timing {
            heartbeat: 50_000_000,
            grace: 500_000_000,
        },
        lines,
        loops: Vec::new(),
        servers,
    }
}

/// Receives a line until its session has ended: what it carried.
fn receive(socket: &UdpSocket) -> Spans {
    let (mut carried, mut buffer) = (Spans::default(), [0; 2048]);
    loop {
        let length = socket.recv(&mut buffer).unwrap();
        let (header, _) = parse(&buffer[..length]).unwrap();
        let first = header.sequence.get();
        carried.add(first..first + u64::from(header.blocks()));
        if header.message_count.get() == END_OF_SESSION {
            return carried;
        }
    }
}

/// Asks until every hole is filled; how many requests that took.
fn recover(history: &History, server: SocketAddrV4, mut holes: Spans) -> u64 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    let mut buffer = [0; 2048];
    for asked in 0..2_000 {
        let Some(hole) = holes.ranges().first().cloned() else {
            return asked;
        };
        let (session, sequence) = history.wire(hole.start).unwrap();
        let request = Request {
            session,
            sequence: sequence.into(),
            requested_count: ((hole.end - hole.start) as u16).into(),
        };
        socket.send_to(request.as_bytes(), server).unwrap();
        let Ok((length, from)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        assert_eq!(from, server.into());
        let (header, blocks) = parse(&buffer[..length]).unwrap();
        let first = header.sequence.get();
        let count = u64::from(header.blocks());
        assert!(blocks.eq(history.messages(first).take(count as usize)));
        let mut got = Spans::default();
        got.add(first..first + count);
        holes = holes.minus(&got);
    }
    panic!("left: {holes:?}");
}

#[test]
fn what_both_lines_lose_can_be_asked_for() {
    let ((a, to_a), (b, to_b)) = (receiver(), receiver());
    let plan = plan(
        Protocol::Itch50,
        2_000,
        vec![
            line(to_a, "loss=20% burst=2 delay=0..100us"),
            line(to_b, "loss=20% skew=1ms dup=5%"),
        ],
        vec![server("127.0.0.1:0", "refuse=20% late=0..3ms")],
    );
    let exchange = Exchange::open(&plan).unwrap();
    let history = Arc::clone(exchange.history());
    let address = exchange.servers().next().unwrap();
    let stop = AtomicBool::new(false);
    let (report, carried, asked) = std::thread::scope(|scope| {
        let running = scope.spawn(|| exchange.run(&stop).unwrap());
        let other = scope.spawn(|| receive(&b));
        let carried = [receive(&a), other.join().unwrap()];
        let mut all = Spans::default();
        all.add(1..2_001);
        let holes = all.minus(&carried[0]).minus(&carried[1]);
        assert!(holes.count() > 20, "{holes:?}");
        let asked = recover(&history, address, holes);
        (running.join().unwrap(), carried, asked)
    });
    assert!(!report.stopped && report.duration >= history.last_at() + 500_000_000);
    assert_eq!((report.played.messages, report.sent.unsent), (2_000, 0));
    for (line, carried) in carried.iter().enumerate() {
        assert_eq!(report.account.intact(line), carried);
    }
    let arriving: u64 = (0..2)
        .map(|line| report.account.counts(line).arriving())
        .sum();
    assert_eq!(report.sent.packets, arriving);
    assert_eq!(report.allocated, 0, "while packets were due");
    let answers = report.servers[0].answers;
    assert_eq!(
        (answers.requests, answers.answered + answers.refused),
        (asked, asked)
    );
    assert!(answers.refused > 0 && report.servers[0].socket.sent == answers.packets);
}

/// Logs in to a SoupBinTCP server as soon as there is one, and takes the session's messages until its end.
fn log_in(address: SocketAddrV4, until: impl Fn(&FromServer<'_>) -> bool) -> Vec<Vec<u8>> {
    let mut client = TcpStream::connect(address).unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let login = LoginRequest::new([b' '; 6], [b' '; 10], CURRENT_SESSION, 1);
    client.write_all(login.as_bytes()).unwrap();
    let (mut stream, mut messages, mut buffer) = (PacketStream::new(), Vec::new(), [0; 4096]);
    loop {
        let length = client.read(&mut buffer).unwrap();
        assert!(length > 0, "closed after {} messages", messages.len());
        let mut read = &buffer[..length];
        while !read.is_empty() {
            read = &read[stream.fill(read)..];
            while let Some(packet) = stream.next().unwrap() {
                let packet = Packet::from_server(packet).unwrap();
                if until(&packet) {
                    return messages;
                }
                if let FromServer::Sequenced(message) = packet {
                    messages.push(message.to_vec());
                }
            }
        }
    }
}

#[test]
fn connections_replay_the_session_and_give_snapshots() {
    let (_socket, to) = receiver();
    let service = |service| ServerPlan {
        service,
        ..server("127.0.0.1:0", "")
    };
    let servers = vec![service(Service::SoupBinTcp), service(Service::Glimpse)];
    let plan = plan(Protocol::Itch50, 2_000, vec![line(to, "")], servers);
    let exchange = Exchange::open(&plan).unwrap();
    let history = Arc::clone(exchange.history());
    let addresses: Vec<_> = exchange.servers().collect();
    let stop = AtomicBool::new(false);
    let (report, replayed, snapshot) = std::thread::scope(|scope| {
        let running = scope.spawn(|| exchange.run(&stop).unwrap());
        let replay = scope.spawn(|| {
            log_in(addresses[0], |packet| {
                matches!(packet, FromServer::EndOfSession)
            })
        });
        let end_of_snapshot =
            |packet: &FromServer<'_>| matches!(packet, FromServer::Sequenced([b'G', ..]));
        let snapshot = log_in(addresses[1], end_of_snapshot);
        let replayed = replay.join().unwrap();
        stop.store(true, Ordering::Relaxed);
        (running.join().unwrap(), replayed, snapshot)
    });
    assert!(history.messages(1).eq(replayed.iter().map(Vec::as_slice)));
    assert!(snapshot.len() < 2_000);
    for server in &report.servers {
        assert_eq!((server.answers.requests, server.answers.answered), (1, 1));
        assert!(server.socket.sent > 0 && server.socket.errors == 0);
    }
}

#[test]
fn it_stops_when_it_is_told_to() {
    let (_socket, to) = receiver();
    let plan = Plan {
        timing: Timing {
            heartbeat: 1_000_000_000,
            grace: 3_600_000_000_000,
        },
        ..plan(Protocol::Memoir, 100, vec![line(to, "")], vec![])
    };
    let exchange = Exchange::open(&plan).unwrap();
    assert!(exchange.length() > 3_600_000_000_000);
    let stop = AtomicBool::new(false);
    let begin = Instant::now();
    let report = std::thread::scope(|scope| {
        let running = scope.spawn(|| exchange.run(&stop).unwrap());
        std::thread::sleep(Duration::from_millis(100));
        stop.store(true, Ordering::Relaxed);
        running.join().unwrap()
    });
    assert!(report.stopped && begin.elapsed() < Duration::from_secs(30));
}

#[test]
fn what_cannot_be_opened_says_why() {
    let (_socket, to) = receiver();
    let error = |plan: Plan| match Exchange::open(&plan) {
        Ok(_) => panic!("opened {plan:?}"),
        Err(e) => e.to_string(),
    };
    let with = |lines, servers| plan(Protocol::Itch50, 100, lines, servers);
    let elsewhere = "10.0.0.1:5000".parse().unwrap();
    let e = error(with(vec![line(elsewhere, "")], vec![]));
    assert!(
        e.starts_with("line line: 10.0.0.1:5000 is neither a multicast group"),
        "{e}"
    );
    let nowhere = LinePlan {
        interface: "no such one".into(),
        ..line(to, "")
    };
    let e = error(with(vec![nowhere], vec![]));
    assert!(e.contains("interface `no such one`"), "{e}");
    for address in [
        "0.0.0.0:5000",
        "239.1.1.1:5000",
        "255.255.255.255:5000",
        "10.0.0.1:5000",
    ] {
        let e = error(with(vec![], vec![server(address, "")]));
        assert!(
            e.contains(&format!(
                "{address} is in 127.0.0.0/8 or needs an interface"
            )),
            "{e}"
        );
    }
    let taken = server(&to.to_string(), "");
    let e = error(with(vec![], vec![taken]));
    assert!(e.starts_with(&format!("server server on {to}: ")), "{e}");
    let e = error(plan(
        Protocol::Pitch,
        100,
        vec![],
        vec![server("127.0.0.1:0", "")],
    ));
    assert_eq!(e, "server server: the session is not in MoldUDP64");
    let mut long = with(vec![], vec![]);
    long.timing.grace = Exchange::LONGEST_NS;
    assert!(error(long).contains("longer than the 90000 s"));
    let mut absent = with(vec![], vec![]);
    absent.source = Source::Capture {
        path: "/no/such/file".into(),
        group: None,
    };
    assert!(error(absent).contains("/no/such/file"));
}
