//! A strategy that blocks: it has other things to wait for than records, here a timer, and `select!`s over all of them. A cold
//! thread brings the records to a queue of its own; when that is full, the plan says what goes.
//!
//! ```text
//! cargo run --release -p feed-handler --example blocking_on_a_channel
//! ```

mod market;

use crossbeam_channel::{select, tick};
use feed_handler::config::{Believed, ConsumerPlan, Plan, WhenFull};
use feed_handler::publish::Delivery;
use feed_handler::run::{Consumer, Handler, Input};
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
    left_out: u64,
    /// How often it looked at its risk.
    looks: u64,
}

/// Waits for whatever comes first, until the run has ended and everything was delivered.
fn trade(consumer: &Consumer) -> Traded {
    let risk = tick(Duration::from_millis(100));
    let mut traded = Traded {
        strategy: Leaning::new(),
        records: 0,
        left_out: 0,
        looks: 0,
    };
    loop {
        select! {
            recv(consumer.receiver) -> delivery => match delivery {
                Ok(Delivery::Record(record)) => {
                    traded.records += 1;
                    traded.strategy.hear(&record);
                }
                Ok(other) => traded.left_out += other.left_out().unwrap_or(0),
                Err(_) => return traded,
            },
            recv(risk) -> _ => traded.looks += 1,
        }
    }
}

/// What the example does, and prints to `out`.
pub fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let exchange = Exchange::new()?;
    let consumer = ConsumerPlan {
        name: "leaning".into(),
        queue: 1 << 17,
        when_full: WhenFull::Conflate,
        trust: Believed::default(),
        lanes: vec![0],
    };
    let plan = Plan {
        consumers: vec![consumer],
        ..exchange.plan()
    };
    let mut handler = Handler::start(&plan, &Input::Live)?;
    let consumer = handler.take_consumers().remove(0);
    let trader = std::thread::spawn(move || trade(&consumer));

    let messages = exchange.messages;
    let sender = exchange.open()?;
    let patience = Instant::now() + Duration::from_secs(30);
    while handler.reading().messages < messages && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(5));
    }
    let outcome = handler.finish();
    let traded = trader.join().map_err(|_| "the strategy has panicked")?;
    sender.join().map_err(|_| "the exchange has panicked")?;

    let lane = &outcome.lanes[0];
    let Traded {
        strategy,
        records,
        left_out,
        looks,
    } = traded;
    writeln!(out, "{} messages", lane.messages)?;
    writeln!(
        out,
        "{} quotes, {} orders",
        strategy.quotes, strategy.orders
    )?;
    writeln!(
        out,
        "{records} of {} records, {left_out} left out",
        lane.published
    )?;
    writeln!(out, "{looks} looks at the risk")?;
    Ok(())
}
