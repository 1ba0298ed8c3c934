//! Best prices of chosen symbols, as they are told over the local socket.

use serde::{Deserialize, Serialize};

/// What is known of the symbols that were asked for. A symbol is there from its first change of best prices that is still in
/// the rings or comes later.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BooksStatus {
    /// The pattern that was asked for.
    pub symbols: String,
    /// By symbol.
    pub rows: Vec<BookStatus>,
    /// Records that were overwritten before the reading thread came to them.
    pub lost: u64,
    /// There are more symbols than are followed.
    pub more: bool,
    /// False where the run publishes no best prices of its own: then only those that a feed itself sends are seen.
    pub published: bool,
    /// Where one symbol was found, its best levels, the best first, as of the end of an interval. None before there was
    /// one, and where no books are kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depth: Vec<DepthStatus>,
}

/// A row of a book. A side has a price where there is a level, and it is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DepthStatus {
    /// Orders at the bid, where the feed says them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bid_orders: Option<u32>,
    /// Quantity there.
    pub bid_quantity: u64,
    /// The bid as a decimal.
    pub bid: Option<String>,
    /// The offer.
    pub ask: Option<String>,
    /// Quantity there.
    pub ask_quantity: u64,
    /// Orders there, where the feed says them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ask_orders: Option<u32>,
}

/// The best prices of a symbol.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BookStatus {
    /// As it is published; of a name longer than that the instrument's number.
    pub symbol: String,
    /// Its channel.
    pub channel: String,
    /// Best bid as a decimal; none where the side is empty.
    pub bid: Option<String>,
    /// Quantity there.
    pub bid_quantity: u64,
    /// Best offer.
    pub ask: Option<String>,
    /// Quantity there.
    pub ask_quantity: u64,
    /// How far they can be believed: `valid`, `stale`, `recovering` or `suspect`.
    pub trust: String,
    /// The reading thread lost records since: they may be others by now.
    pub unsure: bool,
    /// How long ago they last changed, in nanoseconds; not known of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_ns: Option<u64>,
    /// Number of the message that changed them.
    pub sequence: u64,
    /// Changes since they are followed.
    pub changes: u64,
}
