//! Facts that tell one run's figures from another's: the machine, the clocks, the configuration.

use super::start::Input;
use crate::config::{BookKeep, BookPlan, LanePlan, Plan, Timestamps};
use feed_common::time::{FitQuality, TickScale};
use std::fs;

/// The machine: processor, cores, kernel.
pub(super) fn machine() -> Vec<(String, String)> {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|l| l.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown processor", |(_, name)| name.trim());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    vec![
        ("processor".into(), model.to_owned()),
        ("cores".into(), cores.to_string()),
        ("kernel".into(), format!("Linux {}", kernel.trim())),
        ("build".into(), BUILD.into()),
        ("version".into(), env!("CARGO_PKG_VERSION").into()),
    ]
}

/// How this program was built: figures of the one say nothing of the other.
const BUILD: &str = match cfg!(debug_assertions) {
    true => "debug",
    false => "release",
};

/// Where the packets came from.
pub(super) fn input(input: &Input) -> String {
    match input {
        Input::Live => "live lines".to_owned(),
        Input::File(file) => format!("capture {}", file.path().display()),
    }
}

/// Where each lane runs and how it receives.
pub(super) fn lanes(plan: &Plan) -> Vec<(String, String)> {
    plan.lanes
        .iter()
        .map(|lane| (format!("lane {}", lane.name), describe(lane)))
        .collect()
}

/// Which books are kept.
pub(super) fn books(plan: &BookPlan) -> (String, String) {
    let what = match plan.keep {
        BookKeep::None => "none kept".to_owned(),
        BookKeep::Full => {
            let l = plan.limits;
            let published = if plan.publish_bbo { "" } else { " not" };
            format!(
                "room for {} orders, {} levels and {} instruments a channel, best prices{published} published",
                l.orders, l.levels, l.instruments
            )
        }
    };
    ("books".into(), what)
}

fn describe(lane: &LanePlan) -> String {
    let priority = lane
        .priority
        .map_or(String::new(), |p| format!(", SCHED_FIFO {p}"));
    let stamps = match lane.timestamps {
        Timestamps::Auto => "the best stamps there are",
        Timestamps::Hardware => "stamps of card and kernel",
        Timestamps::Kernel => "kernel stamps",
        Timestamps::User => "no kernel stamps",
    };
    format!(
        "{}, {}{priority}, batches of {}, {stamps}",
        lane.protocol.name(),
        lane.threads,
        lane.batch
    )
}

/// Which clocks the figures come from and how well they agree.
pub(super) fn clocks(scale: TickScale, fit: &FitQuality) -> Vec<(String, String)> {
    let gigahertz = scale.ticks(1_000_000_000) as f64 / 1e9;
    vec![
        (
            "stage clock".into(),
            format!(
                "time-stamp counter, {gigahertz:.3} GHz; every figure of one clock is a difference of it"
            ),
        ),
        (
            "kernel to user clock".into(),
            format!(
                "line through {} pairs: drift {:+.1} ppm, residual {:.0} ns rms, {:.0} ns at most; {} steps",
                fit.pairs, fit.drift_ppm, fit.residual_rms, fit.residual_max, fit.steps
            ),
        ),
    ]
}
