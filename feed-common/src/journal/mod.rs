//! Record files: frames of records (see [`encode`](crate::encode)), as a stream or as a journal.
//!
//! [`StreamWriter`] packs frames into checked blocks, to a file or through a pipe; [`StreamReader`] hands them out again, and
//! where a block is damaged looks for the next one and says what was skipped. [`block`] has the format.
//!
//! [`JournalWriter`] appends to mapped files; [`JournalReader`] reads them in other processes while they are written.
//! [`mapped`] says how, and what survives what.

pub mod block;
pub mod mapped;
mod stream_found;
mod stream_read;
mod stream_write;

pub use mapped::{JournalError, JournalOptions, JournalReader, JournalWriter, Preparer, Start};
pub use stream_found::{Found, Skipped, Why};
pub use stream_read::StreamReader;
pub use stream_write::{Compress, FinishError, StreamOptions, StreamWriter};

#[cfg(test)]
mod stream_tests;
