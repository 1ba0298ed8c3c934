//! The hot functions, each with what it needs, as one can be counted after another.

use crate::book::{Fast, decode};
use crate::itch::malformed::Spoilt;
use crate::itch::{self, mix, product};
use crate::lane::{FileLane, Nothing};
use crate::latency::{self, Recording};
use crate::native::{self, AllRecords, RECORDS};
use crate::prices::{array, layout};
use crate::rings::handoff::{Handoff, PACKET, Ring};
use crate::rings::{BATCH, broadcasting};
use crate::{capture, decoder, mdp3, sequence};
use feed_common::capture::CaptureFile;
use feed_common::event::Record;
use feed_common::prices::{Path, PriceDecoder, PriceLayout};
use feed_common::ring::broadcast;
use feed_handler::protocol::native::NativeDecoder;
use feed_handler::publish::Records;
use std::hint::black_box;

/// Messages of a session. Few, because everything takes fifty times as long where instructions are counted.
const MESSAGES: usize = 20_000;

/// Values of a price array.
const VALUES: usize = 512;

/// A function that is counted.
pub struct Function {
    /// Its name in the baseline.
    pub name: &'static str,
    /// What its instructions are divided by, in words.
    pub per: &'static str,
    /// How many of these it handles.
    pub things: u64,
    step: Box<dyn FnMut(Step)>,
}

#[derive(Clone, Copy)]
enum Step {
    Prepare,
    Work,
}

impl Function {
    /// A function of some state, which can be made ready for the next time.
    fn new<S: 'static>(
        name: &'static str,
        (things, per): (u64, &'static str),
        mut state: S,
        prepare: fn(&mut S),
        work: fn(&mut S),
    ) -> Function {
        let step = move |step| match step {
            Step::Prepare => prepare(&mut state),
            Step::Work => work(&mut state),
        };
        Function {
            name,
            per,
            things,
            step: Box::new(step),
        }
    }

    /// Does it twice: once so that everything is touched and learnt, and once to be counted.
    pub fn run(&mut self) {
        (self.step)(Step::Work);
        (self.step)(Step::Prepare);
        counted_by_callgrind(&mut *self.step);
    }
}

/// What is called in here is counted, found by this name.
#[inline(never)]
fn counted_by_callgrind(step: &mut dyn FnMut(Step)) {
    step(Step::Work);
    // Keeps the call from becoming a jump, after which this function would be over.
    black_box(());
}

/// All functions, one after another, since each has megabytes; without those that need vectors where there are none.
pub fn each(mut take: impl FnMut(Function)) {
    let bytes = mix(MESSAGES);
    take(Function::new(
        "itch: decode, every field",
        (MESSAGES as u64, "message"),
        (bytes, itch::told_of_mix()),
        |_| {},
        |(bytes, decoder)| _ = black_box(product(bytes, decoder)),
    ));
    let session = itch::session(MESSAGES, 20);
    take(Function::new(
        "itch: decode, book, best prices, looking ahead",
        (MESSAGES as u64, "message"),
        (session.clone(), decoder(), Fast::with_room(1 << 20)),
        |(_, _, fast)| fast.books.restart(),
        |(bytes, decoder, fast)| decode(true, bytes, decoder, fast),
    ));
    lanes(Spoilt::new(session), &mut take);
    for (name, columns) in [
        ("native: records, AVX2", false),
        ("native: columns, AVX2", true),
    ] {
        if Path::Avx2.or_portable() != Path::Avx2 {
            break;
        }
        let datagram = native::datagram(columns, &layout(4, false, 4));
        take(Function::new(
            name,
            (100 * RECORDS, "record"),
            (datagram, NativeDecoder::with_path(64, Path::Avx2)),
            |_| {},
            |(datagram, decoder)| {
                let mut all = AllRecords::default();
                for _ in 0..100 {
                    native::decode(decoder, black_box(datagram), &mut all);
                }
                black_box(all.0);
            },
        ));
    }
    let session = mdp3::Session::new(MESSAGES as u64);
    take(Function::new(
        "mdp3: decode, books, best prices",
        (session.messages, "message"),
        session,
        mdp3::Session::restart,
        mdp3::Session::play,
    ));
    prices(&mut take);
    rings(&mut take);
    let sent = sequence::sent(MESSAGES);
    take(Function::new(
        "sequencing: two healthy lines",
        (sent.len() as u64, "packet"),
        sent,
        |_| {},
        |sent| _ = black_box(sequence::both(sent)),
    ));
    let bytes = capture::small_frames(MESSAGES as u64).expect("frames");
    let file = CaptureFile::from_memory("memory", bytes).expect("a capture");
    take(Function::new(
        "pcap: to UDP payloads",
        (MESSAGES as u64, "packet"),
        file,
        |_| {},
        |file| _ = black_box(capture::datagrams(file)),
    ));
    for (name, work) in [
        ("latency: count a value", Recording::record as fn(&mut _)),
        ("latency: mark a stage", Recording::mark),
    ] {
        let per_value = (latency::VALUES, "value");
        take(Function::new(
            name,
            per_value,
            Recording::new(),
            |_| {},
            work,
        ));
    }
}

/// Whole lanes over a BinaryFILE, without bad messages and with.
fn lanes(spoilt: Spoilt, take: &mut impl FnMut(Function)) {
    let good = spoilt.messages;
    let all = good + spoilt.bad;
    for (name, file, things) in [
        ("lane: file to records", spoilt.good, good),
        ("lane: the same, 5 % of messages bad", spoilt.spoilt, all),
    ] {
        // A lane borrows its file, and lives as long as the function.
        let file: &'static CaptureFile = Box::leak(Box::new(file));
        let lane = move || FileLane::new(file, Records::new(Nothing, 1));
        take(Function::new(
            name,
            (things, "message"),
            (file, lane()),
            |(file, lane)| *lane = FileLane::new(file, Records::new(Nothing, 1)),
            |(_, lane)| _ = black_box(lane.run()),
        ));
    }
}

/// Price arrays of either path. Of the two, only what the machine can run.
fn prices(take: &mut impl FnMut(Function)) {
    for (names, stride) in [
        (
            ["prices: contiguous, portable", "prices: contiguous, AVX2"],
            8,
        ),
        (
            ["prices: stride 36, portable", "prices: stride 36, AVX2"],
            36,
        ),
    ] {
        for (name, path) in names.into_iter().zip([Path::Portable, Path::Avx2]) {
            if path.or_portable() != path {
                continue;
            }
            let layout: PriceLayout = layout(8, true, 4).with_stride(stride).expect("a stride");
            let state = (
                PriceDecoder::with_path(layout, path),
                array(&layout, VALUES),
                vec![0i64; VALUES],
            );
            take(Function::new(
                name,
                (100 * VALUES as u64, "value"),
                state,
                |_| {},
                |(decoder, bytes, prices)| {
                    for _ in 0..100 {
                        black_box(decoder.decode(black_box(bytes), prices));
                    }
                },
            ));
        }
    }
}

/// Both rings, both ends on one thread.
fn rings(take: &mut impl FnMut(Function)) {
    const RECORDS: u64 = 4_096;
    let writer = || broadcast::<Record>(2 * RECORDS as usize).expect("memory");
    take(Function::new(
        "broadcast ring: write",
        (RECORDS, "record"),
        writer(),
        |_| {},
        |writer| broadcasting::write(writer, RECORDS),
    ));
    let mut written = writer();
    let reader = written.subscribe();
    broadcasting::write(&mut written, RECORDS);
    take(Function::new(
        "broadcast ring: read",
        (RECORDS, "record"),
        (written, reader),
        |(written, _)| broadcasting::write(written, RECORDS),
        |(_, reader)| assert_eq!(broadcasting::read(reader), RECORDS),
    ));
    take(Function::new(
        "packet ring: hand over",
        (RECORDS, "packet"),
        Ring::<2048>::ends(),
        |_| {},
        |(into, from)| {
            for batch in 0..RECORDS / BATCH as u64 {
                Ring::<2048>::send(into, batch, BATCH, black_box(&[7; PACKET]));
                let look = |meta: &_, bytes: &[u8]| _ = black_box((meta, bytes));
                assert_eq!(Ring::<2048>::take(from, look), BATCH);
            }
        },
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_function_runs_twice_under_a_name_of_its_own() {
        let mut names = HashSet::new();
        each(|mut function| {
            function.run();
            assert!(function.things > 0);
            assert!(names.insert(function.name), "{} twice", function.name);
        });
        assert!(names.len() >= 15, "{names:?}");
    }
}
