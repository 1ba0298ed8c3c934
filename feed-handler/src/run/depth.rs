//! The best levels of one book, as a lane shows them to whoever asks: a page goes to it empty and comes back filled, at the
//! end of an interval, when it shows its channels too. Nobody waits, and where nobody asks nothing is done.

use crate::book::Level;
use crate::publish::Outlet;
use feed_common::event::Side;
use feed_common::sys::handover::Slot;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Levels of a side that are shown.
pub(super) const LEVELS: usize = 10;

/// Which book, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// Channel and instrument.
    pub book: (u16, u32),
    /// Bids and asks, the best first. Levels that a feed numbers stand at their numbers; those not known are empty.
    pub sides: [[Option<Level>; LEVELS]; 2],
    /// The lane has filled it.
    is_shown: bool,
}

/// The way of the page. There is one at most, so a lane never has one over to free.
#[derive(Debug, Default)]
pub(super) struct Depth {
    exists: AtomicBool,
    offered: Slot<Page>,
    filled: Slot<Page>,
}

impl Depth {
    /// Asks for a book; what the lane has shown of it since it was asked for.
    pub fn ask(&self, book: (u16, u32)) -> Option<Page> {
        let page = self.filled.take().or_else(|| self.offered.take());
        let empty = Page {
            book,
            sides: [[None; LEVELS]; 2],
            is_shown: false,
        };
        let Some(mut page) = page else {
            // Or the lane has it in hand just now.
            if !self.exists.swap(true, Relaxed) {
                self.offered.put(Box::new(empty));
            }
            return None;
        };
        let shown = std::mem::replace(&mut *page, empty);
        self.offered.put(page);
        (shown.is_shown && shown.book == book).then_some(shown)
    }

    /// Fills the page if it is there.
    pub fn show(&self, outlet: &impl Outlet) {
        let Some(mut page) = self.offered.take() else {
            return;
        };
        let (channel, instrument) = page.book;
        for (levels, side) in page.sides.iter_mut().zip([Side::BUY, Side::SELL]) {
            outlet.top(channel, instrument, side, LEVELS, &mut |number, level| {
                if let Some(place) = levels.get_mut(number as usize - 1) {
                    *place = Some(level);
                }
            });
        }
        page.is_shown = true;
        self.filled.put(page);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use feed_common::event::{MarketHandler, Price};

    /// Levels at 1, 3 and 20 of the bids of one book.
    struct Books;

    impl MarketHandler for Books {}

    impl Outlet for Books {
        fn published(&self) -> u64 {
            0
        }

        fn top(
            &self,
            channel: u16,
            instrument: u32,
            side: Side,
            n: usize,
            visit: &mut dyn FnMut(u32, Level),
        ) {
            assert_eq!(n, LEVELS);
            if (channel, instrument, side) == (1, 7, Side::BUY) {
                [1, 3, 20].into_iter().for_each(|n| visit(n, level(n)));
            }
        }
    }

    fn level(number: u32) -> Level {
        Level {
            price: Price(100 - i64::from(number)),
            quantity: 5,
            orders: Some(number),
        }
    }

    #[test]
    fn a_book_is_shown_to_who_asks_for_it() {
        let depth = Depth::default();
        depth.show(&Books);
        assert_eq!(depth.ask((1, 7)), None, "asked for the first time");
        assert_eq!(depth.ask((1, 7)), None, "not shown yet");
        depth.show(&Books);
        depth.show(&Books);
        let page = depth.ask((1, 7)).expect("shown");
        assert_eq!(page.sides[0][..3], [Some(level(1)), None, Some(level(3))]);
        let levels = page.sides.iter().flatten();
        assert_eq!(levels.flatten().count(), 2, "what is beyond is left out");
        // Another book's page is not taken for it.
        depth.show(&Books);
        assert_eq!(depth.ask((1, 8)), None);
        depth.show(&Books);
        let empty = depth.ask((1, 8)).expect("shown");
        assert!(empty.sides.iter().flatten().all(Option::is_none));
    }
}
