//! The checks over made-up machines: tuned, with one thing wrong, with files missing, with files full of anything.

mod cases;
mod processors;
mod system;
mod tree;

use super::Status::{self, Fail, Ok as Good, Unknown, Warn};
use super::*;
use crate::net::{CardStamps, Coalescing, Offloads, RingSizes, StampSources};
use proptest::prelude::*;
use tree::{TUNED, Tree, card, find, probed, wants};

#[test]
fn a_tuned_machine_has_nothing_to_mend() {
    let checks = Tree::tuned().examine();
    for check in &checks {
        assert_eq!((check.status, check.fix.as_str()), (Good, ""), "{check:?}");
        assert!(
            !check.reason.is_empty() && check.effect.ends_with('.'),
            "{check:?}"
        );
    }
    assert_eq!(checks.len(), 34, "a check more or less: say so here");
}

#[test]
fn where_nothing_can_be_read_nothing_is_wrong() {
    let (tree, nothing) = (Tree::tuned(), Tree::empty());
    let refused = || Err("not permitted".to_owned());
    let blind = Card {
        ring: refused().map(|()| RingSizes { rx: 0, rx_max: 0 }),
        coalescing: refused().map(|()| Coalescing::default()),
        offloads: refused().map(|()| Offloads::default()),
        stamps: CardStamps {
            sources: refused().map(|()| StampSources::default()),
            on: refused().map(|()| false),
            clock: refused(),
        },
        ..card("eth0")
    };
    let probed = Probed {
        buffers: vec![(1, refused().map(|()| 0))],
        cards: Ok(vec![blind]),
    };
    let checks = examine(&nothing.host(), &wants(), &probed);
    for check in &checks {
        let want = if check.name == "card.interface.eth0" {
            Good
        } else {
            Unknown
        };
        assert_eq!(check.status, want, "{check:?}");
        assert!(!check.reason.is_empty(), "{check:?}");
    }
    let names = |checks: &[Check]| checks.iter().map(|c| c.name.clone()).collect::<Vec<_>>();
    assert_eq!(
        names(&checks),
        names(&tree.examine()),
        "no check goes missing"
    );

    let probed = Probed {
        buffers: Vec::new(),
        cards: refused().map(|()| Vec::new()),
    };
    let checks = examine(&nothing.host(), &Wants::machine(), &probed);
    assert!(checks.iter().all(|c| c.status == Unknown), "{checks:?}");
}

/// Files whose absence says something of the kernel.
const SPEAKING: [&str; 2] = [
    "/sys/devices/system/cpu/nohz_full",
    // Then the interrupt is where it may be, which is anywhere.
    "/proc/irq/30/effective_affinity_list",
];

#[test]
fn a_missing_file_is_no_fault() {
    let tree = Tree::tuned();
    for (path, content) in TUNED.iter().filter(|(path, _)| !SPEAKING.contains(path)) {
        tree.remove(path);
        for check in tree.examine() {
            assert!(
                matches!(check.status, Good | Unknown),
                "without {path}: {check:?}"
            );
        }
        tree.write(path, content);
    }
}

#[test]
fn garbage_is_no_fault() {
    let long = "x".repeat(1 << 20);
    let newlines = "\n".repeat(1 << 20);
    let garbage: [&[u8]; 7] = [
        b"\xff\x00\x1b[2Jnonsense \xfe",
        b"nonsense",
        b"-",
        b"99999999999999999999999999",
        b": : : - - \n: : : - - \n",
        long.as_bytes(),
        newlines.as_bytes(),
    ];
    let tree = Tree::tuned();
    for (path, own) in TUNED {
        for content in garbage {
            tree.write(path, content);
            for check in tree.examine() {
                // A governor or a clock by any other name is not the one that is wanted.
                let told =
                    path.ends_with("scaling_governor") || path.ends_with("current_clocksource");
                let held = matches!(check.status, Good | Unknown) || told && check.status == Warn;
                // An empty list of cores is a list.
                let empty = content.trim_ascii().is_empty()
                    && ["isolated", "nohz_full", "effective_affinity_list"]
                        .iter()
                        .any(|f| path.ends_with(f));
                // Where the effective one makes no sense, the one that was asked for counts.
                let wide = path.ends_with("effective_affinity_list") && check.status == Warn;
                assert!(held || empty || wide, "{path}: {check:?}");
                let shown = format!("{}{}", check.reason, check.fix);
                assert!(
                    !shown.contains('\x1b') && shown.len() < 4096,
                    "{path}: {check:?}"
                );
            }
        }
        tree.write(path, own);
    }
}

#[test]
fn folders_in_place_of_files_are_no_fault() {
    let tree = Tree::tuned();
    for (path, content) in TUNED.iter().filter(|(path, _)| !SPEAKING.contains(path)) {
        tree.remove(path);
        tree.write(&format!("{path}/inside"), "1\n");
        for check in tree.examine() {
            assert!(matches!(check.status, Good | Unknown), "{path}: {check:?}");
        }
        tree.remove(path);
        tree.write(path, content);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any bytes in any three files.
    #[test]
    fn no_content_is_a_panic(
        files in proptest::collection::vec((0..TUNED.len(), proptest::collection::vec(any::<u8>(), 0..40)), 3),
        numbers in proptest::collection::vec((0..TUNED.len(), "-?[0-9]{1,20}[ ,:-]?[0-9]{0,20}"), 3),
    ) {
        let tree = Tree::tuned();
        for (at, content) in files {
            tree.write(TUNED[at].0, content);
        }
        for (at, content) in numbers {
            tree.write(TUNED[at].0, content);
        }
        render(&tree.examine());
        examine(&tree.host(), &Wants::machine(), &probed());
    }
}

/// One value of a card changed.
#[track_caller]
fn with_card(change: impl Fn(&mut Card), name: &str) -> Check {
    let mut card = card("eth0");
    change(&mut card);
    let probed = Probed {
        cards: Ok(vec![card]),
        ..probed()
    };
    find(&examine(&Tree::tuned().host(), &wants(), &probed), name).clone()
}

#[track_caller]
fn is(check: Check, status: Status, reason: &str, fix: &str) {
    assert_eq!(check.status, status, "{check:?}");
    assert!(
        check.reason.contains(reason) && check.fix.contains(fix),
        "{check:?}"
    );
}

#[test]
fn cards() {
    let ring = |rx| {
        with_card(
            |c| c.ring = Ok(RingSizes { rx, rx_max: 4096 }),
            "card.ring.eth0",
        )
    };
    is(
        ring(512),
        Warn,
        "512 slots of 4096",
        "ethtool -G eth0 rx 4096",
    );
    let hold = |rx_usecs, adaptive| {
        let coalescing = Coalescing {
            rx_usecs,
            rx_frames: 64,
            adaptive,
        };
        with_card(|c| c.coalescing = Ok(coalescing), "card.coalescing.eth0")
    };
    is(
        hold(50, false),
        Warn,
        "rx-usecs 50",
        "ethtool -C eth0 adaptive-rx off rx-usecs 0",
    );
    is(hold(0, true), Warn, "adaptive-rx on", "adaptive-rx off");
    is(hold(0, false), Good, "rx-frames 64", "");
    let offloads = |gro, lro| {
        with_card(
            |c| c.offloads = Ok(Offloads { gro, lro }),
            "card.offloads.eth0",
        )
    };
    is(
        offloads(true, false),
        Warn,
        "gro on, lro off",
        "ethtool -K eth0 gro off lro off",
    );
    is(offloads(false, true), Warn, "lro on", "ethtool -K eth0");
    let stamps = |hardware, every_packet, software| {
        let sources = StampSources {
            hardware,
            every_packet,
            software,
            clock: Some(1),
        };
        with_card(|c| c.stamps.sources = Ok(sources), "card.timestamps.eth0")
    };
    is(
        stamps(true, true, true),
        Good,
        "the card stamps every packet, by its own clock /dev/ptp1",
        "",
    );
    is(
        stamps(false, false, true),
        Warn,
        "eth0: the card can stamp no received packets; the kernel stamps packets",
        "use a card",
    );
    is(stamps(true, false, true), Warn, "of PTP only", "use a card");
    is(
        stamps(false, false, false),
        Fail,
        "neither does the kernel",
        "timestamps = \"user\"",
    );
    is(
        with_card(|c| c.stamps.on = Ok(false), "card.timestamps.eth0"),
        Warn,
        "not told to stamp every packet",
        "hwstamp_ctl -i eth0 -r 1",
    );
    is(
        with_card(
            |c| c.ring = Err("the driver has no answer".into()),
            "card.ring.eth0",
        ),
        Unknown,
        "no answer",
        "",
    );
    let down = |c: &mut Card| c.found.as_mut().unwrap().up = false;
    is(
        with_card(down, "card.interface.eth0"),
        Fail,
        "eth0 is down",
        "ip link set eth0 up",
    );
    is(
        with_card(|c| c.found = None, "card.interface.eth0"),
        Fail,
        "there is no interface eth0",
        "ip -brief address",
    );
}

#[test]
fn stamps_that_a_lane_cannot_do_without_are_a_fault() {
    let tree = Tree::tuned();
    let wants = Wants {
        hardware: true,
        ..wants()
    };
    let stamps = |change: fn(&mut CardStamps)| {
        let mut card = card("eth0");
        change(&mut card.stamps);
        let probed = Probed {
            cards: Ok(vec![card]),
            ..probed()
        };
        let checks = examine(&tree.host(), &wants, &probed);
        find(&checks, "card.timestamps.eth0").clone()
    };
    is(stamps(|_| ()), Good, "every packet", "");
    let refused = "with timestamps = \"hardware\" a run does not start";
    is(
        stamps(|s| s.on = Ok(false)),
        Fail,
        refused,
        "hwstamp_ctl -i eth0 -r 1",
    );
    is(
        stamps(|s| s.clock = Err("Permission denied".into())),
        Fail,
        "/dev/ptp0 cannot be read: Permission denied",
        "chmod a+r /dev/ptp0",
    );
    let silent = |s: &mut CardStamps| s.sources = Err("the driver has no answer".into());
    is(
        stamps(silent),
        Fail,
        "the driver has no answer",
        "timestamps = \"auto\"",
    );
}

#[test]
fn what_lies_on_a_card_is_followed_to_it() {
    let tree = Tree::tuned();
    tree.write("/sys/class/net/bond0.7/ifindex", "2\n");
    tree.write("/sys/class/net/bond0.7/lower_bond0", "");
    tree.write("/sys/class/net/bond0/lower_eth0", "");
    tree.write("/proc/sys/net/ipv4/conf/bond0.7/rp_filter", "1\n");
    tree.write("/proc/irq/30/effective_affinity_list", "3\n");
    let probed = Probed {
        cards: Ok(vec![card("bond0.7")]),
        ..probed()
    };
    let checks = examine(&tree.host(), &wants(), &probed);
    assert_eq!(find(&checks, "interrupts.card.bond0.7").status, Warn);
    assert_eq!(find(&checks, "card.numa.bond0.7").status, Good);
    is(
        find(&checks, "card.ring.bond0.7").clone(),
        Unknown,
        "it lies on eth0",
        "",
    );
    is(
        find(&checks, "network.rp_filter").clone(),
        Warn,
        "strict on bond0.7",
        "net.ipv4.conf.bond0/7.rp_filter=0",
    );
    // One that lies on itself, and one with no card behind it.
    tree.remove("/sys/class/net/bond0/lower_eth0");
    tree.write("/sys/class/net/bond0/lower_bond0.7", "");
    let checks = examine(&tree.host(), &wants(), &probed);
    is(
        find(&checks, "card.ring.bond0.7").clone(),
        Unknown,
        "it is virtual",
        "",
    );
}

#[test]
fn receive_buffers_are_judged_as_granted() {
    let asked = |buffers| {
        let probed = Probed {
            buffers,
            ..probed()
        };
        find(
            &examine(&Tree::tuned().host(), &wants(), &probed),
            "network.receive_buffer",
        )
        .clone()
    };
    let short = asked(vec![(1 << 20, Ok(1 << 20)), (64 << 20, Ok(4 << 20))]);
    is(
        short,
        Fail,
        "asked for 64 MiB, granted 4 MiB; net.core.rmem_max is 16777216",
        "sysctl -w net.core.rmem_max=67108864",
    );
    is(
        asked(vec![(1, Err("no sockets".into()))]),
        Unknown,
        "no sockets",
        "",
    );
}

#[test]
fn a_configuration_is_what_is_held_against_the_machine() {
    let wants = wants();
    assert_eq!(wants.cores(), Cores::from([2, 3]));
    assert_eq!(
        (wants.priority, wants.lock_memory, wants.sources),
        (Some(50), true, true)
    );
    assert_eq!(wants.interfaces.len(), 2);
    // By lane: 4096 slots of 2 KiB, 65,536 records of 64 bytes; a stash of 1024 slots a channel.
    assert_eq!(wants.rings, [8 << 20, 4 << 20, 8 << 20, 4 << 20]);
    assert_eq!((wants.stashes, wants.at_start()), (4 << 20, 28 << 20));

    let machine = Wants::machine();
    assert!(!machine.configured && machine.cores().is_empty() && machine.priority.is_none());
    let checks = examine(&Tree::tuned().host(), &machine, &probed());
    // Every core counts then; cores 0 and 1 say nothing of their governor here.
    is(find(&checks, "cpu.governor").clone(), Unknown, "cpu0", "");
    is(
        find(&checks, "interrupts.cores").clone(),
        Good,
        "the isolated cores 2-3",
        "",
    );
    assert!(checks.iter().all(|c| c.name != "cpu.pinning"));
}

#[test]
fn without_lock_memory_swap_matters() {
    let tree = Tree::tuned();
    let swapping = |free: &str| {
        let memory = tree::MEMORY.replace("SwapTotal: 0", "SwapTotal: 100");
        tree.write("/proc/meminfo", memory.replace("SwapFree: 0", free));
        find(
            &examine(&tree.host(), &Wants::machine(), &probed()),
            "memory.swap",
        )
        .clone()
    };
    is(
        swapping("SwapFree: 100"),
        Warn,
        "0 B of 100 KiB swap in use, vm.swappiness 60",
        "swapoff -a",
    );
    is(
        swapping("SwapFree: 40"),
        Fail,
        "60 KiB of 100 KiB swap in use",
        "swapoff -a",
    );
}

#[test]
fn text_has_the_worst_of_a_subject_first() {
    let check = |name: &str, status, fix: &str| Check {
        name: name.into(),
        status,
        reason: "what was read ".repeat(10),
        effect: "It costs.".into(),
        fix: fix.into(),
    };
    let checks = [
        check("cpu.idle", Good, ""),
        check(
            "cpu.governor",
            Fail,
            "cpupower -c 2 frequency-set -g performance",
        ),
        check("card.ring.eth0", Unknown, ""),
    ];
    let read =
        "what was read what was read what was read what was read what was read what was read what";
    let want = format!(
        "cpu
  FAIL     cpu.governor    {read}
                           was read what was read what was read what was read
           effect: It costs.
           fix:    cpupower -c 2 frequency-set -g performance
  OK       cpu.idle        {read}
                           was read what was read what was read what was read

card
  UNKNOWN  card.ring.eth0  {read}
                           was read what was read what was read what was read
           effect: It costs.

1 FAIL, 0 WARN, 1 UNKNOWN, 1 OK
"
    );
    assert_eq!(render(&checks), want);
    let json = serde_json::to_value(&checks[1]).unwrap();
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["name", "status", "reason", "effect", "fix"]);
    assert_eq!(json["status"], "FAIL");
}

#[test]
fn amounts_are_in_the_unit_that_suits_them() {
    for (n, want) in [
        (0, "0 B"),
        (1023, "1023 B"),
        (8 << 20, "8 MiB"),
        (1536, "1.5 KiB"),
        (5 << 40, "5120 GiB"),
    ] {
        assert_eq!(bytes(n), want);
    }
}
