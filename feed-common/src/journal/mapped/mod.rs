//! A journal in mapped files: records written in place, and read in place by other processes while they are written.
//!
//! [`JournalWriter`] appends, [`JournalReader`] reads from the oldest record, from one by its number, or what comes next;
//! [`Preparer`] makes segments ahead of time on a thread beside the writer's. [`layout`] has the format.
//!
//! # What survives
//!
//! - **The end of the writer, however it ends** (`kill -9` included): every committed record. The pages are the system's,
//!   not the process's. The next writer finds the last committed record, clears what was begun behind it, and goes on.
//! - **The end of the machine**: what the system has written to the disk by then, page by page and in no order
//!   ([`JournalWriter::sync`] waits for it). Every record has a check of its own, so a reader takes none that is not what was
//!   written, and says what it skipped; numbers tell how many records that were, except behind the last that is whole.
//! - **A full disk**: the room of a segment is allocated when it is made, so there is an error then
//!   ([`JournalError::NoRoom`]) and nothing in between. The journal stays as it is, and writing may be tried again.
//! - **Damage**: a flipped bit costs its record, or where it hits a length or the mark of a block the rest of that block.
//!   A file that was cut gives what it holds; one must not be cut while somebody has it mapped (SIGBUS).
//!
//! # Why a record that is read is never torn
//!
//! The words of a record are written once, by one writer (an exclusive lock on `writer.lock` sees to that), in this order:
//! all words behind the commit word (relaxed), then the commit word (release). Before that the commit word is zero: the file
//! is made of zeros, and [`JournalWriter::open`] sets to zero what another writer has left behind its last commit.
//!
//! A reader loads the commit word (acquire). When it is zero it reads nothing else of the record. When it is not, the load
//! has seen the release store, or, after a writer that was killed, the value that store has left in the page, which all
//! processes share; so the stores before it happen before the loads after it, and by coherence these return what was
//! stored and nothing older. Nothing newer is ever stored there: a writer goes on behind what is committed, also after recovery,
//! whose clearing begins at a commit word that is zero, behind which no reader looks. So the bytes may be lent out in place.
//!
//! Between processes there is no more than between threads: all map the same pages, and the model's order is that of the
//! processor's caches. The check is not needed for any of this. It is for what the model does not cover: disks, cut
//! files, and whoever writes into the files without knowing the rules.
//!
//! # Why a reader does not stop too early, nor too late
//!
//! A block is left by its writer only by committing the mark of the next block or the end of the segment, both after the
//! last record of the block. A reader that finds no record looks for those marks (acquire), and when one is there looks for the
//! record once more: it would be seen now. So it leaves a block only when it has all of it, and it waits only where the writer
//! may still write. The next segment is there before the mark of the end of this one is committed.
//!
//! ```
//! use feed_common::journal::{Found, JournalOptions, JournalReader, JournalWriter, Start};
//! use feed_common::record::{PointFlags, TimeSeriesPoint};
//!
//! let folder = std::env::temp_dir().join(format!("feed-journal-doc-{}", std::process::id()));
//! let options = JournalOptions { segment: 4096 + 65_536, ..JournalOptions::new(1) };
//! let mut writer = JournalWriter::open(&folder, &options)?;
//! writer.append(&[TimeSeriesPoint::new(3, 1_700_000_000, 0.5, PointFlags::NONE)])?;
//!
//! let mut reader = JournalReader::open(&folder, Start::Oldest)?;
//! match reader.read()? {
//!     Some(Found::Record { number, frame }) => {
//!         assert_eq!((number, frame.view::<TimeSeriesPoint>()?.value()), (0, 0.5));
//!     }
//!     other => panic!("{other:?}"),
//! }
//! assert!(reader.read()?.is_none());
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod folder;
pub mod layout;
mod prepare;
#[allow(unsafe_code)]
mod reader;
mod recover;
mod segment;
mod writer;

pub use error::JournalError;
pub use folder::{SegmentContents, SegmentInfo, segments};
pub use prepare::Preparer;
pub use reader::{JournalReader, Start};
pub use recover::Recovered;
pub use writer::{JournalOptions, JournalWriter};

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod tests;
