//! The faults a line can have.

use super::grammar::{FaultError, Faults, Item, read};
use super::rate::Rate;
use crate::synth::rng::Rng;
use feed_common::config::TimeSpan;
use std::fmt;
use std::str::FromStr;

/// What goes wrong on a line. Printed and read in the grammar of faults:
///
/// | fault | means |
/// |---|---|
/// | `loss=1%` | packets are lost, each for itself |
/// | `burst=3` | they are lost in bursts of this mean length (2 to 10,000) at the same rate |
/// | `silence=2s@10s` | nothing arrives of what is sent in this time; may be given 16 times |
/// | `corrupt=0.01%` | a packet has one byte changed, as if no checksum had noticed |
/// | `dup=0.1%` | a packet comes twice |
/// | `reorder=5`, `reorder=1%x5` | all packets, or some, come up to so many (at most 1,000) packets late |
/// | `delay=0..200us` | every packet takes this long, evenly distributed (at most 1min): it can overtake others |
/// | `skew=50us` | the whole line is this much behind (at most 1min) |
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineFaults {
    /// Share of packets lost.
    pub loss: Rate,
    /// Mean length of a burst of losses, in packets; below 2 packets are lost each for itself.
    pub burst: u32,
    /// When nothing arrives.
    pub silences: Vec<Silence>,
    /// Share of packets with a byte changed.
    pub corrupt: Rate,
    /// Share of packets that come twice.
    pub dup: Rate,
    /// Packets that come later than others sent after them.
    pub reorder: Reorder,
    /// How long a packet takes.
    pub delay: Spread,
    /// How long every packet takes besides, in nanoseconds.
    pub skew: u64,
}

/// A time in which nothing arrives of what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// When it begins, in nanoseconds after the start.
    pub at: u64,
    /// How long it lasts, in nanoseconds.
    pub length: u64,
}

impl Silence {
    /// Whether it is silent at a time.
    pub(super) fn covers(self, at: u64) -> bool {
        at >= self.at && at - self.at < self.length
    }
}

/// Which packets come how many places late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reorder {
    /// Share of packets this happens to.
    pub rate: Rate,
    /// By how many packets at most: evenly from none to so many. 0 is no reordering.
    pub by: u64,
}

/// A time evenly distributed from one to another, both included, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// The least.
    pub low: u64,
    /// The most; not below `low`.
    pub high: u64,
}

impl Spread {
    /// One such time: always one number of `rng`.
    pub(crate) fn draw(self, rng: &mut Rng) -> u64 {
        rng.between(self.low, self.high)
    }

    /// True when it is always 0.
    pub fn is_none(self) -> bool {
        self.high == 0
    }
}

impl LineFaults {
    /// Longest delay and skew: what bounds the packets under way.
    pub const LONGEST_NS: u64 = 60_000_000_000;

    /// Longest mean burst.
    pub const BURST_MAX: u32 = 10_000;

    /// Most packets that one may be late by.
    pub const REORDER_MAX: u64 = 1_000;

    /// Most silences.
    pub const SILENCES_MAX: usize = 16;

    /// True when losses come in bursts.
    pub fn in_bursts(&self) -> bool {
        self.burst >= 2
    }
}

impl Faults for LineFaults {
    const OF: &'static str = "a line";
    const NAMES: &'static [&'static str] = &[
        "loss", "burst", "silence", "corrupt", "dup", "reorder", "delay", "skew",
    ];
    const REPEATED: &'static [&'static str] = &["silence"];

    fn set(&mut self, item: Item) -> Result<(), String> {
        match item {
            Item::Loss(rate) => self.loss = rate,
            Item::Burst(n) => {
                self.burst = within("burst", n, 2, Self::BURST_MAX.into())? as u32;
            }
            Item::Silence(silence) => {
                if self.silences.len() == Self::SILENCES_MAX {
                    return Err(format!("more than {} silences", Self::SILENCES_MAX));
                }
                self.silences.push(silence);
            }
            Item::Corrupt(rate) => self.corrupt = rate,
            Item::Dup(rate) => self.dup = rate,
            Item::Reorder(reorder) => {
                within("reorder", reorder.by, 1, Self::REORDER_MAX)?;
                self.reorder = reorder;
            }
            Item::Delay(delay) => {
                at_most("delay", delay.high, Self::LONGEST_NS)?;
                self.delay = delay;
            }
            Item::Skew(skew) => self.skew = at_most("skew", skew, Self::LONGEST_NS)?,
            other => return Err(format!("{other:?} is no fault of a line")),
        }
        Ok(())
    }

    /// A burst takes its mean length of packets, and at least one packet stands between two: more cannot be lost.
    fn check(&self) -> Result<(), (&'static str, String)> {
        if !self.in_bursts() {
            return Ok(());
        }
        let (burst, scale) = (u64::from(self.burst), u64::from(Rate::SCALE));
        let most = burst * scale / (burst + 1);
        let loss = u64::from(self.loss.billionths());
        if loss == 0 {
            return Err((
                "burst",
                "`burst` says how losses come: expected `loss` beside it".into(),
            ));
        }
        if loss > most {
            let most = Rate::per_billion(most as u32).unwrap_or(Rate::ALWAYS);
            return Err((
                "loss",
                format!(
                    "bursts of {burst} leave no room for {}: expected at most {most}",
                    self.loss
                ),
            ));
        }
        Ok(())
    }
}

impl FromStr for LineFaults {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<LineFaults, FaultError> {
        read(text)
    }
}

impl fmt::Display for LineFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Words::new(f);
        out.rate("loss", self.loss)?;
        if self.in_bursts() {
            out.word("burst", self.burst)?;
        }
        for s in &self.silences {
            let (length, at) = (TimeSpan(s.length), TimeSpan(s.at));
            out.word("silence", format_args!("{length}@{at}"))?;
        }
        out.rate("corrupt", self.corrupt)?;
        out.rate("dup", self.dup)?;
        let Reorder { rate, by } = self.reorder;
        match (by, rate) {
            (0, _) => {}
            (by, Rate::ALWAYS) => out.word("reorder", by)?,
            (by, rate) => out.word("reorder", format_args!("{rate}x{by}"))?,
        }
        out.spread("delay", self.delay)?;
        out.time("skew", self.skew)
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = (TimeSpan(self.low), TimeSpan(self.high));
        match self.low {
            low if low == self.high => write!(f, "{high}"),
            0 => write!(f, "0..{high}"),
            _ => write!(f, "{low}..{high}"),
        }
    }
}

/// Writes faults with a blank between them, and leaves out what is none.
pub(super) struct Words<'a, 'f> {
    f: &'a mut fmt::Formatter<'f>,
    gap: &'static str,
}

impl<'a, 'f> Words<'a, 'f> {
    pub(super) fn new(f: &'a mut fmt::Formatter<'f>) -> Words<'a, 'f> {
        Words { f, gap: "" }
    }

    pub(super) fn word(&mut self, name: &str, value: impl fmt::Display) -> fmt::Result {
        self.word_with(name, '=', value)
    }

    pub(super) fn word_with(
        &mut self,
        name: &str,
        sign: char,
        value: impl fmt::Display,
    ) -> fmt::Result {
        write!(self.f, "{}{name}{sign}{value}", self.gap)?;
        self.gap = " ";
        Ok(())
    }

    pub(super) fn rate(&mut self, name: &str, rate: Rate) -> fmt::Result {
        match rate {
            Rate::NEVER => Ok(()),
            rate => self.word(name, rate),
        }
    }

    pub(super) fn spread(&mut self, name: &str, spread: Spread) -> fmt::Result {
        match spread.is_none() {
            true => Ok(()),
            false => self.word(name, spread),
        }
    }

    pub(super) fn time(&mut self, name: &str, nanos: u64) -> fmt::Result {
        match nanos {
            0 => Ok(()),
            nanos => self.word(name, TimeSpan(nanos)),
        }
    }
}

fn within(name: &str, n: u64, low: u64, high: u64) -> Result<u64, String> {
    match (low..=high).contains(&n) {
        true => Ok(n),
        false => Err(format!("`{name}` is {n}: expected {low} to {high}")),
    }
}

pub(super) fn at_most(name: &str, nanos: u64, most: u64) -> Result<u64, String> {
    match nanos <= most {
        true => Ok(nanos),
        false => Err(format!(
            "`{name}` is {}: expected at most {}",
            TimeSpan(nanos),
            TimeSpan(most)
        )),
    }
}
