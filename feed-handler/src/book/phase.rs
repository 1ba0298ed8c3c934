//! Whether an instrument trades: only then is a crossed book a fault.

use feed_common::event::{Status, StatusKind};
use zerocopy::FromZeros;

/// What is known about an instrument's trading. A book may be crossed before the open, in a halt and in an auction, so
/// an instrument counts as trading only when all of this has been seen: the market is open, nothing has halted it, and
/// it has had its cross since then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromZeros)]
pub struct Phase(u8);

impl Phase {
    const OPEN: u8 = 1;
    const TRADING: u8 = 1 << 1;
    const CROSSED_OVER: u8 = 1 << 2;
    const HALTED_HERE: u8 = 1 << 3;
    /// The feed has said itself whether the instrument trades: events of the market say no more about it.
    const SAID: u8 = 1 << 4;

    /// Orders match as they come, so the book cannot be crossed.
    #[inline]
    pub const fn is_continuous(self) -> bool {
        self.0 & !Self::SAID == Self::OPEN | Self::TRADING | Self::CROSSED_OVER
    }

    /// The feed says itself whether the instrument trades continuously.
    pub fn say(&mut self, continuous: bool) {
        self.0 = match continuous {
            true => Self::SAID | Self::OPEN | Self::TRADING | Self::CROSSED_OVER,
            false => Self::SAID,
        };
    }

    /// The market has opened, or closed: for every instrument.
    pub fn market(&mut self, event: u8) {
        if self.0 & Self::SAID != 0 {
            return;
        }
        match event {
            b'Q' => self.0 |= Self::OPEN,
            b'O' | b'S' | b'M' | b'E' | b'C' => self.0 &= !(Self::OPEN | Self::CROSSED_OVER),
            _ => {}
        }
    }

    /// A status of the instrument.
    pub fn status(&mut self, status: &Status) {
        match (status.what, status.value) {
            (StatusKind::TRADING, b'T') => self.0 |= Self::TRADING,
            // A quotation period ends in a cross, which comes before trading is announced.
            (StatusKind::TRADING, _) => self.0 &= !(Self::TRADING | Self::CROSSED_OVER),
            (StatusKind::OPERATIONAL, b'H') => self.0 |= Self::HALTED_HERE,
            (StatusKind::OPERATIONAL, b'T') => self.0 &= !Self::HALTED_HERE,
            _ => {}
        }
    }

    /// The instrument's auction has been held.
    pub fn cross(&mut self) {
        self.0 |= Self::CROSSED_OVER;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use feed_common::event::Price;

    fn status(what: StatusKind, value: u8) -> Status {
        Status {
            what,
            value,
            detail: *b"    ",
            price: Price::NULL,
            continuous: None,
        }
    }

    #[test]
    fn what_the_feed_says_itself_outlives_events_of_the_market() {
        let mut p = Phase::default();
        p.say(true);
        for event in *b"OSQRMEC" {
            p.market(event);
            assert!(p.is_continuous(), "{event}");
        }
        p.say(false);
        p.market(b'Q');
        p.status(&status(StatusKind::TRADING, b'T'));
        p.cross();
        assert!(!p.is_continuous());
        p.say(true);
        assert!(p.is_continuous());
    }

    #[test]
    fn continuous_trading_needs_the_open_the_cross_and_no_halt() {
        let mut p = Phase::default();
        p.status(&status(StatusKind::TRADING, b'T'));
        assert!(!p.is_continuous(), "before the open");
        p.market(b'Q');
        assert!(!p.is_continuous(), "before its cross");
        p.cross();
        assert!(p.is_continuous());
        p.status(&status(StatusKind::TRADING, b'H'));
        assert!(!p.is_continuous(), "halted");
        p.status(&status(StatusKind::TRADING, b'Q'));
        p.cross();
        assert!(!p.is_continuous(), "quotation period");
        p.status(&status(StatusKind::TRADING, b'T'));
        assert!(p.is_continuous(), "reopened");
        p.status(&status(StatusKind::OPERATIONAL, b'H'));
        assert!(!p.is_continuous(), "halted on this market");
        p.status(&status(StatusKind::OPERATIONAL, b'T'));
        assert!(p.is_continuous());
        p.market(b'M');
        assert!(!p.is_continuous(), "after the close");
    }

    #[test]
    fn what_a_feed_says_itself_holds_at_once() {
        let mut p = Phase::default();
        p.say(true);
        assert!(p.is_continuous());
        p.say(false);
        p.cross();
        assert!(!p.is_continuous());
    }
}
