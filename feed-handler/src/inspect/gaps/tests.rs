use super::*;
use crate::inspect::dissector;
use crate::inspect::stats::stats;
use feed_common::capture::Datagram;
use feed_common::time::UnixNanos;
use feed_common::wire::moldudp64::PacketBuilder;
use feed_common::wire::{iextp, mdp3, pillar, pitch};
use proptest::prelude::*;
use std::collections::BTreeSet;

pub(crate) const T: u64 = 1_795_271_400_000_000_000;

/// A packet: how many nanoseconds after [`T`], the port it was sent to, and its payload.
pub(crate) type Sent = (u64, u16, Vec<u8>);

pub(crate) fn group(port: u16) -> SocketAddr {
    SocketAddr::from(([239, 0, 0, 1], port))
}

/// What the lines 1 and 2 of a channel bring, and what goes to other ports.
pub(crate) fn with_capture<R>(sent: &[Sent], look: impl FnOnce(&[Datagram<'_>]) -> R) -> R {
    let datagrams: Vec<_> = (1..)
        .zip(sent)
        .map(|(number, (after, port, payload))| Datagram {
            number,
            time: UnixNanos(T + after),
            dst: Some(match port {
                ..1000 => group(*port),
                _ => SocketAddr::from(([192, 0, 2, 77], *port)),
            }),
            // Port 3 is a server that sends to the group of line 1.
            src: Some(SocketAddr::from(([192, 0, 2, *port as u8], 9))),
            payload,
        })
        .collect();
    look(&datagrams)
}

#[derive(Default)]
struct Kept {
    entries: Vec<Entry>,
    channels: usize,
}

impl GapSink for Kept {
    fn begin(&mut self, channels: &[CaptureChannel]) -> io::Result<()> {
        self.channels = channels.len();
        Ok(())
    }

    fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        self.entries.push(entry.clone());
        Ok(())
    }

    fn end(&mut self, _totals: &Totals) -> io::Result<()> {
        Ok(())
    }
}

fn two_lines() -> Lines {
    Lines::Given(vec![vec![group(1), group(2)]])
}

fn list(name: ProtocolName, sent: &[Sent], lines: &Lines) -> (Vec<Entry>, Totals) {
    with_capture(sent, |datagrams| {
        let (mut kept, streams) = (Kept::default(), Streams::given(dissector(name)));
        let found = gaps(|| datagrams, &streams, lines, &mut kept).unwrap();
        assert_eq!(found.totals.channels, kept.channels as u64);
        (kept.entries, found.totals)
    })
}

/// The rows without their time: `packet what first-last lacked by, closed by late, cause`.
fn shown(entries: &[Entry]) -> Vec<String> {
    let line = |line: usize| CaptureChannel::line_name(line);
    let row = |entry: &Entry| match &entry.what {
        What::Turned { turned, first, .. } => {
            format!("{} {} {first}", entry.mark.packet, turned.name())
        }
        What::Hole(hole) => {
            let lacked: Vec<_> = hole.lacked_by.iter().map(|&l| line(l)).collect();
            let closed = hole.closed.map_or("open".to_owned(), |c| match c.by {
                By::Line(l) => format!("{} {}", line(l), c.late),
                By::Retransmission => format!("again {}", c.late),
                By::Snapshot => "snapshot".to_owned(),
            });
            format!(
                "{} {} {}-{} {}; {closed}; {}",
                entry.mark.packet,
                hole.shown.name(),
                hole.first,
                hole.last,
                lacked.join(""),
                hole.cause.name()
            )
        }
    };
    entries.iter().map(row).collect()
}

pub(crate) fn mold(session: &[u8; 10], sequence: u64, count: usize) -> Vec<u8> {
    let mut b = PacketBuilder::new(*session, sequence, 1400);
    assert!((0..count).all(|_| b.push(&[b'D'; 19])));
    b.payload().to_vec()
}

const S: &[u8; 10] = b"SESSION1  ";

fn itch(packets: &[(u64, u16, u64, usize)]) -> Vec<Sent> {
    let sent = |&(after, port, first, count)| (after, port, mold(S, first, count));
    packets.iter().map(sent).collect()
}

fn end_of(session: &[u8; 10], next: u64) -> Vec<u8> {
    use zerocopy::IntoBytes;
    let header = PacketBuilder::new(*session, next, 1400).end_of_session();
    header.as_bytes().to_vec()
}

#[test]
fn what_each_line_lost_who_had_it_and_what_both_lost() {
    let sent = itch(&[
        (0, 1, 1, 2),
        (5, 2, 1, 2),
        (10, 1, 5, 1), // 3 and 4 missing
        (17, 2, 3, 1),
        (19, 2, 4, 1),
        (20, 1, 6, 1),
        (21, 2, 7, 1),  // 5 and 6 missing on the second, which the first has brought
        (22, 1, 9, 1),  // 7 missing on the first; 8 on the channel
        (23, 2, 9, 1),  // and on the second
        (30, 1, 12, 0), // 10 and 11 are gone
        (31, 1, 14, 0), // as are 12 and 13
        (40, 2, 11, 1), // but for 11
    ]);
    let (entries, totals) = list(ProtocolName::Itch50, &sent, &two_lines());
    assert_eq!(
        shown(&entries),
        [
            "3 data 3-4 A; B 9; one_line",
            "7 data 5-6 B; A 0; one_line",
            "8 data 7-7 A; B 0; one_line",
            "8 data 8-8 AB; open; upstream",
            "10 heartbeat 10-10 AB; open; upstream",
            "10 heartbeat 11-11 A; B 10; one_line",
            "10 heartbeat 12-13 A; open; unknown",
        ]
    );
    assert_eq!((totals.holes, totals.closed, totals.open), (7, 4, 3));
    assert_eq!(totals.lost, 4);
    assert_eq!(entries[0].mark.time, UnixNanos(T + 10));
    assert_eq!(entries[0].session.to_string(), "SESSION1");
}

#[test]
fn what_comes_later_on_the_same_line_is_reordered_or_nothing_at_all() {
    let sent = itch(&[
        (0, 1, 1, 1),
        (1, 1, 3, 1), // nobody has 2 yet
        (4, 1, 2, 1),
        (5, 2, 1, 3),
        (6, 2, 4, 2),
        (7, 1, 5, 1), // 4 has been there
        (8, 1, 4, 1), // and comes
    ]);
    let (entries, totals) = list(ProtocolName::Itch50, &sent, &two_lines());
    assert_eq!(shown(&entries), ["2 data 2-2 ; A 3; reordered"]);
    assert_eq!((totals.holes, totals.open), (1, 0));
}

#[test]
fn one_line_cannot_say_where_it_was_lost() {
    let sent = itch(&[(0, 1, 10, 1), (1, 1, 20, 1), (2, 1, 14, 2), (3, 1, 3, 1)]);
    let (entries, totals) = list(ProtocolName::Itch50, &sent, &Lines::Found);
    assert_eq!(
        shown(&entries),
        [
            "2 data 11-13 A; open; unknown",
            "2 data 14-15 ; A 1; reordered",
            "2 data 16-19 A; open; unknown",
        ]
    );
    assert_eq!(totals.lost, 7);
}

#[test]
fn servers_answer_to_a_host_or_to_the_group() {
    let packets = |to: u16| {
        let mut sent = itch(&[
            (0, 1, 1, 1),
            (1, 2, 1, 1),
            (2, 1, 2, 1),
            (3, 2, 2, 1),
            (4, 1, 5, 1),
            (5, 2, 5, 1),
            (9, to, 3, 2),
            (10, 1, 6, 1),
            (11, 2, 6, 1),
        ]);
        // Beyond everything, which nobody has asked for.
        sent.push((12, to, mold(S, 9, 1)));
        sent
    };
    let (entries, totals) = list(ProtocolName::Itch50, &packets(2000), &Lines::Found);
    assert_eq!(shown(&entries), ["5 data 3-4 AB; again 5; upstream"]);
    assert_eq!((totals.channels, totals.open), (1, 0));
    let (entries, totals) = list(ProtocolName::Itch50, &packets(2000), &Lines::Separate);
    assert_eq!((entries.len(), totals.channels), (3, 3));

    // To the group of line 1, from an address of its own.
    let sent = packets(1);
    let found = with_capture(&sent[..9], |datagrams| {
        let mut datagrams = datagrams.to_vec();
        datagrams[6].src = Some(SocketAddr::from(([192, 0, 2, 99], 9)));
        let (mut kept, streams) = (
            Kept::default(),
            Streams::given(dissector(ProtocolName::Itch50)),
        );
        gaps(|| &datagrams[..], &streams, &two_lines(), &mut kept).unwrap();
        kept.entries
    });
    assert_eq!(shown(&found), ["5 data 3-4 AB; again 5; upstream"]);
}

#[test]
fn a_line_whose_sender_changes_is_the_line_still() {
    let mut senders = [None, None];
    let at = |n| Some(SocketAddr::from(([192, 0, 2, n], 9)));
    let mut by = |line, sender, goes_on| sent_by(&mut senders, line, at(sender), || goes_on);
    assert_eq!(by(0, 1, true), By::Line(0));
    assert_eq!(by(1, 2, true), By::Line(1));
    assert_eq!(by(0, 3, false), By::Retransmission);
    assert_eq!(by(0, 2, false), By::Line(0), "the other line's sender");
    assert_eq!(by(0, 3, true), By::Line(0));
    assert_eq!(by(0, 3, false), By::Line(0), "its sender now");
}

#[test]
fn sessions_end_and_others_begin() {
    const NEXT: &[u8; 10] = b"SESSION2  ";
    let sent = [
        (0, 1, mold(S, 1, 3)),
        (1, 2, mold(S, 1, 3)),
        (2, 1, end_of(S, 6)),
        (3, 2, end_of(S, 6)),
        (4, 1, mold(NEXT, 1, 1)),
        (5, 2, mold(S, 4, 1)), // the second line is behind
        (6, 2, mold(NEXT, 1, 1)),
        (7, 1, mold(NEXT, 3, 1)),
    ];
    let (entries, totals) = list(ProtocolName::Itch50, &sent, &two_lines());
    assert_eq!(
        shown(&entries),
        [
            "3 end_of_session 4-4 A; B 3; one_line",
            "3 end_of_session 5-5 AB; open; upstream",
            "3 end_of_session 6",
            "5 session 1",
            "8 data 2-2 A; open; unknown",
        ]
    );
    assert_eq!((totals.restarts, totals.open, totals.lost), (1, 2, 2));
    let sessions: Vec<_> = entries.iter().map(|e| e.session.to_string()).collect();
    assert_eq!(sessions[2..], ["SESSION1", "SESSION2", "SESSION2"]);
}

#[test]
fn iex_restarts_and_the_end_of_its_messages() {
    let run = |count: usize, from: u64| {
        let mut b = iextp::SegmentBuilder::new(iextp::DEEP_1_0, 0x48dd_0000, 1400);
        let event = |code| {
            let mut event = [0; 10];
            (event[0], event[1]) = (b'S', code);
            event
        };
        let segments = (0..count).map(|i| {
            assert!(b.push(&event(if i + 1 == count { b'C' } else { b'O' })));
            let segment = b.segment(T + from + i as u64).to_vec();
            b.clear();
            (from + i as u64, 1, segment)
        });
        segments.collect::<Vec<Sent>>()
    };
    let (mut first, second) = (run(4, 0), run(3, 10));
    first.remove(1);
    let (entries, totals) = list(ProtocolName::Iex, &[first, second].concat(), &Lines::Found);
    assert_eq!(
        shown(&entries),
        [
            "2 data 2-2 A; open; unknown",
            "3 end_of_session 4",
            "4 restart 1",
            "6 end_of_session 3",
        ]
    );
    assert_eq!((totals.restarts, totals.lost), (1, 1));
    assert_eq!(entries[0].session.to_string(), "0480010000000000dd48");
}

fn mdp3(number: u32, after: u64, template: u16) -> Vec<u8> {
    let mut message = mdp3::MessageBuilder::new();
    message.begin(template, 9, &[0u8; 9]);
    let mut packet = mdp3::PacketBuilder::new(number, 1400);
    assert!(packet.push(message.finish()));
    packet.payload(UnixNanos(T + after)).to_vec()
}

#[test]
fn mdp3_counts_packets_starts_over_and_resets_channels() {
    use mdp3::template::{ADMIN_HEARTBEAT as BEAT, CHANNEL_RESET};
    let both = |number, after, template| {
        let packet = mdp3(number, after, template);
        [(after, 1, packet.clone()), (after + 1, 2, packet)]
    };
    let sent = [
        both(7, 0, BEAT),
        both(9, 2, BEAT),
        both(10, 4, CHANNEL_RESET),
        both(1, 6, BEAT),
        both(2, 8, BEAT),
    ];
    let (entries, totals) = list(ProtocolName::Mdp3, &sent.concat(), &Lines::Found);
    assert_eq!(
        shown(&entries),
        [
            "3 data 8-8 AB; open; upstream",
            "5 channel_reset 10",
            "7 sequence_reset 1",
        ]
    );
    assert_eq!((totals.lost, totals.restarts), (1, 1));
}

#[test]
fn units_of_pitch_are_apart_and_end_on_their_own() {
    let block = |unit, sequence, message: &[u8]| {
        let mut b = pitch::UnitBuilder::new(unit, sequence, 1400);
        assert!(b.push(message));
        b.block().to_vec()
    };
    const MESSAGE: &[u8] = b"\x03\x20x";
    let end = [6, pitch::EndOfSession::TYPE, 0, 0, 0, 0];
    let both = [block(3, 41, MESSAGE), block(4, 7, MESSAGE)].concat();
    let sent = [
        (0, 1, both),
        (1, 1, block(3, 43, MESSAGE)),
        (2, 1, block(4, 8, &end)),
        (3, 1, block(3, 42, MESSAGE)),
        (4, 1, block(4, 11, MESSAGE)),
    ];
    let (entries, totals) = list(ProtocolName::Pitch, &sent, &Lines::Found);
    assert_eq!(
        shown(&entries),
        [
            "2 data 42-42 ; A 2; reordered",
            "3 end_of_session 8",
            "5 data 9-10 A; open; unknown",
        ]
    );
    let units: Vec<_> = entries.iter().map(|e| e.unit).collect();
    assert_eq!(units, [Some(3), Some(4), Some(4)]);
    assert_eq!((totals.restarts, totals.lost), (0, 2));
}

#[test]
fn pillar_resets_its_numbers_and_heartbeats_show_the_tail() {
    use zerocopy::IntoBytes;
    let packet = |number, after, flag, message: &[u8]| {
        let mut b = pillar::PacketBuilder::new(number, pillar::MAX_PACKET);
        assert!(b.push(message));
        (after, 1, b.payload(flag, T + after).to_vec())
    };
    let (data, reset) = (pillar::Flag::ORIGINAL, pillar::SequenceNumberReset::new());
    const MESSAGE: &[u8] = b"\x05\0\x8c\0x";
    let beat = pillar::PacketBuilder::new(9, pillar::MAX_PACKET).heartbeat(T + 2);
    let sent = [
        packet(6, 0, data, MESSAGE),
        packet(7, 1, data, MESSAGE),
        (2, 1, beat.as_bytes().to_vec()),
        packet(1, 3, pillar::Flag::SEQUENCE_RESET, reset.as_bytes()),
        packet(2, 4, data, MESSAGE),
    ];
    let (entries, totals) = list(ProtocolName::Pillar, &sent, &Lines::Found);
    assert_eq!(
        shown(&entries),
        ["3 heartbeat 8-8 A; open; unknown", "4 sequence_reset 1"]
    );
    assert_eq!(totals.restarts, 1);
}

#[test]
fn hostile_numbers_neither_overflow_nor_loop() {
    let header = |session: &[u8; 10], next| mold(session, next, 0);
    let sent: Vec<Sent> = (0..3)
        .flat_map(|n| {
            let session = [b'A' + n; 10];
            let first = [mold(&session, 0, 1), header(&session, u64::MAX)];
            let second = [mold(&session, u64::MAX - 2, 1), mold(&session, 5, 2)];
            let ports = [1, 1, 2, 2];
            let packets = first.into_iter().chain(second).zip(ports);
            packets
                .map(|(packet, port)| (0, port, packet))
                .collect::<Vec<_>>()
        })
        .collect();
    let (_, totals) = list(ProtocolName::Itch50, &sent, &two_lines());
    assert_eq!((totals.lost, totals.restarts), (u64::MAX, 2));
}

#[test]
fn what_was_noticed_first_is_listed_first_up_to_a_bound() {
    // One hole that stays open, and then more reordering than is held back.
    let mut sent = itch(&[(0, 1, 1, 1), (1, 1, 3, 1)]);
    let pairs = 70_000;
    for n in 0..pairs {
        let first = 4 + 2 * n;
        sent.extend(itch(&[(2, 1, first + 1, 1), (3, 1, first, 1)]));
    }
    let (entries, totals) = list(ProtocolName::Itch50, &sent, &Lines::Found);
    assert_eq!((totals.holes, totals.open), (pairs + 1, 1));
    let place = entries.iter().position(|e| e.mark.packet == 2).unwrap();
    assert!(place > 0 && place < pairs as usize, "{place}");
    let mut others = entries.iter().map(|e| e.mark.packet).filter(|&n| n != 2);
    assert!(others.next() == Some(3) && others.is_sorted());
}

/// Packets `(line, first, count)` of three lines, each losing, repeating and reordering as it likes.
pub(crate) fn traffic() -> impl Strategy<Value = Vec<(u16, u64, usize)>> {
    let anything = prop::collection::vec((1u16..4, 1u64..80, 0usize..6), 1..60);
    // Lines that go on, one ahead of the other, with losses.
    let in_order = prop::collection::vec((1u16..4, 1u64..4, 1usize..4), 1..60).prop_map(|steps| {
        let mut next = [1; 4];
        let go = |(line, step, count): (u16, u64, usize)| {
            let at = &mut next[usize::from(line)];
            let first = *at + (step - 1) / 2;
            *at = first + count as u64;
            (line, first, count)
        };
        steps.into_iter().map(go).collect()
    });
    prop_oneof![anything, in_order]
}

proptest! {
    /// Against sets of numbers: what is open is what nobody brought, every loss of a line is in one entry, and the sums are
    /// those of `stats`.
    #[test]
    fn agrees_with_sets(traffic in traffic()) {
        let sent: Vec<Sent> = (0..).zip(&traffic).map(|(at, &(port, first, count))| (at, port, mold(S, first, count))).collect();
        let lines = Lines::Given(vec![vec![group(1), group(2), group(3)]]);
        let (entries, totals) = list(ProtocolName::Itch50, &sent, &lines);
        let counted = with_capture(&sent, |datagrams| {
            let streams = Streams::given(dissector(ProtocolName::Itch50));
            stats(|| datagrams, Some(&streams), &lines).unwrap().0
        });
        prop_assert_eq!((totals.open, totals.lost), (counted.gaps, counted.lost));

        let ports: BTreeSet<u16> = traffic.iter().map(|&(port, ..)| port).collect();
        let ports: Vec<u16> = ports.into_iter().collect();
        let mut came = vec![BTreeSet::new(); ports.len() + 1];
        let mut bounds = vec![None::<(u64, u64)>; ports.len() + 1];
        for &(port, first, count) in &traffic {
            let line = ports.iter().position(|&p| p == port).unwrap();
            for who in [line, ports.len()] {
                came[who].extend(first..first + count as u64);
                let end = first + count as u64;
                let (_, next) = bounds[who].get_or_insert((first, end));
                *next = (*next).max(end);
            }
        }
        let all = ports.len();
        let (start, end) = bounds[all].unwrap();
        let mut listed = BTreeSet::new();
        for entry in &entries {
            let What::Hole(hole) = &entry.what else { panic!("{entry:?}") };
            let numbers = || hole.first..=hole.last;
            prop_assert!(numbers().all(|n| (start..end).contains(&n) && listed.insert(n)), "{:?}", hole);
            prop_assert!(numbers().all(|n| came[all].contains(&n) == hole.closed.is_some()), "{:?}", hole);
            let lacking: Vec<usize> = (0..all).filter(|&line| {
                let (from, to) = bounds[line].unwrap();
                numbers().any(|n| (from..to).contains(&n) && !came[line].contains(&n))
            }).collect();
            prop_assert_eq!(&hole.lacked_by, &lacking);
            let upstream = hole.closed.is_none() && lacking.len() == all && all > 1;
            prop_assert_eq!(hole.cause == Cause::Upstream, upstream);
            prop_assert_eq!(hole.cause == Cause::Reordered, lacking.is_empty());
        }
        for n in start..end {
            let lost = (0..all).any(|line| {
                let (from, to) = bounds[line].unwrap();
                (from..to).contains(&n) && !came[line].contains(&n)
            });
            prop_assert!(!lost || listed.contains(&n), "{n} was lost by a line and is in no entry");
            prop_assert!(came[all].contains(&n) || listed.contains(&n));
        }
        prop_assert!(entries.is_sorted_by_key(|e| e.mark.packet));
    }
}
