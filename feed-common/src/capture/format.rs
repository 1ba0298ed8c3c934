//! Tells a file's format by its first bytes.

use super::binaryfile;
use super::pcap::Flavour;
use crate::wire::frame::UnsupportedLinkType;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Holds nothing.
    Empty,
    /// Classic pcap.
    Pcap(Flavour),
    /// Classic pcap with longer record headers, a kernel patch of the 1990s.
    ModifiedPcap,
    /// pcapng.
    Pcapng,
    /// ITCH messages, each behind its length.
    BinaryFile,
    /// A gzip stream.
    Gzip,
    /// A Zstandard stream.
    Zstd,
    /// An xz stream.
    Xz,
    /// Text of some kind.
    Text,
    /// None of these.
    Unknown,
}

impl Format {
    /// Bytes that [`Format::detect`] looks at; more do not change its answer.
    pub const DETECT: usize = 512;

    /// Tells a format from the start of a file.
    pub fn detect(file: &[u8]) -> Format {
        let head = &file[..file.len().min(Format::DETECT)];
        match *head {
            [] => return Format::Empty,
            [0x0A, 0x0D, 0x0D, 0x0A, ..] => return Format::Pcapng,
            [0x34, 0xCD, 0xB2, 0xA1, ..] | [0xA1, 0xB2, 0xCD, 0x34, ..] => {
                return Format::ModifiedPcap;
            }
            [0x1F, 0x8B, ..] => return Format::Gzip,
            [0x28, 0xB5, 0x2F, 0xFD, ..] => return Format::Zstd,
            [0xFD, b'7', b'z', b'X', ..] => return Format::Xz,
            _ => {}
        }
        let magic = head.first_chunk::<4>();
        if let Some(flavour) = magic.and_then(|&m| Flavour::from_magic(m)) {
            Format::Pcap(flavour)
        } else if binaryfile::looks_like(head) {
            Format::BinaryFile
        } else if looks_like_text(head) {
            Format::Text
        } else {
            Format::Unknown
        }
    }

    /// What to call it in a message.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Empty => "an empty file",
            Format::Pcap(_) => "a pcap file",
            Format::ModifiedPcap => "a modified (Kuznetzov) pcap file",
            Format::Pcapng => "a pcapng file",
            Format::BinaryFile => "an ITCH BinaryFILE",
            Format::Gzip => "a gzip file",
            Format::Zstd => "a Zstandard file",
            Format::Xz => "an xz file",
            Format::Text => "a text file",
            Format::Unknown => "a file of unknown format",
        }
    }
}

/// Why bytes cannot be read as a capture at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// A format this build does not read.
    #[error("{} is not readable (readable: pcap, ITCH BinaryFILE)", .0.name())]
    Unsupported(Format),
    /// The file ends inside its own header.
    #[error("the pcap file header is incomplete ({0} of 24 bytes)")]
    ShortHeader(usize),
    /// A version other than 2.
    #[error("pcap version {0}.{1} is not supported (supported: 2.4)")]
    Version(u16, u16),
    /// Frames that begin with something unknown.
    #[error(transparent)]
    LinkType(#[from] UnsupportedLinkType),
}

/// Printable characters and white space only; a character cut by the end of `head` is no objection.
fn looks_like_text(head: &[u8]) -> bool {
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() => {
            std::str::from_utf8(&head[..e.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !valid.is_empty()
        && valid
            .chars()
            .all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\u{c}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_beginnings() {
        let long_utf8 = "é".repeat(400);
        let one_byte_in = format!("x{long_utf8}");
        for (bytes, want) in [
            (&b""[..], Format::Empty),
            (b"\x0A\x0D\x0D\x0A\x1C\0\0\0", Format::Pcapng),
            (b"\x34\xCD\xB2\xA1", Format::ModifiedPcap),
            (b"\xA1\xB2\xCD\x34", Format::ModifiedPcap),
            (b"\x1F\x8B\x08\0", Format::Gzip),
            (b"\x28\xB5\x2F\xFD", Format::Zstd),
            (b"\xFD7zXZ\0", Format::Xz),
            (b"symbol,side\r\n", Format::Text),
            (one_byte_in.as_bytes(), Format::Text),
            (b"\x0A", Format::Text),
            (b"\x00\x0CR\0\0\0\0\0\0", Format::Unknown),
            (b"\x7FELF", Format::Unknown),
            (b"\xFF\xFE", Format::Unknown),
            (b"\x00\x0CS\0\0", Format::BinaryFile),
        ] {
            assert_eq!(Format::detect(bytes), want, "{bytes:02X?}");
        }
        for flavour in Flavour::ALL {
            assert_eq!(Format::detect(&flavour.magic()), Format::Pcap(flavour));
        }
    }

    #[test]
    fn a_refusal_names_the_format() {
        let e = FormatError::Unsupported(Format::Gzip).to_string();
        assert!(e.starts_with("a gzip file is not readable"), "{e}");
        let e = FormatError::from(UnsupportedLinkType(147)).to_string();
        assert!(e.contains("link type 147"), "{e}");
    }
}
