//! Books as the market grows: nanoseconds a message with more symbols, more live orders, deeper books.
//!
//! ```text
//! scripts/bench growth [--svg FILE]
//! ```
//!
//! One thing grows at a time while the others stay at 1,000 symbols, a million orders and 20 levels a side (10 symbols
//! where the depth grows). The flow is one of orders that mostly live for moments (see `benches::growth`). The largest,
//! ten million live orders, takes about 3 GB of memory.

use benches::growth::chart::{Panel, svg};
use benches::growth::{Cost, Shape, measure};

/// Measurements of each point.
const ROUNDS: usize = 5;

/// Where everything else stays while one thing grows.
const USUAL: Shape = Shape {
    symbols: 1_000,
    orders: 1_000_000,
    depth: 20,
};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let file = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => None,
        ["--svg", file] => Some(file.to_owned()),
        _ => {
            eprintln!("growth: what is taken is [--svg FILE]");
            std::process::exit(2);
        }
    };
    println!(
        "{:>8} {:>10} {:>7} {:>9} {:>9} {:>9} {:>9}",
        "symbols", "orders", "depth", "decode", "books", "blind", "MB"
    );
    let panels = [
        panel(
            ["symbols", "1M live orders, 20 levels a side"],
            [100, 300, 1_000, 3_000, 10_000],
            |n| Shape {
                symbols: n as u16,
                ..USUAL
            },
        ),
        panel(
            ["live orders", "1,000 symbols, 20 levels a side"],
            [100_000, 300_000, 1_000_000, 3_000_000, 10_000_000],
            |n| Shape { orders: n, ..USUAL },
        ),
        panel(
            ["levels of a side", "10 symbols, 1M live orders"],
            [10, 100, 1_000, 3_000, 10_000],
            |n| Shape {
                symbols: 10,
                depth: n as u32,
                ..USUAL
            },
        ),
    ];
    if let Some(file) = file
        && let Err(error) = std::fs::write(&file, svg(&panels))
    {
        eprintln!("growth: {file}: {error}");
        std::process::exit(1);
    }
}

/// Measures and prints the points of one panel.
fn panel(
    [title, others]: [&'static str; 2],
    numbers: [usize; 5],
    shape: impl Fn(usize) -> Shape,
) -> Panel {
    let point = |n: usize| {
        let cost = measure(shape(n), ROUNDS);
        print(&cost);
        (n as f64, cost)
    };
    Panel {
        title,
        others,
        points: numbers.map(point).into(),
    }
}

fn print(cost: &Cost) {
    let Shape {
        symbols,
        orders,
        depth,
    } = cost.shape;
    println!(
        "{symbols:>8} {orders:>10} {depth:>7} {:>9.1} {:>9.1} {:>9.1} {:>9.0}",
        cost.decode,
        cost.books,
        cost.blind,
        cost.resident as f64 / 1e6
    );
}
