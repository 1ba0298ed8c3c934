//! A strategy called inside the lane: on the thread that receives, as soon as a message has been decoded and its book is
//! whole again. No ring, no queue, no other thread. What it does is on the hot path, so it must not allocate, lock or wait.
//!
//! The lane is put together by hand: a socket, a protocol, books, and the strategy where records would go.
//!
//! ```text
//! cargo run --release -p feed-handler --example inside_the_lane
//! ```

mod market;

use feed_common::event::Record;
use feed_common::latency::NoProbe;
use feed_common::ring::{Inline, SlotConfig};
use feed_common::time::{Clock, Ticks};
use feed_handler::config::Timestamps;
use feed_handler::net::{UdpOptions, UdpReceiver};
use feed_handler::pipeline::{ChannelSetup, Lane, LaneTime, SessionDay};
use feed_handler::protocol::itch50::Itch50;
use feed_handler::protocol::{Decode, Protocol};
use feed_handler::publish::{Booked, Publish, Records};
use feed_handler::transport::MoldFraming;
use market::{Exchange, INSTRUMENTS, Leaning, books};
use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    run(&mut std::io::stdout().lock())
}

/// The strategy as the place where a lane's records end.
struct Trader {
    strategy: Leaning,
    clock: Clock,
    /// From the receive of a packet to the order that its message led to.
    fastest: u64,
}

impl Publish for Trader {
    #[inline]
    fn publish(&mut self, record: &Record) {
        if self.strategy.hear(record).is_some() {
            // Here it would be written to the exchange's gateway.
            let took = self.clock.now().since(Ticks(record.rx.get()));
            self.fastest = self.fastest.min(took);
        }
    }
}

/// What the example does, and prints to `out`.
pub fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let exchange = Exchange::new()?;
    let clock = Clock::new();
    let options = UdpOptions {
        batch: 32,
        socket_buffer: 1 << 20,
        timestamps: Timestamps::User,
    };
    let receiver = UdpReceiver::open(&[exchange.address()], options, clock.clone())?;
    let mut source = Inline::new(receiver, &SlotConfig::default())?;
    let trader = Trader {
        strategy: Leaning::new(),
        clock: clock.clone(),
        fastest: u64::MAX,
    };
    let books = Booked::new(Records::new(trader, 1), 0..1, &books().limits, true)?;
    let setup = ChannelSetup {
        name: "itch".into(),
        number: 0,
        lines: 1,
        window_nanos: 1_000_000,
        stash_slots: 1024,
        stash_slot_bytes: 2048,
        day: SessionDay::FirstPacket(Itch50::ZONE),
    };
    let decoder = Decode::with_room(INSTRUMENTS);
    let channels = vec![(setup, MoldFraming, decoder)];
    let time = LaneTime::Received(clock.scale());
    let mut lane = Lane::<Itch50, _, _>::new(channels, time, 0, books, NoProbe);

    let messages = exchange.messages;
    let sender = exchange.open()?;
    let patience = Instant::now() + Duration::from_secs(30);
    while lane.messages() < messages && Instant::now() < patience {
        let before = clock.now();
        if lane.step(&mut source)? == 0 {
            // Nothing came: holes grow older. A lane that has its core to itself would ask again at once.
            lane.idle(clock.scale().nanos(before.0));
            std::thread::yield_now();
        }
    }
    lane.finish();
    sender.join().map_err(|_| "the exchange has panicked")?;

    let messages = lane.messages();
    let Trader {
        strategy, fastest, ..
    } = lane.into_outlet().into_sink();
    writeln!(out, "{messages} messages")?;
    writeln!(
        out,
        "{} quotes, {} orders",
        strategy.quotes, strategy.orders
    )?;
    let nanos = clock.scale().nanos(fastest);
    writeln!(out, "fastest order {nanos} ns after its packet")?;
    Ok(())
}
