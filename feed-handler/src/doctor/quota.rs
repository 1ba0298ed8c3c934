//! What control groups allow: processor time and memory.

use super::cgroup::{Groups, groups};
use super::{Check, Machine, Topic, Unread, bytes};

const CPU: Topic = Topic {
    name: "cgroup.cpu",
    effect: "A group that has used up its time is stopped until the next period begins: tens of milliseconds in which \
             packets wait and sockets overflow.",
};
const MEMORY: Topic = Topic {
    name: "cgroup.memory",
    effect: "At the limit of its group the process waits for memory to be reclaimed, or is ended.",
};

/// Version 1 says "no limit" with the largest number of whole pages.
const NO_LIMIT: u64 = 1 << 62;

pub(super) fn checks(m: &Machine) -> Vec<Check> {
    vec![CPU.from(cpu(m)), MEMORY.from(memory(m))]
}

/// A group's share of processors.
struct Quota {
    cores: f64,
    folder: String,
}

fn cpu(m: &Machine) -> Result<Check, Unread> {
    let groups = groups(m.host, "cpu")?;
    let mut tightest: Option<Quota> = None;
    for folder in &groups.folders {
        let Some(cores) = quota(m, &groups, folder)? else {
            continue;
        };
        if tightest.as_ref().is_none_or(|t| cores < t.cores) {
            let folder = folder.clone();
            tightest = Some(Quota { cores, folder });
        }
    }
    let throttled = throttled(m, &groups);
    let times = match throttled {
        Some(n) => format!("stopped {n} times so far"),
        None => "how often it was stopped is not said".to_owned(),
    };
    let Some(Quota { cores, folder }) = tightest else {
        let depth = groups.folders.len();
        let reason =
            format!("no limit in the {depth} group(s) of this process that are seen; {times}");
        return Ok(CPU.ok(reason));
    };
    let threads = m.wants.threads.len();
    let reason = format!(
        "{folder} may use {cores:.2} cores, and {} spins on {threads}; {times}",
        m.wants.who()
    );
    let fix = match groups.version {
        1 => format!("echo -1 > {folder}/cpu.cfs_quota_us"),
        _ => format!("echo max > {folder}/cpu.max"),
    };
    Ok(
        match cores < threads as f64 || throttled.is_some_and(|n| n > 0) {
            true => CPU.fail(reason, fix),
            false => CPU.warn(reason, fix),
        },
    )
}

/// Cores' worth of time a group may use; `None` for no limit.
fn quota(m: &Machine, groups: &Groups, folder: &str) -> Result<Option<f64>, Unread> {
    let (quota, period) = match groups.version {
        1 => {
            let quota = optional(m.host.number(&format!("{folder}/cpu.cfs_quota_us")))?;
            match quota {
                Some(quota) if quota > 0 => (
                    quota,
                    m.host.number(&format!("{folder}/cpu.cfs_period_us"))?,
                ),
                _ => return Ok(None),
            }
        }
        _ => {
            let path = format!("{folder}/cpu.max");
            let Some(line) = optional(m.host.line(&path))? else {
                return Ok(None);
            };
            match line.split_once(' ') {
                Some(("max", _)) => return Ok(None),
                Some((quota, period)) => {
                    let garbage = |_| Unread::garbage(&path, &line, "two numbers");
                    (
                        quota.parse().map_err(garbage)?,
                        period.parse().map_err(garbage)?,
                    )
                }
                None => return Err(Unread::garbage(&path, &line, "two numbers")),
            }
        }
    };
    match period > 0 && quota >= 0 {
        true => Ok(Some(quota as f64 / period as f64)),
        false => Err(Unread::garbage(
            folder,
            &format!("{quota} of {period}"),
            "a share of a period",
        )),
    }
}

/// How often any of the groups has been stopped.
fn throttled(m: &Machine, groups: &Groups) -> Option<u64> {
    let one = |folder: &String| {
        let stat = m.host.text(&format!("{folder}/cpu.stat")).ok()?;
        let count = stat.lines().find_map(|l| l.strip_prefix("nr_throttled "))?;
        count.trim().parse::<u64>().ok()
    };
    groups.folders.iter().filter_map(one).max()
}

fn memory(m: &Machine) -> Result<Check, Unread> {
    let groups = groups(m.host, "memory")?;
    let file = match groups.version {
        1 => "memory.limit_in_bytes",
        _ => "memory.max",
    };
    let mut tightest: Option<(u64, &String)> = None;
    for folder in &groups.folders {
        let path = format!("{folder}/{file}");
        let line = match optional(m.host.line(&path))? {
            Some(line) if line != "max" => line,
            _ => continue,
        };
        let limit: u64 = line
            .parse()
            .map_err(|_| Unread::garbage(&path, &line, "bytes"))?;
        if limit < NO_LIMIT && tightest.is_none_or(|(least, _)| limit < least) {
            tightest = Some((limit, folder));
        }
    }
    let (start, full) = (m.wants.at_start(), m.wants.in_full());
    let wanted = format!(
        "{} takes {} at the start and about {} with full books",
        m.wants.who(),
        bytes(start),
        bytes(full)
    );
    let Some((limit, folder)) = tightest else {
        return Ok(MEMORY.ok(format_args!("no limit; {wanted}")));
    };
    let reason = format!("{folder} may use {}; {wanted}", bytes(limit));
    let fix = match groups.version {
        1 => format!("echo -1 > {folder}/{file}"),
        _ => format!("echo max > {folder}/{file}"),
    };
    let must = if m.wants.lock_memory { full } else { start };
    Ok(match limit {
        _ if limit < must => MEMORY.fail(reason, fix),
        _ if limit < full => MEMORY.warn(reason, fix),
        _ => MEMORY.ok(reason),
    })
}

/// What a group need not have: the outermost has no limits, and others only those of their controllers.
fn optional<T>(read: Result<T, Unread>) -> Result<Option<T>, Unread> {
    match read {
        Err(Unread::Missing { .. }) => Ok(None),
        other => other.map(Some),
    }
}
