//! Keeping what was received: the packets of every line as a capture, written by a cold thread.
//!
//! A [`Tee`] around a lane's packet source copies each batch into the lane's [`Queue`] once the lane has handled it; the
//! [`Recorder`]'s thread takes the packets out of the queues of all lanes, puts the headers back before them and writes
//! the file. A hot thread never waits for that thread: a packet that finds its queue full is not recorded, is counted,
//! and is noted in the file with the next packet of its line. So a slow disk, a full one or one that does not answer
//! costs the recording and nothing else.
//!
//! What is decoded is what is recorded. In a two-thread lane, packets that the receiving thread had to throw away
//! (`ring_full`) are not among them; pcapng counts them in the statistics at its end, with those the queue lost.

mod frames;
mod queue;
mod recorder;
mod tee;
#[cfg(test)]
mod walk;
mod write;

pub use queue::Queue;
pub use recorder::{RecordEnd, RecordError, Recorder};
pub use tee::Tee;
pub use write::Sockets;
