//! Is this machine tuned: what it says of itself, held against what a configuration wants.
//!
//! Checks are functions of three values: the files of a machine ([`Host`], bounded reads under a root), what is wanted of
//! it ([`Wants`]) and what only system calls tell ([`Probed`]). Nothing is changed. What cannot be read is `UNKNOWN` with
//! the reason, never `FAIL`: a container without /sys is no worse a machine.
//!
//! `FAIL` is for what the configuration asks and cannot have, and for what costs milliseconds or packets; `WARN` for what
//! costs microseconds or steadiness.

mod card;
mod cgroup;
mod clock;
mod cores;
mod cpu;
mod host;
mod interrupts;
mod isolation;
mod limits;
mod memory;
mod network;
mod probe;
mod quota;
mod text;
mod wants;

#[cfg(test)]
mod tests;

pub use host::{Host, Unread};
pub use probe::{Card, Probed};
pub use text::render;
pub use wants::{Thread, Wants};

use crate::config::Plan;
use cores::Cores;
use serde::Serialize;
use std::fmt::Display;

/// How something stands; worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// The configuration cannot have what it asks, or packets or milliseconds are lost.
    Fail,
    /// It costs microseconds or steadiness.
    Warn,
    /// It could not be read.
    Unknown,
    /// As it should be.
    Ok,
}

impl Status {
    /// As it is printed.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Fail => "FAIL",
            Status::Warn => "WARN",
            Status::Unknown => "UNKNOWN",
            Status::Ok => "OK",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Subject, thing and, where it is about one, interface: `cpu.governor`, `card.ring.eth0`.
    pub name: String,
    /// How it stands.
    pub status: Status,
    /// What was read.
    pub reason: String,
    /// What it does to latency when it is not as it should be, in one sentence.
    pub effect: String,
    /// The command that mends it; empty for `OK`, and where nothing can be done from here.
    pub fix: String,
}

impl Check {
    /// The part of the name before the first dot.
    pub fn subject(&self) -> &str {
        self.name.split('.').next().unwrap_or_default()
    }

    /// The same about one interface.
    fn of(mut self, interface: &str) -> Check {
        self.name = format!("{}.{interface}", self.name);
        self
    }
}

/// Looks at this machine: for the configuration, or without one as a machine.
pub fn doctor(plan: Option<&Plan>) -> Vec<Check> {
    let wants = plan.map_or_else(Wants::machine, Wants::of);
    let probed = Probed::read(&wants);
    examine(&Host::new("/"), &wants, &probed)
}

/// All checks, by subject.
pub fn examine(host: &Host, wants: &Wants, probed: &Probed) -> Vec<Check> {
    let machine = Machine {
        host,
        wants,
        probed,
    };
    let subjects = [
        cpu::checks,
        isolation::checks,
        interrupts::checks,
        clock::checks,
        memory::checks,
        limits::checks,
        quota::checks,
        network::checks,
        card::checks,
    ];
    subjects
        .iter()
        .flat_map(|checks| checks(&machine))
        .collect()
}

/// What the checks are made from.
struct Machine<'a> {
    host: &'a Host,
    wants: &'a Wants,
    probed: &'a Probed,
}

impl Machine<'_> {
    /// Cores that are online.
    fn online(&self) -> Result<Cores, Unread> {
        self.host.cores("/sys/devices/system/cpu/online")
    }

    /// Cores that matter: those of the configuration's threads, or all where it names none.
    fn watched(&self) -> Result<Cores, Unread> {
        let pinned = self.wants.cores();
        match pinned.is_empty() {
            true => self.online(),
            false => Ok(pinned),
        }
    }

    /// Cores to give to lanes: those of the configuration's threads, or all but the first where it names none.
    fn advised(&self) -> Cores {
        let pinned = self.wants.cores();
        match pinned.is_empty() {
            true => self
                .online()
                .unwrap_or_default()
                .into_iter()
                .skip(1)
                .collect(),
            false => pinned,
        }
    }
}

/// A kind of check: its name and what it is about.
struct Topic {
    name: &'static str,
    effect: &'static str,
}

impl Topic {
    fn ok(&self, reason: impl Display) -> Check {
        self.check(Status::Ok, reason, "")
    }

    fn warn(&self, reason: impl Display, fix: impl Display) -> Check {
        self.check(Status::Warn, reason, fix)
    }

    fn fail(&self, reason: impl Display, fix: impl Display) -> Check {
        self.check(Status::Fail, reason, fix)
    }

    fn unknown(&self, reason: impl Display) -> Check {
        self.check(Status::Unknown, reason, "")
    }

    /// A check that needed to read something.
    fn from(&self, read: Result<Check, Unread>) -> Check {
        read.unwrap_or_else(|e| match e {
            Unread::Denied { .. } => self.check(Status::Unknown, e, "run it as root"),
            _ => self.unknown(e),
        })
    }

    fn check(&self, status: Status, reason: impl Display, fix: impl Display) -> Check {
        Check {
            name: self.name.to_owned(),
            status,
            reason: reason.to_string(),
            effect: self.effect.to_owned(),
            fix: fix.to_string(),
        }
    }
}

/// Bytes in the largest binary unit that leaves at most one decimal: `8 MiB`, `1.5 GiB`.
fn bytes(n: u64) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
    let mut unit = 0;
    let mut value = n as f64;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match value.fract() < 0.05 || value >= 100.0 {
        true => format!("{value:.0} {}", UNITS[unit]),
        false => format!("{value:.1} {}", UNITS[unit]),
    }
}
