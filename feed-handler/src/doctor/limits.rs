//! What this user's processes may do: lock memory, run at real-time priority, keep a core for themselves.

use super::{Check, Machine, Topic, Unread, bytes, cgroup};

const MEMORY_LOCK: Topic = Topic {
    name: "limits.memory_lock",
    effect: "Memory that is not locked can be taken away, and costs a fault of microseconds to milliseconds to come back.",
};
const PRIORITY: Topic = Topic {
    name: "limits.priority",
    effect: "A thread without real-time priority waits its turn behind every other thread of its core, milliseconds at a \
             time.",
};
const THROTTLING: Topic = Topic {
    name: "limits.realtime_throttling",
    effect: "The kernel takes 5 % of each second from real-time threads that spin when others wait: up to 50 ms in which \
             packets wait too.",
};

const CAP_IPC_LOCK: u32 = 14;
const CAP_SYS_NICE: u32 = 23;

pub(super) fn checks(m: &Machine) -> Vec<Check> {
    vec![
        MEMORY_LOCK.from(memory_lock(m)),
        PRIORITY.from(priority(m)),
        THROTTLING.from(throttling(m)),
    ]
}

fn memory_lock(m: &Machine) -> Result<Check, Unread> {
    if capable(m, CAP_IPC_LOCK)? {
        return Ok(MEMORY_LOCK.ok("this user may lock any amount (CAP_IPC_LOCK)"));
    }
    let limit = limit(m, "Max locked memory")?;
    let needed = m.wants.in_full();
    let (said, enough) = match limit {
        None => ("unlimited".to_owned(), true),
        Some(limit) => (bytes(limit), limit >= needed),
    };
    let asks = match m.wants.lock_memory {
        true => "the configuration locks",
        false => "lock_memory would lock",
    };
    let reason = format!("the limit is {said}; {asks} about {}", bytes(needed));
    let fix = "ulimit -l unlimited (root, in the shell that starts it; /etc/security/limits.conf: * - memlock unlimited), \
               or setcap cap_ipc_lock+ep of the program";
    Ok(match (enough, m.wants.lock_memory) {
        (true, _) => MEMORY_LOCK.ok(reason),
        (false, true) => MEMORY_LOCK.fail(reason, fix),
        (false, false) => MEMORY_LOCK.warn(reason, fix),
    })
}

fn priority(m: &Machine) -> Result<Check, Unread> {
    let asked = m.wants.priority;
    let said = asked.map_or("none is configured".to_owned(), |p| {
        format!("{p} is configured")
    });
    // Where groups have real-time budgets of their own, one without any can have no such thread.
    if let Some(budget) = cgroup::realtime_budget(m.host)
        && budget <= 0
    {
        let reason = format!("cpu.rt_runtime_us of its control group is {budget}; {said}");
        let fix = "echo 950000 > cpu.rt_runtime_us in the folder of that group and those above it";
        return Ok(match asked {
            Some(_) => PRIORITY.fail(reason, fix),
            None => PRIORITY.warn(reason, fix),
        });
    }
    if capable(m, CAP_SYS_NICE)? {
        return Ok(PRIORITY.ok(format_args!("this user may use any (CAP_SYS_NICE); {said}")));
    }
    let limit = limit(m, "Max realtime priority")?.unwrap_or(u64::MAX);
    let reason = format!("the limit is {limit}; {said}");
    let fix = "ulimit -r 99 (root, in the shell that starts it; /etc/security/limits.conf: * - rtprio 99), or setcap \
               cap_sys_nice+ep of the program";
    Ok(match asked {
        Some(asked) if limit < asked.into() => PRIORITY.fail(reason, fix),
        None if limit == 0 => PRIORITY.warn(reason, fix),
        _ => PRIORITY.ok(reason),
    })
}

fn throttling(m: &Machine) -> Result<Check, Unread> {
    let release = m.host.word("/proc/sys/kernel/osrelease")?;
    let path = "/proc/sys/kernel/sched_rt_runtime_us";
    let runtime = m.host.number(path)?;
    let asked = m.wants.priority.is_some();
    let who = match asked {
        true => "the configuration has real-time threads",
        false => "no real-time thread is configured",
    };
    // Since 6.12 a server thread of each core does it, only where others wait, and the old limit does not end it.
    let (reason, fix) = if version(&release) >= Some((6, 12)) {
        let cores: Vec<String> = m.advised().iter().map(usize::to_string).collect();
        let cores = cores.join(" ");
        (
            format!(
                "Linux {release} has a fair server on each core, whatever {path} says ({runtime}); {who}"
            ),
            format!(
                "for c in {cores}; do echo 0 > /sys/kernel/debug/sched/fair_server/cpu$c/runtime; done"
            ),
        )
    } else if runtime < 0 {
        return Ok(THROTTLING.ok(format_args!("{path} is {runtime}: never")));
    } else {
        (
            format!("{path} is {runtime}; {who}"),
            "sysctl -w kernel.sched_rt_runtime_us=-1".to_owned(),
        )
    };
    Ok(match asked {
        true => THROTTLING.warn(reason, fix),
        false => THROTTLING.ok(reason),
    })
}

/// Major and minor version of `6.18.44-more`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(['.', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// True when this process has the right in the machine's own user namespace: in one of its own it counts for nothing here.
fn capable(m: &Machine, bit: u32) -> Result<bool, Unread> {
    let path = "/proc/self/status";
    let status = m.host.text(path)?;
    let mask = status
        .lines()
        .find_map(|l| l.strip_prefix("CapEff:"))
        .unwrap_or("")
        .trim();
    let mask = u64::from_str_radix(mask, 16);
    let mask = mask.map_err(|_| Unread::garbage(path, &status, "a line `CapEff:` with a mask"))?;
    let path = "/proc/self/uid_map";
    let map = m.host.text(path)?;
    let numbers = map.split_whitespace().map(str::parse::<u32>);
    let numbers: Result<Vec<u32>, _> = numbers.collect();
    match numbers.as_deref() {
        Ok([]) | Err(_) => Err(Unread::garbage(path, &map, "lines of three numbers")),
        Ok(map) => Ok(*map == [0, 0, u32::MAX] && mask >> bit & 1 == 1),
    }
}

/// The soft limit on that line of /proc/self/limits; `None` when there is none.
fn limit(m: &Machine, name: &str) -> Result<Option<u64>, Unread> {
    let path = "/proc/self/limits";
    let text = m.host.text(path)?;
    let line = text
        .lines()
        .find_map(|l| l.strip_prefix(name))
        .unwrap_or("");
    match line.split_whitespace().next() {
        Some("unlimited") => Ok(None),
        word => {
            let number = word.and_then(|w| w.parse().ok()).map(Some);
            number.ok_or_else(|| Unread::garbage(path, line, "a limit"))
        }
    }
}
