//! A machine made of files, tuned for a configuration of two lanes on cores 2 and 3.

use super::super::{Card, Check, Host, Probed, Wants, examine};
use crate::config;
use crate::net::{CardStamps, Coalescing, InterfaceFacts, Offloads, RingSizes, StampSources};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

pub const CONFIGURATION: &str = r#"
[process]
lock_memory = true
[[lane]]
name = "a"
core = 2
priority = 50
[[lane]]
name = "b"
core = 3
[book]
orders = 1024
levels = 1024
instruments = 1024
[[channel]]
name = "x"
protocol = "itch50"
lane = "a"
lines = [{ name = "A", group = "239.1.1.1:5000", interface = "eth0", source = "10.0.0.9" }]
[[channel]]
name = "y"
protocol = "itch50"
lane = "b"
lines = [{ name = "A", group = "239.1.1.2:5000", interface = "10.0.0.7" }]
"#;

/// Files of the tuned machine; `N` stands for each of the cores 2 and 3.
pub const TUNED: &[(&str, &str)] = &[
    ("/sys/devices/system/cpu/online", "0-3\n"),
    ("/sys/devices/system/cpu/isolated", "2-3\n"),
    ("/sys/devices/system/cpu/nohz_full", "2-3\n"),
    ("/sys/devices/system/cpu/cpufreq/boost", "1\n"),
    (
        "/sys/devices/system/cpu/cpuN/cpufreq/scaling_governor",
        "performance\n",
    ),
    (
        "/sys/devices/system/cpu/cpuN/cpufreq/scaling_driver",
        "acpi-cpufreq\n",
    ),
    ("/sys/devices/system/cpu/cpuN/cpuidle/state0/name", "POLL\n"),
    ("/sys/devices/system/cpu/cpuN/cpuidle/state0/latency", "0\n"),
    ("/sys/devices/system/cpu/cpuN/cpuidle/state0/disable", "0\n"),
    ("/sys/devices/system/cpu/cpuN/cpuidle/state1/name", "C6\n"),
    (
        "/sys/devices/system/cpu/cpuN/cpuidle/state1/latency",
        "133\n",
    ),
    ("/sys/devices/system/cpu/cpuN/cpuidle/state1/disable", "1\n"),
    (
        "/sys/devices/system/cpu/cpuN/topology/thread_siblings_list",
        "N\n",
    ),
    (
        "/sys/devices/system/clocksource/clocksource0/current_clocksource",
        "tsc\n",
    ),
    (
        "/sys/devices/system/clocksource/clocksource0/available_clocksource",
        "tsc hpet acpi_pm \n",
    ),
    ("/sys/devices/system/node/online", "0-1\n"),
    ("/sys/devices/system/node/node0/cpulist", "0,2-3\n"),
    ("/sys/devices/system/node/node1/cpulist", "1\n"),
    (
        "/sys/kernel/mm/transparent_hugepage/enabled",
        "always [madvise] never\n",
    ),
    ("/sys/class/net/eth0/ifindex", "2\n"),
    ("/sys/class/net/eth0/device/numa_node", "0\n"),
    ("/sys/class/net/eth0/device/msi_irqs/30", "msix\n"),
    ("/proc/irq/30/smp_affinity_list", "0-3\n"),
    ("/proc/irq/30/effective_affinity_list", "1\n"),
    ("/proc/irq/30/eth0-rx-0/name", ""),
    ("/proc/irq/31/smp_affinity_list", "0-3\n"), // nobody handles it
    ("/proc/cmdline", "quiet isolcpus=2-3\n"),
    (
        "/proc/cpuinfo",
        "processor : 0\nflags\t\t: fpu tsc constant_tsc nonstop_tsc rdtscp\n",
    ),
    ("/proc/meminfo", MEMORY),
    (
        "/proc/net/softnet_stat",
        "000f4240 00000000 00000002 00000000\n00000010 00000000 00000001 00000000\n",
    ),
    ("/proc/1/comm", "systemd\n"),
    ("/proc/7/comm", "a process\n"),
    ("/proc/self/cgroup", "0::/trading/feed\n"),
    (
        "/proc/self/mountinfo",
        "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n",
    ),
    ("/proc/self/status", "Name:\tx\nCapEff:\t000001ffffffffff\n"),
    ("/proc/self/uid_map", "         0          0 4294967295\n"),
    (
        "/proc/self/limits",
        "Limit  Soft Limit  Hard Limit  Units\nMax locked memory  8388608  8388608  bytes\nMax realtime priority  0  0\n",
    ),
    ("/proc/sys/kernel/osrelease", "5.14.0-503.el9.x86_64\n"),
    ("/proc/sys/kernel/sched_rt_runtime_us", "-1\n"),
    ("/proc/sys/kernel/numa_balancing", "0\n"),
    ("/proc/sys/vm/swappiness", "60\n"),
    ("/proc/sys/net/core/rmem_max", "16777216\n"),
    ("/proc/sys/net/core/netdev_max_backlog", "1000\n"),
    ("/proc/sys/net/core/netdev_budget", "300\n"),
    ("/proc/sys/net/core/netdev_budget_usecs", "8000\n"),
    ("/proc/sys/net/ipv4/igmp_max_memberships", "20\n"),
    ("/proc/sys/net/ipv4/conf/all/rp_filter", "0\n"),
    ("/proc/sys/net/ipv4/conf/eth0/rp_filter", "2\n"),
    ("/proc/sys/net/ipv4/conf/all/force_igmp_version", "0\n"),
    ("/proc/sys/net/ipv4/conf/eth0/force_igmp_version", "3\n"),
    ("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu memory\n"),
    ("/sys/fs/cgroup/trading/feed/cpu.max", "max 100000\n"),
    (
        "/sys/fs/cgroup/trading/feed/cpu.stat",
        "usage_usec 5\nnr_periods 0\nnr_throttled 0\n",
    ),
    ("/sys/fs/cgroup/trading/feed/memory.max", "max\n"),
    ("/sys/fs/cgroup/trading/cpuset.cpus.effective", "0-3\n"),
];

pub const MEMORY: &str = "MemTotal: 24000000 kB\nMemAvailable: 20000000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n\
     HugePages_Total: 100\nHugePages_Free: 90\nHugepagesize: 2048 kB\n";

/// A folder of files that goes away with the test.
pub struct Tree(PathBuf);

impl Tree {
    pub fn empty() -> Tree {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let name = format!("feed-handler-doctor-{}-{number}", std::process::id());
        let root = std::env::temp_dir().join(name);
        fs::create_dir_all(&root).unwrap();
        Tree(root)
    }

    /// The tuned machine.
    pub fn tuned() -> Tree {
        let tree = Tree::empty();
        for (path, content) in TUNED {
            tree.write(path, content);
        }
        // As /proc has it in the first namespace of processes.
        let ns = tree.path("/proc/self/ns");
        fs::create_dir_all(&ns).unwrap();
        std::os::unix::fs::symlink("pid:[4026531836]", ns.join("pid")).unwrap();
        tree
    }

    /// Writes a file, with `N` in its path and content standing for cores 2 and 3.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        for core in cores(path) {
            let at = self.path(&path.replace("cpuN", &format!("cpu{core}")));
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            let content = match content.as_ref() {
                b"N\n" => core.as_bytes(),
                content => content,
            };
            fs::write(at, content).unwrap();
        }
    }

    pub fn remove(&self, path: &str) {
        for core in cores(path) {
            let at = self.path(&path.replace("cpuN", &format!("cpu{core}")));
            let _ = match at.is_dir() {
                true => fs::remove_dir_all(at),
                false => fs::remove_file(at),
            };
        }
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    pub fn host(&self) -> Host {
        Host::new(&self.0)
    }

    /// All checks under the configuration.
    pub fn examine(&self) -> Vec<Check> {
        examine(&self.host(), &wants(), &probed())
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn cores(path: &str) -> &'static [&'static str] {
    match path.contains("cpuN") {
        true => &["2", "3"],
        false => &[""],
    }
}

pub fn wants() -> Wants {
    Wants::of(&config::parse(CONFIGURATION, Path::new("feed.toml")).unwrap())
}

pub fn probed() -> Probed {
    Probed {
        buffers: vec![(8 << 20, Ok(8 << 20))],
        cards: Ok(vec![card("eth0")]),
    }
}

/// A tuned card.
pub fn card(name: &str) -> Card {
    Card {
        asked: name.to_owned(),
        found: Some(InterfaceFacts {
            name: name.to_owned(),
            index: 2,
            addresses: vec![[10, 0, 0, 7].into()],
            up: true,
        }),
        ring: Ok(RingSizes {
            rx: 4096,
            rx_max: 4096,
        }),
        coalescing: Ok(Coalescing {
            rx_usecs: 0,
            rx_frames: 1,
            adaptive: false,
        }),
        offloads: Ok(Offloads::default()),
        stamps: CardStamps {
            sources: Ok(StampSources {
                hardware: true,
                every_packet: true,
                software: true,
                clock: Some(0),
            }),
            on: Ok(true),
            clock: Ok(()),
        },
    }
}

/// The check of that name.
#[track_caller]
pub fn find<'c>(checks: &'c [Check], name: &str) -> &'c Check {
    let mut found = checks.iter().filter(|c| c.name == name);
    let check = found
        .next()
        .unwrap_or_else(|| panic!("no {name} in {checks:?}"));
    assert!(found.next().is_none(), "{name} twice");
    check
}
