//! Which datagrams can be one for as long as the kernel carries them.
//!
//! Segmentation offload (`UDP_SEGMENT`) hands over a long payload and a size; behind the sockets, or in the device, it
//! becomes datagrams of that size, of which the last may be shorter. A run of datagrams of one size to one target is
//! such a payload. A capture on the way may see it whole.

use crate::sys::BATCH;

/// Most bytes of a run: the longest payload of a UDP datagram over IPv4.
const BYTES_MAX: usize = 65_507;

/// Most datagrams of a run: what every kernel that can do it takes.
const SEGMENTS_MAX: usize = 64;

/// How many of the datagrams with these lengths form the first run; at least 1. Longer ones than `whole_max` bytes are
/// alone, since the interface would not take them whole, and so are empty ones.
pub fn first_run(lengths: impl IntoIterator<Item = usize>, whole_max: usize) -> usize {
    let mut lengths = lengths.into_iter();
    let first = lengths.next().unwrap_or(0);
    if first == 0 || first > whole_max {
        return 1;
    }
    let (mut count, mut bytes) = (1, first);
    for length in lengths {
        bytes += length;
        if length == 0 || length > first || bytes > BYTES_MAX || count == SEGMENTS_MAX {
            break;
        }
        count += 1;
        if length < first {
            break;
        }
    }
    count
}

/// Writes the lengths of all runs of `datagrams`, at most [`BATCH`], to `runs`; how many runs there are.
pub fn all_runs(datagrams: &[&[u8]], whole_max: usize, runs: &mut [u8; BATCH]) -> usize {
    let (mut begin, mut count) = (0, 0);
    while begin < datagrams.len() {
        let run = first_run(datagrams[begin..].iter().map(|d| d.len()), whole_max);
        runs[count] = run as u8;
        (begin, count) = (begin + run, count + 1);
    }
    count
}

const _: () = assert!(SEGMENTS_MAX <= u8::MAX as usize);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_lengths_and_a_shorter_last_are_a_run() {
        for (lengths, run) in [
            (&[10][..], 1),
            (&[10, 10, 10], 3),
            (&[10, 10, 4, 10], 3),
            (&[10, 4, 4], 2),
            (&[10, 11], 1),
            (&[10, 0, 10], 1),
            (&[0, 0], 1),
            (&[101, 101], 1),
            (&[100, 100], 2),
            (&[], 1),
        ] {
            assert_eq!(first_run(lengths.iter().copied(), 100), run, "{lengths:?}");
        }
        assert_eq!(first_run([1; 100], 100), SEGMENTS_MAX);
        assert_eq!(first_run([1_400; 64], 1_472), 46, "of 65,507 bytes");
        assert_eq!(first_run([40_000, 25_507, 1], 65_507), 2);
        assert_eq!(first_run([40_000, 25_508], 65_507), 1);
    }

    proptest! {
        /// What the kernel makes of the runs are the datagrams.
        #[test]
        fn cutting_runs_up_gives_the_datagrams(
            lengths in prop::collection::vec(prop_oneof![Just(0usize), Just(20), Just(64), 0..1_600usize], 1..=BATCH),
        ) {
            let payloads: Vec<Vec<u8>> = lengths.iter().map(|&n| vec![0; n]).collect();
            let slices: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
            let mut runs = [0; BATCH];
            let count = all_runs(&slices, 1_472, &mut runs);
            let (mut rest, mut cut) = (&slices[..], Vec::new());
            for &run in &runs[..count] {
                let (now, later) = rest.split_at(run.into());
                rest = later;
                let mut bytes: usize = now.iter().map(|d| d.len()).sum();
                prop_assert!(bytes <= BYTES_MAX);
                let size = now[0].len();
                prop_assert!(run == 1 || (1..=1_472).contains(&size));
                if bytes == 0 {
                    cut.push(0);
                }
                while bytes > 0 {
                    cut.push(bytes.min(size));
                    bytes -= bytes.min(size);
                }
            }
            prop_assert_eq!(cut, lengths);
        }
    }
}
