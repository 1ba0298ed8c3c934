//! Checks of cores, interrupts and clocks against one change of the tuned machine's files.

use super::super::Status::{Fail, Ok, Unknown, Warn};
use super::cases::hold;
use super::tree::{Tree, find};

const GOVERNOR: &str = "/sys/devices/system/cpu/cpuN/cpufreq/scaling_governor";
const DRIVER: &str = "/sys/devices/system/cpu/cpuN/cpufreq/scaling_driver";
const NO_TURBO: &str = "/sys/devices/system/cpu/intel_pstate/no_turbo";
const BOOST: &str = "/sys/devices/system/cpu/cpufreq/boost";
const DEEP: &str = "/sys/devices/system/cpu/cpuN/cpuidle/state1/disable";

#[test]
fn speed_of_the_cores() {
    let set = "cpupower -c 2-3 frequency-set -g performance";
    hold(&[
        (
            &[(GOVERNOR, Some("powersave\n"))],
            "cpu.governor",
            Fail,
            "`powersave` on cores 2-3, driver acpi-cpufreq",
            set,
        ),
        (
            &[
                (GOVERNOR, Some("powersave")),
                (DRIVER, Some("intel_pstate")),
            ],
            "cpu.governor",
            Warn,
            "driver intel_pstate",
            set,
        ),
        (
            &[(GOVERNOR, Some("schedutil"))],
            "cpu.governor",
            Warn,
            "`schedutil`",
            set,
        ),
        (
            &[(
                "/sys/devices/system/cpu/cpu3/cpufreq/scaling_governor",
                Some("ondemand"),
            )],
            "cpu.governor",
            Warn,
            "`ondemand` on core 3, `performance` on core 2",
            "cpupower -c 3 ",
        ),
        (
            &[(GOVERNOR, None)],
            "cpu.governor",
            Unknown,
            "host of a virtual machine",
            "",
        ),
        (
            &[(GOVERNOR, Some("a b"))],
            "cpu.governor",
            Unknown,
            "says `a b`: expected one word",
            "",
        ),
        (
            &[(BOOST, Some("0"))],
            "cpu.boost",
            Warn,
            "boost is 0",
            "echo 1 > /sys/devices/system/cpu/cpufreq/boost",
        ),
        (
            &[(NO_TURBO, Some("1"))],
            "cpu.boost",
            Warn,
            "no_turbo is 1",
            "echo 0 > ",
        ),
        (
            &[(NO_TURBO, Some("0"))],
            "cpu.boost",
            Ok,
            "no_turbo is 0",
            "",
        ),
        (
            &[(BOOST, Some("7"))],
            "cpu.boost",
            Unknown,
            "expected 0 or 1",
            "",
        ),
        (
            &[(DEEP, Some("0"))],
            "cpu.idle",
            Warn,
            "C6, 133 us to wake, on cores 2-3",
            "cpupower -c 2-3 idle-set -D 11",
        ),
        (
            &[
                (DEEP, Some("0")),
                ("/proc/cmdline", Some("a idle=poll b\n")),
            ],
            "cpu.idle",
            Ok,
            "idle=poll",
            "",
        ),
        // A process holds /dev/cpu_dma_latency at 5 us; and at the default, which bounds nothing.
        (
            &[
                (DEEP, Some("0")),
                ("/dev/cpu_dma_latency", Some("\u{5}\0\0\0")),
            ],
            "cpu.idle",
            Ok,
            "bounds it to 5 us",
            "",
        ),
        (
            &[
                (DEEP, Some("0")),
                ("/dev/cpu_dma_latency", Some("\0\u{0}\0\u{7f}")),
            ],
            "cpu.idle",
            Warn,
            "C6",
            "cpupower",
        ),
        (
            &[("/sys/devices/system/cpu/cpuN/cpuidle", None)],
            "cpu.idle",
            Unknown,
            "there is no /sys/devices/system/cpu/cpu2/cpuidle",
            "",
        ),
    ]);
}

const ISOLATED: &str = "/sys/devices/system/cpu/isolated";
const TICKLESS: &str = "/sys/devices/system/cpu/nohz_full";
const SIBLINGS: &str = "/sys/devices/system/cpu/cpuN/topology/thread_siblings_list";

#[test]
fn cores_of_ones_own() {
    hold(&[
        (
            &[("/sys/devices/system/cpu/online", Some("0-2"))],
            "cpu.pinning",
            Fail,
            "core 3 not online: there are 0-2",
            "configure cores of 0-2",
        ),
        (
            &[("/sys/fs/cgroup/trading/cpuset.cpus.effective", Some("0-2"))],
            "cpu.pinning",
            Fail,
            "core 3 outside the cpuset",
            "--cpuset-cpus 2-3",
        ),
        (
            &[("/sys/devices/system/cpu/online", None)],
            "cpu.pinning",
            Unknown,
            "there is no",
            "",
        ),
        // Lane a has a priority, so its core must be its own.
        (
            &[(ISOLATED, Some("\n"))],
            "cpu.isolated",
            Fail,
            "isolated: none; not the lanes' cores 2-3, where threads of priority 50",
            "isolcpus=managed_irq,domain,2-3",
        ),
        (
            &[
                (ISOLATED, Some("\n")),
                ("/sys/devices/system/cpu/online", Some("2-3")),
            ],
            "cpu.isolated",
            Fail,
            "isolated: none",
            "leave a core to the rest of the machine",
        ),
        (
            &[(ISOLATED, Some("2"))],
            "cpu.isolated",
            Fail,
            "not the lanes' core 3",
            "isolcpus",
        ),
        (
            &[
                (ISOLATED, Some("2")),
                ("/sys/fs/cgroup/cpuset.cpus.isolated", Some("3")),
            ],
            "cpu.isolated",
            Ok,
            "isolated: 2-3",
            "",
        ),
        (
            &[(TICKLESS, Some("2"))],
            "cpu.tickless",
            Warn,
            "tickless: 2; not the lanes' core 3",
            "nohz_full=2-3 rcu_nocbs=2-3",
        ),
        (
            &[(TICKLESS, Some("(null)\n"))],
            "cpu.tickless",
            Warn,
            "tickless: none",
            "nohz_full=2-3",
        ),
        (
            &[(TICKLESS, None)],
            "cpu.tickless",
            Warn,
            "built without CONFIG_NO_HZ_FULL",
            "CONFIG_NO_HZ_FULL",
        ),
        (
            &[(TICKLESS, None), (ISOLATED, None)],
            "cpu.tickless",
            Unknown,
            "there is no",
            "",
        ),
        (
            &[(SIBLINGS, Some("2-3"))],
            "cpu.siblings",
            Fail,
            "core 2 and its sibling are both lanes'",
            "lscpu",
        ),
        (
            &[(
                "/sys/devices/system/cpu/cpu2/topology/thread_siblings_list",
                Some("0,2"),
            )],
            "cpu.siblings",
            Warn,
            "core 2 with 0",
            "echo 0 > /sys/devices/system/cpu/cpu0/online",
        ),
        (
            &[(SIBLINGS, None)],
            "cpu.siblings",
            Unknown,
            "there is no",
            "",
        ),
    ]);
}

#[test]
fn interrupts() {
    let on_lane = ("/proc/irq/30/effective_affinity_list", Some("2\n"));
    let moved = "for i in 30; do echo 0-1 > /proc/irq/$i/smp_affinity_list; done";
    hold(&[
        (
            &[("/proc/irq/30/effective_affinity_list", Some("2\n"))],
            "interrupts.cores",
            Warn,
            "on the lanes' cores 2-3: interrupt 30 (eth0-rx-0)",
            moved,
        ),
        (
            &[("/proc/irq/30/effective_affinity_list", Some("2\n"))],
            "interrupts.card.eth0",
            Warn,
            "interrupt 30 (eth0-rx-0)",
            moved,
        ),
        // Without the effective one, the one that was asked for counts.
        (
            &[("/proc/irq/30/effective_affinity_list", None)],
            "interrupts.cores",
            Warn,
            "interrupt 30",
            moved,
        ),
        (
            &[("/proc/irq/30/effective_affinity_list", Some("\n"))],
            "interrupts.cores",
            Warn,
            "interrupt 30",
            moved,
        ),
        (
            &[("/proc/irq/30/smp_affinity_list", Some("0-1"))],
            "interrupts.cores",
            Ok,
            "no device interrupts the lanes' cores 2-3",
            "",
        ),
        (
            &[("/proc/irq", None)],
            "interrupts.cores",
            Unknown,
            "there is no /proc/irq",
            "",
        ),
        (
            &[("/sys/class/net/eth0/device/msi_irqs", None)],
            "interrupts.card.eth0",
            Unknown,
            "msi_irqs",
            "",
        ),
        (
            &[("/sys/class/net/eth0/ifindex", Some("9"))],
            "interrupts.card.eth0",
            Unknown,
            "another network namespace",
            "",
        ),
        (
            &[("/proc/8/comm", Some("irqbalance\n"))],
            "interrupts.irqbalance",
            Ok,
            "leaves isolated cores alone",
            "",
        ),
        (
            &[
                ("/proc/8/comm", Some("irqbalance\n")),
                (ISOLATED, Some("3")),
            ],
            "interrupts.irqbalance",
            Warn,
            "process 8",
            "systemctl disable --now irqbalance",
        ),
        (
            &[("/proc/self/ns", None)],
            "interrupts.irqbalance",
            Unknown,
            "2 processes seen",
            "",
        ),
        (
            &[("/proc/1/comm", None)],
            "interrupts.irqbalance",
            Unknown,
            "1 processes seen",
            "",
        ),
    ]);
    // A virtual function's interrupts belong to the device it hangs on.
    let tree = Tree::tuned();
    tree.remove("/sys/class/net/eth0/device");
    tree.write("/sys/devices/pci/card/msi_irqs/30", "msix\n");
    tree.write("/sys/devices/pci/card/virtio2/net", "");
    let device = tree.path("/sys/class/net/eth0/device");
    std::os::unix::fs::symlink("../../../devices/pci/card/virtio2", device).unwrap();
    tree.write(on_lane.0, on_lane.1.unwrap());
    let checks = tree.examine();
    assert_eq!(find(&checks, "interrupts.card.eth0").status, Warn);
}

const SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
const AVAILABLE: &str = "/sys/devices/system/clocksource/clocksource0/available_clocksource";

#[test]
fn clocks() {
    hold(&[
        (
            &[(SOURCE, Some("hpet"))],
            "clock.source",
            Fail,
            "hpet; available: tsc",
            "echo tsc > ",
        ),
        (
            &[(SOURCE, Some("acpi_pm")), (AVAILABLE, Some("hpet acpi_pm"))],
            "clock.source",
            Fail,
            "acpi_pm",
            "dmesg",
        ),
        (
            &[(SOURCE, Some("xen"))],
            "clock.source",
            Warn,
            "xen",
            "echo tsc",
        ),
        (
            &[(SOURCE, Some("kvm-clock"))],
            "clock.source",
            Ok,
            "corrections by the host",
            "",
        ),
        (
            &[(SOURCE, None)],
            "clock.source",
            Unknown,
            "there is no",
            "",
        ),
        (
            &[("/proc/cpuinfo", Some("flags : tsc nonstop_tsc\n"))],
            "clock.tsc",
            Fail,
            "not among the flags: constant_tsc",
            "invtsc",
        ),
        (
            &[("/proc/cpuinfo", Some("Features : fp asimd\n"))],
            "clock.tsc",
            Unknown,
            "no x86",
            "",
        ),
    ]);
}
