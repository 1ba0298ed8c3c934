//! Record files: frames of records (see [`encode`](crate::encode)) in checked blocks, to a file or through a pipe.
//!
//! [`StreamWriter`] packs frames into blocks; [`StreamReader`] hands them out again, and where a block is damaged looks
//! for the next one and says what was skipped. [`block`] has the format.

pub mod block;
mod stream_found;
mod stream_read;
mod stream_write;

pub use stream_found::{Found, Skipped, Why};
pub use stream_read::StreamReader;
pub use stream_write::{Compress, FinishError, StreamOptions, StreamWriter};

#[cfg(test)]
mod stream_tests;
