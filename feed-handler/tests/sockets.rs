//! Real sockets, multicast over `lo`, in a network namespace that this test makes for itself: nothing can get out.
//!
//! A namespace can only be entered while one thread runs, so this test has its own `main`. Where the system allows no
//! namespace it says so and passes.

mod harness;

use feed_common::packet::{RxBackend, RxMeta, SlotMut, SlotWriter};
use feed_common::time::{Clock, UnixNanos};
use feed_handler::net::*;
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::Command;
use std::time::{Duration, Instant};

const PORT: u16 = 26_400;
const A: Ipv4Addr = Ipv4Addr::new(239, 192, 1, 1);
const B: Ipv4Addr = Ipv4Addr::new(239, 192, 1, 2);

const TESTS: &[harness::Test] = &[
    (
        "two_lines_arrive_in_order_with_their_facts",
        two_lines_arrive_in_order_with_their_facts,
    ),
    (
        "lines_take_turns_batch_by_batch",
        lines_take_turns_batch_by_batch,
    ),
    (
        "a_poll_that_ran_out_of_slots_goes_on_where_it_stopped",
        a_poll_that_ran_out_of_slots_goes_on_where_it_stopped,
    ),
    (
        "without_stamps_the_kernel_time_is_unknown",
        without_stamps_the_kernel_time_is_unknown,
    ),
    (
        "an_empty_datagram_is_a_packet",
        an_empty_datagram_is_a_packet,
    ),
    (
        "a_longer_datagram_is_marked_truncated",
        a_longer_datagram_is_marked_truncated,
    ),
    (
        "the_socket_buffer_overflow_is_counted_exactly",
        the_socket_buffer_overflow_is_counted_exactly,
    ),
    (
        "a_full_ring_discards_and_counts",
        a_full_ring_discards_and_counts,
    ),
    (
        "a_full_ring_still_sees_the_overflow",
        a_full_ring_still_sees_the_overflow,
    ),
    (
        "foreign_groups_are_not_received",
        foreign_groups_are_not_received,
    ),
    (
        "a_group_on_another_interface_is_not_received",
        a_group_on_another_interface_is_not_received,
    ),
    (
        "an_interface_that_is_down_is_named",
        an_interface_that_is_down_is_named,
    ),
    (
        "a_source_specific_line_hears_one_sender",
        a_source_specific_line_hears_one_sender,
    ),
    ("two_receivers_share_a_group", two_receivers_share_a_group),
    (
        "a_unicast_line_works_and_has_one_owner",
        a_unicast_line_works_and_has_one_owner,
    ),
    (
        "a_missing_interface_is_named_with_what_there_is",
        a_missing_interface_is_named_with_what_there_is,
    ),
    (
        "the_granted_buffer_is_read_back",
        the_granted_buffer_is_read_back,
    ),
    (
        "a_namespace_is_refused_once_threads_run",
        a_namespace_is_refused_once_threads_run,
    ),
];

fn main() {
    harness::run("sockets", TESTS);
}

fn two_lines_arrive_in_order_with_their_facts() {
    let mut rx = receiver(&[line(A), line(B)], 32);
    let mut slots = Slots::new(64, 256);
    let sender = Sender::new(Ipv4Addr::LOCALHOST);
    let before = UnixNanos::now();
    for text in ["a0", "a1", "a2"] {
        sender.send(A, text.as_bytes());
    }
    sender.send(B, b"b0");
    take(&mut rx, &mut slots, 4);
    assert_eq!(slots.texts(), [(0, "a0"), (0, "a1"), (0, "a2"), (1, "b0")]);
    for meta in slots.metas() {
        assert!(
            (0..2_000_000_000).contains(&(meta.kernel - before)),
            "{meta:?}"
        );
        assert_eq!((meta.flags, meta.socket_drops), (0, 0));
    }
    let ticks: Vec<_> = slots.metas().map(|m| m.rx).collect();
    assert!(ticks.is_sorted() && ticks[0].0 > 0);
    let (a, b) = (rx.counts(0), rx.counts(1));
    assert_eq!((a.packets, a.bytes, b.packets, b.bytes), (3, 6, 1, 2));
    let polls = rx.counts(1).empty_polls;
    assert_eq!(rx.fill(&mut slots).unwrap(), 0);
    assert_eq!(rx.counters()[1].read().empty_polls, polls + 1);
}

fn lines_take_turns_batch_by_batch() {
    let mut rx = receiver(&[line(A), line(B)], 8);
    let mut slots = Slots::new(64, 64);
    let sender = Sender::new(Ipv4Addr::LOCALHOST);
    for i in 0..20 {
        sender.send(A, format!("a{i}").as_bytes());
        sender.send(B, format!("b{i}").as_bytes());
    }
    settle();
    let counts: Vec<_> = (0..7).map(|_| rx.fill(&mut slots).unwrap()).collect();
    assert_eq!(counts, [8, 8, 8, 8, 4, 4, 0]);
    let want = |line, letter, range: std::ops::Range<u32>| {
        range.map(move |i| (line, format!("{letter}{i}")))
    };
    let order = [0..8, 8..16, 16..20].map(|r| want(0, "a", r.clone()).chain(want(1, "b", r)));
    let order: Vec<_> = order.into_iter().flatten().collect();
    let got: Vec<_> = slots
        .texts()
        .into_iter()
        .map(|(l, t)| (l, t.to_owned()))
        .collect();
    assert_eq!(got, order);
}

fn a_poll_that_ran_out_of_slots_goes_on_where_it_stopped() {
    let mut rx = receiver(&[line(A), line(B)], 8);
    let mut slots = Slots::new(8, 64);
    let sender = Sender::new(Ipv4Addr::LOCALHOST);
    for _ in 0..20 {
        sender.send(A, b"a");
        sender.send(B, b"b");
    }
    settle();
    // Eight slots hold one line's batch: the lines take turns, and nothing is lost.
    let mut polls = Vec::new();
    for _ in 0..6 {
        rx.fill(&mut slots).unwrap();
        polls.push([0, 1].map(|line| slots.metas().filter(|m| m.line == line).count()));
        slots.clear();
    }
    assert_eq!(polls, [[8, 0], [0, 8], [8, 0], [0, 8], [4, 0], [0, 4]]);
    assert_eq!([0, 1].map(|line| rx.counts(line).ring_full), [0, 0]);
}

fn without_stamps_the_kernel_time_is_unknown() {
    let options = UdpOptions {
        timestamps: Timestamps::User,
        ..options(4)
    };
    let mut rx = UdpReceiver::open(&[line(A)], options, Clock::new()).unwrap();
    let mut slots = Slots::new(4, 64);
    Sender::new(Ipv4Addr::LOCALHOST).send(A, b"x");
    take(&mut rx, &mut slots, 1);
    assert_eq!(slots.meta[0].kernel, UnixNanos::UNKNOWN);
}

fn an_empty_datagram_is_a_packet() {
    let mut rx = receiver(&[line(A)], 4);
    let mut slots = Slots::new(4, 64);
    let sender = Sender::new(Ipv4Addr::LOCALHOST);
    sender.send(A, b"");
    sender.send(A, b"x");
    take(&mut rx, &mut slots, 2);
    assert_eq!(slots.texts(), [(0, ""), (0, "x")]);
}

fn a_longer_datagram_is_marked_truncated() {
    let mut rx = receiver(&[line(A)], 4);
    let mut slots = Slots::new(4, 64);
    let sender = Sender::new(Ipv4Addr::LOCALHOST);
    let datagram: Vec<u8> = (0..100).collect();
    sender.send(A, &datagram);
    sender.send(A, &datagram[..64]);
    take(&mut rx, &mut slots, 2);
    assert!(slots.meta[0].is_truncated());
    assert_eq!(slots.payload(0), &datagram[..64]);
    assert!(!slots.meta[1].is_truncated(), "a datagram that just fits");
    assert_eq!(slots.payload(1), &datagram[..64]);
    let counts = rx.counts(0);
    assert_eq!(
        (counts.packets, counts.truncated, counts.bytes),
        (2, 1, 128)
    );
}

fn the_socket_buffer_overflow_is_counted_exactly() {
    let options = UdpOptions {
        socket_buffer: 16 << 10,
        ..options(32)
    };
    let mut rx = UdpReceiver::open(&[line(A)], options, Clock::new()).unwrap();
    let mut slots = Slots::new(512, 1024);
    let sender = Sender::new(Ipv4Addr::LOCALHOST);
    for _ in 0..300 {
        sender.send(A, &[7; 1000]);
    }
    settle();
    while rx.fill(&mut slots).unwrap() > 0 {}
    let held = slots.filled as u64;
    assert!((1..300).contains(&held), "{held} packets fitted the buffer");
    // The kernel says what it dropped with the packets that came after.
    sender.send(A, b"after");
    take(&mut rx, &mut slots, held as usize + 1);
    assert_eq!(slots.meta[held as usize].socket_drops, 300 - held);
    assert_eq!(rx.counts(0).socket_drops, 300 - held);
    assert_eq!(rx.counts(0).packets, held + 1);
}

fn a_full_ring_discards_and_counts() {
    let mut rx = receiver(&[line(A), line(B)], 8);
    let mut slots = Slots::new(4, 64);
    let sender = Sender::new(Ipv4Addr::LOCALHOST);
    for i in 0..10u8 {
        sender.send(A, &[i]);
    }
    sender.send(B, b"lost");
    settle();
    let filled = rx.fill(&mut slots).unwrap();
    assert_eq!(filled, 4, "as many as there are slots");
    let lost = |rx: &UdpReceiver| [0, 1].map(|line| rx.counts(line).ring_full);
    assert_eq!(lost(&rx), [0, 0], "what did not fit may fit the next time");
    assert_eq!(rx.fill(&mut slots).unwrap(), 0);
    assert_eq!(lost(&rx), [6, 1], "no slot was free from the start");
    let a = rx.counts(0);
    assert_eq!((a.packets, a.bytes), (4, 4));
    slots.clear();
    sender.send(A, b"new");
    take(&mut rx, &mut slots, 1);
    assert_eq!(
        slots.texts(),
        [(0, "new")],
        "nothing old is left, and slots are used again"
    );
}

fn a_full_ring_still_sees_the_overflow() {
    let options = UdpOptions {
        socket_buffer: 16 << 10,
        ..options(32)
    };
    let mut rx = UdpReceiver::open(&[line(A)], options, Clock::new()).unwrap();
    let mut slots = Slots::new(0, 64);
    let sender = Sender::new(Ipv4Addr::LOCALHOST);
    for _ in 0..300 {
        sender.send(A, &[7; 1000]);
    }
    settle();
    for _ in 0..10 {
        assert_eq!(rx.fill(&mut slots).unwrap(), 0);
    }
    sender.send(A, b"after");
    settle();
    assert_eq!(rx.fill(&mut slots).unwrap(), 0);
    let counts = rx.counts(0);
    assert_eq!(counts.packets, 0);
    assert_eq!(counts.ring_full + counts.socket_drops, 301, "{counts:?}");
    assert!(counts.socket_drops > 0, "{counts:?}");
}

fn foreign_groups_are_not_received() {
    let mut rx = receiver(&[line(A)], 8);
    // Someone else on this machine listens to B on the same port, so its packets do arrive here.
    let mut other = receiver(&[line(B)], 8);
    let mut slots = Slots::new(8, 64);
    let sender = Sender::new(Ipv4Addr::LOCALHOST);
    sender.send(B, b"foreign");
    sender.send(A, b"ours");
    take(&mut rx, &mut slots, 1);
    settle();
    assert_eq!(rx.fill(&mut slots).unwrap(), 0);
    assert_eq!(slots.texts(), [(0, "ours")]);
    slots.clear();
    take(&mut other, &mut slots, 1);
    assert_eq!(slots.texts(), [(0, "foreign")]);
}

fn a_group_on_another_interface_is_not_received() {
    if !second_interface() {
        return;
    }
    let on = |name: &str| LineAddress {
        interface: Some(name.parse().unwrap()),
        ..line(A)
    };
    // The same group and port on two interfaces: by default Linux would give both packets to both sockets.
    let (mut local, mut other) = (receiver(&[on("lo")], 8), receiver(&[on("lab0")], 8));
    let lab = Sender::new(Ipv4Addr::UNSPECIFIED);
    lab.0.set_multicast_if_v4(&LAB0).unwrap();
    lab.send(A, b"lab0");
    Sender::new(Ipv4Addr::LOCALHOST).send(A, b"lo");
    settle();
    for (rx, want) in [(&mut local, "lo"), (&mut other, "lab0")] {
        let mut slots = Slots::new(8, 64);
        take(rx, &mut slots, 1);
        assert_eq!(slots.texts(), [(0, want)]);
    }
}

fn an_interface_that_is_down_is_named() {
    if !second_interface() {
        return;
    }
    let address = LineAddress {
        interface: Some(Interface::Name("lab1".into())),
        ..line(A)
    };
    let error = UdpReceiver::open(&[address], options(8), Clock::new())
        .err()
        .expect("an error");
    assert!(
        error
            .to_string()
            .contains("`lab1` is down: bring it up with `ip link set lab1 up`"),
        "{error}"
    );
}

fn a_source_specific_line_hears_one_sender() {
    let (first, second) = (Ipv4Addr::new(127, 0, 0, 1), Ipv4Addr::new(127, 0, 0, 2));
    let from = |source| LineAddress {
        source: Some(source),
        ..line(A)
    };
    let mut rx = receiver(&[from(first), from(second)], 8);
    let mut slots = Slots::new(8, 64);
    let (one, two) = (Sender::new(first), Sender::new(second));
    one.send(A, b"1");
    two.send(A, b"2");
    Sender::new(Ipv4Addr::new(127, 0, 0, 3)).send(A, b"3");
    one.send(A, b"1 again");
    two.send(A, b"2 again");
    take(&mut rx, &mut slots, 4);
    settle();
    assert_eq!(rx.fill(&mut slots).unwrap(), 0);
    let mut texts = slots.texts();
    texts.sort();
    assert_eq!(texts, [(0, "1"), (0, "1 again"), (1, "2"), (1, "2 again")]);
}

fn two_receivers_share_a_group() {
    let (mut one, mut two) = (receiver(&[line(A)], 8), receiver(&[line(A)], 8));
    Sender::new(Ipv4Addr::LOCALHOST).send(A, b"both");
    for rx in [&mut one, &mut two] {
        let mut slots = Slots::new(8, 64);
        take(rx, &mut slots, 1);
        assert_eq!(slots.texts(), [(0, "both")]);
    }
}

fn a_unicast_line_works_and_has_one_owner() {
    let address = LineAddress {
        group: SocketAddrV4::new(Ipv4Addr::LOCALHOST, PORT + 1),
        interface: None,
        source: None,
    };
    let mut rx = receiver(std::slice::from_ref(&address), 8);
    let mut slots = Slots::new(8, 64);
    let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.send_to(b"one", address.group).unwrap();
    take(&mut rx, &mut slots, 1);
    assert_eq!(slots.texts(), [(0, "one")]);
    let error = UdpReceiver::open(&[address], options(8), Clock::new())
        .err()
        .expect("a second owner");
    assert!(matches!(error, SocketError::PortInUse { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("127.0.0.1:26401: the port is in use"),
        "{error}"
    );
}

fn a_missing_interface_is_named_with_what_there_is() {
    let on = |interface: Option<&str>| LineAddress {
        interface: interface.map(|text| text.parse().unwrap()),
        ..line(A)
    };
    let error = |address| {
        UdpReceiver::open(&[address], options(8), Clock::new())
            .err()
            .expect("an error")
    };
    for asked in ["eth77", "10.9.8.7"] {
        let text = error(on(Some(asked))).to_string();
        assert!(
            text.contains(&format!("no interface `{asked}`")) && text.contains("lo (127.0.0.1)"),
            "{text}"
        );
    }
    assert!(matches!(error(on(None)), SocketError::NoInterface { .. }));
    receiver(&[on(Some("127.0.0.1"))], 8);
}

fn the_granted_buffer_is_read_back() {
    let options = UdpOptions {
        socket_buffer: 64 << 10,
        ..options(8)
    };
    let rx = UdpReceiver::open(&[line(A)], options, Clock::new()).unwrap();
    assert_eq!(rx.granted(), [64 << 10]);
}

fn a_namespace_is_refused_once_threads_run() {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || stopped.recv());
    assert!(matches!(enter_private(), Err(NamespaceError::Threads(2))));
    drop(stop);
    let _ = thread.join().unwrap();
}

/// Address of `lab0`.
const LAB0: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 1);

/// Makes `lab0`, up and with an address, and its peer `lab1`, down. False, and said, where `ip` may not or is missing.
fn second_interface() -> bool {
    let ip = |arguments: &str| {
        let ip = Command::new("ip").args(arguments.split(' ')).output();
        ip.is_ok_and(|o| o.status.success())
    };
    let there = interfaces()
        .unwrap()
        .iter()
        .any(|i| i.name == "lab0" && i.up);
    let made = there
        || ip("link add lab0 type veth peer name lab1")
            && ip("address add 10.9.9.1/24 dev lab0")
            && ip("link set lab0 up");
    if !made {
        println!("  SKIPPED: no second interface can be made here");
    }
    made
}

fn line(group: Ipv4Addr) -> LineAddress {
    LineAddress {
        group: SocketAddrV4::new(group, PORT),
        interface: Some(Interface::Name("lo".into())),
        source: None,
    }
}

fn options(batch: usize) -> UdpOptions {
    UdpOptions {
        batch,
        socket_buffer: 1 << 20,
        timestamps: Timestamps::Kernel,
    }
}

fn receiver(lines: &[LineAddress], batch: usize) -> UdpReceiver {
    UdpReceiver::open(lines, options(batch), Clock::new()).unwrap()
}

/// Polls until `want` packets in all lie in the slots, for two seconds at most.
fn take(rx: &mut UdpReceiver, slots: &mut Slots, want: usize) {
    let deadline = Instant::now() + Duration::from_secs(2);
    while slots.filled < want && Instant::now() < deadline {
        rx.fill(slots).unwrap();
    }
    assert_eq!(slots.filled, want);
}

/// Long enough for what was sent over `lo` to lie in the sockets.
fn settle() {
    std::thread::sleep(Duration::from_millis(50));
}

struct Sender(Socket);

impl Sender {
    fn new(source: Ipv4Addr) -> Sender {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
        socket.bind(&SocketAddrV4::new(source, 0).into()).unwrap();
        socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
        Sender(socket)
    }

    fn send(&self, group: Ipv4Addr, bytes: &[u8]) {
        self.0
            .send_to(bytes, &SocketAddrV4::new(group, PORT).into())
            .unwrap();
    }
}

/// Slots that are filled once, from the first on.
struct Slots {
    meta: Vec<RxMeta>,
    payloads: Vec<Box<[u8]>>,
    filled: usize,
}

impl Slots {
    fn new(slots: usize, bytes: usize) -> Slots {
        Slots {
            meta: vec![RxMeta::default(); slots],
            payloads: vec![vec![0xEE; bytes].into(); slots],
            filled: 0,
        }
    }

    fn metas(&self) -> impl Iterator<Item = &RxMeta> {
        self.meta[..self.filled].iter()
    }

    fn payload(&self, i: usize) -> &[u8] {
        &self.payloads[i][..self.meta[i].len as usize]
    }

    fn texts(&self) -> Vec<(u16, &str)> {
        let text = |i: usize| {
            (
                self.meta[i].line,
                std::str::from_utf8(self.payload(i)).unwrap(),
            )
        };
        (0..self.filled).map(text).collect()
    }

    fn clear(&mut self) {
        self.filled = 0;
    }
}

// SAFETY: every payload is a box of its own, which `slot` neither moves nor frees and of which it touches only the one
// asked for.
#[allow(unsafe_code)]
unsafe impl SlotWriter for Slots {
    fn free(&mut self, want: usize) -> usize {
        want.min(self.meta.len() - self.filled)
    }

    fn slot(&mut self, i: usize) -> SlotMut<'_> {
        SlotMut {
            meta: &mut self.meta[self.filled + i],
            payload: &mut self.payloads[self.filled + i],
        }
    }

    fn commit(&mut self, n: usize) {
        self.filled += n;
    }

    fn capacity(&self) -> usize {
        self.payloads.first().map_or(0, |p| p.len())
    }
}
