//! A strategy on a thread of its own that polls the lane's ring: one hop between cores, and nothing it does can hold up the
//! lane. Any number of them read the same ring; one that falls a whole ring behind is told how much it has missed.
//!
//! ```text
//! cargo run --release -p feed-handler --example polling_the_ring
//! ```

mod market;

use feed_common::event::Record;
use feed_common::ring::Reader;
use feed_common::time::{Clock, Ticks};
use feed_handler::run::{Handler, Input};
use market::{Exchange, Leaning};
use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    run(&mut std::io::stdout().lock())
}

/// What the strategy came to.
struct Traded {
    strategy: Leaning,
    records: u64,
    lost: u64,
    /// Ticks from the receive of a packet to the order that its message led to.
    fastest: u64,
}

/// Polls until the lane has ended and everything it published has been read.
fn trade(mut reader: Reader<Record>, clock: &Clock) -> Traded {
    let mut traded = Traded {
        strategy: Leaning::new(),
        records: 0,
        lost: 0,
        fastest: u64::MAX,
    };
    let mut batch = [Record::default(); 64];
    loop {
        match reader.read(&mut batch) {
            // On a core of its own it would ask again at once.
            Ok(0) if !reader.is_closed() => std::thread::yield_now(),
            Ok(0) => return traded,
            Ok(n) => {
                traded.records += n as u64;
                for record in &batch[..n] {
                    if traded.strategy.hear(record).is_some() {
                        let took = clock.now().since(Ticks(record.rx.get()));
                        traded.fastest = traded.fastest.min(took);
                    }
                }
            }
            // What it knows of the books' tops may be old now; a real one would be careful until it has heard of each.
            Err(overrun) => traded.lost += overrun.lost,
        }
    }
}

/// What the example does, and prints to `out`.
pub fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let exchange = Exchange::new()?;
    let handler = Handler::start(&exchange.plan(), &Input::Live)?;
    let clock = handler.clock().clone();
    let reader = handler.subscribers()[0].from_oldest();
    let trader = std::thread::spawn(move || (trade(reader, &clock), clock));

    let messages = exchange.messages;
    let sender = exchange.open()?;
    let patience = Instant::now() + Duration::from_secs(30);
    while handler.reading().messages < messages && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(5));
    }
    let outcome = handler.finish();
    let (traded, clock) = trader.join().map_err(|_| "the strategy has panicked")?;
    sender.join().map_err(|_| "the exchange has panicked")?;

    let lane = &outcome.lanes[0];
    let Traded {
        strategy,
        records,
        lost,
        fastest,
    } = traded;
    let messages = lane.messages;
    writeln!(out, "{messages} messages")?;
    writeln!(
        out,
        "{} quotes, {} orders",
        strategy.quotes, strategy.orders
    )?;
    writeln!(out, "{records} of {} records, {lost} lost", lane.published)?;
    let nanos = clock.scale().nanos(fastest);
    writeln!(out, "fastest order {nanos} ns after its packet")?;
    Ok(())
}
