//! What goes wrong on the way of a session: decided by a seed, in virtual time, so that every run can be repeated and
//! its losses are known.
//!
//! [`LineFaults`], [`ServerFaults`] and [`SessionFaults`] say what may go wrong, each in the same small grammar
//! (`loss=1% burst=3 delay=0..200us`). [`FaultyLine`] is one line: packets go in with the time they are sent and come
//! out, if at all, with the time they arrive; [`Lines`] are several that carry the same session, with an [`Account`] of
//! what each lost, to hold against what a receiver says. Nothing here knows a socket, a clock or a protocol.
//!
//! [`LossPlan`] is older and simpler: two lines of which never both lose the same packet.
//!
//! ```
//! use feed_replay::fault::{LineFaults, Lines};
//!
//! let faults: LineFaults = "loss=10% delay=0..200us".parse()?;
//! let mut lines = Lines::new(&[faults.clone(), faults], 7);
//! for number in 0..1_000 {
//!     lines.send(number * 10_000, number..number + 1, &number.to_be_bytes());
//! }
//! let mut arrived = 0;
//! while let Some(packet) = lines.next(u64::MAX) {
//!     assert!(packet.line < 2 && packet.payload.len() == 8);
//!     arrived += 1;
//! }
//! let account = lines.account();
//! assert_eq!(arrived, 2_000 - account.lost(0).count() - account.lost(1).count());
//! assert!(account.lost_by_all().count() < account.lost(0).count());
//! # Ok::<(), feed_replay::fault::FaultError>(())
//! ```

mod account;
mod grammar;
mod line;
mod lines;
mod plan;
mod rate;
mod server;
mod session;
mod spans;
mod spec;

pub use account::{Account, Counts};
pub use grammar::FaultError;
pub use line::{Arrival, Cause, Fate, FaultyLine};
pub use lines::{Delivery, Lines};
pub use plan::{Line, Loss, LossPlan};
pub use rate::Rate;
pub use server::ServerFaults;
pub use session::SessionFaults;
pub use spans::Spans;
pub use spec::{LineFaults, Reorder, Silence, Spread};
