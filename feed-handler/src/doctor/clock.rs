//! Whether the processor's counter is a clock, and the kernel uses it.

use super::{Check, Machine, Topic, Unread};

const SOURCE: Topic = Topic {
    name: "clock.source",
    effect: "Other clock sources cost up to a microsecond a reading, which every packet that the kernel stamps pays, and \
             count coarsely.",
};
const TSC: Topic = Topic {
    name: "clock.tsc",
    effect: "Without these flags the counter changes its rate or stops with the core's clock, and no latency figure can \
             be believed.",
};

pub(super) fn checks(m: &Machine) -> Vec<Check> {
    vec![SOURCE.from(source(m)), TSC.from(tsc(m))]
}

fn source(m: &Machine) -> Result<Check, Unread> {
    let folder = "/sys/devices/system/clocksource/clocksource0";
    let current = m.host.word(&format!("{folder}/current_clocksource"))?;
    let available = m.host.line(&format!("{folder}/available_clocksource"));
    let available = available.unwrap_or_else(|_| current.clone());
    let reason = format!("the kernel's clock is {current}; available: {available}");
    let fix = match available.split_whitespace().any(|name| name == "tsc") {
        true => format!("echo tsc > {folder}/current_clocksource"),
        false => {
            "dmesg | grep -i -e tsc -e clocksource (says why the kernel has given up the counter)"
                .to_owned()
        }
    };
    Ok(match current.as_str() {
        "tsc" | "arch_sys_counter" => SOURCE.ok(reason),
        // Read from user space by a page the host keeps, over the same counter.
        "kvm-clock" | "hyperv_clocksource_tsc_page" => SOURCE.ok(format_args!(
            "{reason}: the counter with corrections by the host"
        )),
        "hpet" | "acpi_pm" | "pit" | "jiffies" => SOURCE.fail(reason, fix),
        _ => SOURCE.warn(reason, fix),
    })
}

fn tsc(m: &Machine) -> Result<Check, Unread> {
    let path = "/proc/cpuinfo";
    let cpus = m.host.head(path)?;
    let flags = cpus
        .lines()
        .find_map(|line| line.strip_prefix("flags")?.split_once(':'));
    let Some((_, flags)) = flags else {
        return Ok(TSC.unknown(format_args!(
            "{path} lists no flags: this processor is no x86"
        )));
    };
    let has = |flag: &&str| flags.split_whitespace().any(|f| f == *flag);
    let needed = ["constant_tsc", "nonstop_tsc"];
    let missing: Vec<&str> = needed.into_iter().filter(|f| !has(f)).collect();
    if !missing.is_empty() {
        let fix = "use a processor with an invariant counter, or have the host pass it through (qemu: -cpu host,+invtsc)";
        return Ok(TSC.fail(
            format_args!("not among the flags: {}", missing.join(", ")),
            fix,
        ));
    }
    let more = ["rdtscp", "tsc_reliable", "tsc_known_freq"]
        .into_iter()
        .filter(has);
    let flags: Vec<&str> = needed.into_iter().chain(more).collect();
    Ok(TSC.ok(format_args!("flags {}", flags.join(", "))))
}
