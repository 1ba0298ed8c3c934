//! Writes classic pcap.

use std::io::{self, Write};

use super::pcap::{FILE_HEADER, FRAME_MAX, Flavour, RECORD_HEADER};
use crate::time::UnixNanos;

/// Writes frames as they are given; the caller's `out` should be buffered, as each frame is two writes.
#[derive(Debug)]
pub struct PcapWriter<W: Write> {
    out: W,
    flavour: Flavour,
}

impl<W: Write> PcapWriter<W> {
    /// Writes the header of a little-endian nanosecond file of Ethernet frames, which every tool reads.
    pub fn new(out: W) -> io::Result<PcapWriter<W>> {
        PcapWriter::with_flavour(out, Flavour::NANOS, 1)
    }

    /// Writes the header of a file of any flavour and link type (a number of the LINKTYPE registry).
    pub fn with_flavour(mut out: W, flavour: Flavour, link_type: u16) -> io::Result<PcapWriter<W>> {
        let order = flavour.order;
        let mut header = [0; FILE_HEADER];
        header[0..4].copy_from_slice(&flavour.magic());
        header[4..6].copy_from_slice(&order.write_u16(2));
        header[6..8].copy_from_slice(&order.write_u16(4));
        header[16..20].copy_from_slice(&order.write_u32(FRAME_MAX as u32));
        header[20..24].copy_from_slice(&order.write_u32(link_type as u32));
        out.write_all(&header)?;
        Ok(PcapWriter { out, flavour })
    }

    /// Writes a whole frame. `InvalidInput` when it exceeds [`FRAME_MAX`] or the time lies behind the year 2106.
    #[inline]
    pub fn frame(&mut self, time: UnixNanos, bytes: &[u8]) -> io::Result<()> {
        self.cut_frame(time, bytes, bytes.len())
    }

    /// Writes a frame of which only `bytes` were kept of `orig_len` on the wire. Errors as [`PcapWriter::frame`].
    pub fn cut_frame(&mut self, time: UnixNanos, bytes: &[u8], orig_len: usize) -> io::Result<()> {
        if bytes.len() > FRAME_MAX {
            return Err(refused("a frame above 262144 bytes"));
        }
        let orig_len = u32::try_from(orig_len).map_err(|_| refused("a frame above 4 GiB"))?;
        let seconds = u32::try_from(time.0 / 1_000_000_000)
            .map_err(|_| refused("a time after the year 2106"))?;
        let fraction = (time.0 % 1_000_000_000) as u32 / self.flavour.unit.nanos();
        let mut header = [0; RECORD_HEADER];
        let fields = [seconds, fraction, bytes.len() as u32, orig_len];
        for (at, value) in header.as_chunks_mut::<4>().0.iter_mut().zip(fields) {
            *at = self.flavour.order.write_u32(value);
        }
        self.out.write_all(&header)?;
        self.out.write_all(bytes)
    }

    /// What is written to, between frames: for callers that pass frames on from memory.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Flushes and gives the output back.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

fn refused(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("pcap cannot hold {what}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::pcap::{ByteOrder, TimeUnit};

    const TIME: UnixNanos = UnixNanos(0x0102_0304 * 1_000_000_000 + 5_006_007);

    #[test]
    fn bytes_by_hand_little_nanos() {
        let mut w = PcapWriter::new(Vec::new()).expect("memory");
        w.frame(TIME, b"abc").expect("memory");
        let want = [
            0x4D, 0x3C, 0xB2, 0xA1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0,
            0, //
            4, 3, 2, 1, 0xB7, 0x62, 0x4C, 0, 3, 0, 0, 0, 3, 0, 0, 0, b'a', b'b', b'c',
        ];
        assert_eq!(w.finish().expect("memory"), want);
    }

    #[test]
    fn bytes_by_hand_big_micros() {
        let flavour = Flavour {
            order: ByteOrder::Big,
            unit: TimeUnit::Micros,
        };
        let mut w = PcapWriter::with_flavour(Vec::new(), flavour, 101).expect("memory");
        w.cut_frame(TIME, b"a", 9).expect("memory");
        let want = [
            0xA1, 0xB2, 0xC3, 0xD4, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0,
            101, //
            1, 2, 3, 4, 0, 0, 0x13, 0x8E, 0, 0, 0, 1, 0, 0, 0, 9, b'a',
        ];
        assert_eq!(w.finish().expect("memory"), want);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_nothing_is_written() {
        let mut w = PcapWriter::new(Vec::new()).expect("memory");
        let late = UnixNanos((u32::MAX as u64 + 1) * 1_000_000_000);
        assert!(w.frame(late, b"a").is_err());
        assert!(w.frame(TIME, &vec![0; FRAME_MAX + 1]).is_err());
        assert_eq!(w.finish().expect("memory").len(), FILE_HEADER);
    }
}
