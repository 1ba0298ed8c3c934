//! The faults a server can have.

use super::grammar::{FaultError, Faults, Item, read};
use super::rate::Rate;
use super::spec::{Spread, Words, at_most};
use std::fmt;
use std::str::FromStr;

/// What goes wrong with a server's answers. Printed and read in the grammar of faults:
///
/// | fault | means |
/// |---|---|
/// | `refuse=10%` | a request is not answered |
/// | `late=0..5ms` | an answer takes this long, evenly distributed (at most 1min) |
/// | `wrong=1%` | an answer is of another session, of other messages than asked for, cut short, or garbage |
/// | `loss=1%` | a packet of an answer is lost |
/// | `close=1%` | the server goes away: a connection is closed; one with datagrams is deaf for a quarter of a second |
/// | `trickle=10ms` | answers come in the smallest pieces, so far apart (at most 1s): single messages in datagrams, single bytes on a connection |
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerFaults {
    /// Share of requests not answered.
    pub refuse: Rate,
    /// How long an answer takes.
    pub late: Spread,
    /// Share of answers that are wrong.
    pub wrong: Rate,
    /// Share of packets of answers that are lost.
    pub loss: Rate,
    /// Share of requests at which the server goes away.
    pub close: Rate,
    /// Between the smallest pieces of an answer, in nanoseconds; 0 where answers come whole.
    pub trickle: u64,
}

impl ServerFaults {
    /// Longest time an answer takes.
    pub const LATE_MAX_NS: u64 = 60_000_000_000;

    /// Longest time between two pieces of an answer.
    pub const TRICKLE_MAX_NS: u64 = 1_000_000_000;

    /// How long a server with datagrams is deaf after it went away.
    pub const CLOSED_NS: u64 = 250_000_000;
}

impl Faults for ServerFaults {
    const OF: &'static str = "a server";
    const NAMES: &'static [&'static str] = &["refuse", "late", "wrong", "loss", "close", "trickle"];
    const REPEATED: &'static [&'static str] = &[];

    fn set(&mut self, item: Item) -> Result<(), String> {
        match item {
            Item::Refuse(rate) => self.refuse = rate,
            Item::Late(late) => {
                at_most("late", late.high, Self::LATE_MAX_NS)?;
                self.late = late;
            }
            Item::Wrong(rate) => self.wrong = rate,
            Item::Loss(rate) => self.loss = rate,
            Item::Close(rate) => self.close = rate,
            Item::Trickle(apart) => self.trickle = at_most("trickle", apart, Self::TRICKLE_MAX_NS)?,
            other => return Err(format!("{other:?} is no fault of a server")),
        }
        Ok(())
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        Ok(())
    }
}

impl FromStr for ServerFaults {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<ServerFaults, FaultError> {
        read(text)
    }
}

impl fmt::Display for ServerFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Words::new(f);
        out.rate("refuse", self.refuse)?;
        out.spread("late", self.late)?;
        out.rate("wrong", self.wrong)?;
        out.rate("loss", self.loss)?;
        out.rate("close", self.close)?;
        out.time("trickle", self.trickle)
    }
}
