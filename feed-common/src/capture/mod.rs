//! Capture files: read and write.
//!
//! [`Format`] tells a file by its first bytes, never by its name; one file per format parses it. [`CaptureFile`] opens
//! one, [`Records`] lends its frames, [`Datagrams`] the payloads in them. They look through a window: the whole file,
//! where it is mapped, so that a frame costs a header's decoding and no copy; of what is compressed or comes through a
//! pipe, a block that a thread has filled. A file cut short or damaged gives every whole record before the place, then
//! reports the [`Cut`]: whether that is a warning or a failure is the caller's choice.
//!
//! ```
//! use feed_common::capture::{CaptureFile, Datagrams, PcapWriter};
//! use feed_common::time::UnixNanos;
//!
//! let mut file = PcapWriter::new(Vec::new())?;
//! file.frame(UnixNanos(1_000), &[0; 60])?;
//! let file = CaptureFile::from_memory("example.pcap", file.finish()?)?;
//!
//! let mut datagrams = Datagrams::new(&file);
//! assert!(datagrams.next().is_none()); // the frame is not IP
//! assert_eq!(datagrams.skipped().total(), 1);
//! assert_eq!(datagrams.cut(), None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ahead;
mod binaryfile;
mod binaryfile_write;
mod cut;
mod datagrams;
mod faults;
mod file;
mod format;
mod fragments;
mod interfaces;
mod parsed;
pub mod pcap;
mod pcap_read;
mod pcap_write;
mod pcapng_read;
mod pcapng_time;
mod pcapng_write;
mod records;
mod skipped;
mod stream;
#[cfg(test)]
mod testing;
mod window;

pub use binaryfile_write::BinaryFileWriter;
pub use cut::{Cut, CutReason, StreamDamage};
pub use datagrams::{Advance, CHUNK_BYTES, Datagram, Datagrams, Lend, Located, Payloads, Place};
pub use faults::{Fault, Faults};
pub use file::{CaptureFile, OpenError};
pub use format::{Compression, Format, FormatError};
pub use fragments::{FragmentCounters, Fragments};
pub use interfaces::LinkSeen;
pub use pcap_read::PcapHeader;
pub use pcap_write::PcapWriter;
pub use pcapng_write::{
    InterfaceDescription, InterfaceStatistics, PacketNote, PcapngWriter, SectionDescription,
};
pub use records::{Chunk, Frame, Record, Records};
pub use skipped::Skipped;
