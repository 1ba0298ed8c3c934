//! Network cards: ring, interrupt coalescing, offloads, time stamps, and how near they are to the lanes.

use super::cores::{Cores, list, named};
use super::{Card, Check, Machine, Topic, Unread};

const INTERFACE: Topic = Topic {
    name: "card.interface",
    effect: "A line whose interface is not there or is down does not start.",
};
const RING: Topic = Topic {
    name: "card.ring",
    effect: "A burst that comes faster than the kernel takes packets up waits in the card's ring, and what finds it full \
             is lost.",
};
const COALESCING: Topic = Topic {
    name: "card.coalescing",
    effect: "The card holds packets back to save interrupts, as long as said, before anybody sees them.",
};
const OFFLOADS: Topic = Topic {
    name: "card.offloads",
    effect: "Before a socket has a packet it is compared with others that it could be put together with, as no datagram of \
             a feed is; LRO also holds it back.",
};
const STAMPS: Topic = Topic {
    name: "card.timestamps",
    effect: "Without the card's own stamps the time a packet waits in the card and for the interrupt is in no figure.",
};
const NODE: Topic = Topic {
    name: "card.numa",
    effect: "A lane on another memory node than its card reads every packet over the link between them, 50 to 100 ns a \
             cache line.",
};

/// Bonds on VLANs on bonds end somewhere.
const LOWER_MAX: usize = 16;

pub(super) fn checks(m: &Machine) -> Vec<Check> {
    let cards = match &m.probed.cards {
        Ok(cards) => cards,
        Err(why) => {
            let reason = format!("the interfaces cannot be listed: {why}");
            return vec![INTERFACE.unknown(reason)];
        }
    };
    if cards.is_empty() {
        let reason = match m.wants.configured {
            true => "the configuration joins no group",
            false => "there is none that is up besides lo",
        };
        return vec![INTERFACE.unknown(reason)];
    }
    cards.iter().flat_map(|card| of_card(m, card)).collect()
}

fn of_card(m: &Machine, card: &Card) -> Vec<Check> {
    let Some(found) = &card.found else {
        let fix = "ip -brief address (lists what there is), and set `interface` of the lines";
        let missing = INTERFACE.fail(format_args!("there is no interface {}", card.asked), fix);
        return vec![missing.of(&card.asked)];
    };
    let (name, index) = (found.name.as_str(), found.index);
    let state = match found.up {
        true => INTERFACE.ok(format_args!(
            "{name} is up, with addresses {:?}",
            found.addresses
        )),
        false => INTERFACE.fail(
            format_args!("{name} is down"),
            format_args!("ip link set {name} up"),
        ),
    };
    let behind = cards_behind(m, name, index);
    // What a VLAN or a bond answers is not what its card would.
    let itself = behind.clone().and_then(|cards| match cards.as_slice() {
        [one] if one == name => Ok(()),
        others => Err(Unread::Failed {
            path: name.to_owned(),
            why: format!(
                "it lies on {}: ask with a line on that interface",
                others.join(", ")
            ),
        }),
    });
    let asked = |topic: &Topic, check: Check| topic.from(itself.clone().map(|()| check));
    let checks = [
        state,
        asked(&RING, ring(name, card)),
        asked(&COALESCING, coalescing(name, card)),
        asked(&OFFLOADS, offloads(name, card)),
        asked(&STAMPS, stamps(m, name, card)),
        NODE.from(behind.and_then(|cards| node(m, &cards))),
    ];
    checks.into_iter().map(|check| check.of(name)).collect()
}

fn ring(name: &str, card: &Card) -> Check {
    match &card.ring {
        Err(why) => RING.unknown(why),
        Ok(r) if r.rx < r.rx_max => RING.warn(
            format_args!("{} slots of {}", r.rx, r.rx_max),
            format_args!("ethtool -G {name} rx {}", r.rx_max),
        ),
        Ok(r) => RING.ok(format_args!("{} slots, the most it has", r.rx)),
    }
}

fn coalescing(name: &str, card: &Card) -> Check {
    let c = match &card.coalescing {
        Err(why) => return COALESCING.unknown(why),
        Ok(c) => c,
    };
    let adaptive = if c.adaptive { "on" } else { "off" };
    let reason = format!(
        "rx-usecs {}, rx-frames {}, adaptive-rx {adaptive}",
        c.rx_usecs, c.rx_frames
    );
    // Frames alone hold nothing back for long: without a time a packet is reported at once.
    match c.rx_usecs == 0 && !c.adaptive {
        true => COALESCING.ok(reason),
        false => COALESCING.warn(
            reason,
            format_args!("ethtool -C {name} adaptive-rx off rx-usecs 0"),
        ),
    }
}

fn offloads(name: &str, card: &Card) -> Check {
    let o = match &card.offloads {
        Err(why) => return OFFLOADS.unknown(why),
        Ok(o) => o,
    };
    let said = |on: bool| if on { "on" } else { "off" };
    let reason = format!("gro {}, lro {}", said(o.gro), said(o.lro));
    match o.gro || o.lro {
        false => OFFLOADS.ok(reason),
        true => OFFLOADS.warn(reason, format_args!("ethtool -K {name} gro off lro off")),
    }
}

/// In the words in which a run refuses to start, or goes on with the kernel's.
fn stamps(m: &Machine, name: &str, card: &Card) -> Check {
    let software = match &card.stamps.sources {
        Ok(sources) => sources.software,
        Err(why) if !m.wants.hardware => return STAMPS.unknown(why),
        Err(_) => false,
    };
    let lack = match card.stamps.by_card(name) {
        Ok(clock) => {
            return STAMPS.ok(format_args!(
                "the card stamps every packet, by its own clock /dev/ptp{clock}"
            ));
        }
        Err(lack) => lack,
    };
    let kernel = if software {
        "the kernel stamps packets"
    } else {
        "neither does the kernel"
    };
    let reason = format!("{}; {kernel}", lack.reason);
    if m.wants.hardware {
        let fix = lack
            .fix
            .unwrap_or("timestamps = \"auto\" in the [[lane]], or another card".to_owned());
        let reason = format!("{reason}; with timestamps = \"hardware\" a run does not start");
        return STAMPS.fail(reason, fix);
    }
    match (software || !m.wants.stamps, lack.fix) {
        (true, Some(fix)) => STAMPS.warn(reason, fix),
        (true, None) => STAMPS.warn(
            reason,
            "use a card with hardware stamps of all received packets (ethtool -T lists them)",
        ),
        (false, _) => STAMPS.fail(
            reason,
            "timestamps = \"user\" in the [[lane]], or another card",
        ),
    }
}

fn node(m: &Machine, cards: &[String]) -> Result<Check, Unread> {
    let nodes = m.host.cores("/sys/devices/system/node/online")?;
    if nodes.len() == 1 {
        return Ok(NODE.ok("the machine has one memory node"));
    }
    let pinned = m.wants.cores();
    for card in cards {
        let device = format!("/sys/class/net/{card}/device");
        let own = match m.host.number(&format!("{device}/numa_node")) {
            Err(Unread::Missing { .. }) => m.host.number(&format!("{device}/../numa_node"))?,
            other => other?,
        };
        let Ok(own) = usize::try_from(own) else {
            return Ok(NODE.unknown(format_args!(
                "{card}: its driver names no node of {}",
                list(&nodes)
            )));
        };
        let near = m
            .host
            .cores(&format!("/sys/devices/system/node/node{own}/cpulist"))?;
        let far: Cores = pinned.difference(&near).copied().collect();
        if !far.is_empty() {
            let reason = format!(
                "{card} is on node {own}; the lanes' {} are not",
                named(&far)
            );
            let fix = format!(
                "give the lanes cores of {} in the configuration",
                list(&near)
            );
            return Ok(NODE.warn(reason, fix));
        }
        if pinned.is_empty() {
            let cores = named(&near);
            return Ok(NODE.ok(format_args!(
                "{card} is on node {own}, as are {cores}: give lanes these"
            )));
        }
    }
    Ok(NODE.ok(format_args!(
        "{} on the node of the lanes' {}",
        cards.join(", "),
        named(&pinned)
    )))
}

/// The cards under an interface: itself, or what a VLAN or a bond lies on.
pub(super) fn cards_behind(
    m: &Machine,
    interface: &str,
    index: u32,
) -> Result<Vec<String>, Unread> {
    let own = format!("/sys/class/net/{interface}");
    // /sys shows the interfaces of the namespace it was mounted in.
    if m.host.number(&format!("{own}/ifindex"))? != i64::from(index) {
        let why = "/sys shows the interfaces of another network namespace".to_owned();
        return Err(Unread::Failed { path: own, why });
    }
    let (mut cards, mut next) = (Vec::new(), vec![interface.to_owned()]);
    for _ in 0..LOWER_MAX {
        let Some(name) = next.pop() else { break };
        let folder = format!("/sys/class/net/{name}");
        if m.host.has(&format!("{folder}/device")) {
            cards.push(name);
            continue;
        }
        let entries = m.host.list(&folder)?;
        next.extend(
            entries
                .iter()
                .filter_map(|e| Some(e.strip_prefix("lower_")?.to_owned())),
        );
    }
    match cards.is_empty() {
        false => Ok(cards),
        true => Err(Unread::Missing {
            path: format!("card behind {interface}: it is virtual"),
        }),
    }
}
