//! What the machine dropped before any socket saw it, as its counters say, and when these have grown.

use std::collections::VecDeque;
use std::{fs, io};

/// Packets that were received by the machine and dropped before a socket, since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostDrops {
    /// Dropped from the queues between interfaces and the network stack, on all processors.
    pub backlog: u64,
    /// Dropped by interfaces or for want of memory behind them, by name; also packets that nobody here understands.
    pub interfaces: Vec<(String, u64)>,
}

impl HostDrops {
    /// The counters as they stand, of the network namespace this thread is in. A few dozen microseconds.
    pub fn read() -> io::Result<HostDrops> {
        Ok(HostDrops {
            backlog: backlog(&fs::read_to_string("/proc/net/softnet_stat")?),
            interfaces: interfaces(&fs::read_to_string("/proc/thread-self/net/dev")?),
        })
    }
}

/// softnet_stat: a line a processor; the second hexadecimal column counts what its backlog queue had no room for.
fn backlog(text: &str) -> u64 {
    let dropped = |line: &str| u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok();
    text.lines().filter_map(dropped).sum()
}

/// net/dev: two lines of headings, then `name: bytes packets errs drop fifo ...` of what was received.
fn interfaces(text: &str) -> Vec<(String, u64)> {
    let dropped = |line: &str| {
        let (name, counters) = line.split_once(':')?;
        let mut counters = counters.split_whitespace().map(str::parse::<u64>);
        let drop = counters.nth(3)?.ok()?;
        let fifo = counters.next()?.ok()?;
        Some((name.trim().to_owned(), drop.saturating_add(fifo)))
    };
    text.lines().filter_map(dropped).collect()
}

/// Growths that are remembered.
const REMEMBERED: usize = 256;

/// Knows when the counters have grown. Time is the caller's.
#[derive(Debug, Default)]
pub struct HostWatch {
    last: Option<(u64, HostDrops)>,
    grown: VecDeque<Grown>,
}

/// A growth, between two readings.
#[derive(Debug)]
struct Grown {
    from: u64,
    to: u64,
    backlog: bool,
    interfaces: Vec<String>,
}

impl HostWatch {
    /// Takes a reading made at `now`.
    pub fn reading(&mut self, now: u64, drops: HostDrops) {
        if let Some((from, before)) = &self.last {
            let known = |name: &str| {
                let same = before.interfaces.iter().find(|(n, _)| n == name);
                same.map_or(0, |&(_, count)| count)
            };
            let interfaces = drops.interfaces.iter();
            let interfaces = interfaces.filter(|(name, count)| *count > known(name));
            let grown = Grown {
                from: *from,
                to: now,
                backlog: drops.backlog > before.backlog,
                interfaces: interfaces.map(|(name, _)| name.clone()).collect(),
            };
            if grown.backlog || !grown.interfaces.is_empty() {
                if self.grown.len() == REMEMBERED {
                    self.grown.pop_front();
                }
                self.grown.push_back(grown);
            }
        }
        self.last = Some((now, drops));
    }

    /// True when packets that came in on an interface may have been dropped between two moments: a counter has grown
    /// between two readings around or within them.
    pub fn dropped(&self, interface: Option<&str>, from: u64, to: u64) -> bool {
        let meets = |grown: &&Grown| grown.from <= to && from <= grown.to;
        let own = |grown: &Grown| {
            let is_own = |name: &String| Some(name.as_str()) == interface;
            grown.backlog || grown.interfaces.iter().any(is_own)
        };
        self.grown.iter().filter(meets).any(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOFTNET: &str = "\
0000272d 0000000a 00000001 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
000034d9 00000010 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000001 00000001
";
    const DEV: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    4048      11    0    0    0     0          0         0     4048      11    0    0    0     0       0          0
  eth1:12345678   98765    1    7    3     0          0        55        0       0    0    0    0     0       0          0
";

    #[test]
    fn both_files_are_read() {
        assert_eq!(backlog(SOFTNET), 26);
        assert_eq!(
            interfaces(DEV),
            [("lo".to_owned(), 0), ("eth1".to_owned(), 10)]
        );
        assert_eq!((backlog("zz\n\n"), interfaces("a: 1 2\nb\n").len()), (0, 0));
        let here = HostDrops::read().unwrap();
        assert!(here.interfaces.iter().any(|(name, _)| name == "lo"));
    }

    #[test]
    fn a_growth_counts_for_what_it_meets() {
        let drops = |backlog, eth1| HostDrops {
            backlog,
            interfaces: vec![("eth0".into(), 5), ("eth1".into(), eth1)],
        };
        let mut watch = HostWatch::default();
        watch.reading(100, drops(3, 9)); // what was before is nobody's
        watch.reading(200, drops(3, 9));
        watch.reading(300, drops(3, 10));
        watch.reading(400, drops(4, 10));
        assert!(!watch.dropped(Some("eth1"), 110, 190));
        assert!(watch.dropped(Some("eth1"), 150, 205));
        assert!(watch.dropped(Some("eth1"), 250, 260));
        assert!(!watch.dropped(Some("eth0"), 250, 260));
        assert!(!watch.dropped(None, 250, 260));
        assert!(watch.dropped(None, 320, 330) && watch.dropped(Some("eth0"), 320, 330));
        assert!(!watch.dropped(Some("eth1"), 401, 500));
    }

    #[test]
    fn it_remembers_so_many() {
        let mut watch = HostWatch::default();
        for n in 0..1_000 {
            let backlog = n;
            watch.reading(
                n * 10,
                HostDrops {
                    backlog,
                    ..HostDrops::default()
                },
            );
        }
        assert_eq!(watch.grown.len(), REMEMBERED);
        assert!(!watch.dropped(None, 100, 200) && watch.dropped(None, 9_980, 9_990));
    }
}
