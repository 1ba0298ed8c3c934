use super::*;
use feed_common::journal::{Found, StreamReader};
use feed_common::record::{PointFlags, TimeSeriesPoint};
use feed_common::time::UnixNanos;
use proptest::prelude::*;
use std::time::Duration;

const BEGAN: u64 = 1_795_000_000_123_456_789;

/// Three intervals of 100 ms, nothing published in the second, and the end after 50 more.
fn file() -> Vec<u8> {
    let mut log = SeriesLog::begin(Vec::new(), UnixNanos(BEGAN)).unwrap();
    let took = Some([100, 200, 300, 400]);
    let counts = |packets, messages, lost| Counts {
        packets,
        messages,
        lost,
    };
    let so_far = [
        (100, counts(50, 1_000, 0), took),
        (200, counts(50, 1_000, 7), None),
        (300, counts(250, 3_000, 7), took),
        (350, counts(260, 3_010, 7), None),
    ];
    let (mut before, mut ended) = (Counts::default(), 0);
    for (at, counts, took) in so_far {
        let length = Duration::from_millis(at - ended);
        let rates = counts.rates(&before, length);
        if at == 350 {
            log.ends();
        }
        let at_nanos = UnixNanos(BEGAN + at * 1_000_000);
        log.interval(at_nanos, rates, took, at * 10).unwrap();
        (before, ended) = (counts, at);
    }
    log.finish().unwrap()
}

#[test]
fn what_a_run_writes_is_read_back() {
    let rates = read(&file()[..]).unwrap();
    assert_eq!(rates.damage, [""; 0]);
    let of = |p: &RatePoint| (p.at.as_millis(), p.packets, p.messages, p.lost);
    let points: Vec<_> = rates.points.iter().map(of).collect();
    let want = [
        (100, 500.0, 10_000.0, 0.0),
        (200, 0.0, 0.0, 70.0),
        (300, 2_000.0, 20_000.0, 0.0),
        (350, 200.0, 200.0, 0.0),
    ];
    assert_eq!(points, want);
}

#[test]
fn every_series_has_its_points() {
    let file = file();
    let mut stream = StreamReader::new(&file[..]);
    let mut points: Vec<TimeSeriesPoint> = Vec::new();
    while let Some(found) = stream.read().unwrap() {
        let Found::Record { frame, .. } = found else {
            panic!("{found:?}");
        };
        points.push(frame.copy().unwrap());
    }
    let values = |series: Series| -> Vec<f64> {
        let of = points.iter().filter(|p| p.series.get() == series as u32);
        of.map(TimeSeriesPoint::value).collect()
    };
    assert_eq!(values(Series::P50), [100.0, 100.0]);
    assert_eq!(values(Series::P99), [200.0, 200.0]);
    assert_eq!(values(Series::P999), [300.0, 300.0]);
    assert_eq!(values(Series::Max), [400.0, 400.0]);
    assert_eq!(values(Series::Pause), [1_000.0, 2_000.0, 3_000.0, 3_500.0]);
    let all = points.iter().map(|p| Series::numbered(p.series.get()));
    assert!(all.clone().all(|series| series.is_some()));
    assert_eq!(all.flatten().max(), Some(Series::Pause));
    let flags = |p: &TimeSeriesPoint| PointFlags(p.flags);
    assert!(points[..8].iter().all(|p| flags(p) == PointFlags::RESET));
    let last = points.len() - 4;
    assert!(points[8..last].iter().all(|p| flags(p) == PointFlags::NONE));
    assert!(
        points[last..]
            .iter()
            .all(|p| flags(p) == PointFlags::PARTIAL)
    );
}

#[test]
fn what_is_damaged_or_no_point_of_a_run_is_told() {
    let file = file();
    assert!(read(&file[..]).unwrap().finished);
    assert!(!read(&file[..file.len() - 1]).unwrap().finished);
    assert_eq!(read(&b""[..]).unwrap(), Rates::default());
    let mut log = SeriesLog::begin(Vec::new(), UnixNanos(BEGAN)).unwrap();
    log.interval(UnixNanos(BEGAN), [f64::NAN, -1.0, f64::INFINITY], None, 0)
        .unwrap();
    let odd = read(&log.finish().unwrap()[..]).unwrap();
    assert_eq!(odd.points, []);
    assert_eq!(
        odd.damage,
        ["3 of its records are no points that a run writes"]
    );
}

proptest! {
    /// Whatever is done to a file, it is read without a panic, and what it does not say is told.
    #[test]
    fn damage_is_told(at in any::<prop::sample::Index>(), flip in 1u8.., cut in any::<prop::sample::Index>()) {
        let whole = read(&file()[..]).unwrap();
        let mut damaged = file();
        let at = at.index(damaged.len());
        damaged[at] ^= flip;
        let rates = read(&damaged[..]).unwrap();
        prop_assert!(rates == whole || !rates.damage.is_empty() || !rates.finished);
        prop_assert!(rates.points.iter().all(|p| whole.points.iter().any(|w| w.at == p.at)));
        let cut = cut.index(damaged.len());
        prop_assert!(!read(&file()[..cut]).unwrap().finished);
    }
}
