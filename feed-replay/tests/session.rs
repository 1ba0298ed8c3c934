//! Made sessions, checked by a reader that knows only the specifications: MoldUDP64, ITCH 5.0 and what an order is.

use feed_common::capture::{CaptureFile, Datagrams};
use feed_common::time::UnixNanos;
use feed_common::wire::itch50::Message;
use feed_common::wire::moldudp64;
use feed_replay::output::PcapSink;
use feed_replay::synth::{GenerateError, Layout, Protocol, Spec, generate};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;

type Packets = Vec<(UnixNanos, Vec<u8>)>;

fn make(spec: &Spec) -> (Packets, feed_replay::synth::Summary) {
    let mut packets = Vec::new();
    let summary = generate(spec, &mut |time, payload: &[u8]| {
        packets.push((time, payload.to_vec()));
        Ok(())
    });
    (packets, summary.unwrap())
}

fn itch(messages: u64, seed: u64) -> Spec {
    Spec::new(Protocol::Itch50, messages, seed)
}

/// A live order as the reader sees it.
struct Order {
    locate: u16,
    side: u8,
    shares: u32,
    price: u32,
}

/// A slow, plain reader of a session that stops at anything wrong.
#[derive(Default)]
struct Reader {
    symbols: BTreeMap<u16, [u8; 8]>,
    orders: BTreeMap<u64, Order>,
    last_ref: u64,
    matches: BTreeSet<u64>,
    events: String,
    non_printable: u64,
    by_type: BTreeMap<String, u64>,
}

impl Reader {
    fn message(&mut self, bytes: &[u8]) {
        *self
            .by_type
            .entry((bytes[0] as char).to_string())
            .or_default() += 1;
        match Message::parse(bytes).unwrap() {
            Message::SystemEvent(m) => self.events.push(m.event_code.into()),
            Message::StockDirectory(m) => {
                assert!(self.symbols.insert(m.stock_locate.get(), m.stock).is_none());
            }
            Message::StockTradingAction(m) => self.known(m.stock_locate.get(), m.stock),
            Message::AddOrder(m) => {
                self.known(m.stock_locate.get(), m.stock);
                self.enter(
                    m.order_ref.get(),
                    m.stock_locate.get(),
                    m.side,
                    m.shares.get(),
                    m.price.get(),
                );
            }
            Message::AddOrderMpid(m) => {
                self.known(m.stock_locate.get(), m.stock);
                self.enter(
                    m.order_ref.get(),
                    m.stock_locate.get(),
                    m.side,
                    m.shares.get(),
                    m.price.get(),
                );
            }
            Message::OrderExecuted(m) => {
                self.take(
                    m.order_ref.get(),
                    m.stock_locate.get(),
                    m.executed_shares.get(),
                );
                assert!(self.matches.insert(m.match_number.get()));
            }
            Message::OrderExecutedWithPrice(m) => {
                self.take(
                    m.order_ref.get(),
                    m.stock_locate.get(),
                    m.executed_shares.get(),
                );
                assert!(self.matches.insert(m.match_number.get()));
                self.non_printable += u64::from(m.printable == b'N');
            }
            Message::OrderCancel(m) => {
                assert!(
                    m.cancelled_shares.get() < self.orders[&m.order_ref.get()].shares,
                    "X leaves something"
                );
                self.take(
                    m.order_ref.get(),
                    m.stock_locate.get(),
                    m.cancelled_shares.get(),
                );
            }
            Message::OrderDelete(m) => {
                let gone = self
                    .orders
                    .remove(&m.order_ref.get())
                    .expect("D of a live order");
                assert_eq!(gone.locate, m.stock_locate.get());
            }
            Message::OrderReplace(m) => {
                let old = self
                    .orders
                    .remove(&m.original_ref.get())
                    .expect("U of a live order");
                self.enter(
                    m.new_ref.get(),
                    old.locate,
                    old.side,
                    m.shares.get(),
                    m.price.get(),
                );
            }
            Message::Trade(m) => {
                self.known(m.stock_locate.get(), m.stock);
                assert!(m.side == b'B' && m.order_ref.get() == 0 && m.shares.get() > 0);
                assert!(self.matches.insert(m.match_number.get()));
            }
            Message::CrossTrade(m) => {
                self.known(m.stock_locate.get(), m.stock);
                assert!(self.matches.insert(m.match_number.get()));
                assert_eq!(m.shares.get() == 0, m.cross_price.get() == 0);
            }
            Message::BrokenTrade(m) => assert!(self.matches.contains(&m.match_number.get())),
            Message::NetOrderImbalance(m) => self.known(m.stock_locate.get(), m.stock),
            other => panic!("not part of a session: {other:?}"),
        }
    }

    fn known(&self, locate: u16, symbol: [u8; 8]) {
        assert_eq!(self.symbols[&locate], symbol);
    }

    fn enter(&mut self, id: u64, locate: u16, side: u8, shares: u32, price: u32) {
        assert!(id > self.last_ref, "references grow");
        self.last_ref = id;
        assert!(shares > 0 && price > 0 && price.is_multiple_of(100) && b"BS".contains(&side));
        self.orders.insert(
            id,
            Order {
                locate,
                side,
                shares,
                price,
            },
        );
    }

    fn take(&mut self, id: u64, locate: u16, shares: u32) {
        let order = self.orders.get_mut(&id).expect("a live order");
        assert_eq!(order.locate, locate);
        assert!(shares > 0);
        order.shares = order
            .shares
            .checked_sub(shares)
            .expect("no more than remains");
        if order.shares == 0 {
            self.orders.remove(&id);
        }
    }

    /// No bid reaches an offer of the same instrument.
    fn assert_not_crossed(&self) {
        let mut best: BTreeMap<u16, (u32, u32)> = BTreeMap::new();
        for o in self.orders.values() {
            let (bid, offer) = best.entry(o.locate).or_insert((0, u32::MAX));
            match o.side {
                b'B' => *bid = o.price.max(*bid),
                _ => *offer = o.price.min(*offer),
            }
        }
        assert!(best.values().all(|(bid, offer)| bid < offer));
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_does_not() {
    let (a, b, c) = (
        make(&itch(20_000, 7)).0,
        make(&itch(20_000, 7)).0,
        make(&itch(20_000, 8)).0,
    );
    assert!(a == b && a != c);
    // A change of the generator changes every session that anybody has kept: it must be meant.
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for (time, payload) in &a {
        for byte in time.0.to_be_bytes().iter().chain(payload) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    assert_eq!(
        hash, 7_977_774_843_781_650_550,
        "FNV-1a of the packets of seed 7"
    );
}

#[test]
fn a_session_is_consistent() {
    for (messages, seed, rate) in [
        (120_000, 1, 100_000),
        (40_000, 2, 2_000_000),
        (40_000, 3, 3_000),
    ] {
        let spec = Spec {
            rate,
            ..itch(messages, seed)
        };
        let midnight = spec.midnight();
        let (packets, summary) = make(&spec);
        let mut reader = Reader::default();
        let (mut expected, mut last_packet, mut last_message) = (1, UnixNanos(0), 0);
        let (mut bytes, mut heartbeats, mut ends, mut longest) = (0, 0, 0, 0);
        let session = packets[0].1[..10].to_vec();
        for (i, (time, payload)) in packets.iter().enumerate() {
            let (header, blocks) = moldudp64::parse(payload).unwrap();
            assert!(payload.len() <= 1472 && header.session[..] == session[..]);
            assert_eq!(
                header.sequence.get(),
                expected,
                "sequences follow each other"
            );
            assert!(*time >= last_packet);
            assert!(
                i == 0 || *time - last_packet <= 1_001_000_000,
                "silence is filled by heartbeats"
            );
            (last_packet, bytes) = (*time, bytes + payload.len() as u64);
            heartbeats += u32::from(header.message_count.get() == 0);
            ends += u32::from(header.message_count.get() == moldudp64::END_OF_SESSION);
            longest = longest.max(header.blocks());
            for block in blocks {
                let stamp = block[5..11].iter().fold(0, |t, &b| t << 8 | u64::from(b));
                assert!(
                    stamp >= last_message && midnight.0 + stamp <= time.0,
                    "no message before it happened"
                );
                last_message = stamp;
                reader.message(block);
                expected += 1;
                if expected % 5_000 == 0 {
                    reader.assert_not_crossed();
                }
            }
        }
        assert_eq!(expected - 1, messages);
        assert_eq!(reader.events, "OSQMEC");
        assert!(
            heartbeats >= 2 && ends == 1 && longest > 10,
            "{heartbeats} {ends} {longest}"
        );
        let (_, last) = packets.last().unwrap();
        assert_eq!(
            moldudp64::parse(last).unwrap().0.message_count.get(),
            moldudp64::END_OF_SESSION
        );

        assert_eq!(summary.messages, messages);
        assert_eq!(summary.by_type, reader.by_type);
        assert_eq!(
            (summary.packets, summary.bytes),
            (packets.len() as u64, bytes)
        );
        assert_eq!(summary.last.0, midnight.0 + last_message);
        for kind in [
            "S", "R", "H", "A", "F", "E", "C", "X", "D", "U", "P", "Q", "I",
        ] {
            assert!(reader.by_type.contains_key(kind), "no {kind}");
        }
        assert!(reader.non_printable > 0 && reader.non_printable < reader.by_type["C"]);
        assert!(!reader.orders.is_empty());
    }
}

#[test]
fn the_open_is_at_half_past_nine_and_the_rate_as_asked() {
    let spec = itch(200_000, 4);
    let (packets, summary) = make(&spec);
    let midnight = spec.midnight().0;
    assert_eq!(
        midnight, 1_795_150_800_000_000_000,
        "5 o'clock UTC in November"
    );
    let (mut open, mut close) = (0, 0);
    for (_, payload) in &packets {
        for block in moldudp64::parse(payload).unwrap().1 {
            if let Ok(Message::SystemEvent(m)) = Message::parse(block) {
                match m.event_code {
                    b'Q' => open = m.timestamp.get(),
                    b'M' => close = m.timestamp.get(),
                    _ => {}
                }
            }
        }
    }
    let second = 1_000_000_000;
    assert!(open.abs_diff(34_200 * second) < second / 100, "{open}");
    // Market hours hold about 86 % of the messages: 1.7 seconds at 100,000 per second.
    let hours = close - open;
    assert!(
        (15 * second / 10..19 * second / 10).contains(&hours),
        "{hours} ns"
    );
    assert!(summary.last.0 - summary.first.0 < 7 * second);
}

#[test]
fn every_count_is_met_exactly_down_to_the_smallest_session() {
    for messages in (10..300).chain([999, 4_321]) {
        let (packets, summary) = make(&itch(messages, messages));
        let mut reader = Reader::default();
        for (_, payload) in &packets {
            moldudp64::parse(payload)
                .unwrap()
                .1
                .for_each(|m| reader.message(m));
        }
        assert_eq!(
            (summary.messages, reader.by_type.values().sum()),
            (messages, messages)
        );
        assert_eq!(reader.events, "OSQMEC");
    }
    for messages in [0, 1, 9] {
        assert_eq!(make(&itch(messages, 0)).1.messages, 10);
    }
}

#[test]
fn activity_is_uneven_and_orders_stay_live() {
    let (packets, summary) = make(&Spec {
        symbols: 50,
        ..itch(200_000, 5)
    });
    assert_eq!(summary.symbols, 50);
    let mut by_symbol = BTreeMap::<u16, u64>::new();
    let mut reader = Reader::default();
    for (_, payload) in &packets {
        for block in moldudp64::parse(payload).unwrap().1 {
            reader.message(block);
            *by_symbol
                .entry(u16::from_be_bytes([block[1], block[2]]))
                .or_default() += 1;
        }
    }
    let mut counts: Vec<_> = by_symbol.into_values().collect();
    counts.sort_unstable();
    // Zipf over 50: the first has 22 % of everything, the middle one 0.9 %.
    assert!(counts[50] > 35_000 && counts[25] < 4_000, "{counts:?}");
    let live = reader.orders.len();
    assert!((5_000..25_000).contains(&live), "{live}");
}

#[test]
fn live_orders_stay_bounded_however_long_the_session() {
    let spec = Spec {
        symbols: 5,
        ..itch(150_000, 6)
    };
    let mut reader = Reader::default();
    let mut most = 0;
    generate(&spec, &mut |_, payload: &[u8]| {
        moldudp64::parse(payload)
            .unwrap()
            .1
            .for_each(|m| reader.message(m));
        most = most.max(reader.orders.len());
        Ok(())
    })
    .unwrap();
    // 400 per instrument on average, and never twice that.
    assert!((1_000..4_000).contains(&most), "{most}");
}

#[test]
fn what_cannot_be_made_is_said() {
    let wrong = |spec: Spec| {
        let result = generate(&spec, &mut |_, _: &[u8]| Ok(()));
        assert!(matches!(result, Err(GenerateError::Spec(_))), "{result:?}");
    };
    wrong(Spec {
        symbols: 0,
        ..itch(100, 0)
    });
    wrong(Spec {
        rate: 0,
        ..itch(100, 0)
    });
    wrong(Spec {
        rate: 1,
        ..itch(23_401, 0)
    });
    wrong(Spec {
        payload_limit: 127,
        ..itch(100, 0)
    });
    let full = generate(&itch(100, 0), &mut |_, _: &[u8]| {
        Err(std::io::ErrorKind::StorageFull.into())
    });
    assert!(matches!(full, Err(GenerateError::Io(_))));
}

#[test]
fn the_lowest_payload_limit_holds_every_message() {
    let layouts = [Layout::Records, Layout::Columns, Layout::Mixed];
    let native = layouts.map(Protocol::Native);
    for protocol in native.into_iter().chain([Protocol::Itch50]) {
        for seed in 0..8 {
            let spec = Spec {
                payload_limit: 128,
                ..Spec::new(protocol, 3_000, seed)
            };
            let mut longest = 0;
            let made = generate(&spec, &mut |_, payload: &[u8]| {
                longest = longest.max(payload.len());
                Ok(())
            });
            assert_eq!(made.unwrap().messages, 3_000);
            assert!((100..=128).contains(&longest), "{protocol:?}: {longest}");
        }
    }
}

#[test]
fn redundant_lines_all_carry_every_packet() {
    let groups = ["239.1.1.1:5000", "239.1.1.2:5001"].map(|g| g.parse().unwrap());
    let capture = |groups: &[SocketAddrV4]| {
        let mut sink = PcapSink::lines(Vec::new(), groups).unwrap();
        generate(&itch(2_000, 3), &mut sink).unwrap();
        CaptureFile::from_memory("lines", sink.finish().unwrap()).unwrap()
    };
    let read = |file: &CaptureFile| {
        let mut datagrams = Datagrams::new(file);
        std::iter::from_fn(|| {
            datagrams
                .next()
                .map(|d| (d.dst, d.time, d.payload.to_vec()))
        })
        .collect::<Vec<_>>()
    };
    let both = read(&capture(&groups));
    let one = read(&capture(&groups[..1]));
    for (line, group) in groups.into_iter().enumerate() {
        let of_line: Vec<_> = both
            .iter()
            .filter(|packet| packet.0 == Some(group.into()))
            .collect();
        assert_eq!(of_line.len(), one.len());
        for (a, b) in of_line.iter().zip(&one) {
            assert_eq!((a.1, &a.2), (b.1, &b.2), "line {line}");
        }
    }
    assert_eq!(both.len(), 2 * one.len());
}
