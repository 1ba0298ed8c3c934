//! Whether lanes have their cores for themselves: pinning, isolation, the tick, hyper-threads.

use super::cores::{Cores, list, named};
use super::{Check, Machine, Topic, Unread, cgroup};
use std::collections::BTreeMap;

const PINNING: Topic = Topic {
    name: "cpu.pinning",
    effect: "A thread without a core of its own is moved and interrupted by others: each time its caches are cold and \
             packets wait, up to milliseconds.",
};
const ISOLATED: Topic = Topic {
    name: "cpu.isolated",
    effect: "On a core that is not isolated the scheduler runs other threads too, and packets wait for them, up to \
             several milliseconds.",
};
const TICKLESS: Topic = Topic {
    name: "cpu.tickless",
    effect: "The timer interrupt stops a lane 100 to 1000 times a second for a few microseconds, tens in a virtual \
             machine.",
};
const SIBLINGS: Topic = Topic {
    name: "cpu.siblings",
    effect: "What runs on the other hyper-thread of a core takes execution units and caches from the lane: every \
             message takes up to twice as long.",
};

pub(super) fn checks(m: &Machine) -> Vec<Check> {
    let mut checks = Vec::new();
    if m.wants.configured {
        checks.push(PINNING.from(pinning(m)));
    }
    checks.push(ISOLATED.from(isolated(m)));
    checks.push(TICKLESS.from(tickless(m)));
    checks.push(SIBLINGS.from(siblings(m)));
    checks
}

fn pinning(m: &Machine) -> Result<Check, Unread> {
    let pinned = m.wants.cores();
    let loose = m.wants.threads.iter().filter(|t| t.core.is_none());
    let loose: Vec<&str> = loose.map(|t| t.name.as_str()).collect();
    if !pinned.is_empty() {
        let online = m.online()?;
        let absent: Cores = pinned.difference(&online).copied().collect();
        if !absent.is_empty() {
            let reason = format!("{} not online: there are {}", named(&absent), list(&online));
            let fix = format!(
                "configure cores of {} (core, receive_core, decode_core of [[lane]])",
                list(&online)
            );
            return Ok(PINNING.fail(reason, fix));
        }
        if let Some(allowed) = cgroup::cpuset(m.host) {
            let refused: Cores = pinned.difference(&allowed).copied().collect();
            if !refused.is_empty() {
                let reason = format!(
                    "{} outside the cpuset of this process, which is {}",
                    named(&refused),
                    list(&allowed)
                );
                let fix = format!(
                    "start it with a cpuset of {} (docker run --cpuset-cpus {0})",
                    list(&pinned)
                );
                return Ok(PINNING.fail(reason, fix));
            }
        }
    }
    if loose.is_empty() {
        let threads = m.wants.threads.iter();
        let threads = threads.filter_map(|t| Some(format!("{} on core {}", t.name, t.core?)));
        return Ok(PINNING.ok(threads.collect::<Vec<_>>().join("; ")));
    }
    let reason = format!("no core is configured for {}", loose.join("; "));
    let fix =
        "set `core`, or `receive_core` and `decode_core`, of the [[lane]] in the configuration";
    Ok(PINNING.warn(reason, fix))
}

/// Cores the scheduler leaves alone: by the kernel's command line or a cpuset partition.
pub(super) fn isolated_cores(m: &Machine) -> Result<Cores, Unread> {
    let mut cores = m.host.cores("/sys/devices/system/cpu/isolated")?;
    // Kernels before 6.7 have no such file.
    cores.extend(
        m.host
            .cores("/sys/fs/cgroup/cpuset.cpus.isolated")
            .unwrap_or_default(),
    );
    Ok(cores)
}

fn isolated(m: &Machine) -> Result<Check, Unread> {
    let isolated = isolated_cores(m)?;
    let reason = format!("isolated: {}", list(&isolated));
    let advised = m.advised();
    let fix = restart(
        m,
        &advised,
        &format!("isolcpus=managed_irq,domain,{}", list(&advised)),
    );
    let pinned = m.wants.cores();
    if pinned.is_empty() {
        return Ok(match isolated.is_empty() {
            false => ISOLATED.ok(reason),
            true => ISOLATED.warn(reason, fix),
        });
    }
    let shared: Cores = pinned.difference(&isolated).copied().collect();
    if shared.is_empty() {
        return Ok(ISOLATED.ok(reason));
    }
    let reason = format!("{reason}; not the lanes' {}", named(&shared));
    Ok(match m.wants.priority {
        Some(priority) => ISOLATED.fail(
            format_args!(
                "{reason}, where threads of priority {priority} that spin keep all others waiting, the kernel's included"
            ),
            fix,
        ),
        None => ISOLATED.warn(reason, fix),
    })
}

fn tickless(m: &Machine) -> Result<Check, Unread> {
    let path = "/sys/devices/system/cpu/nohz_full";
    let advised = m.advised();
    let parameters = format!("nohz_full={0} rcu_nocbs={0}", list(&advised));
    let tickless = match m.host.line(path) {
        // So it prints where none were asked for.
        Ok(line) if line == "(null)" => Cores::new(),
        Ok(_) => m.host.cores(path)?,
        // The kernel has the file beside it: it was built without tickless cores.
        Err(Unread::Missing { .. }) if m.host.has("/sys/devices/system/cpu/isolated") => {
            let reason =
                format!("there is no {path}: the kernel was built without CONFIG_NO_HZ_FULL");
            let fix = format!("start a kernel built with CONFIG_NO_HZ_FULL with {parameters}");
            return Ok(TICKLESS.warn(reason, fix));
        }
        Err(e) => return Err(e),
    };
    let reason = format!("tickless: {}", list(&tickless));
    let pinned = m.wants.cores();
    let ticking: Cores = pinned.difference(&tickless).copied().collect();
    if ticking.is_empty() && !tickless.is_empty() {
        return Ok(TICKLESS.ok(reason));
    }
    let reason = match ticking.is_empty() {
        true => reason,
        false => format!("{reason}; not the lanes' {}", named(&ticking)),
    };
    Ok(TICKLESS.warn(reason, restart(m, &advised, &parameters)))
}

/// How the kernel is told. It needs a core for everything else, so nothing helps where there is none to spare.
fn restart(m: &Machine, cores: &Cores, parameters: &str) -> String {
    let none_left = m.online().is_ok_and(|online| online.is_subset(cores));
    match cores.is_empty() || none_left {
        true => "leave a core to the rest of the machine: give the lanes fewer, or use a machine with more".to_owned(),
        false => format!(
            "grubby --update-kernel=ALL --args=\"{parameters}\" && reboot (Debian: GRUB_CMDLINE_LINUX in /etc/default/grub)"
        ),
    }
}

fn siblings(m: &Machine) -> Result<Check, Unread> {
    let (watched, pinned) = (m.watched()?, m.wants.cores());
    let mut others: BTreeMap<usize, Cores> = BTreeMap::new();
    for &core in &watched {
        let path = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
        let mut siblings = m.host.cores(&path)?;
        siblings.remove(&core);
        if !siblings.is_empty() {
            others.insert(core, siblings);
        }
    }
    let all: Cores = others.values().flatten().copied().collect();
    if all.is_empty() {
        let virtual_machine = m
            .host
            .head("/proc/cpuinfo")
            .is_ok_and(|c| c.contains(" hypervisor"));
        let as_far = match virtual_machine {
            true => ", as far as the host of this virtual machine says",
            false => "",
        };
        return Ok(SIBLINGS.ok(format_args!("{} without siblings{as_far}", named(&watched))));
    }
    let says = |(core, siblings): (&usize, &Cores)| format!("core {core} with {}", list(siblings));
    let shares: Vec<String> = others.iter().take(8).map(says).collect();
    let reason = format!("shared with siblings: {}", shares.join("; "));
    if pinned.is_empty() {
        return Ok(SIBLINGS.warn(reason, "echo off > /sys/devices/system/cpu/smt/control"));
    }
    if let Some(both) = all.intersection(&pinned).next() {
        let reason = format!("{reason}: core {both} and its sibling are both lanes'");
        let fix = "give the lanes cores that are no siblings (lscpu -e=CPU,CORE,ONLINE lists them)";
        return Ok(SIBLINGS.fail(reason, fix));
    }
    let off = |core: &usize| format!("echo 0 > /sys/devices/system/cpu/cpu{core}/online");
    let fix: Vec<String> = all.iter().map(off).collect();
    Ok(SIBLINGS.warn(reason, fix.join(" && ")))
}
