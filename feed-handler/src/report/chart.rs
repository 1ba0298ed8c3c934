//! Charts over axes: latency by percentile, latency over time, and differences with their intervals.

mod bursts;
mod rates;

pub(super) use bursts::against_burst;
pub(super) use rates::rates;

use super::LONG_PAUSE_NANOS;
use super::compare::{Row, Verdict};
use super::model::{Curve, GapPoint};
use super::svg::{Anchor, Svg};
use super::timeline::{BINS_PER_DECADE, IntervalPoint};
use super::units::time;
use feed_common::latency::Stage;
use feed_common::latency::summary::POINTS_PER_NINE;

/// A chart is drawn twice, for desks and for phones: scaling one picture down would make its text unreadable.
#[derive(Clone, Copy)]
pub(super) struct Size {
    class: &'static str,
    width: f64,
    height: f64,
}

/// For windows wider than a phone, and for paper.
pub(super) const WIDE: Size = Size {
    class: "chart wide",
    width: 880.0,
    height: 380.0,
};

/// For phones.
pub(super) const NARROW: Size = Size {
    class: "chart narrow",
    width: 350.0,
    height: 300.0,
};

const LEFT: f64 = 56.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 42.0;

impl Size {
    fn plot_width(self) -> f64 {
        self.width - LEFT - RIGHT
    }

    fn plot_height(self) -> f64 {
        self.height - TOP - BOTTOM
    }

    fn floor(self) -> f64 {
        self.height - BOTTOM
    }
}

/// A line of the percentile chart: a stage, or a stage of a run.
pub(super) struct Series<'a> {
    /// Its colour, by the page's style.
    pub(super) class: String,
    /// What it is of.
    pub(super) name: &'a str,
    pub(super) curve: &'a Curve,
}

/// One line for each series over log(1/(1-q)): every nine has the same room, so the tail is as visible as the middle.
pub(super) fn percentiles(label: &str, series: &[Series<'_>], size: Size) -> String {
    let mut svg = Svg::new(size.width, size.height, size.class, label);
    let curves = || series.iter().map(|s| s.curve);
    let values = curves().flat_map(|c| c.points.iter().map(|p| p.nanos));
    let y = LogAxis::over(values, size);
    y.draw(&mut svg, size);
    let nines = curves().map(last_nine).fold(1.0, f64::max);
    let x = |n: f64| LEFT + size.plot_width() * n / nines;
    draw_nines(&mut svg, size, nines, x);
    // With many lines the dots would hide them.
    let dots = series.len() <= 8;
    for Series { class, name, curve } in series {
        let end = last_nine(curve);
        let at = |quantile: f64, nanos: u64| (x(nine(quantile).min(end)), y.at(nanos));
        svg.path(
            &format!("curve {class}"),
            curve.points.iter().map(|p| at(p.quantile, p.nanos)),
        );
        for p in curve.points.iter().filter(|p| dots && is_label(p.quantile)) {
            let share = share_label(nine(p.quantile));
            let tip = format!("{name}: {share} % within {}", time(p.nanos));
            svg.dot(&format!("dot {class}"), at(p.quantile, p.nanos), tip);
        }
        if let Some(max) = curve.points.last() {
            let tip = format!("{name}: slowest {}", time(max.nanos));
            svg.dot(
                &format!("dot end {class}"),
                at(max.quantile, max.nanos),
                tip,
            );
        }
    }
    svg.finish()
}

/// How many nines a quantile is: 0.9 is one, 0.999 is three.
fn nine(quantile: f64) -> f64 {
    -(1.0 - quantile).log10()
}

/// Where a curve ends: its maximum is put one step behind the last quantile that has values of its own.
fn last_nine(curve: &Curve) -> f64 {
    let before = curve
        .points
        .iter()
        .rev()
        .find(|p| p.quantile < 1.0)
        .map_or(0.0, |p| nine(p.quantile));
    before + 1.0 / f64::from(POINTS_PER_NINE)
}

fn is_label(quantile: f64) -> bool {
    let n = nine(quantile);
    n > 0.5 && (n - n.round()).abs() < 1e-6
}

/// In percent: `99.9`.
fn share_label(nines: f64) -> String {
    let decimals = (nines.round() as usize).saturating_sub(2);
    let share = 100.0 - 10f64.powf(2.0 - nines);
    format!("{share:.decimals$}")
}

fn draw_nines(svg: &mut Svg, size: Size, nines: f64, x: impl Fn(f64) -> f64) {
    let room = size.plot_width() / nines;
    // Where there is little room the unit moves from the labels to the axis.
    let width = |unit: &str| {
        let label = share_label(nines.floor()) + unit;
        label.chars().count() as f64 * 6.6 + 8.0
    };
    let unit = if width(" %") <= room { " %" } else { "" };
    let longest = width(unit);
    let every = (longest / room).ceil().max(1.0) as usize;
    if room > 120.0 {
        let half = x(std::f64::consts::LOG10_2);
        svg.line("grid", (half, TOP), (half, size.floor()));
        let at = (half, size.floor() + 18.0);
        svg.text("tick", at, Anchor::Middle, &format!("50{unit}"));
    }
    for n in 1..=nines.floor() as usize {
        let at = x(n as f64);
        svg.line("grid", (at, TOP), (at, size.floor()));
        if n % every == 0 {
            let fits_right = at + longest / 2.0 < size.width;
            let (anchor, at) = if fits_right {
                (Anchor::Middle, at)
            } else {
                (Anchor::End, size.width - 2.0)
            };
            let label = share_label(n as f64) + unit;
            svg.text("tick", (at, size.floor() + 18.0), anchor, &label);
        }
    }
    let at = (LEFT + size.plot_width() / 2.0, size.height - 6.0);
    let title = match unit {
        "" => "share of packets, %",
        _ => "share of packets",
    };
    svg.text("axis", at, Anchor::Middle, title);
}

/// Median, 99 % and maximum of one stage per interval.
pub(super) fn over_time(points: &[IntervalPoint], stage: Stage, size: Size) -> String {
    let label = format!("Latency over time, {}", stage.name());
    let mut svg = Svg::new(size.width, size.height, size.class, &label);
    let grouped = group(points, stage, (size.plot_width() / 4.0) as usize);
    let y = LogAxis::over(grouped.iter().flat_map(|g| [g.p50, g.p99, g.max]), size);
    y.draw(&mut svg, size);
    let first = grouped.first().map_or(0.0, |g| g.seconds);
    let last = grouped.last().map_or(1.0, |g| g.seconds);
    let span = (last - first).max(1e-9);
    let x = |seconds: f64| LEFT + size.plot_width() * (seconds - first) / span;
    draw_seconds(&mut svg, size, first, last, x);
    type Read = fn(&Group) -> u64;
    let series: [(&str, &str, Read); 3] = [
        ("max", "slowest", |g| g.max),
        ("p99", "99 % within", |g| g.p99),
        ("p50", "half within", |g| g.p50),
    ];
    for (class, words, read) in series {
        let at = |g: &Group| (x(g.seconds), y.at(read(g)));
        svg.path(&format!("curve t-{class}"), grouped.iter().map(at));
        // With many intervals the dots would hide the line.
        if grouped.len() <= 60 {
            for g in &grouped {
                let tip = format!("{} s: {words} {}", round(g.seconds), time(read(g)));
                svg.dot(&format!("dot t-{class}"), at(g), tip);
            }
        }
    }
    svg.finish()
}

/// Shades of the heat map.
pub(super) const SHADES: usize = 6;

/// How the values of a stage lie over time: darker where more of a column's packets are. Above it the holes: red where
/// messages were given up.
pub(super) fn heat(
    points: &[IntervalPoint],
    gaps: &[GapPoint],
    stage: Stage,
    size: Size,
) -> String {
    let label = format!("Heat map of latency over time, {}", stage.name());
    let mut svg = Svg::new(size.width, size.height, size.class, &label);
    let of = |p: &IntervalPoint| p.heat.iter().position(|(s, _)| *s == stage);
    let begins = |p: &IntervalPoint| p.start.as_secs_f64();
    let ends = |p: &IntervalPoint| (p.start + p.length).as_secs_f64();
    let with: Vec<&IntervalPoint> = points.iter().filter(|p| of(p).is_some()).collect();
    let first = with.first().map_or(0.0, |p| begins(p));
    let last = with.iter().map(|p| ends(p)).fold(first + 1e-6, f64::max);
    let columns = ((size.plot_width() / 6.0) as usize).min(with.len().max(1));
    let column = |seconds: f64| {
        let share = (seconds - first) / (last - first);
        ((share * columns as f64) as usize).min(columns - 1)
    };
    let mut counts = vec![[0u64; 1 + u8::MAX as usize]; columns];
    for point in &with {
        let to = &mut counts[column((begins(point) + ends(point)) / 2.0)];
        for (bin, n) in point
            .heat
            .iter()
            .filter(|(s, _)| *s == stage)
            .flat_map(|(_, bins)| bins)
        {
            to[usize::from(*bin)] = to[usize::from(*bin)].saturating_add(*n);
        }
    }
    let bins = || {
        counts
            .iter()
            .flat_map(|c| (0..c.len()).filter(|bin| c[*bin] > 0))
    };
    let low = bins().min().unwrap_or(0) as f64 / BINS_PER_DECADE;
    let high = (bins().max().unwrap_or(0) + 1) as f64 / BINS_PER_DECADE;
    let y = LogAxis {
        low,
        high,
        floor: size.floor(),
        height: size.plot_height(),
    };
    let x = |seconds: f64| LEFT + size.plot_width() * (seconds - first) / (last - first);
    let wide = size.plot_width() / columns as f64;
    let high_of_bin = size.plot_height() / ((high - low) * BINS_PER_DECADE);
    let mut shades: [Vec<(f64, f64)>; SHADES] = Default::default();
    for (at, counts) in counts.iter().enumerate() {
        let most = counts.iter().copied().max().unwrap_or(0);
        for (bin, n) in counts.iter().enumerate().filter(|(_, n)| **n > 0) {
            // In factors of four of the column's fullest bin: a lone packet is seen as well.
            let rarer = (most as f64 / *n as f64).log(4.0) as usize;
            let top = y.floor
                - ((bin + 1) as f64 / BINS_PER_DECADE - low) * BINS_PER_DECADE * high_of_bin;
            shades[SHADES - 1 - rarer.min(SHADES - 1)].push((LEFT + at as f64 * wide, top));
        }
    }
    for (shade, places) in shades.iter().enumerate() {
        svg.boxes(&format!("heat h{shade}"), (wide, high_of_bin), places);
    }
    y.draw(&mut svg, size);
    draw_seconds(&mut svg, size, first, last, x);
    // A column has one mark of each kind, however many holes it had or however often the machine paused.
    let mut paused = vec![false; columns];
    for point in points.iter().filter(|p| p.pause_ns >= LONG_PAUSE_NANOS) {
        let at = (begins(point) + ends(point)) / 2.0;
        if (first..=last).contains(&at) && !std::mem::replace(&mut paused[column(at)], true) {
            let (top, bottom) = (size.floor() + 1.0, size.floor() + 6.0);
            svg.line("gap paused", (x(at), top), (x(at), bottom));
        }
    }
    let mut marked = vec![[false; 2]; columns];
    for gap in gaps {
        let opened = gap.opened.as_secs_f64();
        if !(first..=last).contains(&opened) {
            continue;
        }
        let kind = usize::from(gap.lost > 0);
        if !std::mem::replace(&mut marked[column(opened)][kind], true) {
            let class = ["gap healed", "gap lost"][kind];
            svg.line(
                class,
                (x(opened), 1.0 + 5.0 * kind as f64),
                (x(opened), 6.0 + 5.0 * kind as f64),
            );
        }
    }
    svg.finish()
}

/// A difference by row: a dot, and a bar for what it may be.
pub(super) fn differences(rows: &[&Row], size: Size) -> String {
    const STEP: f64 = 22.0;
    let width = size.width;
    let name = if width > 500.0 { 150.0 } else { 118.0 };
    let height = 18.0 + STEP * rows.len() as f64 + BOTTOM;
    let mut svg = Svg::new(
        width,
        height,
        size.class,
        "Differences with their intervals",
    );
    let log = |percent: f64| (1.0 + percent.max(-95.0) / 100.0).ln();
    let ends = rows
        .iter()
        .flat_map(|row| [row.low_percent, row.high_percent]);
    let widest = ends
        .map(|p| log(p).abs())
        .fold(log(12.0), f64::max)
        .min(log(1_900.0));
    let middle = name + (width - name - RIGHT) / 2.0;
    let x = |percent: f64| {
        let share = (log(percent) / widest).clamp(-1.0, 1.0);
        middle + share * (width - name - RIGHT) / 2.0
    };
    let floor = height - BOTTOM;
    const TICKS: [f64; 13] = [
        -90.0, -75.0, -50.0, -33.0, -20.0, -10.0, 0.0, 10.0, 25.0, 50.0, 100.0, 300.0, 900.0,
    ];
    let mut free = 0.0;
    for tick in TICKS.into_iter().filter(|t| log(*t).abs() <= widest) {
        let at = x(tick);
        svg.line(
            if tick == 0.0 { "grid zero" } else { "grid" },
            (at, 10.0),
            (at, floor),
        );
        if at - 20.0 >= free && at + 20.0 <= width {
            svg.text(
                "tick",
                (at, floor + 18.0),
                Anchor::Middle,
                &format!("{tick:+.0} %"),
            );
            free = at + 24.0;
        }
    }
    for (at, row) in rows.iter().enumerate() {
        let y = 18.0 + STEP * (at as f64 + 0.5);
        let class = match row.verdict {
            Verdict::Regressed => "worse",
            Verdict::Improved => "better",
            _ => "even",
        };
        let label = format!("{} {}", row.stage, row.quantile);
        svg.text("tick", (name - 10.0, y + 4.0), Anchor::End, &label);
        svg.line(
            &format!("range {class}"),
            (x(row.low_percent), y),
            (x(row.high_percent), y),
        );
        let tip = format!("{label}: {:+.1} %, {}", row.percent, row.verdict.name());
        svg.dot(&format!("dot end {class}"), (x(row.percent), y), tip);
    }
    let at = (middle, height - 6.0);
    svg.text("axis", at, Anchor::Middle, "slower to the right");
    svg.finish()
}

struct Group {
    seconds: f64,
    p50: u64,
    p99: u64,
    max: u64,
}

/// At most about `limit` groups of neighbouring intervals. A group shows its worst: nothing is averaged away.
fn group(points: &[IntervalPoint], stage: Stage, limit: usize) -> Vec<Group> {
    let with: Vec<_> = points
        .iter()
        .filter_map(|p| p.figures(stage).map(|f| (p.start.as_secs_f64(), f)))
        .collect();
    let each = with.len().div_ceil(limit.max(2)).max(1);
    with.chunks(each)
        .map(|chunk| Group {
            seconds: chunk[0].0,
            p50: chunk.iter().map(|(_, f)| f.p50).max().unwrap_or(0),
            p99: chunk.iter().map(|(_, f)| f.p99).max().unwrap_or(0),
            max: chunk.iter().map(|(_, f)| f.max).max().unwrap_or(0),
        })
        .collect()
}

fn draw_seconds(svg: &mut Svg, size: Size, first: f64, last: f64, x: impl Fn(f64) -> f64) {
    const STEPS: [f64; 17] = [
        0.001, 0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 600.0, 1_800.0,
        3_600.0, 10_800.0, 21_600.0,
    ];
    let wanted = (size.plot_width() / 70.0).floor();
    let step = STEPS
        .into_iter()
        .find(|s| (last - first) / s <= wanted)
        .unwrap_or((last - first) / wanted);
    let mut at = (first / step).ceil();
    while at * step <= last + step * 1e-6 {
        let here = x(at * step);
        svg.line("grid", (here, TOP), (here, size.floor()));
        let label = round(at * step);
        let (anchor, here) = if here > size.width - 20.0 {
            (Anchor::End, size.width - 2.0)
        } else {
            (Anchor::Middle, here)
        };
        svg.text("tick", (here, size.floor() + 18.0), anchor, &label);
        at += 1.0;
    }
    let at = (LEFT + size.plot_width() / 2.0, size.height - 6.0);
    svg.text("axis", at, Anchor::Middle, "seconds since the start");
}

/// At most three decimals, none that say nothing.
fn round(seconds: f64) -> String {
    let text = format!("{seconds:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Nanoseconds on a logarithmic scale from bottom to top.
struct LogAxis {
    low: f64,
    high: f64,
    floor: f64,
    height: f64,
}

impl LogAxis {
    /// From the step of 1, 2 and 5 below the smallest value to the one above the largest. Zero shows at the bottom.
    fn over(values: impl Iterator<Item = u64>, size: Size) -> LogAxis {
        let (low, high) = values.fold((u64::MAX, 1), |(low, high), v| {
            (low.min(v.max(1)), high.max(v))
        });
        let low = step_below(low.min(high) as f64);
        let high = step_above(high as f64).max(low * 10.0);
        LogAxis {
            low: low.log10(),
            high: high.log10(),
            floor: size.floor(),
            height: size.plot_height(),
        }
    }

    fn at(&self, nanos: u64) -> f64 {
        let share = ((nanos.max(1) as f64).log10() - self.low) / (self.high - self.low);
        self.floor - self.height * share
    }

    fn draw(&self, svg: &mut Svg, size: Size) {
        let decades = self.high - self.low;
        let steps: &[f64] = if decades < 2.5 {
            &[1.0, 2.0, 5.0]
        } else {
            &[1.0]
        };
        let mut decade = self.low.floor();
        while decade <= self.high {
            for step in steps {
                let value = step * 10f64.powf(decade);
                let place = value.log10();
                if place < self.low - 1e-9 || place > self.high + 1e-9 {
                    continue;
                }
                let y = self.at(value.round() as u64);
                svg.line("grid", (LEFT, y), (size.width - RIGHT, y));
                let label = round_time(value);
                svg.text("tick", (LEFT - 8.0, y + 4.0), Anchor::End, &label);
            }
            decade += 1.0;
        }
    }
}

/// A tick's value without decimals: `2 µs`.
fn round_time(nanos: f64) -> String {
    let (value, unit) = match nanos.round() {
        n if n < 1e3 => (n, "ns"),
        n if n < 1e6 => (n / 1e3, "µs"),
        n if n < 1e9 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    format!("{value:.0} {unit}")
}

fn step_below(value: f64) -> f64 {
    let decade = 10f64.powf(value.log10().floor());
    [5.0, 2.0]
        .into_iter()
        .map(|s| s * decade)
        .find(|s| *s <= value)
        .unwrap_or(decade)
}

fn step_above(value: f64) -> f64 {
    let decade = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|s| s * decade)
        .find(|s| *s >= value)
        .unwrap_or(10.0 * decade)
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::sample;
    use super::*;

    fn percentiles(curves: &[Curve], size: Size) -> String {
        let series: Vec<Series<'_>> = curves
            .iter()
            .map(|curve| Series {
                class: format!("s-{}", curve.stage.name()),
                name: curve.stage.name(),
                curve,
            })
            .collect();
        super::percentiles("Latency by percentile", &series, size)
    }

    #[test]
    fn every_stage_has_a_line() {
        let (report, _) = sample(1);
        let svg = percentiles(&report.curves, WIDE);
        assert_eq!(svg.matches("<polyline").count(), 6);
        for label in ["50 %", "90 %", "99 %", "99.9 %", "1 µs", "100 ns"] {
            assert!(svg.contains(&format!(">{label}</text>")), "{label}");
        }
    }

    #[test]
    fn everything_stays_inside() {
        let (report, _) = sample(12);
        for size in [WIDE, NARROW] {
            for svg in [
                percentiles(&report.curves, size),
                over_time(&report.timeline, Stage::Published, size),
                heat(&report.timeline, &[], Stage::Published, size),
            ] {
                for points in svg.split("points=\"").skip(1) {
                    let points = points.split('"').next().unwrap();
                    for point in points.split(' ') {
                        let (x, y) = point.split_once(',').unwrap();
                        let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                        assert!((LEFT..=size.width - RIGHT + 0.1).contains(&x), "x {x}");
                        assert!((TOP..=size.floor()).contains(&y), "y {y}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_heat_map_holds_every_column_and_stays_inside() {
        let (report, _) = sample(12);
        let svg = heat(&report.timeline, &[], Stage::Published, WIDE);
        let mut columns = std::collections::BTreeSet::new();
        for cell in svg
            .split("\" d=\"M")
            .skip(1)
            .flat_map(|d| d.split('"').next())
        {
            for cell in cell.split('M') {
                let (x, rest) = cell.split_once(' ').unwrap();
                let (y, rest) = rest.split_once('h').unwrap();
                let (wide, high) = rest.split_once('v').unwrap();
                let high = high.split_once('h').unwrap().0;
                let [x, y, wide, high] = [x, y, wide, high].map(|n| n.parse::<f64>().unwrap());
                assert!(
                    x >= LEFT - 0.1 && x + wide <= WIDE.width - RIGHT + 0.1,
                    "{cell}"
                );
                assert!(y >= TOP - 0.1 && y + high <= WIDE.floor() + 0.1, "{cell}");
                columns.insert(x as u64);
            }
        }
        assert_eq!(columns.len(), 12);
        assert!(!heat(&[], &[], Stage::Published, WIDE).contains("NaN"));
    }

    #[test]
    fn long_runs_are_grouped_by_their_worst() {
        let (mut report, _) = sample(1);
        let template = report.timeline[0].clone();
        report.timeline = (0..10_000)
            .map(|i| {
                let mut p = template.clone();
                p.start = std::time::Duration::from_secs(i);
                if i == 5_000 {
                    p.stages.iter_mut().for_each(|(_, f)| f.max = 77_000_000);
                }
                p
            })
            .collect();
        let groups = group(&report.timeline, Stage::Published, 200);
        assert!(groups.len() <= 200);
        assert!(groups.iter().any(|g| g.max == 77_000_000));
        assert!(over_time(&report.timeline, Stage::Published, WIDE).len() < 30_000);
    }

    #[test]
    fn labels_of_nines() {
        let labels: Vec<String> = (1..=5).map(|n| share_label(f64::from(n))).collect();
        assert_eq!(labels, ["90", "99", "99.9", "99.99", "99.999"]);
        assert_eq!((step_below(7.0), step_above(7.0)), (5.0, 10.0));
        assert_eq!((step_below(350.0), step_above(100.0)), (200.0, 100.0));
        assert_eq!(round_time(2_000.0), "2 µs");
    }

    #[test]
    fn one_value_makes_a_chart() {
        let curves = [Curve {
            stage: Stage::Dequeue,
            points: vec![
                feed_common::latency::summary::CurvePoint {
                    quantile: 0.0,
                    nanos: 0,
                },
                feed_common::latency::summary::CurvePoint {
                    quantile: 1.0,
                    nanos: 0,
                },
            ],
        }];
        let svg = percentiles(&curves, NARROW);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
