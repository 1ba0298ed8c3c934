//! Tests of whole recordings, with files that are slow, full, or never taken from.

#[path = "../../tests/harness/scratch.rs"]
mod scratch;

use super::*;
use crate::config::{ChannelPlan, LinePlan, ProtocolName};
use crate::net::LineAddress;
use crate::net::LineCounters;
use crate::record::walk::{Walk, walk};
use feed_common::capture::{CaptureFile, Datagrams};
use feed_common::packet::{Packet, PacketBatch, RxMeta};
use feed_common::time::{FitLine, Ticks, UnixNanos, shared_line};
use scratch::Scratch;
use std::io::Read;

/// Packets of two lines in turn.
struct Batch(Vec<(RxMeta, Vec<u8>)>);

impl Batch {
    fn new(first: u64, len: usize) -> Batch {
        let packet = |i| {
            let number = first + i as u64;
            let meta = RxMeta {
                line: (number % 2) as u16,
                kernel: UnixNanos(1_000_000_000 + number),
                ..RxMeta::default()
            };
            (meta, [&number.to_le_bytes()[..], &[7; 1000]].concat())
        };
        Batch((0..len).map(packet).collect())
    }
}

impl PacketBatch for Batch {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, i: usize) -> Packet<'_> {
        let (meta, bytes) = &self.0[i];
        Packet { meta, bytes }
    }
}

fn lane() -> LanePlan {
    let line = |(name, port): (&str, u16)| LinePlan {
        name: name.into(),
        address: LineAddress {
            group: std::net::SocketAddrV4::new([239, 1, 1, 1].into(), port),
            interface: None,
            source: None,
        },
        retransmission: false,
    };
    let lines = [("A", 1), ("B", 2)].map(line).to_vec();
    let channel = ChannelPlan::new("c", lines);
    LanePlan::new("lane", ProtocolName::Itch50, vec![channel])
}

fn start(file: &Path, queue_packets: usize) -> Result<(Recorder, Queue), RecordError> {
    let plan = RecordPlan {
        file: file.to_owned(),
        queue_packets,
    };
    let (mut line, clock) = shared_line();
    line.publish(FitLine::new(Ticks(0), UnixNanos(1), 1.0));
    let machine = SectionDescription::default();
    let (recorder, mut queues) = Recorder::start(&plan, &[lane()], &machine, clock)?;
    Ok((recorder, queues.remove(0)))
}

/// Lets the file begin, with sockets that have lost nothing.
fn begin(recorder: &Recorder) {
    let sockets = (0..2).map(|_| LineCounters::default()).collect();
    recorder.begin(vec![sockets]);
}

/// Offers packets in batches of 8, at most as fast as a thread that never sleeps longer than it must.
fn offer(queue: &mut Queue, packets: u64, pause: Duration) {
    for first in (0..packets).step_by(8) {
        queue.offer(&Batch::new(first, 8.min(packets - first) as usize));
        std::thread::sleep(pause);
    }
}

fn read(file: &Path) -> Walk {
    walk(&std::fs::read(file).unwrap())
}

fn number_of(frame: &[u8]) -> u64 {
    u64::from_le_bytes(frame[42..50].try_into().unwrap())
}

#[test]
fn what_was_offered_is_in_the_file() {
    let scratch = Scratch::new();
    for name in ["a.pcap", "a.pcapng"] {
        let file = scratch.0.join(name);
        std::fs::write(&file, vec![1; 10_000_000]).unwrap();
        let (recorder, mut queue) = start(&file, 4096).unwrap();
        begin(&recorder);
        offer(&mut queue, 2000, Duration::ZERO);
        drop(queue);
        let end = recorder.finish();
        assert!(end.error.is_none(), "{end:?}");
        assert_eq!((end.packets, end.lost), (2000, 0));
        assert_eq!(end.bytes, std::fs::metadata(&file).unwrap().len());
    }
    let file = CaptureFile::open(scratch.0.join("a.pcap")).unwrap();
    let (mut datagrams, mut numbers) = (Datagrams::new(&file), Vec::new());
    while let Some(d) = datagrams.next() {
        let number = u64::from_le_bytes(*d.payload.first_chunk().unwrap());
        assert_eq!(d.time, UnixNanos(1_000_000_000 + number));
        assert_eq!(u64::from(d.dst.unwrap().port()), 1 + number % 2);
        numbers.push(number);
    }
    assert_eq!(numbers, (0..2000).collect::<Vec<_>>());
    let walk = read(&scratch.0.join("a.pcapng"));
    let numbers: Vec<u64> = walk.packets.iter().map(|p| number_of(&p.bytes)).collect();
    assert_eq!(numbers, (0..2000).collect::<Vec<_>>());
    assert_eq!(walk.counts, [[1000, 0, 0, 1000]; 2]);
}

#[test]
fn what_the_queue_lost_is_counted_and_noted_where_it_is_missing() {
    let scratch = Scratch::new();
    let file = scratch.0.join("a.pcapng");
    let (recorder, mut queue) = start(&file, 4).unwrap();
    // Nothing is taken out before the run has begun: 4 find room, 3 of each line do not.
    queue.offer(&Batch::new(0, 10));
    begin(&recorder);
    let mut next = 10;
    // Offered one by one until the queue has taken two more.
    while recorder.queues[0].taken() < 6 {
        assert!(next < 5000, "nothing is taken out of the queue");
        queue.offer(&Batch::new(next, 1));
        next += 1;
        std::thread::sleep(Duration::from_millis(1));
    }
    queue.offer(&Batch::new(next, 6));
    next += 6;
    drop(queue);
    let end = recorder.finish();
    assert!(end.error.is_none(), "{end:?}");
    assert_eq!(end.packets + end.lost, next);
    assert!(end.lost >= 6);
    let walk = read(&file);
    assert_eq!(walk.packets.len() as u64, end.packets);
    let (mut last, mut behind) = ([None; 2], [0; 2]);
    for packet in &walk.packets {
        let (line, number) = (packet.interface as usize, number_of(&packet.bytes));
        let missing = last[line].map_or(number / 2, |last: u64| (number - last) / 2 - 1);
        assert_eq!(packet.lost_before, missing, "before {number}");
        last[line] = Some(number);
        behind[line] += packet.lost_before;
    }
    for (line, &[received, dropped, system, delivered]) in walk.counts.iter().enumerate() {
        assert_eq!((received, system), (delivered + dropped, 0));
        assert!(dropped >= behind[line]);
    }
    assert_eq!(walk.counts.iter().map(|c| c[1]).sum::<u64>(), end.lost);
}

#[test]
fn a_full_disk_costs_the_recording_and_holds_nothing_up() {
    let (recorder, mut queue) = start(Path::new("/dev/full"), 64).unwrap();
    begin(&recorder);
    offer(&mut queue, 1000, Duration::from_micros(10));
    drop(queue);
    let end = recorder.finish();
    assert_eq!(end.error.unwrap().kind(), io::ErrorKind::StorageFull);
    assert_eq!((end.packets, end.bytes, end.lost), (0, 0, 1000));
}

#[test]
fn a_reader_that_is_slow_gets_what_it_has_room_for() {
    let scratch = Scratch::new();
    let pipe = scratch.pipe();
    let from = pipe.clone();
    let slow = std::thread::spawn(move || {
        let (mut pipe, mut all) = (File::open(from).unwrap(), Vec::new());
        let mut some = [0; 40_000];
        loop {
            match pipe.read(&mut some).unwrap() {
                0 => return all,
                n => all.extend_from_slice(&some[..n]),
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    let (recorder, mut queue) = start(&pipe, 64).unwrap();
    begin(&recorder);
    let began = Instant::now();
    offer(&mut queue, 4000, Duration::from_micros(1));
    let took = began.elapsed();
    drop(queue);
    let end = recorder.finish();
    assert!(end.error.is_none(), "{end:?}");
    assert!(end.lost > 0, "4 MB in {took:?} through 64 KB each 2 ms");
    assert_eq!(end.packets + end.lost, 4000);
    let walk = walk(&slow.join().unwrap());
    assert_eq!(walk.packets.len() as u64, end.packets);
    assert_eq!(walk.counts.iter().map(|c| c[1]).sum::<u64>(), end.lost);
}

#[test]
fn a_reader_that_never_reads_is_given_up() {
    let scratch = Scratch::new();
    let pipe = scratch.pipe();
    let from = pipe.clone();
    let reader = std::thread::spawn(move || File::open(from).unwrap());
    let (recorder, mut queue) = start(&pipe, 64).unwrap();
    let reader = reader.join().unwrap();
    begin(&recorder);
    let began = Instant::now();
    offer(&mut queue, 4000, Duration::ZERO);
    assert!(began.elapsed() < STALLED, "the queue was waited for");
    drop(queue);
    let end = recorder.finish();
    assert_eq!(end.error.unwrap().kind(), io::ErrorKind::TimedOut);
    assert_eq!(end.packets + end.lost, 4000);
    drop(reader);
}

#[test]
fn a_pipe_that_nobody_opens_is_told_before_the_run() {
    let scratch = Scratch::new();
    let pipe = scratch.pipe();
    let error = start(&pipe, 64).unwrap_err().to_string();
    assert!(error.contains("a pipe that nobody reads"), "{error}");
    // Lets the thread go that still waits for it.
    drop(File::open(pipe).unwrap());
}

#[test]
fn a_run_that_is_called_off_leaves_the_file_as_it_was() {
    let scratch = Scratch::new();
    let file = scratch.0.join("a.pcapng");
    std::fs::write(&file, "an earlier recording").unwrap();
    let (recorder, mut queue) = start(&file, 64).unwrap();
    queue.offer(&Batch::new(0, 1));
    drop(queue);
    recorder.finish();
    assert_eq!(std::fs::read(&file).unwrap(), b"an earlier recording");
}

#[test]
fn what_cannot_be_recorded_to_is_named() {
    let error = |file: &str| start(Path::new(file), 64).unwrap_err().to_string();
    assert!(error("/nowhere/a.pcapng").starts_with("cannot record to /nowhere/a.pcapng: "));
    assert!(error("day.pcapng.zst").contains("not compressed"));
}

#[test]
fn queues_are_bounded_in_memory() {
    let with = |queue_packets, slot_bytes| {
        let plan = RecordPlan {
            queue_packets,
            ..RecordPlan::new("a".into())
        };
        let lane = LanePlan {
            slot_bytes,
            ..lane()
        };
        slots(&plan, &lane)
    };
    let shape = with(defaults::RECORD_QUEUE, defaults::SLOT_BYTES);
    assert_eq!((shape.slots, shape.stride), (16_384, 2112));
    let largest = with(usize::MAX, defaults::SLOT_BYTES_MAX);
    assert!(largest.slots * largest.stride <= defaults::RECORD_QUEUE_BYTES);
    for (asked, got) in [(0, 1), (1, 1), (5, 8), (64, 64)] {
        let shape = with(asked, 128);
        assert_eq!(shape.slots, got);
        shape.check().unwrap();
    }
}
