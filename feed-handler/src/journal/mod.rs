//! Keeping what was published: a mapped journal for each lane, written by a cold thread; and the journal as it is looked
//! into afterwards, or while it grows.
//!
//! A [`Tapped`] sink copies the records of each packet out of the broadcast ring into the lane's [`Tap`] once they are
//! visible; the thread of [`Journals`] takes them out of the queues of all lanes and appends them, in order, to a
//! [`JournalWriter`](feed_common::journal::JournalWriter) each. A second thread makes segments ahead of time, so that the
//! first never waits for one.
//!
//! A hot thread never waits for either: records that find their queue full are not journalled and are counted, and a
//! [`GapRecord`](feed_common::record::GapRecord) stands in the journal where they would. The same happens when the disk is
//! full: the run goes on, and so does the journal when there is room again. For each lane
//! `published = journalled + lost`, exactly.
//!
//! [`segment_rows`], [`Rows`] and [`check`] are the library side of `journal ls`, `cat`, `tail` and `verify`.

mod check;
mod intake;
mod keep;
mod list;
mod rows;
mod tap;
#[cfg(test)]
mod tests;

pub use check::{Checked, Stretch, check};
pub use keep::{JournalEnd, JournalGauge, Journals, KeepError};
pub use list::{LocateError, SegmentRow, SegmentState, locate, segment_rows, table};
pub use rows::{Picked, Rows};
pub use tap::{Tap, Tapped};
