//! Sets of cores, written as the kernel writes them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Cores by the kernel's number.
pub(super) type Cores = BTreeSet<usize>;

/// The kernel can be built for so many (`NR_CPUS`).
const CORES_MAX: usize = 8192;

/// A list such as `0-3,8`; `None` for what is none.
pub(super) fn parse(list: &str) -> Option<Cores> {
    let mut cores = Cores::new();
    for part in list.trim().split(',').filter(|_| !list.trim().is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse::<usize>().ok();
        let (first, last) = (number(first)?, number(last)?);
        if first > last || last >= CORES_MAX {
            return None;
        }
        cores.extend(first..=last);
    }
    Some(cores)
}

/// The cores as a list; `none` when there are none.
pub(super) fn list(cores: &Cores) -> String {
    let mut out = String::new();
    let mut rest = cores.iter().copied().peekable();
    while let Some(first) = rest.next() {
        let mut last = first;
        while let Some(next) = rest.next_if_eq(&(last + 1)) {
            last = next;
        }
        let comma = if out.is_empty() { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = match first == last {
            true => write!(out, "{comma}{first}"),
            false => write!(out, "{comma}{first}-{last}"),
        };
    }
    match out.is_empty() {
        true => "none".to_owned(),
        false => out,
    }
}

/// The cores in words: `core 2`, `cores 2-3,8`.
pub(super) fn named(cores: &Cores) -> String {
    let s = if cores.len() == 1 { "" } else { "s" };
    format!("core{s} {}", list(cores))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_are_read_and_written_as_the_kernel_does() {
        for (text, cores) in [
            ("", &[][..]),
            ("0", &[0]),
            ("0-3,8", &[0, 1, 2, 3, 8]),
            ("1,3,5-6", &[1, 3, 5, 6]),
        ] {
            let want: Cores = cores.iter().copied().collect();
            assert_eq!(parse(text), Some(want.clone()), "{text}");
            let written = if text.is_empty() { "none" } else { text };
            assert_eq!(list(&want), written);
        }
        for bad in ["(null)", "3-1", "0-99999999999", "8192", "1,,2", "-", "a"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        let two = Cores::from([2, 3]);
        assert_eq!(named(&two), "cores 2-3");
        assert_eq!(named(&Cores::from([7])), "core 7");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(cores in proptest::collection::btree_set(0usize..CORES_MAX, 1..50)) {
            prop_assert_eq!(parse(&list(&cores)), Some(cores));
        }

        #[test]
        fn any_text_is_read_to_an_end(text in ".{0,64}") {
            parse(&text);
        }
    }
}
