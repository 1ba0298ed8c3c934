//! A capture file opened: its bytes, what it is, and a reader over them.

use std::io;
use std::path::{Path, PathBuf};

use super::binaryfile::BinaryFileReader;
use super::cut::Cut;
use super::format::{Format, FormatError};
use super::pcap_read::{PcapHeader, PcapReader};
use crate::sys::file::FileBytes;

/// An open capture whose header has been read; readers borrow from it.
///
/// A regular file is mapped and must not be cut while it is open (see [`FileBytes`]).
#[derive(Debug)]
pub struct CaptureFile {
    path: PathBuf,
    bytes: FileBytes,
    kind: Kind,
}

/// A file's records, by the format it turned out to have.
#[derive(Clone, Debug)]
pub enum Records<'a> {
    /// Frames as captured.
    Pcap(PcapReader<'a>),
    /// Messages without packets.
    BinaryFile(BinaryFileReader<'a>),
}

/// Why a file gives no records at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The system refused.
    #[error("{}: {reason}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// It is no capture this build reads.
    #[error("{}: {reason}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        reason: FormatError,
    },
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Pcap(PcapHeader),
    BinaryFile,
}

impl CaptureFile {
    /// Opens a file by path; `-` is standard input, read to its end.
    pub fn open(path: impl AsRef<Path>) -> Result<CaptureFile, OpenError> {
        let path = path.as_ref();
        match FileBytes::open(path) {
            Ok(bytes) => CaptureFile::of(path, bytes),
            Err(reason) => Err(OpenError::Io {
                path: path.to_owned(),
                reason,
            }),
        }
    }

    /// Takes a file that is in memory; `path` is only what messages call it.
    pub fn from_memory(path: impl AsRef<Path>, bytes: Vec<u8>) -> Result<CaptureFile, OpenError> {
        CaptureFile::of(path.as_ref(), FileBytes::Memory(bytes))
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it is.
    pub fn format(&self) -> Format {
        match self.kind {
            Kind::Pcap(header) => Format::Pcap(header.flavour),
            Kind::BinaryFile => Format::BinaryFile,
        }
    }

    /// Its records from the first on.
    pub fn records(&self) -> Records<'_> {
        match self.kind {
            Kind::Pcap(header) => Records::Pcap(PcapReader::behind(header, &self.bytes)),
            Kind::BinaryFile => Records::BinaryFile(BinaryFileReader::new(&self.bytes)),
        }
    }

    fn of(path: &Path, bytes: FileBytes) -> Result<CaptureFile, OpenError> {
        let kind = match Format::detect(&bytes) {
            Format::Pcap(_) => PcapHeader::parse(&bytes).map(Kind::Pcap),
            Format::BinaryFile => Ok(Kind::BinaryFile),
            other => Err(FormatError::Unsupported(other)),
        };
        let path = path.to_owned();
        match kind {
            Ok(kind) => Ok(CaptureFile { path, bytes, kind }),
            Err(reason) => Err(OpenError::Format { path, reason }),
        }
    }
}

impl Records<'_> {
    /// Why the records ended before the end of the file, where they did.
    pub fn cut(&self) -> Option<Cut> {
        match self {
            Records::Pcap(reader) => reader.cut(),
            Records::BinaryFile(reader) => reader.cut(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{BinaryFileWriter, PcapWriter};
    use crate::time::UnixNanos;

    #[test]
    fn errors_name_the_file_and_what_it_is() {
        let open = |bytes: &[u8]| {
            CaptureFile::from_memory("day.bin", bytes.to_vec())
                .err()
                .map(|e| e.to_string())
                .unwrap_or_default()
        };
        assert!(open(b"").starts_with("day.bin: an empty file is not readable"));
        assert!(open(b"a,b\n1,2\n").starts_with("day.bin: a text file"));
        assert!(open(b"\x0A\x0D\x0D\x0A").starts_with("day.bin: a pcapng file"));
        assert!(open(b"\x4D\x3C\xB2\xA1\x02").contains("header is incomplete (5 of 24 bytes)"));
        let missing = CaptureFile::open("/no/such/file")
            .err()
            .map(|e| e.to_string());
        assert!(missing.is_some_and(|m| m.starts_with("/no/such/file: ")));
    }

    #[test]
    fn a_file_on_disk_is_told_by_its_bytes() {
        let path = std::env::temp_dir().join(format!("capture-file-{}.txt", std::process::id()));
        let mut w = PcapWriter::new(std::fs::File::create(&path).expect("temporary file"))
            .expect("written");
        w.frame(UnixNanos(5), b"abc").expect("written");
        drop(w.finish());
        let file = CaptureFile::open(&path);
        std::fs::remove_file(&path).expect("removed");
        let file = file.expect("a pcap file whatever its name");
        let Records::Pcap(mut reader) = file.records() else {
            panic!("{:?}", file.format());
        };
        assert_eq!(reader.next().map(|f| f.bytes), Some(&b"abc"[..]));
        assert_eq!(file.path(), path);
    }

    #[test]
    fn a_binaryfile_is_told_by_its_bytes() {
        let mut w = BinaryFileWriter::new(Vec::new());
        w.message(b"S0123456789O").expect("memory");
        let file = CaptureFile::from_memory("x", w.finish().expect("memory")).expect("readable");
        assert_eq!(file.format(), Format::BinaryFile);
        assert!(matches!(file.records(), Records::BinaryFile(_)));
    }
}
