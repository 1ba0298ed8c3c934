//! Checks of memory, limits, control groups and the network stack against one change of the tuned machine's files.

use super::super::Status::{Fail, Ok, Unknown, Warn};
use super::cases::hold;
use super::tree::{MEMORY, Tree, find};

const THP: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
const MEMINFO: &str = "/proc/meminfo";

#[test]
fn memory() {
    hold(&[
        (
            &[(THP, Some("[always] madvise never"))],
            "memory.transparent_huge_pages",
            Warn,
            "is always",
            "echo madvise > ",
        ),
        (
            &[(THP, Some("always madvise [never]"))],
            "memory.transparent_huge_pages",
            Warn,
            "is never",
            "echo madvise > ",
        ),
        (
            &[(THP, Some("yes"))],
            "memory.transparent_huge_pages",
            Unknown,
            "says `yes`",
            "",
        ),
        (
            &[(MEMINFO, Some("MemAvailable: 1 kB\n"))],
            "memory.huge_pages",
            Unknown,
            "there is no Hugepagesize in /proc/meminfo",
            "",
        ),
        (
            &[("/proc/sys/kernel/numa_balancing", Some("1"))],
            "memory.numa_balancing",
            Warn,
            "is 1, on 2 nodes",
            "kernel.numa_balancing=0",
        ),
        (
            &[("/proc/sys/kernel/numa_balancing", None)],
            "memory.numa_balancing",
            Unknown,
            "there is no",
            "",
        ),
    ]);
    // Two lanes with a packet ring of 8 MiB and a broadcast ring of 4 MiB each: 12 pages.
    for (name, from, to, status, reason) in [
        (
            "memory.huge_pages",
            "HugePages_Free: 90",
            "HugePages_Free: 12",
            Ok,
            "wants 12 for its rings",
        ),
        (
            "memory.huge_pages",
            "HugePages_Free: 90",
            "HugePages_Free: 11",
            Warn,
            "11 of 100 reserved pages of 2 MiB",
        ),
        (
            "memory.huge_pages",
            "HugePages_Free: 90",
            "HugePages_Free: many",
            Unknown,
            "says `many`",
        ),
        (
            "memory.swap",
            "SwapTotal: 0",
            "SwapTotal: 10",
            Ok,
            "the configuration locks its memory",
        ),
        (
            "memory.available",
            "MemAvailable: 20000000",
            "MemAvailable: 30000",
            Fail,
            "29.3 MiB available",
        ),
    ] {
        let tree = Tree::tuned();
        tree.write(MEMINFO, MEMORY.replace(from, to));
        let checks = tree.examine();
        let check = find(&checks, name);
        assert_eq!(check.status, status, "{check:?}");
        assert!(check.reason.contains(reason), "{check:?}");
    }
}

const RUNTIME: &str = "/proc/sys/kernel/sched_rt_runtime_us";

#[test]
fn limits() {
    // Without rights of its own, or with those of a namespace of its own, the limits decide.
    const OWN: (&str, Option<&str>) = ("/proc/self/uid_map", Some("0 1000 1\n"));
    const LIMITS: &str = "/proc/self/limits";
    hold(&[
        (
            &[OWN],
            "limits.memory_lock",
            Fail,
            "the limit is 8 MiB; the configuration locks about",
            "ulimit -l unlimited",
        ),
        (
            &[
                OWN,
                (
                    LIMITS,
                    Some("Max locked memory unlimited unlimited bytes\n"),
                ),
            ],
            "limits.memory_lock",
            Ok,
            "unlimited",
            "",
        ),
        (
            &[OWN, (LIMITS, Some("Max locked memory\n"))],
            "limits.memory_lock",
            Unknown,
            "expected a limit",
            "",
        ),
        (
            &[OWN],
            "limits.priority",
            Fail,
            "the limit is 0; 50 is configured",
            "ulimit -r 99",
        ),
        (
            &[OWN, (LIMITS, Some("Max realtime priority 49 49\n"))],
            "limits.priority",
            Fail,
            "the limit is 49",
            "ulimit -r 99",
        ),
        (
            &[OWN, (LIMITS, Some("Max realtime priority 50 99\n"))],
            "limits.priority",
            Ok,
            "the limit is 50",
            "",
        ),
        (
            &[("/proc/self/status", Some("CapEff:\tzz\n"))],
            "limits.priority",
            Unknown,
            "CapEff",
            "",
        ),
        (
            &[(RUNTIME, Some("950000"))],
            "limits.realtime_throttling",
            Warn,
            "is 950000",
            "sysctl -w kernel.sched_rt_runtime_us=-1",
        ),
        (
            &[("/proc/sys/kernel/osrelease", Some("6.12.1"))],
            "limits.realtime_throttling",
            Warn,
            "fair server",
            "for c in 2 3; do echo 0 > ",
        ),
        (
            &[(RUNTIME, None)],
            "limits.realtime_throttling",
            Unknown,
            "there is no",
            "",
        ),
    ]);
    let tree = Tree::tuned();
    tree.write("/proc/self/status", "CapEff:\t0000000000000000\n");
    assert_eq!(find(&tree.examine(), "limits.memory_lock").status, Fail);
}

#[test]
fn control_groups() {
    const OUTER: &str = "/sys/fs/cgroup/trading/cpu.max";
    const STAT: &str = "/sys/fs/cgroup/trading/feed/cpu.stat";
    const GROUP: &str = "/proc/self/cgroup";
    const MOUNTS: &str = "/proc/self/mountinfo";
    const OLD: &str = "1 0 0:1 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n2 0 0:2 / /sys/fs/cgroup/memory rw - \
                       cgroup cgroup rw,memory\n";
    const OLD_CPU: &str = "/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us";
    const OLD_PERIOD: &str = "/sys/fs/cgroup/cpu/job/cpu.cfs_period_us";
    const OLD_MEMORY: &str = "/sys/fs/cgroup/memory/job/memory.limit_in_bytes";
    const OLD_GROUP: (&str, Option<&str>) =
        (GROUP, Some("5:memory:/job\n4:cpu,cpuacct:/job\n0::/\n"));
    hold(&[
        // A group above counts as well.
        (
            &[(OUTER, Some("150000 100000\n"))],
            "cgroup.cpu",
            Fail,
            "trading may use 1.50 cores, and the configuration spins on 2",
            "echo max > /sys/fs/cgroup/trading/cpu.max",
        ),
        (
            &[(OUTER, Some("200000 100000\n"))],
            "cgroup.cpu",
            Warn,
            "2.00 cores",
            "echo max > ",
        ),
        (
            &[
                (OUTER, Some("800000 100000\n")),
                (STAT, Some("nr_throttled 4\n")),
            ],
            "cgroup.cpu",
            Fail,
            "stopped 4 times",
            "echo max > ",
        ),
        (
            &[(OUTER, Some("800000 0\n"))],
            "cgroup.cpu",
            Unknown,
            "a share of a period",
            "",
        ),
        (
            &[(OUTER, Some("800000"))],
            "cgroup.cpu",
            Unknown,
            "expected two numbers",
            "",
        ),
        (
            &[(GROUP, Some("0::/elsewhere\n"))],
            "cgroup.cpu",
            Unknown,
            "there is no /sys/fs/cgroup/elsewhere",
            "",
        ),
        // A container without a namespace of groups sees a path that leads out of what is mounted.
        (
            &[
                (GROUP, Some("0::/../outside\n")),
                ("/sys/fs/cgroup/cpu.max", Some("100000 100000")),
            ],
            "cgroup.cpu",
            Fail,
            "/sys/fs/cgroup may use 1.00 cores",
            "/sys/fs/cgroup/cpu.max",
        ),
        (
            &[
                (
                    MOUNTS,
                    Some("1 0 0:1 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"),
                ),
                (GROUP, Some("0::/docker/abc\n")),
                ("/sys/fs/cgroup/cpu.max", Some("50000 100000")),
            ],
            "cgroup.cpu",
            Fail,
            "/sys/fs/cgroup may use 0.50 cores",
            "cpu.max",
        ),
        (
            &[(MOUNTS, Some(""))],
            "cgroup.cpu",
            Unknown,
            "no mounted control group of cpu (version 2)",
            "",
        ),
        (
            &[("/sys/fs/cgroup/trading/memory.max", Some("20000000\n"))],
            "cgroup.memory",
            Fail,
            "may use 19.1 MiB",
            "memory.max",
        ),
        (
            &[("/sys/fs/cgroup/trading/memory.max", Some("2000000000\n"))],
            "cgroup.memory",
            Ok,
            "may use 1.9 GiB",
            "",
        ),
        (
            &[("/sys/fs/cgroup/trading/memory.max", Some("lots"))],
            "cgroup.memory",
            Unknown,
            "says `lots`",
            "",
        ),
        // Version 1.
        (
            &[
                (MOUNTS, Some(OLD)),
                OLD_GROUP,
                (OLD_CPU, Some("50000")),
                (OLD_PERIOD, Some("100000")),
            ],
            "cgroup.cpu",
            Fail,
            "/sys/fs/cgroup/cpu/job may use 0.50 cores",
            "echo -1 > /sys/fs/cgroup/cpu/job/cpu.cfs_quota_us",
        ),
        (
            &[(MOUNTS, Some(OLD)), OLD_GROUP, (OLD_CPU, Some("-1"))],
            "cgroup.cpu",
            Ok,
            "no limit in the 2 group(s)",
            "",
        ),
        (
            &[
                (MOUNTS, Some(OLD)),
                OLD_GROUP,
                (OLD_MEMORY, Some("9223372036854771712")),
            ],
            "cgroup.memory",
            Ok,
            "no limit",
            "",
        ),
        (
            &[
                (MOUNTS, Some(OLD)),
                OLD_GROUP,
                (OLD_MEMORY, Some("1000000")),
            ],
            "cgroup.memory",
            Fail,
            "may use 977 KiB",
            "echo -1 > ",
        ),
        (
            &[
                (MOUNTS, Some(OLD)),
                OLD_GROUP,
                ("/sys/fs/cgroup/cpu/job/cpu.rt_runtime_us", Some("0")),
            ],
            "limits.priority",
            Fail,
            "cpu.rt_runtime_us of its control group is 0",
            "echo 950000",
        ),
    ]);
}

#[test]
fn network_stack() {
    const ALL: &str = "/proc/sys/net/ipv4/conf/all/rp_filter";
    const OWN: &str = "/proc/sys/net/ipv4/conf/eth0/rp_filter";
    const SOFTNET: &str = "/proc/net/softnet_stat";
    hold(&[
        (
            &[(OWN, Some("1"))],
            "network.rp_filter",
            Warn,
            "all 0, eth0 1: strict on eth0",
            "sysctl -w net.ipv4.conf.eth0.rp_filter=0",
        ),
        (
            &[(OWN, Some("0")), (ALL, Some("1"))],
            "network.rp_filter",
            Warn,
            "strict on eth0",
            "net.ipv4.conf.all.rp_filter=0",
        ),
        (
            &[(ALL, Some("1"))],
            "network.rp_filter",
            Ok,
            "all 1, eth0 2",
            "",
        ), // the higher counts: loose
        (
            &[(OWN, Some("x"))],
            "network.rp_filter",
            Unknown,
            "expected a whole number",
            "",
        ),
        (
            &[("/proc/sys/net/ipv4/igmp_max_memberships", Some("0"))],
            "network.igmp_memberships",
            Fail,
            "may join 0 groups",
            "igmp_max_memberships=20",
        ),
        (
            &[("/proc/sys/net/ipv4/conf/eth0/force_igmp_version", Some("2"))],
            "network.igmp_version",
            Fail,
            "holds eth0 to 2, and lines of the configuration take one sender",
            "net.ipv4.conf.eth0.force_igmp_version=0",
        ),
        (
            &[("/proc/sys/net/ipv4/conf/eth0/force_igmp_version", None)],
            "network.igmp_version",
            Unknown,
            "there is no",
            "",
        ),
        (
            &[(
                SOFTNET,
                Some("000f4240 00000005 0 0\n00000010 00000001 0 0\n"),
            )],
            "network.backlog",
            Warn,
            "6 of 1000016 packets dropped",
            "netdev_max_backlog=8000",
        ),
        (
            &[(SOFTNET, Some("000f4240 0 10 0\n"))],
            "network.budget",
            Warn,
            "16 rounds ended early",
            "netdev_budget=600 net.core.netdev_budget_usecs=16000",
        ),
        (
            &[(SOFTNET, Some("12 zz\n"))],
            "network.budget",
            Unknown,
            "hexadecimal",
            "",
        ),
        (
            &[(SOFTNET, Some(""))],
            "network.backlog",
            Unknown,
            "a line a core",
            "",
        ),
        (
            &[("/proc/sys/net/core/netdev_max_backlog", None)],
            "network.backlog",
            Unknown,
            "there is no",
            "",
        ),
    ]);
}

#[test]
fn nodes() {
    hold(&[
        (
            &[("/sys/class/net/eth0/device/numa_node", Some("1"))],
            "card.numa.eth0",
            Warn,
            "eth0 is on node 1; the lanes' cores 2-3 are not",
            "give the lanes cores of 1",
        ),
        (
            &[("/sys/class/net/eth0/device/numa_node", Some("-1"))],
            "card.numa.eth0",
            Unknown,
            "names no node of 0-1",
            "",
        ),
        (
            &[("/sys/class/net/eth0/device/numa_node", None)],
            "card.numa.eth0",
            Unknown,
            "there is no",
            "",
        ),
        (
            &[
                ("/sys/class/net/eth0/device/numa_node", Some("-1")),
                ("/sys/devices/system/node/online", Some("0")),
            ],
            "card.numa.eth0",
            Ok,
            "one memory node",
            "",
        ),
    ]);
}
