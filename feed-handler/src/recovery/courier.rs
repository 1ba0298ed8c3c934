//! The way of what was got back from the control thread to a lane: a packet ring whose slots begin with what they hold.

use super::{Handed, Missing, RecoverySink};
use crate::sequence::SeqSpan;
use feed_common::packet::{RxMeta, SlotWriter};
use feed_common::ring::{Consumer, Gauge, Producer, SlotConfig, SlotError, packet_ring};
use feed_common::time::Clock;
use zerocopy::byteorder::little_endian::{U16, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Things that can wait for a lane.
const SLOTS: usize = 1 << 12;

/// What a slot begins with; the bytes of a packet or message follow.
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Head {
    kind: u8,
    unit: u8,
    channel: U16,
    session: [u8; 10],
    has_session: u8,
    first: U64,
    count: U64,
}

const PACKET: u8 = 0;
const FAILED: u8 = 1;
const SNAPSHOT_BEGINS: u8 = 2;
const SNAPSHOT_MESSAGE: u8 = 3;
const SNAPSHOT_ENDS: u8 = 4;
const SNAPSHOT_FAILED: u8 = 5;
const LOOP_BEGINS: u8 = 6;
const REFRESH: u8 = 7;
const LOOP_ENDS: u8 = 8;

/// The control thread's end.
#[derive(Debug)]
pub struct Courier {
    producer: Producer,
    gauge: Gauge,
    clock: Clock,
    refused: u64,
}

/// Makes the way to a lane whose packets have up to `packet_bytes` bytes; stamps are read from `clock`.
pub fn courier(packet_bytes: usize, clock: Clock) -> Result<(Courier, Consumer), SlotError> {
    let slot = size_of::<RxMeta>() + size_of::<Head>() + packet_bytes;
    let (producer, consumer) = packet_ring(&SlotConfig {
        slots: SLOTS,
        stride: slot.next_multiple_of(64),
        batch: 64,
    })?;
    let gauge = producer.gauge();
    let courier = Courier {
        producer,
        gauge,
        clock,
        refused: 0,
    };
    Ok((courier, consumer))
}

impl Courier {
    /// What found no room, or was too long.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

impl RecoverySink for Courier {
    fn has_room(&self, n: usize) -> bool {
        self.gauge.slots() - self.gauge.backlog() >= n as u64
    }

    fn hand(&mut self, channel: u16, what: Handed<'_>) {
        let (head, bytes) = Head::of(channel, what);
        let fits = size_of::<Head>() + bytes.len() <= self.producer.capacity();
        if !fits || self.producer.free(1) == 0 {
            self.refused += 1;
            return;
        }
        let rx = self.clock.now();
        let slot = self.producer.slot(0);
        let len = size_of::<Head>() + bytes.len();
        slot.payload[..size_of::<Head>()].copy_from_slice(head.as_bytes());
        slot.payload[size_of::<Head>()..len].copy_from_slice(bytes);
        *slot.meta = RxMeta {
            rx,
            len: len as u32,
            ..RxMeta::default()
        };
        self.producer.commit(1);
    }
}

impl Head {
    fn of(channel: u16, what: Handed<'_>) -> (Head, &[u8]) {
        let head = |kind| Head {
            kind,
            channel: channel.into(),
            ..Head::default()
        };
        match what {
            Handed::Packet(bytes) => (head(PACKET), bytes),
            Handed::Failed(missing) => {
                let head = Head {
                    unit: missing.unit,
                    session: missing.session,
                    has_session: 1,
                    first: missing.span.first.into(),
                    count: missing.span.count.into(),
                    ..head(FAILED)
                };
                (head, &[])
            }
            Handed::SnapshotBegins => (head(SNAPSHOT_BEGINS), &[]),
            Handed::SnapshotMessage(bytes) => (head(SNAPSHOT_MESSAGE), bytes),
            Handed::SnapshotEnds {
                session,
                unit,
                next,
            } => {
                let head = Head {
                    unit,
                    session: session.unwrap_or_default(),
                    has_session: session.is_some().into(),
                    first: next.into(),
                    ..head(SNAPSHOT_ENDS)
                };
                (head, &[])
            }
            Handed::SnapshotFailed => (head(SNAPSHOT_FAILED), &[]),
            Handed::LoopBegins { orders } => {
                let unit = orders.into();
                (
                    Head {
                        unit,
                        ..head(LOOP_BEGINS)
                    },
                    &[],
                )
            }
            Handed::Refresh(bytes) => (head(REFRESH), bytes),
            Handed::LoopEnds { orders, as_of } => {
                let head = Head {
                    unit: orders.into(),
                    first: as_of.into(),
                    ..head(LOOP_ENDS)
                };
                (head, &[])
            }
        }
    }
}

/// What a slot of the ring holds, and for which channel; `None` for what no courier writes.
#[inline]
pub fn delivered(slot: &[u8]) -> Option<(u16, Handed<'_>)> {
    let (head, bytes) = Head::ref_from_prefix(slot).ok()?;
    let what = match head.kind {
        PACKET => Handed::Packet(bytes),
        FAILED => Handed::Failed(Missing {
            channel: head.channel.get(),
            unit: head.unit,
            session: head.session,
            span: SeqSpan {
                first: head.first.get(),
                count: head.count.get(),
            },
        }),
        SNAPSHOT_BEGINS => Handed::SnapshotBegins,
        SNAPSHOT_MESSAGE => Handed::SnapshotMessage(bytes),
        SNAPSHOT_ENDS => Handed::SnapshotEnds {
            session: (head.has_session != 0).then_some(head.session),
            unit: head.unit,
            next: head.first.get(),
        },
        SNAPSHOT_FAILED => Handed::SnapshotFailed,
        LOOP_BEGINS => Handed::LoopBegins {
            orders: head.unit != 0,
        },
        REFRESH => Handed::Refresh(bytes),
        LOOP_ENDS => Handed::LoopEnds {
            orders: head.unit != 0,
            as_of: head.first.get(),
        },
        _ => return None,
    };
    Some((head.channel.get(), what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use feed_common::packet::{PacketBatch, PacketSource};

    #[test]
    fn what_is_handed_arrives_in_order_and_what_finds_no_room_is_counted() {
        let missing = Missing {
            channel: 7,
            unit: 3,
            session: *b"SESSION001",
            span: SeqSpan {
                first: u64::MAX - 9,
                count: 9,
            },
        };
        let all = [
            Handed::Packet(b"packet"),
            Handed::Failed(missing),
            Handed::SnapshotBegins,
            Handed::SnapshotMessage(b""),
            Handed::SnapshotEnds {
                session: Some(*b"SESSION001"),
                unit: 1,
                next: 5,
            },
            Handed::SnapshotEnds {
                session: None,
                unit: 0,
                next: 0,
            },
            Handed::SnapshotFailed,
            Handed::LoopBegins { orders: true },
            Handed::Refresh(b"snapshot"),
            Handed::LoopEnds {
                orders: false,
                as_of: u64::from(u32::MAX),
            },
            Handed::LoopEnds {
                orders: true,
                as_of: 0,
            },
        ];
        let (mut courier, mut consumer) = courier(1_500, Clock::new()).unwrap();
        for what in all {
            courier.hand(7, what);
        }
        let batch = consumer.poll().unwrap();
        let got: Vec<_> = (0..batch.len())
            .map(|i| delivered(batch.get(i).bytes).unwrap())
            .collect();
        assert_eq!(got, all.map(|what| (7, what)));
        drop(batch);
        courier.hand(7, Handed::Packet(&[0; 4_000]));
        assert_eq!(courier.refused(), 1);
        assert!(courier.has_room(SLOTS) && !courier.has_room(SLOTS + 1));
        (0..SLOTS + 2).for_each(|_| courier.hand(7, Handed::SnapshotBegins));
        assert!(!courier.has_room(1));
        assert_eq!(courier.refused(), 3);
        assert_eq!(delivered(b""), None);
        assert_eq!(delivered(&[9; size_of::<Head>()]), None);
    }
}
