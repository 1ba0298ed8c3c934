//! Safe wrappers over what the system offers: mappings, huge pages, affinity, memory lock, prefetch, files that several processes
//! map and who these are, and the hand-over of owned values between threads.
//!
//! One concern per file, each with its own error type. Everything here is called while starting, except
//! [`prefetch_read`] and [`prefetch_write`], which are one instruction each, [`handover`], which is one atomic swap, and the elements of a [`Circle`].

mod affinity;
mod circle;
pub mod file;
pub mod handover;
mod map;
mod memlock;
mod prefetch;
mod priority;
mod process;
#[cfg(not(loom))]
pub(crate) mod shared;
mod timer;

pub use affinity::{AffinityError, pin_current_thread};
pub use circle::Circle;
pub use map::{MapError, Mapping, Pages};
pub use memlock::{MemlockError, lock_memory};
pub use prefetch::{prefetch_read, prefetch_write};
pub use priority::{PriorityError, set_fifo_priority};
pub use process::{Life, Process};
pub use timer::sleep_precisely;
