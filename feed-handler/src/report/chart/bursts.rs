//! Latency against the burst a packet came in.

use super::super::bursts::Crowd;
use super::super::svg::{Anchor, Svg};
use super::super::units::{count, time};
use super::{LEFT, LogAxis, Size, TOP};

/// Median, 99 % and maximum by how many packets came within a window of `window_ns`. Numbers double from one place to the
/// next.
pub(in crate::report) fn against_burst(crowds: &[Crowd], window_ns: u64, size: Size) -> String {
    let label = "Latency against burst";
    let mut svg = Svg::new(size.width, size.height, size.class, label);
    let y = LogAxis::over(crowds.iter().flat_map(|c| [c.p50, c.p99, c.max]), size);
    y.draw(&mut svg, size);
    let place = |c: &Crowd| f64::from(c.from.max(1).ilog2());
    let last = crowds.iter().map(place).fold(0.0, f64::max);
    // Half a place is left free on both sides.
    let step = size.plot_width() / (last + 1.0);
    let x = |place: f64| LEFT + step * (place + 0.5);
    let longest = count(1 << last as u64).len() as f64 * 6.6 + 10.0;
    let every = (longest / step).ceil().max(1.0) as usize;
    for number in 0..=last as usize {
        let at = x(number as f64);
        svg.line("grid", (at, TOP), (at, size.floor()));
        if number % every == 0 {
            let at = (at, size.floor() + 18.0);
            svg.text("tick", at, Anchor::Middle, &count(1 << number));
        }
    }
    let at = (LEFT + size.plot_width() / 2.0, size.height - 6.0);
    let title = format!("packets within {}, from", round(window_ns));
    svg.text("axis", at, Anchor::Middle, &title);
    type Read = fn(&Crowd) -> u64;
    let series: [(&str, &str, Read); 3] = [
        ("max", "slowest", |c| c.max),
        ("p99", "99 % within", |c| c.p99),
        ("p50", "half within", |c| c.p50),
    ];
    for (class, words, read) in series {
        let at = |c: &Crowd| (x(place(c)), y.at(read(c)));
        svg.path(&format!("curve t-{class}"), crowds.iter().map(at));
        for c in crowds {
            let tip = format!("{} packets: {words} {}", c.range(), time(read(c)));
            svg.dot(&format!("dot t-{class}"), at(c), tip);
        }
    }
    svg.finish()
}

fn round(nanos: u64) -> String {
    super::round_time(nanos as f64)
}
