//! A lane with two lines, and packets that nobody would send.

use super::choices::Choices;
use super::source::One;
use feed_common::event::{DeleteOrder, Gap, MarketHandler, MsgCtx};
use feed_common::latency::NoProbe;
use feed_common::packet::RxMeta;
use feed_common::time::{Ticks, UnixNanos, Zone};
use feed_common::wire::ProtocolName;
use feed_common::wire::itch50::OrderDelete;
use feed_common::wire::moldudp64::PacketBuilder;
use feed_handler::pipeline::{ChannelSetup, Lane, LaneTime, SessionDay};
use feed_handler::protocol::iex::{Iex, IexDecoder};
use feed_handler::protocol::itch50::Itch50Decoder;
use feed_handler::protocol::native::{Native, NativeDecoder};
use feed_handler::protocol::{About, Decode, DecodeError, Protocol};
use feed_handler::publish::Outlet;
use feed_handler::subscribe::Filter;
use feed_handler::transport::native::NativeFraming;
use feed_handler::transport::{IexFraming, MoldFraming};
use std::cell::RefCell;
use zerocopy::IntoBytes;

const WINDOW: u64 = 64;

/// Three bytes a packet of a feed that is well made but comes in any order, on either line, in several sessions: every
/// message once and in order, and every one that is missing in a gap.
pub fn lane(data: &[u8]) {
    let mut choices = Choices(data);
    let mut lane = new::<Itch50>(MoldFraming, Kept::with_room(4));
    let mut now = 1;
    while let Some(what) = choices.byte() {
        let (first, more) = (choices.small(), choices.small());
        let session = [b'A' + (what >> 2 & 1) + (what >> 7) * 2; 10];
        now += more >> 3;
        let mut packet = PacketBuilder::new(session, first + 1, 1400);
        match what >> 3 & 7 {
            0 => {
                let header = packet.heartbeat();
                step(&mut lane, what, now, header.as_bytes());
            }
            1 => {
                let header = packet.end_of_session();
                step(&mut lane, what, now, header.as_bytes());
            }
            _ => {
                for id in (first + 1)..=(first + 1 + (more & 7)) {
                    let mut delete = OrderDelete {
                        msg_type: OrderDelete::TYPE,
                        ..OrderDelete::default()
                    };
                    delete.order_ref.set(id);
                    assert!(packet.push(delete.as_bytes()));
                }
                step(&mut lane, what, now, packet.payload());
            }
        }
    }
    let (packets, given) = (lane.packets(), data.len().div_ceil(3) as u64);
    assert_eq!(packets, given);
    finish(&mut lane);
    assert_eq!(lane.messages(), lane.outlet().deletes);
    let drops = lane.drops();
    assert_eq!(
        drops.total(),
        drops.old_session + drops.stash_full + drops.truncated + drops.no_line
    );
}

/// Any packets: two bytes before each say the line and the length.
pub fn itch50(data: &[u8]) {
    any(new::<Itch50>(MoldFraming, Kept::with_room(4)), data);
}

/// As [`itch50`].
pub fn native(data: &[u8]) {
    any(
        new::<Native>(NativeFraming, NativeDecoder::with_room(4)),
        data,
    );
}

/// As [`itch50`].
pub fn iex(data: &[u8]) {
    any(new::<Iex>(IexFraming, IexDecoder::with_room(4)), data);
}

fn any<P: Protocol>(mut lane: Lane<P, Order, NoProbe>, data: &[u8]) {
    // Messages that cannot be decoded leave no event, so the order of numbers is all that can be asked for.
    lane.outlet_mut().gapless = false;
    let mut choices = Choices(data);
    let mut now = 1;
    while let Some(what) = choices.byte() {
        let len = choices.small() as usize * (1 + usize::from(what >> 6) * 2);
        now += u64::from(what & 0x38);
        step(&mut lane, what, now, choices.bytes(len));
        if what & 0x38 == 0x38 {
            lane.idle(now + WINDOW);
        }
    }
    finish(&mut lane);
}

/// Gives up what is still missing, after which nothing may be waiting any more.
fn finish<P: Protocol>(lane: &mut Lane<P, Order, NoProbe>) {
    lane.finish();
    let (delivered, lost) = (lane.messages(), lane.channels()[0].sequence().lost);
    // What several sessions lose is counted as far as the counter goes.
    let missing = lane.outlet().missing.min(u64::MAX.into());
    assert_eq!(missing, u128::from(lost));
    lane.finish();
    assert_eq!(lane.messages(), delivered);
}

/// Hands the lane a packet; the lowest bits say on which line, and some that it is cut or on none.
fn step<P: Protocol>(lane: &mut Lane<P, Order, NoProbe>, what: u8, at: u64, bytes: &[u8]) {
    let (line, flags) = match what & 0x43 {
        0x40 => (7, 0),
        0x41 => (0, RxMeta::TRUNCATED),
        other => (u16::from(other & 1), 0),
    };
    let meta = RxMeta {
        rx: Ticks(at),
        kernel: UnixNanos(at),
        len: bytes.len() as u32,
        line,
        flags,
        ..RxMeta::default()
    };
    let taken = lane.step(&mut One(Some((meta, bytes))));
    assert!(matches!(taken, Ok(1)));
}

fn new<P: Protocol>(framing: P::Framing, decoder: P::Decoder) -> Lane<P, Order, NoProbe> {
    let setup = ChannelSetup {
        name: "c".into(),
        number: 0,
        lines: 2,
        window_nanos: WINDOW,
        stash_slots: 4,
        stash_slot_bytes: 512,
        day: SessionDay::Midnight(UnixNanos(1)),
    };
    let order = Order {
        gapless: true,
        ..Order::default()
    };
    let channel = (setup, framing, decoder);
    Lane::new(vec![channel], LaneTime::Captured, 0, order, NoProbe)
}

/// Looks at the numbers that come out.
#[derive(Default)]
struct Order {
    /// Where nothing may be left out.
    gapless: bool,
    next: Option<u64>,
    events: u64,
    deletes: u64,
    missing: u128,
}

impl MarketHandler for Order {
    fn on_delete(&mut self, cx: &MsgCtx, m: DeleteOrder) {
        self.events += 1;
        self.deletes += 1;
        if self.gapless {
            assert_eq!(m.order_id, cx.sequence, "a message under another's number");
            assert_eq!(self.next.unwrap_or(cx.sequence), cx.sequence);
            self.next = Some(cx.sequence + 1);
        }
    }

    fn on_gap(&mut self, cx: &MsgCtx, gap: Gap) {
        self.events += 1;
        self.missing += u128::from(gap.count);
        assert!(gap.count > 0);
        if self.gapless {
            assert_eq!(self.next.unwrap_or(cx.sequence), cx.sequence);
        }
        self.next = Some(cx.sequence + gap.count);
    }

    fn on_restart(&mut self, _: &MsgCtx) {
        self.events += 1;
        self.next = None;
    }
}

impl Outlet for Order {
    fn published(&self) -> u64 {
        self.events
    }
}

/// ITCH with a decoder that is kept from input to input.
struct Itch50;

impl Protocol for Itch50 {
    const NAME: ProtocolName = ProtocolName::Itch50;
    const ZONE: Zone = Zone::UsEastern;
    const ABOUT: About = feed_handler::protocol::itch50::Itch50::ABOUT;
    type Framing = MoldFraming;
    type Decoder = Kept;
}

/// Its table of 65,536 locates takes longer to make than most inputs to run. None while it is being dropped.
struct Kept(Option<Itch50Decoder>);

thread_local! {
    static KEPT: RefCell<Option<Itch50Decoder>> = const { RefCell::new(None) };
}

impl Kept {
    fn decoder(&mut self) -> &mut Itch50Decoder {
        self.0.as_mut().expect("nobody has dropped it")
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(mut decoder) = self.0.take() {
            decoder.restart();
            decoder.subscribe(Box::default());
            KEPT.set(Some(decoder));
        }
    }
}

impl Decode for Kept {
    fn with_room(instruments: usize) -> Kept {
        let kept = KEPT.take();
        Kept(Some(
            kept.unwrap_or_else(|| Itch50Decoder::with_room(instruments)),
        ))
    }

    fn decode<H: MarketHandler>(
        &mut self,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        self.decoder().decode(message, cx, out)
    }

    fn oddities(&self) -> Vec<(&'static str, u64)> {
        self.0
            .iter()
            .flat_map(|decoder| decoder.oddities())
            .collect()
    }

    fn restart(&mut self) {
        self.decoder().restart();
    }

    fn subscribe(&mut self, filter: Box<Filter>) -> Box<Filter> {
        self.decoder().subscribe(filter)
    }

    fn review<H: MarketHandler>(&mut self, cx: &MsgCtx, out: &mut H) -> bool {
        self.decoder().review(cx, out)
    }

    fn filtered(&self) -> u64 {
        self.0.iter().map(Decode::filtered).sum()
    }
}
