//! pcapng files, and ours made of what they hold.

use super::capture::frames;
use feed_common::capture::{
    CaptureFile, Format, Frame, InterfaceDescription, InterfaceStatistics, PacketNote,
    PcapngWriter, Record, SectionDescription,
};
use std::collections::BTreeMap;

/// A file, its frames, and the same frames in a file that our writer makes.
pub fn pcapng(data: &[u8]) {
    let Ok(file) = CaptureFile::from_memory("fuzz", data.to_vec()) else {
        return;
    };
    if file.format() == Format::Pcapng && file.compression().is_none() {
        let ours = CaptureFile::from_memory("ours", rewrite(&file)).expect("we made it");
        same(&file, &ours);
        parts(&file);
    }
    frames(data);
}

/// The frames in a file of ours, with an interface for each link type, each with its statistics.
fn rewrite(file: &CaptureFile) -> Vec<u8> {
    let section = SectionDescription {
        application: "fuzz",
        ..SectionDescription::default()
    };
    let mut out = PcapngWriter::new(Vec::new(), &section).expect("memory");
    let mut interfaces = BTreeMap::new();
    let mut records = file.records();
    while let Some(record) = records.next(0) {
        let Record::Frame(frame) = record else {
            continue;
        };
        let link_type = frame.link.number();
        let interface = *interfaces.entry(link_type).or_insert_with(|| {
            let description = InterfaceDescription {
                link_type,
                name: "if",
                description: "",
            };
            out.interface(&description).expect("memory")
        });
        let note = PacketNote {
            interface,
            time: frame.time,
            orig_len: frame.orig_len as usize,
            lost_before: frame.number % 3,
            comment: if frame.number % 5 == 0 { "fifth" } else { "" },
        };
        out.packet(&note, frame.bytes).expect("it was in a file");
    }
    for &interface in interfaces.values() {
        let counts = InterfaceStatistics::default();
        out.statistics(interface, &counts).expect("described");
    }
    out.finish().expect("memory")
}

/// Frames are the same but for their numbers: those that cannot be read are not in ours.
fn same(file: &CaptureFile, ours: &CaptureFile) {
    let (mut theirs, mut ours) = (file.records(), ours.records());
    let mut number = 0;
    loop {
        let frame = match theirs.next(0) {
            Some(Record::Frame(frame)) => frame,
            Some(_) => continue,
            None => break,
        };
        number += 1;
        let same = Record::Frame(Frame { number, ..frame });
        assert_eq!(ours.next(0), Some(same));
    }
    assert_eq!(ours.next(0), None);
    assert_eq!((ours.cut(), ours.faults().total()), (None, 0));
    assert_eq!(ours.sections(), 1);
}

/// What a file says of its parts adds up.
fn parts(file: &CaptureFile) {
    let (mut records, mut frames) = (file.records(), 0);
    while let Some(record) = records.next(0) {
        frames += u64::from(matches!(record, Record::Frame(_)));
    }
    let links = records.links();
    assert!(links.iter().map(|link| link.frames).sum::<u64>() >= frames);
    assert!(links.len() as u64 <= records.interfaces());
    let faults = records.faults();
    assert_eq!(faults.first().is_some(), faults.total() > 0);
}
