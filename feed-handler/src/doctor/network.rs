//! The network stack between card and socket: buffers, filters, group membership, backlog.

use super::{Check, Machine, Topic, Unread, bytes};

const BUFFER: Topic = Topic {
    name: "network.receive_buffer",
    effect: "What a lane does not take in time waits in this buffer, and packets that find it full are lost.",
};
const RP_FILTER: Topic = Topic {
    name: "network.rp_filter",
    effect: "Packets of senders to whom this machine has no route over the interface they came in on are dropped in \
             silence, and multicast senders seldom have one.",
};
const MEMBERSHIPS: Topic = Topic {
    name: "network.igmp_memberships",
    effect: "A group beyond the limit is refused, and its line never starts.",
};
const VERSION: Topic = Topic {
    name: "network.igmp_version",
    effect: "Below version 3 switches send a group whatever its sender: packets of others take time on the way and in \
             the socket.",
};
const BACKLOG: Topic = Topic {
    name: "network.backlog",
    effect: "Packets that find the queue between card and stack full are lost before any socket sees them.",
};
const BUDGET: Topic = Topic {
    name: "network.budget",
    effect: "When a round of receiving ends early, packets stay in the card until the next round, up to milliseconds on \
             a busy core.",
};

const CONF: &str = "/proc/sys/net/ipv4/conf";

/// Squeezed rounds are ordinary at one in so many packets.
const SQUEEZE_EVERY: u64 = 100_000;

pub(super) fn checks(m: &Machine) -> Vec<Check> {
    vec![
        buffer(m),
        RP_FILTER.from(rp_filter(m)),
        MEMBERSHIPS.from(memberships(m)),
        VERSION.from(version(m)),
        BACKLOG.from(backlog(m)),
        BUDGET.from(budget(m)),
    ]
}

fn buffer(m: &Machine) -> Check {
    let limit = m.host.number("/proc/sys/net/core/rmem_max");
    let limit = limit.map_or_else(|e| e.to_string(), |n| format!("net.core.rmem_max is {n}"));
    let (mut says, mut short) = (Vec::new(), None);
    for (asked, granted) in &m.probed.buffers {
        match granted {
            Ok(granted) => {
                says.push(format!(
                    "asked for {}, granted {}",
                    bytes(*asked as u64),
                    bytes(*granted as u64)
                ));
                if granted < asked {
                    short = short.max(Some(*asked));
                }
            }
            Err(e) => return BUFFER.unknown(format_args!("a socket cannot be asked: {e}")),
        }
    }
    if says.is_empty() {
        return BUFFER.unknown("no socket is configured");
    }
    let reason = format!("{}; {limit}", says.join("; "));
    match short {
        None => BUFFER.ok(reason),
        Some(asked) => BUFFER.fail(reason, format_args!("sysctl -w net.core.rmem_max={asked}")),
    }
}

fn rp_filter(m: &Machine) -> Result<Check, Unread> {
    let all = m.host.number(&format!("{CONF}/all/rp_filter"))?;
    let mut says = vec![format!("all {all}")];
    let mut strict = Vec::new();
    for name in interfaces(m)? {
        let own = m.host.number(&format!("{CONF}/{name}/rp_filter"))?;
        says.push(format!("{name} {own}"));
        // The kernel takes the higher of the two: 1 is strict, 2 loose.
        if own.max(all) == 1 {
            strict.push(name);
        }
    }
    let reason = format!("rp_filter: {}", says.join(", "));
    if strict.is_empty() {
        return Ok(RP_FILTER.ok(reason));
    }
    let commands = strict
        .iter()
        .map(|name| format!("sysctl -w net.ipv4.conf.{}.rp_filter=0", key(name)));
    let all = (all != 0).then(|| "sysctl -w net.ipv4.conf.all.rp_filter=0".to_owned());
    let fix: Vec<String> = commands.chain(all).collect();
    let reason = format!("{reason}: strict on {}", strict.join(", "));
    Ok(RP_FILTER.warn(reason, fix.join(" && ")))
}

fn memberships(m: &Machine) -> Result<Check, Unread> {
    let most = m.host.number("/proc/sys/net/ipv4/igmp_max_memberships")?;
    let reason = format!(
        "a socket may join {most} groups; every line has a socket of its own and joins one"
    );
    Ok(match most >= 1 || !m.wants.multicast {
        true => MEMBERSHIPS.ok(reason),
        false => MEMBERSHIPS.fail(reason, "sysctl -w net.ipv4.igmp_max_memberships=20"),
    })
}

fn version(m: &Machine) -> Result<Check, Unread> {
    let all = m.host.number(&format!("{CONF}/all/force_igmp_version"))?;
    let mut forced = Vec::new();
    for name in interfaces(m)? {
        let own = m
            .host
            .number(&format!("{CONF}/{name}/force_igmp_version"))?;
        // That of all goes first.
        match if all != 0 { all } else { own } {
            0 | 3 => {}
            version => forced.push((name, version)),
        }
    }
    if forced.is_empty() {
        return Ok(VERSION.ok("no interface is held to a version below 3"));
    }
    let says: Vec<String> = forced
        .iter()
        .map(|(name, v)| format!("{name} to {v}"))
        .collect();
    let reason = format!("force_igmp_version holds {}", says.join(", "));
    let commands = forced
        .iter()
        .map(|(name, _)| format!("sysctl -w net.ipv4.conf.{}.force_igmp_version=0", key(name)));
    let all = (all != 0).then(|| "sysctl -w net.ipv4.conf.all.force_igmp_version=0".to_owned());
    let fix = commands.chain(all).collect::<Vec<_>>().join(" && ");
    Ok(match m.wants.sources {
        true => VERSION.fail(
            format_args!("{reason}, and lines of the configuration take one sender only"),
            fix,
        ),
        false => VERSION.warn(reason, fix),
    })
}

fn backlog(m: &Machine) -> Result<Check, Unread> {
    let most = m.host.number("/proc/sys/net/core/netdev_max_backlog")?;
    let [packets, dropped, _] = softnet(m)?;
    let reason = format!(
        "{dropped} of {packets} packets dropped since the machine started; the queue has {most} places"
    );
    Ok(match dropped {
        0 => BACKLOG.ok(reason),
        _ => BACKLOG.warn(
            reason,
            format_args!(
                "sysctl -w net.core.netdev_max_backlog={}",
                most.max(1000).saturating_mul(8)
            ),
        ),
    })
}

fn budget(m: &Machine) -> Result<Check, Unread> {
    let budget = m.host.number("/proc/sys/net/core/netdev_budget")?;
    let micros = m.host.number("/proc/sys/net/core/netdev_budget_usecs")?;
    let [packets, _, squeezed] = softnet(m)?;
    let reason = format!(
        "{squeezed} rounds ended early over {packets} packets since the machine started; a round has {budget} packets \
         and {micros} us"
    );
    let fix = format!(
        "sysctl -w net.core.netdev_budget={} net.core.netdev_budget_usecs={}",
        budget.max(300).saturating_mul(2),
        micros.max(2000).saturating_mul(2)
    );
    Ok(match squeezed > packets / SQUEEZE_EVERY {
        true => BUDGET.warn(reason, fix),
        false => BUDGET.ok(reason),
    })
}

/// Packets, drops and early ends of all cores: the first three hexadecimal columns of a line a core.
fn softnet(m: &Machine) -> Result<[u64; 3], Unread> {
    let path = "/proc/net/softnet_stat";
    let text = m.host.text(path)?;
    let mut sums = [0u64; 3];
    let mut cores = 0;
    for line in text.lines() {
        let mut columns = line.split_whitespace();
        for sum in &mut sums {
            let column = columns.next().and_then(|c| u64::from_str_radix(c, 16).ok());
            let column =
                column.ok_or_else(|| Unread::garbage(path, line, "hexadecimal columns"))?;
            *sum = sum.saturating_add(column);
        }
        cores += 1;
    }
    match cores {
        0 => Err(Unread::garbage(path, &text, "a line a core")),
        _ => Ok(sums),
    }
}

/// Names of the interfaces that matter.
fn interfaces(m: &Machine) -> Result<Vec<String>, Unread> {
    let cards = m.probed.cards.as_ref().map_err(|why| Unread::Failed {
        path: "the list of interfaces".into(),
        why: why.clone(),
    })?;
    let found = cards.iter().filter_map(|c| c.found.as_ref());
    Ok(found.map(|i| i.name.clone()).collect())
}

/// An interface's name as sysctl takes it: dots between keys, so those of a name are slashes.
fn key(interface: &str) -> String {
    interface.replace('.', "/")
}
