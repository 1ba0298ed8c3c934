//! Which interrupts run on the lanes' cores, and who may put others there.

use super::card::cards_behind;
use super::cores::{Cores, list, named};
use super::isolation::isolated_cores;
use super::{Check, Machine, Topic, Unread};

const OTHERS: Topic = Topic {
    name: "interrupts.cores",
    effect: "Each interrupt that runs on a lane's core stops the lane for microseconds.",
};
const BALANCE: Topic = Topic {
    name: "interrupts.irqbalance",
    effect: "irqbalance moves interrupts onto any core that is not isolated, a lane's included, while it trades.",
};
const CARD: Topic = Topic {
    name: "interrupts.card",
    effect: "When the card interrupts a lane's own core, the network stack and the lane take turns there, and packets \
             wait for both.",
};

/// Most interrupts that are looked at.
const INTERRUPTS_MAX: usize = 16_384;
/// Most that are named in a reason.
const NAMED_MAX: usize = 6;
/// Number of the first PID namespace (`PROC_PID_INIT_INO`), in which all processes are seen.
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";

pub(super) fn checks(m: &Machine) -> Vec<Check> {
    let mut checks = vec![OTHERS.from(others(m)), BALANCE.from(balance(m))];
    for card in m.probed.cards.iter().flatten() {
        if let Some(found) = &card.found {
            checks.push(CARD.from(own(m, &found.name, found.index)).of(&found.name));
        }
    }
    checks
}

/// An interrupt somebody handles.
struct Interrupt {
    number: u32,
    handlers: String,
    cores: Cores,
}

/// Any interrupt on a lane's core.
fn others(m: &Machine) -> Result<Check, Unread> {
    let Some((whose, kept_free)) = kept_free(m) else {
        let mut check = OTHERS
            .unknown("no core is configured or isolated, so none has to be free of interrupts");
        check.fix = "feed-handler doctor -c feed.toml".into();
        return Ok(check);
    };
    let mut there = Vec::new();
    for number in numbers(m)? {
        let interrupt = match interrupt(m, number) {
            // One may go while they are read.
            Err(Unread::Missing { .. }) => continue,
            other => other?,
        };
        if !interrupt.handlers.is_empty() && !interrupt.cores.is_disjoint(&kept_free) {
            there.push(interrupt);
        }
    }
    if there.is_empty() {
        return Ok(OTHERS.ok(format_args!(
            "no device interrupts {whose} {}",
            named(&kept_free)
        )));
    }
    let reason = format!("on {whose} {}: {}", named(&kept_free), describe(&there));
    Ok(OTHERS.warn(reason, moved(m, &there, &kept_free)))
}

/// Cores that interrupts should leave alone, and whose they are: the lanes', or the isolated ones.
fn kept_free(m: &Machine) -> Option<(&'static str, Cores)> {
    let pinned = m.wants.cores();
    if !pinned.is_empty() {
        return Some(("the lanes'", pinned));
    }
    let isolated = isolated_cores(m).unwrap_or_default();
    (!isolated.is_empty()).then_some(("the isolated", isolated))
}

fn balance(m: &Machine) -> Result<Check, Unread> {
    let mut seen = 0;
    for process in m.host.list("/proc")? {
        if !process.bytes().all(|b| b.is_ascii_digit()) {
            continue;
        }
        // Processes come and go.
        let Ok(name) = m.host.line(&format!("/proc/{process}/comm")) else {
            continue;
        };
        seen += 1;
        if name == "irqbalance" {
            return Ok(running(m, &process));
        }
    }
    // Whoever sees not even the first process, or only those of a container, has not looked.
    let all = m
        .host
        .link("/proc/self/ns/pid")
        .is_ok_and(|ns| ns == FIRST_PID_NAMESPACE);
    Ok(match all && m.host.has("/proc/1/comm") {
        true => BALANCE.ok(format_args!("not among the {seen} processes")),
        false => BALANCE.unknown(format_args!(
            "not among the {seen} processes seen from here, which need not be all of the machine"
        )),
    })
}

fn running(m: &Machine, process: &str) -> Check {
    let reason = format!("irqbalance runs (process {process})");
    let (pinned, isolated) = (m.wants.cores(), isolated_cores(m).unwrap_or_default());
    if !pinned.is_empty() && pinned.is_subset(&isolated) {
        let reason = format!("{reason} and leaves isolated cores alone, which all the lanes' are");
        return BALANCE.ok(reason);
    }
    BALANCE.warn(reason, "systemctl disable --now irqbalance")
}

/// The interrupts of one card.
fn own(m: &Machine, interface: &str, index: u32) -> Result<Check, Unread> {
    let mut interrupts = Vec::new();
    for card in cards_behind(m, interface, index)? {
        for number in of_card(m, &card)? {
            interrupts.push(interrupt(m, number)?);
        }
    }
    let cores: Cores = interrupts.iter().flat_map(|i| &i.cores).copied().collect();
    let pinned = m.wants.cores();
    let there: Vec<Interrupt> = interrupts
        .into_iter()
        .filter(|i| !i.cores.is_disjoint(&pinned))
        .collect();
    Ok(match there.is_empty() {
        true => CARD.ok(format_args!("its interrupts run on {}", named(&cores))),
        false => {
            let reason = format!("on the lanes' {}: {}", named(&pinned), describe(&there));
            CARD.warn(reason, moved(m, &there, &pinned))
        }
    })
}

/// The numbers of a card's interrupts. A virtual card's belong to the device it hangs on.
fn of_card(m: &Machine, card: &str) -> Result<Vec<u32>, Unread> {
    let device = format!("/sys/class/net/{card}/device");
    let numbers = match m.host.list(&format!("{device}/msi_irqs")) {
        Err(Unread::Missing { .. }) => m.host.list(&format!("{device}/../msi_irqs"))?,
        other => other?,
    };
    let numbers = numbers.iter().filter_map(|n| n.parse().ok());
    Ok(numbers.take(INTERRUPTS_MAX).collect())
}

fn numbers(m: &Machine) -> Result<Vec<u32>, Unread> {
    let names = m.host.list("/proc/irq")?;
    let numbers = names.iter().filter_map(|n| n.parse().ok());
    let mut numbers: Vec<u32> = numbers.take(INTERRUPTS_MAX).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Where an interrupt runs, which can be less than where it may.
fn interrupt(m: &Machine, number: u32) -> Result<Interrupt, Unread> {
    let folder = format!("/proc/irq/{number}");
    let effective = m.host.cores(&format!("{folder}/effective_affinity_list"));
    let cores = match effective {
        Ok(cores) if !cores.is_empty() => cores,
        _ => m.host.cores(&format!("{folder}/smp_affinity_list"))?,
    };
    // Handlers have a folder each among these files.
    const FILES: [&str; 7] = [
        "affinity_hint",
        "effective_affinity",
        "effective_affinity_list",
        "node",
        "smp_affinity",
        "smp_affinity_list",
        "spurious",
    ];
    let mut handlers = m.host.list(&folder)?;
    handlers.retain(|name| !FILES.contains(&name.as_str()));
    Ok(Interrupt {
        number,
        handlers: handlers.join(" "),
        cores,
    })
}

fn describe(interrupts: &[Interrupt]) -> String {
    let one = |i: &Interrupt| match i.handlers.as_str() {
        "" => i.number.to_string(),
        handlers => format!("{} ({handlers})", i.number),
    };
    let first: Vec<String> = interrupts.iter().take(NAMED_MAX).map(one).collect();
    let s = if interrupts.len() == 1 { "" } else { "s" };
    let more = match interrupts.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("interrupt{s} {}{more}", first.join(", "))
}

/// The command that moves interrupts to the other cores.
fn moved(m: &Machine, interrupts: &[Interrupt], from: &Cores) -> String {
    let online = m.online().unwrap_or_default();
    let others: Cores = online.difference(from).copied().collect();
    if others.is_empty() {
        return "leave a core to the interrupts: give the lanes fewer".to_owned();
    }
    let numbers: Vec<String> = interrupts.iter().map(|i| i.number.to_string()).collect();
    let (numbers, others) = (numbers.join(" "), list(&others));
    format!("for i in {numbers}; do echo {others} > /proc/irq/$i/smp_affinity_list; done")
}
