//! How fast the cores run: frequency governor, boost, idle states.

use super::cores::{Cores, list, named};
use super::{Check, Machine, Topic, Unread};
use std::collections::BTreeMap;

const GOVERNOR: Topic = Topic {
    name: "cpu.governor",
    effect: "A core that has to speed up first runs at a fraction of its clock for tens of microseconds to milliseconds \
             when packets come.",
};
const BOOST: Topic = Topic {
    name: "cpu.boost",
    effect: "Without boost every message takes longer by as much as the clock is lower, though more evenly.",
};
const IDLE: Topic = Topic {
    name: "cpu.idle",
    effect: "A core that sleeps deeply takes as long as said to wake: interrupts and threads that block come late by it.",
};

/// Longest wake-up that is no matter, in microseconds: that of the shallow states.
const WAKE_MICROS_MAX: i64 = 10;
/// Most idle states a core has (`CPUIDLE_STATE_MAX` is 10).
const STATES_MAX: usize = 16;

pub(super) fn checks(m: &Machine) -> Vec<Check> {
    vec![
        GOVERNOR.from(governor(m)),
        BOOST.from(boost(m)),
        IDLE.from(idle(m)),
    ]
}

fn governor(m: &Machine) -> Result<Check, Unread> {
    let cores = m.watched()?;
    let mut by: BTreeMap<String, Cores> = BTreeMap::new();
    for &core in &cores {
        let path = format!("/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor");
        match m.host.word(&path) {
            Ok(governor) => by.entry(governor).or_default().insert(core),
            Err(e @ Unread::Missing { .. }) => {
                let why = "the firmware, or the host of a virtual machine, sets the frequency";
                return Ok(GOVERNOR.unknown(format_args!("{e}: {why}")));
            }
            Err(e) => return Err(e),
        };
    }
    let Some(&first) = cores.first() else {
        return Ok(GOVERNOR.unknown("no core is online"));
    };
    let driver = format!("/sys/devices/system/cpu/cpu{first}/cpufreq/scaling_driver");
    let driver = m.host.word(&driver).unwrap_or_else(|_| "unknown".into());
    let says = |(governor, cores): (&String, &Cores)| format!("`{governor}` on {}", named(cores));
    let says: Vec<String> = by.iter().map(says).collect();
    let reason = format!("{}, driver {driver}", says.join(", "));
    let others = by.iter().filter(|(governor, _)| *governor != "performance");
    let others: Cores = others.flat_map(|(_, cores)| cores).copied().collect();
    if others.is_empty() {
        return Ok(GOVERNOR.ok(reason));
    }
    let fix = format!("cpupower -c {} frequency-set -g performance", list(&others));
    // These two drivers raise the clock under `powersave` as well; elsewhere it means the lowest there is.
    let scales = driver.starts_with("intel_pstate") || driver.starts_with("amd-pstate-epp");
    Ok(match by.contains_key("powersave") && !scales {
        true => GOVERNOR.fail(reason, fix),
        false => GOVERNOR.warn(reason, fix),
    })
}

fn boost(m: &Machine) -> Result<Check, Unread> {
    let (path, on) = [
        "/sys/devices/system/cpu/intel_pstate/no_turbo",
        "/sys/devices/system/cpu/cpufreq/boost",
    ]
    .into_iter()
    .zip([0, 1])
    .find(|(path, _)| m.host.has(path))
    .ok_or_else(|| Unread::Missing {
        path: "/sys/devices/system/cpu/cpufreq/boost".into(),
    })?;
    let value = m.host.number(path)?;
    if !(0..=1).contains(&value) {
        return Err(Unread::garbage(path, &value.to_string(), "0 or 1"));
    }
    let reason = format!("{path} is {value}");
    Ok(match value == on {
        true => BOOST.ok(reason),
        false => BOOST.warn(reason, format_args!("echo {on} > {path}")),
    })
}

fn idle(m: &Machine) -> Result<Check, Unread> {
    let command_line = m.host.line("/proc/cmdline").unwrap_or_default();
    if command_line
        .split_whitespace()
        .any(|word| word == "idle=poll")
    {
        return Ok(IDLE.ok("the kernel was started with idle=poll: no core sleeps"));
    }
    let bound = latency_bound(m);
    let bounded = match bound {
        Some(micros) => format!(", and /dev/cpu_dma_latency bounds it to {micros} us"),
        None => String::new(),
    };
    let mut deepest: Option<(i64, String)> = None;
    let mut deep = Cores::new();
    for core in m.watched()? {
        for (name, micros) in states(m, core)? {
            if micros > WAKE_MICROS_MAX && bound.is_none_or(|most| micros <= most) {
                deep.insert(core);
            }
            if deepest.as_ref().is_none_or(|(most, _)| micros > *most) {
                deepest = Some((micros, name));
            }
        }
    }
    let Some((micros, name)) = deepest else {
        return Ok(IDLE.ok("every idle state is switched off"));
    };
    let reason = format!("deepest idle state in use is {name}, {micros} us to wake{bounded}");
    if deep.is_empty() {
        return Ok(IDLE.ok(reason));
    }
    let fix = format!(
        "cpupower -c {} idle-set -D {}",
        list(&deep),
        WAKE_MICROS_MAX + 1
    );
    Ok(IDLE.warn(format_args!("{reason}, on {}", named(&deep)), fix))
}

/// The idle states of a core that are not switched off: name, and microseconds to wake.
fn states(m: &Machine, core: usize) -> Result<Vec<(String, i64)>, Unread> {
    let folder = format!("/sys/devices/system/cpu/cpu{core}/cpuidle");
    let states = match m.host.list(&folder) {
        Ok(states) => states,
        Err(Unread::Missing { path }) => {
            let driver = m
                .host
                .word("/sys/devices/system/cpu/cpuidle/current_driver");
            let driver = driver.map_or(String::new(), |d| format!(" (idle driver: {d})"));
            let path = format!(
                "{path}{driver}: what an idle core does is the firmware's or the host's choice"
            );
            return Err(Unread::Missing { path });
        }
        Err(e) => return Err(e),
    };
    let mut enabled = Vec::new();
    for state in states
        .iter()
        .filter(|s| s.starts_with("state"))
        .take(STATES_MAX)
    {
        let file = |name: &str| format!("{folder}/{state}/{name}");
        if m.host.number(&file("disable"))? == 0 {
            enabled.push((
                m.host.word(&file("name"))?,
                m.host.number(&file("latency"))?,
            ));
        }
    }
    Ok(enabled)
}

/// The longest wake-up that some process has asked the kernel to allow, in microseconds; root can read it.
fn latency_bound(m: &Machine) -> Option<i64> {
    let bytes = m.host.bytes("/dev/cpu_dma_latency", 4).ok()?;
    let micros = i32::from_ne_bytes(bytes.try_into().ok()?);
    // The default stands for no bound (PM_QOS_CPU_LATENCY_DEFAULT_VALUE, 2000 s).
    (0..2_000_000_000)
        .contains(&micros)
        .then_some(micros.into())
}
