//! Safe wrappers over what the system offers: mappings, huge pages, affinity, memory lock, prefetch, checksums, files as
//! shared words, files that several processes map and who these are, and the hand-over of owned values between threads.
//!
//! One concern per file, each with its own error type. Everything here is called while starting, except
//! [`prefetch_read`], [`prefetch_write`] and [`Crc32c`], which are one instruction each, [`handover`], which is one atomic
//! swap, the elements of a [`Circle`], and the words of [`FileWords`].

mod affinity;
mod circle;
mod crc32c;
pub mod file;
pub mod handover;
mod lock;
mod map;
mod memlock;
mod prefetch;
mod priority;
mod process;
mod room;
#[cfg(not(loom))]
pub(crate) mod shared;
mod timer;
mod words;

pub use affinity::{AffinityError, pin_current_thread};
pub use circle::Circle;
pub use crc32c::Crc32c;
pub use lock::{FileLock, FileLockError};
pub use map::{MapError, Mapping, Pages};
pub use memlock::{MemlockError, lock_memory};
pub use prefetch::{prefetch_read, prefetch_write};
pub use priority::{PriorityError, set_fifo_priority};
pub use process::{Life, Process};
pub(crate) use room::allocate;
pub use timer::sleep_precisely;
pub use words::FileWords;
