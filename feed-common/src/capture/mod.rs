//! Capture files: read and write.
//!
//! [`Format`] tells a file by its first bytes, never by its name; one file per format reads it. Readers borrow from
//! the bytes they are given (a mapping, or memory for pipes), so a frame costs a header's decoding and no copy. A file
//! cut short gives every whole record before the cut, then reports the [`Cut`]: whether that is a warning or a failure
//! is the caller's choice.
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
mod file;
mod format;
mod fragments;
pub mod pcap;
mod pcap_read;
mod pcap_write;
mod pcapng_write;

pub use binaryfile::{BinaryFileReader, Chunk};
pub use binaryfile_write::BinaryFileWriter;
pub use cut::{Cut, CutReason};
pub use datagrams::{CHUNK_BYTES, Datagram, Datagrams, Skipped};
pub use file::{CaptureFile, OpenError, Records};
pub use format::{Format, FormatError};
pub use fragments::{FragmentCounters, Fragments};
pub use pcap_read::{Frame, PcapHeader, PcapReader};
pub use pcap_write::PcapWriter;
pub use pcapng_write::{
    InterfaceDescription, InterfaceStatistics, PacketNote, PcapngWriter, SectionDescription,
};
