//! Packets and messages by the second, over time.

use super::super::svg::{Anchor, Svg};
use super::super::units::count;
use super::{LEFT, RIGHT, Size, TOP, draw_seconds, round, step_above};
use crate::series::RatePoint;

/// Grid lines of the axis above its bottom.
const STEPS: u64 = 4;

/// A step of the chart: the intervals that it has room for only together.
struct Step {
    seconds: f64,
    packets: f64,
    messages: f64,
    lost: f64,
}

/// A line for messages and one for packets, from zero up, and marks where messages were lost.
pub(in crate::report) fn rates(points: &[RatePoint], size: Size) -> String {
    let mut svg = Svg::new(size.width, size.height, size.class, "Rates over time");
    let steps = steps(points, (size.plot_width() / 4.0) as usize);
    let most = steps.iter().map(|s| s.packets.max(s.messages));
    let top = step_above(most.fold(f64::from(STEPS as u32), f64::max));
    let y = |rate: f64| size.floor() - size.plot_height() * (rate / top).min(1.0);
    for step in 0..=STEPS {
        let rate = top * step as f64 / STEPS as f64;
        let at = y(rate);
        svg.line("grid", (LEFT, at), (size.width - RIGHT, at));
        svg.text("tick", (LEFT - 8.0, at + 4.0), Anchor::End, &short(rate));
    }
    let first = steps.first().map_or(0.0, |s| s.seconds);
    let last = steps.last().map_or(1.0, |s| s.seconds);
    let span = (last - first).max(1e-9);
    let x = |seconds: f64| LEFT + size.plot_width() * (seconds - first) / span;
    draw_seconds(&mut svg, size, first, last, x);
    type Read = fn(&Step) -> f64;
    let lines: [(&str, &str, Read); 2] = [
        ("messages", "messages", |s| s.messages),
        ("packets", "packets", |s| s.packets),
    ];
    for (class, words, read) in lines {
        let at = |s: &Step| (x(s.seconds), y(read(s)));
        svg.path(&format!("curve m-{class}"), steps.iter().map(at));
        // With many intervals the dots would hide the line.
        if steps.len() <= 60 {
            for s in &steps {
                let tip = format!(
                    "{} s: {} {words} a second",
                    round(s.seconds),
                    count(read(s) as u64)
                );
                svg.dot(&format!("dot m-{class}"), at(s), tip);
            }
        }
    }
    for s in steps.iter().filter(|s| s.lost > 0.0) {
        let tip = format!(
            "{} s: {} messages a second lost",
            round(s.seconds),
            count(s.lost.ceil() as u64)
        );
        svg.dot("dot m-lost", (x(s.seconds), TOP), tip);
    }
    svg.finish()
}

/// At most `room` steps, each as high as its highest interval, so that no peak is smoothed away.
fn steps(points: &[RatePoint], room: usize) -> Vec<Step> {
    let each = points.len().div_ceil(room.max(1)).max(1);
    let highest = |points: &[RatePoint], read: fn(&RatePoint) -> f64| {
        points.iter().map(read).fold(0.0, f64::max)
    };
    points
        .chunks(each)
        .map(|points| Step {
            seconds: points.last().map_or(0.0, |p| p.at.as_secs_f64()),
            packets: highest(points, |p| p.packets),
            messages: highest(points, |p| p.messages),
            lost: highest(points, |p| p.lost),
        })
        .collect()
}

/// A rate with at most three digits: `50 k`.
fn short(rate: f64) -> String {
    let (value, unit) = match rate {
        r if r < 1e3 => (r, ""),
        r if r < 1e6 => (r / 1e3, " k"),
        r if r < 1e9 => (r / 1e6, " M"),
        r => (r / 1e9, " G"),
    };
    format!("{}{unit}", round(value))
}
