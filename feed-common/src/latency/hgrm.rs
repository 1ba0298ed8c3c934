//! Percentile distributions (`.hgrm`): the text that HdrHistogram's `outputPercentileDistribution` and wrk2 print, and that
//! HdrHistogram's plotter and its many relatives draw.
//!
//! A row is value, percentile (0 to 1), how many values are at or below, and 1/(1-percentile), the plotter's axis; five
//! rows to each halving of what is left, so that the tail is as finely drawn as the middle. The last row is the maximum
//! and has no fourth column. Values are microseconds with three decimals: every whole nanosecond is there exactly. The
//! format has no place for a unit, so a comment behind the usual three says it.

use hdrhistogram::{Counter, Histogram};
use std::io::{self, Write};

/// Nanoseconds in the unit of the file.
const UNIT: f64 = 1_000.0;

/// Rows to each halving of the distance to 100 %, as everybody prints them.
const TICKS: f64 = 5.0;

/// Writes a histogram of nanoseconds. `says` tells what was measured, without line ends.
pub fn write<W: Write, C: Counter>(
    out: &mut W,
    histogram: &Histogram<C>,
    says: &str,
) -> io::Result<()> {
    let cells = || {
        let cells = histogram.iter_recorded();
        cells.map(|cell| (cell.value_iterated_to(), cell.count_at_value().as_u64()))
    };
    // Not the histogram's own count, which runs ahead of its cells once a counter has saturated.
    let total = cells().fold(0u64, |sum, (_, n)| sum.saturating_add(n));
    writeln!(
        out,
        "{:>12} {:>14} {:>10} {:>14}\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    )?;
    for row in rows(cells(), total) {
        let (value, share) = (row.nanos as f64 / UNIT, row.percent / 100.0);
        write!(out, "{value:12.3} {share:2.12} {:10}", row.seen)?;
        match row.percent < 100.0 {
            true => writeln!(out, " {:14.2}", 1.0 / (1.0 - share))?,
            false => writeln!(out)?,
        }
    }
    let [mean, deviation] = [histogram.mean(), histogram.stdev()].map(|nanos| nanos / UNIT);
    let max = histogram.max() as f64 / UNIT;
    // A histogram tells twice ten to the power of its digits apart in each of its halves.
    let parts = (2 * 10u64.pow(histogram.sigfig().into())).next_power_of_two();
    writeln!(
        out,
        "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]"
    )?;
    writeln!(out, "#[Max     = {max:12.3}, Total count    = {total:12}]")?;
    let buckets = histogram.buckets();
    writeln!(
        out,
        "#[Buckets = {buckets:12}, SubBuckets     = {parts:12}]"
    )?;
    writeln!(out, "#[Values in microseconds: {says}]")
}

/// One row of a distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    nanos: u64,
    /// The percentile it is the row of, which at least so many values as `seen` have reached.
    percent: f64,
    seen: u64,
}

/// The rows for cells in rising order with `total` values. A percentile's row is that of the first cell that reaches it, so
/// a cell with many values has many rows; the last cell has one and then that of 100 %.
fn rows(cells: impl Iterator<Item = (u64, u64)>, total: u64) -> Vec<Row> {
    let mut rows = Vec::new();
    let (mut percent, mut seen) = (0.0, 0u64);
    for (nanos, count) in cells {
        seen = seen.saturating_add(count);
        let reached = 100.0 * seen as f64 / total as f64;
        while percent < 100.0 && percent <= reached {
            rows.push(Row {
                nanos,
                percent,
                seen,
            });
            let halvings = (100.0 / (100.0 - percent)).log2().floor() + 1.0;
            percent += 100.0 / (TICKS * halvings.exp2());
            if seen == total {
                break;
            }
        }
        if seen == total {
            rows.push(Row {
                nanos,
                percent: 100.0,
                seen,
            });
            break;
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(values: impl IntoIterator<Item = u64>) -> String {
        let mut histogram = Histogram::<u32>::new_with_bounds(1, 10_000_000_000, 3).unwrap();
        values
            .into_iter()
            .for_each(|v| histogram.saturating_record(v));
        let mut out = Vec::new();
        write(&mut out, &histogram, "a test").unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn four_values_by_hand() {
        // Ten per cent steps up to a half, five up to three quarters; what is left is one value.
        assert_eq!(
            text([100, 200, 300, 1_400]),
            "       Value     Percentile TotalCount 1/(1-Percentile)

       0.100 0.000000000000          1           1.00
       0.100 0.100000000000          1           1.11
       0.100 0.200000000000          1           1.25
       0.200 0.300000000000          2           1.43
       0.200 0.400000000000          2           1.67
       0.200 0.500000000000          2           2.00
       0.300 0.550000000000          3           2.22
       0.300 0.600000000000          3           2.50
       0.300 0.650000000000          3           2.86
       0.300 0.700000000000          3           3.33
       0.300 0.750000000000          3           4.00
       1.400 0.775000000000          4           4.44
       1.400 1.000000000000          4
#[Mean    =        0.500, StdDeviation   =        0.524]
#[Max     =        1.400, Total count    =            4]
#[Buckets =           24, SubBuckets     =         2048]
#[Values in microseconds: a test]
"
        );
    }

    #[test]
    fn nothing_has_no_rows() {
        let text = text([]);
        assert_eq!(text.lines().filter(|l| !l.starts_with('#')).count(), 2);
        assert!(text.contains("Total count    =            0]"), "{text}");
    }

    proptest! {
        /// Against sorting: as many values as the row says are at or below its value, and no fewer than its percentile.
        #[test]
        fn rows_agree_with_counting(mut values in prop::collection::vec(0u64..2_000, 1..400)) {
            values.sort_unstable();
            // Below 2048 ns every value has a cell of its own.
            let cells = values.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u64));
            let total = values.len() as u64;
            let rows = rows(cells, total);
            for row in &rows {
                let below = values.partition_point(|v| *v <= row.nanos) as u64;
                prop_assert_eq!(row.seen, below);
                prop_assert!(row.percent <= 100.0 * below as f64 / total as f64);
                let lower = values.partition_point(|v| *v < row.nanos) as u64;
                prop_assert!(lower == 0 || row.percent > 100.0 * lower as f64 / total as f64 || row.percent == 100.0);
            }
            prop_assert!(rows.is_sorted_by(|a, b| a.percent < b.percent && a.nanos <= b.nanos));
            let last = rows.last().unwrap();
            prop_assert_eq!((last.nanos, last.percent), (values[values.len() - 1], 100.0));
        }

        /// Counts of any size, up to those a saturated counter has, end.
        #[test]
        fn rows_end(counts in prop::collection::vec(1u64..=u64::MAX / 64, 1..64)) {
            let total = counts.iter().sum();
            let rows = rows((0..).zip(counts), total);
            prop_assert!(rows.len() < 2_000);
        }
    }
}
