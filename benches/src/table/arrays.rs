//! Price arrays, against the loop one would write.

use super::{Effort, Made, Row, Target};
use crate::prices::{self, Compare, rates};
use feed_common::prices::Path;

/// What was seen of the best kernels in prototypes, as multiples of the plain loop, and how much of it is aimed for.
const CONTIGUOUS: f64 = 4.9 / 1.58;
const STRIDED: f64 = 3.0 / 1.45;
const SHARE: f64 = 0.85;

/// The rows.
pub fn rows(effort: Effort) -> Result<Vec<Made>, String> {
    if Path::best() == Path::Portable {
        return Err("this machine has no vectors of 256 bits".into());
    }
    let mut rows = Vec::new();
    let mut measure = |name: &str, place: &str, count: usize, run: &mut dyn FnMut(_)| {
        let wanted = name.contains("-> f64,") || name.starts_with("be u32");
        if place == "DRAM" || !wanted {
            return;
        }
        let [plain, _, best] = rates(effort.pick(61, 11), count, run);
        let row = Row::rate(format!("{name}, {place}"), "10^9 values/s", best);
        let row = row.beside([("plain loop", plain)]);
        let least = match (name.contains("contiguous"), place) {
            (true, _) => Some(CONTIGUOUS),
            (false, "L1") if name.starts_with("be i64") => Some(STRIDED),
            _ => None,
        };
        let row = match least {
            Some(least) => row.target(Target::TimesPeer(SHARE * least)),
            None => row,
        };
        rows.push(row.into());
    };
    let compare: Compare<'_> = &mut measure;
    prices::be_i64::<8>("contiguous", compare);
    prices::be_i64::<28>("stride 28", compare);
    prices::be_i64::<32>("stride 32", compare);
    prices::be_i64::<36>("stride 36", compare);
    prices::be_u32(compare);
    Ok(rows)
}
