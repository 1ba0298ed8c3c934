//! The live process: a plan put on threads.
//!
//! [`Handler::start`] opens everything and starts the lanes; the caller polls it for intervals, takes consumers'
//! receivers and ends it. [`supervise`] does so with progress, signals and outputs. `assemble` holds the one match from the plan to concrete
//! types, `hot` the loops of the hot threads.

mod assemble;
mod board;
mod books;
mod clock;
mod consumers;
mod control;
mod crossing;
mod depth;
mod end;
mod exposition;
mod facts;
mod gauge;
mod handler;
mod hot;
mod inject;
mod losses;
mod outputs;
mod recovery;
mod sampled;
mod shared;
mod start;
mod supervise;
mod trail;

pub use board::Board;
pub(crate) use books::{decimal, trust as trust_name};
pub use clock::CardFit;
pub use consumers::Consumer;
pub use control::{Control, ControlError, LINE_BYTES_MAX, ask, ask_books, ask_status, reply};
pub use end::{ChannelEnd, LaneEnd, LineEnd, SampledEnd};
pub use exposition::ExpositionError;
pub use gauge::{Gauge, Reading};
pub use handler::{Handler, Outcome};
pub use hot::{IdleTime, Quiet, drive, drive_held, receive, receive_watched};
pub use inject::Delay;
pub use outputs::{OutputError, Recorded};
pub use recovery::RecoveryEnd;
pub use shared::ProcessEnd;
pub use start::{Input, StartError};
pub use supervise::{Until, supervise};
