//! The rows of a final order book.

use feed_common::event::Side;
use feed_common::wire::message::trimmed;
use std::fmt;

/// A price level, written as a line of what `feed-handler book --format csv` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Padded with blanks.
    pub symbol: [u8; 8],
    /// Bids or offers.
    pub side: Side,
    /// 1 is the best.
    pub level: u32,
    /// With 4 decimals.
    pub price: u32,
    /// Shares of all its orders.
    pub quantity: u64,
    /// How many orders there are.
    pub orders: u32,
}

impl Row {
    /// The line above the rows.
    pub const HEADER: &'static str = "symbol,side,level,price,quantity,orders";
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let symbol = String::from_utf8_lossy(trimmed(&self.symbol));
        let side = self.side.0 as char;
        write!(f, "{symbol},{side},{},", self.level)?;
        write!(f, "{}", self.price / 10_000)?;
        let mut places = self.price % 10_000;
        if places > 0 {
            let mut width = 4;
            while places.is_multiple_of(10) {
                (places, width) = (places / 10, width - 1);
            }
            write!(f, ".{places:0width$}")?;
        }
        write!(f, ",{},{}", self.quantity, self.orders)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_have_the_places_they_need() {
        let row = |price| Row {
            symbol: *b"A.B     ",
            side: Side::SELL,
            level: 2,
            price,
            quantity: 300,
            orders: 1,
        };
        for (price, text) in [
            (125_000, "12.5"),
            (70_000, "7"),
            (1, "0.0001"),
            (10_203, "1.0203"),
            (10_100, "1.01"),
        ] {
            assert_eq!(row(price).to_string(), format!("A.B,S,2,{text},300,1"));
        }
    }
}
