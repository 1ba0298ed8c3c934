//! What the tests of all formats share: a file read whole and through windows of many sizes, and pcapng by hand.

use super::pcap::ByteOrder;
use super::{CaptureFile, Cut, Faults, Frame, OpenError, Record, Records};
use crate::time::UnixNanos;
use crate::wire::frame::{LinkType, Skip};

/// All that was read of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    pub frames: Vec<Owned>,
    pub unusable: Vec<Skip>,
    /// Records of a BinaryFILE, put together again.
    pub messages: u64,
    pub runs: Vec<u8>,
    pub cut: Option<Cut>,
    pub faults: Faults,
}

/// A frame that outlives its window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    pub number: u64,
    pub time: UnixNanos,
    pub orig_len: u32,
    pub link: LinkType,
    pub bytes: Vec<u8>,
}

impl From<Frame<'_>> for Owned {
    fn from(frame: Frame<'_>) -> Owned {
        Owned {
            number: frame.number,
            time: frame.time,
            orig_len: frame.orig_len,
            link: frame.link,
            bytes: frame.bytes.to_vec(),
        }
    }
}

pub fn open(bytes: &[u8]) -> Result<CaptureFile, OpenError> {
    CaptureFile::from_memory("test", bytes.to_vec())
}

/// Reads a file whole and in blocks of several sizes, which must not make a difference.
pub fn read(bytes: &[u8]) -> Contents {
    read_file(&open(bytes).expect("readable"))
}

pub fn read_file(file: &CaptureFile) -> Contents {
    let whole = drain(file.records());
    for block in [1, 5, 64, 1000] {
        let streamed = drain(file.records_in_blocks(block));
        assert_eq!(streamed, whole, "in blocks of {block}");
    }
    whole
}

/// Takes what a reader gives; it must come to an end, and stay there.
pub fn drain(mut records: Records<'_>) -> Contents {
    let mut all = Contents::default();
    for _ in 0..1_000_000 {
        match records.next(100) {
            Some(Record::Frame(frame)) => all.frames.push(frame.into()),
            Some(Record::Unusable(reason)) => all.unusable.push(reason),
            Some(Record::Run(run)) => {
                assert_eq!(run.first_record, all.messages + 1);
                all.messages += u64::from(run.records);
                all.runs.extend(run.bytes);
            }
            None => {
                assert_eq!(records.next(100), None);
                all.cut = records.cut();
                all.faults = records.faults();
                return all;
            }
        }
    }
    panic!("no end");
}

/// Writes pcapng blocks as they are given, right or wrong.
pub struct Blocks {
    pub order: ByteOrder,
    pub bytes: Vec<u8>,
}

impl Blocks {
    /// A section to begin with.
    pub fn new(order: ByteOrder) -> Blocks {
        let mut blocks = Blocks {
            order,
            bytes: Vec::new(),
        };
        blocks.section(1, -1);
        blocks
    }

    pub fn section(&mut self, major: u16, length: i64) {
        let mut body = self.u32(0x1A2B_3C4D);
        body.extend(self.order.write_u16(major));
        body.extend(self.order.write_u16(0));
        body.extend(self.i64(length));
        self.block(0x0A0D_0D0A, &body);
    }

    /// Options with the mark at their end.
    pub fn interface(&mut self, link: u16, snap_length: u32, options: &[(u16, &[u8])]) {
        let mut body = self.order.write_u16(link).to_vec();
        body.extend([0; 2]);
        body.extend(self.u32(snap_length));
        for (code, value) in options {
            body.extend(self.order.write_u16(*code));
            body.extend(self.order.write_u16(value.len() as u16));
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        body.extend([0; 4]);
        self.block(1, &body);
    }

    pub fn enhanced(&mut self, interface: u32, counter: u64, data: &[u8], orig_len: u32) {
        let mut body = self.u32(interface);
        body.extend(self.packet(counter, data, orig_len));
        self.block(6, &body);
    }

    pub fn obsolete(&mut self, interface: u16, counter: u64, data: &[u8], orig_len: u32) {
        let mut body = self.order.write_u16(interface).to_vec();
        body.extend([0xFF; 2]);
        body.extend(self.packet(counter, data, orig_len));
        self.block(2, &body);
    }

    pub fn simple(&mut self, data: &[u8], orig_len: u32) {
        let mut body = self.u32(orig_len);
        body.extend(data);
        self.block(3, &body);
    }

    /// Any block, its body padded.
    pub fn block(&mut self, kind: u32, body: &[u8]) {
        let padded = body.len().next_multiple_of(4);
        let total = self.u32(padded as u32 + 12);
        let kind = self.u32(kind);
        self.bytes.extend(kind);
        self.bytes.extend(&total);
        self.bytes.extend(body);
        self.bytes.resize(self.bytes.len() + padded - body.len(), 0);
        self.bytes.extend(&total);
    }

    pub fn u32(&self, value: u32) -> Vec<u8> {
        self.order.write_u32(value).to_vec()
    }

    pub fn i64(&self, value: i64) -> Vec<u8> {
        match self.order {
            ByteOrder::Little => value.to_le_bytes(),
            ByteOrder::Big => value.to_be_bytes(),
        }
        .to_vec()
    }

    fn packet(&self, counter: u64, data: &[u8], orig_len: u32) -> Vec<u8> {
        let words = [
            (counter >> 32) as u32,
            counter as u32,
            data.len() as u32,
            orig_len,
        ];
        let mut bytes: Vec<u8> = words.into_iter().flat_map(|w| self.u32(w)).collect();
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }
}
