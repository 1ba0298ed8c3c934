//! The datagrams of a capture in file order, for everything that reads one from front to back.

use std::net::SocketAddr;

use super::cut::Cut;
use super::file::{CaptureFile, Records};
use crate::time::UnixNanos;
use crate::wire::frame::{Skip, udp_payload};

/// Bytes of a BinaryFILE that are handed out at once: small enough to be in the second cache when they are decoded.
pub const CHUNK_BYTES: usize = 64 << 10;

/// A UDP payload of a capture, or a run of records of a BinaryFILE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Number of its frame in the file, from 1; of a run, the number of its first record.
    pub number: u64,
    /// When it was captured; unknown in a BinaryFILE.
    pub time: UnixNanos,
    /// Group and port it was sent to; none in a BinaryFILE.
    pub dst: Option<SocketAddr>,
    /// Who sent it; none in a BinaryFILE.
    pub src: Option<SocketAddr>,
    /// The payload, whole.
    pub payload: &'a [u8],
}

/// Frames that gave no datagram, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    counts: [u64; Skip::ALL.len()],
}

impl Skipped {
    /// Counts one.
    #[inline]
    pub fn count(&mut self, reason: Skip) {
        self.counts[reason as usize] += 1;
    }

    /// Frames skipped for one reason.
    pub fn of(&self, reason: Skip) -> u64 {
        self.counts[reason as usize]
    }

    /// Frames skipped in all.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Every reason with its count, also those that never occurred.
    pub fn iter(&self) -> impl Iterator<Item = (Skip, u64)> + '_ {
        Skip::ALL
            .into_iter()
            .map(|reason| (reason, self.of(reason)))
    }
}

/// Iterates the datagrams of a file. After the end, [`Datagrams::skipped`] and [`Datagrams::cut`] tell what it left
/// out.
#[derive(Clone, Debug)]
pub struct Datagrams<'a> {
    records: Records<'a>,
    frames: u64,
    skipped: Skipped,
}

impl<'a> Datagrams<'a> {
    /// From the first frame on.
    pub fn new(file: &'a CaptureFile) -> Datagrams<'a> {
        Datagrams {
            records: file.records(),
            frames: 0,
            skipped: Skipped::default(),
        }
    }

    /// Frames read so far, skipped ones included; of a BinaryFILE, runs.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Frames that gave no datagram so far.
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// Why the iteration ended before the end of the file, where it did.
    pub fn cut(&self) -> Option<Cut> {
        self.records.cut()
    }
}

impl<'a> Iterator for Datagrams<'a> {
    type Item = Datagram<'a>;

    #[inline]
    fn next(&mut self) -> Option<Datagram<'a>> {
        match &mut self.records {
            Records::Pcap(reader) => loop {
                let frame = reader.next()?;
                self.frames += 1;
                match udp_payload(frame.bytes, frame.link) {
                    Ok(udp) => {
                        return Some(Datagram {
                            number: frame.number,
                            time: frame.time,
                            dst: Some(SocketAddr::new(udp.dst, udp.dst_port)),
                            src: Some(SocketAddr::new(udp.src, udp.src_port)),
                            payload: udp.payload,
                        });
                    }
                    Err(reason) => self.skipped.count(reason),
                }
            },
            Records::BinaryFile(reader) => {
                let chunk = reader.next_chunk(CHUNK_BYTES)?;
                self.frames += 1;
                Some(Datagram {
                    number: chunk.first_record,
                    time: UnixNanos::UNKNOWN,
                    dst: None,
                    src: None,
                    payload: chunk.bytes,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddrV4};

    use super::*;
    use crate::capture::{BinaryFileWriter, PcapWriter};
    use crate::wire::frame::UdpFlow;

    const SRC: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 40_000);
    const DST: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 0, 0, 1), 30_001);

    #[test]
    fn datagrams_in_order_with_what_was_skipped() {
        let mut file = PcapWriter::new(Vec::new()).expect("memory");
        let mut frame = Vec::new();
        let flow = UdpFlow::multicast(SRC, DST);
        flow.encode(b"one", 1, &mut frame).expect("fits");
        file.frame(UnixNanos(7), &frame).expect("memory");
        file.frame(UnixNanos(8), &[0; 60]).expect("memory");
        file.cut_frame(UnixNanos(9), &frame[..44], 45)
            .expect("memory");
        flow.encode(b"", 2, &mut frame).expect("fits");
        file.frame(UnixNanos(10), &frame).expect("memory");
        let mut bytes = file.finish().expect("memory");
        let end = bytes.len() as u64;
        bytes.push(0);
        let file = CaptureFile::from_memory("x", bytes).expect("readable");

        let mut datagrams = Datagrams::new(&file);
        let got: Vec<_> = datagrams.by_ref().collect();
        let datagram = |number, time, payload| Datagram {
            number,
            time: UnixNanos(time),
            dst: Some(DST.into()),
            src: Some(SRC.into()),
            payload,
        };
        assert_eq!(got, [datagram(1, 7, b"one"), datagram(4, 10, b"")]);
        assert_eq!(datagrams.frames(), 4);
        assert_eq!(datagrams.skipped().total(), 2);
        assert_eq!(datagrams.skipped().of(Skip::NotIp), 1);
        assert_eq!(datagrams.skipped().of(Skip::Truncated), 1);
        assert_eq!(datagrams.cut().map(|c| c.offset), Some(end));
    }

    #[test]
    fn runs_of_a_binaryfile() {
        let mut w = BinaryFileWriter::new(Vec::new());
        for _ in 0..10_000 {
            w.message(b"S0123456789O").expect("memory");
        }
        let file = CaptureFile::from_memory("x", w.finish().expect("memory")).expect("readable");
        let mut datagrams = Datagrams::new(&file);
        let numbers: Vec<_> = datagrams.by_ref().map(|d| d.number).collect();
        let per_run = (CHUNK_BYTES / 14) as u64;
        assert_eq!(numbers, [1, 1 + per_run, 1 + 2 * per_run]);
        assert_eq!(datagrams.cut(), None);
    }
}
