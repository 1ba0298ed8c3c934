//! Whether memory is there, and stays: huge pages, swap, balancing between nodes.

use super::{Check, Machine, Topic, Unread, bytes};

const TRANSPARENT: Topic = Topic {
    name: "memory.transparent_huge_pages",
    effect: "Books on 4 KiB pages wait for address translation at nearly every order; pages that are joined behind a \
             program's back (`always`) stop it for milliseconds.",
};
const RESERVED: Topic = Topic {
    name: "memory.huge_pages",
    effect: "Rings that find no reserved huge pages depend on what unfragmented memory is left, and lie on 4 KiB pages \
             when there is none.",
};
const SWAP: Topic = Topic {
    name: "memory.swap",
    effect: "A page that was swapped out costs milliseconds when it is touched again.",
};
const AVAILABLE: Topic = Topic {
    name: "memory.available",
    effect: "Without enough memory the kernel reclaims pages while packets wait, or ends the process.",
};
const BALANCING: Topic = Topic {
    name: "memory.numa_balancing",
    effect: "To learn who uses which page the kernel takes pages away for a moment: each costs the lane a fault.",
};

pub(super) fn checks(m: &Machine) -> Vec<Check> {
    vec![
        TRANSPARENT.from(transparent(m)),
        RESERVED.from(reserved(m)),
        AVAILABLE.from(available(m)),
        SWAP.from(swap(m)),
        BALANCING.from(balancing(m)),
    ]
}

fn transparent(m: &Machine) -> Result<Check, Unread> {
    let path = "/sys/kernel/mm/transparent_hugepage/enabled";
    let line = m.host.line(path)?;
    let chosen = line
        .split_whitespace()
        .find_map(|w| w.strip_prefix('[')?.strip_suffix(']'));
    let reason = format!("{path} is {}", chosen.unwrap_or("unclear"));
    let fix = format!("echo madvise > {path}");
    match chosen {
        Some("madvise") => {
            Ok(TRANSPARENT.ok(format_args!("{reason}: rings and books ask for them")))
        }
        Some("always" | "never") => Ok(TRANSPARENT.warn(reason, fix)),
        _ => Err(Unread::garbage(
            path,
            &line,
            "[madvise], [always] or [never]",
        )),
    }
}

fn reserved(m: &Machine) -> Result<Check, Unread> {
    let facts = Facts::read(m)?;
    let page = facts.bytes("Hugepagesize")?;
    let (total, free) = (
        facts.count("HugePages_Total")?,
        facts.count("HugePages_Free")?,
    );
    if page == 0 {
        return Err(Unread::garbage(
            PATH,
            "Hugepagesize: 0 kB",
            "a size above 0",
        ));
    }
    // A ring of less than half a huge page takes small ones; each of the others takes whole pages.
    let rings = m.wants.rings.iter().map(|&ring| ring as u64);
    let pages = rings
        .filter(|ring| *ring >= page / 2)
        .map(|ring| ring.div_ceil(page));
    let needed: u64 = pages.sum();
    let reason = format!(
        "{free} of {total} reserved pages of {} are free, and {} wants {needed} for its rings",
        bytes(page),
        m.wants.who()
    );
    if free >= needed {
        return Ok(RESERVED.ok(reason));
    }
    let want = total.saturating_add(needed - free);
    Ok(RESERVED.warn(reason, format_args!("sysctl -w vm.nr_hugepages={want}")))
}

fn available(m: &Machine) -> Result<Check, Unread> {
    let free = Facts::read(m)?.bytes("MemAvailable")?;
    let (start, full) = (m.wants.at_start(), m.wants.in_full());
    let reason = format!(
        "{} available; {} takes {} at the start and about {} with full books",
        bytes(free),
        m.wants.who(),
        bytes(start),
        bytes(full)
    );
    let fix = "lower orders and levels in [book], or free memory (ps aux --sort=-rss | head)";
    // Locked memory is there from the beginning, used or not.
    let must = if m.wants.lock_memory { full } else { start };
    Ok(match free {
        _ if free < must => AVAILABLE.fail(reason, fix),
        _ if free < full => AVAILABLE.warn(reason, fix),
        _ => AVAILABLE.ok(reason),
    })
}

fn swap(m: &Machine) -> Result<Check, Unread> {
    let facts = Facts::read(m)?;
    let (total, free) = (facts.bytes("SwapTotal")?, facts.bytes("SwapFree")?);
    if total == 0 {
        return Ok(SWAP.ok("there is no swap"));
    }
    let swappiness = m.host.number("/proc/sys/vm/swappiness");
    let swappiness = swappiness.map_or_else(|e| format!("unknown ({e})"), |n| n.to_string());
    let used = total.saturating_sub(free);
    let reason = format!(
        "{} of {} swap in use, vm.swappiness {swappiness}",
        bytes(used),
        bytes(total)
    );
    if m.wants.lock_memory {
        return Ok(SWAP.ok(format_args!(
            "{reason}; the configuration locks its memory (lock_memory)"
        )));
    }
    let fix = "swapoff -a, or lock_memory = true in [process] of the configuration";
    Ok(match used {
        0 => SWAP.warn(reason, fix),
        _ => SWAP.fail(reason, fix),
    })
}

fn balancing(m: &Machine) -> Result<Check, Unread> {
    let value = m.host.number("/proc/sys/kernel/numa_balancing")?;
    let nodes = m
        .host
        .cores("/sys/devices/system/node/online")
        .map_or(1, |nodes| nodes.len());
    let nodes_said = if nodes == 1 {
        "1 node".to_owned()
    } else {
        format!("{nodes} nodes")
    };
    let reason = format!("kernel.numa_balancing is {value}, on {nodes_said}");
    Ok(match value != 0 && nodes > 1 {
        true => BALANCING.warn(reason, "sysctl -w kernel.numa_balancing=0"),
        false => BALANCING.ok(reason),
    })
}

const PATH: &str = "/proc/meminfo";

/// /proc/meminfo: `Name: number`, with ` kB` behind amounts.
struct Facts(String);

impl Facts {
    fn read(m: &Machine) -> Result<Facts, Unread> {
        m.host.text(PATH).map(Facts)
    }

    fn count(&self, name: &str) -> Result<u64, Unread> {
        let value = self
            .0
            .lines()
            .find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
        let Some(value) = value else {
            let path = format!("{name} in {PATH}");
            return Err(Unread::Missing { path });
        };
        let number = value.trim().trim_end_matches("kB").trim_end();
        number
            .parse()
            .map_err(|_| Unread::garbage(PATH, value.trim(), "a number"))
    }

    fn bytes(&self, name: &str) -> Result<u64, Unread> {
        self.count(name).map(|kib| kib.saturating_mul(1024))
    }
}
