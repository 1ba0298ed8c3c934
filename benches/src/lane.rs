//! A lane over a BinaryFILE in memory, as `run --input` builds it, without a probe.

use crate::measure::thread_nanos;
use crate::{MIDNIGHT, context, decoder};
use feed_common::capture::CaptureFile;
use feed_common::event::{AddOrder, Flags, MarketHandler, MsgCtx, Price, Record, Side};
use feed_common::latency::NoProbe;
use feed_common::time::Clock;
use feed_handler::config::BookPlan;
use feed_handler::net::file::{CaptureSource, LineMap};
use feed_handler::pipeline::{ChannelSetup, Lane, LaneTime, SessionDay};
use feed_handler::protocol::itch50::Itch50File;
use feed_handler::publish::{Booked, Outlet, Publish, Records};
use feed_handler::transport::ItchFileFraming;
use std::hint::black_box;

/// A lane and its file.
pub struct FileLane<'f, H: Outlet> {
    lane: Lane<Itch50File, H, NoProbe>,
    source: CaptureSource<'f>,
}

impl<'f, H: Outlet> FileLane<'f, H> {
    /// A lane that has not begun.
    pub fn new(file: &'f CaptureFile, outlet: H) -> FileLane<'f, H> {
        let setup = ChannelSetup {
            name: "itch".into(),
            number: 0,
            lines: 1,
            window_nanos: 1_000_000,
            stash_slots: 16,
            stash_slot_bytes: 2048,
            day: SessionDay::Midnight(MIDNIGHT),
        };
        let channel = (setup, ItchFileFraming::default(), decoder());
        FileLane {
            lane: Lane::new(vec![channel], LaneTime::Captured, 0, outlet, NoProbe),
            source: CaptureSource::new(file, LineMap::default(), Clock::new()),
        }
    }

    /// Takes the whole file; nanoseconds, and messages that were counted as bad.
    pub fn run(&mut self) -> (f64, u64) {
        let start = thread_nanos();
        while self.lane.step(&mut self.source).is_ok() {}
        self.lane.finish();
        let took = thread_nanos() - start;
        (took as f64, self.lane.drops().total())
    }
}

/// Books as large as a lane has them by default, so used that no page of their order table is left untouched.
pub fn booked<K: Publish>(out: K) -> Booked<K> {
    let limits = BookPlan::default().limits;
    let mut booked = Booked::new(Records::new(out, 1), 0..1, &limits, true).expect("memory");
    let cx = MsgCtx {
        instrument: 0,
        flags: Flags::END_OF_EVENT,
        ..context()
    };
    for order_id in 0..1 << 16 {
        let add = AddOrder {
            order_id,
            side: Side::BUY,
            price: Price(order_id as i64 % 1024),
            quantity: 1,
        };
        booked.on_add(&cx, add);
    }
    booked.on_restart(&cx);
    booked
}

/// Takes records and forgets them, unseen by the optimiser.
pub struct Nothing;

impl Publish for Nothing {
    #[inline]
    fn publish(&mut self, record: &Record) {
        black_box(record);
    }
}
