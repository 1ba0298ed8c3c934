//! Sending takes no memory once it is warm.

use feed_common::capture::{CaptureFile, PcapWriter};
use feed_common::time::UnixNanos;
use feed_common::wire::frame::UdpFlow;
use feed_replay::info::Survey;
use feed_replay::schedule::Speed;
use feed_replay::send::{
    Interface, Outgoing, Route, SenderOptions, SocketChoice, SocketKind, captured, open, replay,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{SocketAddrV4, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::AtomicBool;

const PACKETS: usize = 3_000;
/// Packets until everything has been used once.
const WARM: usize = 500;

/// Calls of the allocator after the first packets of a capture.
fn calls_while_sending(file: &CaptureFile, choice: SocketChoice, speed: Speed) -> u64 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let target: SocketAddrV4 = socket.local_addr().unwrap().to_string().parse().unwrap();
    let survey = Survey::of(file);
    let streams = survey.streams.keys().copied().collect();
    let route = Route::new(&streams, Some(target), &[]).unwrap();
    let lo = Interface::named("lo").unwrap();
    let opened = open(route.targets(), &lo, SenderOptions::default(), choice).unwrap();
    let mut calls = 0;
    let watched = captured(file, &survey, &route, 1)
        .enumerate()
        .map(|(i, packet)| {
            match i {
                WARM => counter::arm(),
                i if i == PACKETS - 1 => calls = counter::disarm(),
                _ => {}
            }
            Outgoing { ..packet }
        });
    let report = replay(watched, &opened.senders, speed, &AtomicBool::new(false)).unwrap();
    assert_eq!(report.packets, PACKETS as u64);
    calls
}

#[test]
fn sending_takes_no_memory() {
    let path = std::env::temp_dir().join(format!("feed-replay-hot-{}.pcap", std::process::id()));
    let _gone = Gone(path.clone());
    let flow = UdpFlow::multicast(
        "10.0.0.1:7000".parse().unwrap(),
        "239.1.1.1:7000".parse().unwrap(),
    );
    let (mut out, mut frame) = (PcapWriter::new(Vec::new()).unwrap(), Vec::new());
    for i in 0..PACKETS as u64 {
        let payload = vec![i as u8; 1 + (i % 700) as usize];
        flow.encode(&payload, i as u16, &mut frame).unwrap();
        // In groups of ten at one time, so that packets also share calls.
        out.frame(UnixNanos(1 + i / 10 * 300_000), &frame).unwrap();
    }
    std::fs::write(&path, out.finish().unwrap()).unwrap();
    let udp = |offload| SocketChoice {
        kind: Some(SocketKind::Udp),
        offload,
        bypass: false,
    };
    let file = CaptureFile::open(&path).unwrap();
    for (choice, speed) in [
        (udp(false), Speed::Max),
        (udp(true), Speed::Max),
        (udp(false), Speed::ORIGINAL),
    ] {
        assert_eq!(
            calls_while_sending(&file, choice, speed),
            0,
            "{choice:?} {speed:?}"
        );
    }

    // Payloads that cannot be borrowed are copied to buffers that are used again. Unpacking itself takes memory by the
    // chunk.
    let packed = path.with_extension("gz");
    let _gone = Gone(packed.clone());
    let gzip = Command::new("gzip").arg("-k").arg(&path).status();
    if gzip.is_ok_and(|status| status.success()) {
        std::fs::rename(path.with_extension("pcap.gz"), &packed).unwrap();
        let file = CaptureFile::open(&packed).unwrap();
        let calls = calls_while_sending(&file, udp(false), Speed::Max);
        assert!(calls < PACKETS as u64 / 50, "{calls}");
    }
}

/// A file that goes away with the test.
struct Gone(PathBuf);

impl Drop for Gone {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[global_allocator]
static ALLOCATOR: counter::Counting = counter::Counting;

mod counter {
    use super::{Cell, GlobalAlloc, Layout, System};

    thread_local! {
        /// Calls since the thread was armed; `None` while it is not.
        static CALLS: Cell<Option<u64>> = const { Cell::new(None) };
    }

    /// Counts this thread's calls from here on.
    pub fn arm() {
        CALLS.set(Some(0));
    }

    /// Ends counting. Panics when the thread was never armed: then nothing has been shown.
    pub fn disarm() -> u64 {
        CALLS.take().expect("the thread was watched")
    }

    fn count() {
        // Without destructor or lazy initialisation: reading it neither allocates nor can come too late.
        if let Some(calls) = CALLS.get() {
            CALLS.set(Some(calls + 1));
        }
    }

    /// The system's allocator, with a count of the calls of armed threads.
    pub struct Counting;

    // SAFETY: every call is passed on unchanged to `System`, which keeps the contract; counting touches a constant-
    // initialised thread local of a type without destructor, and so neither allocates nor unwinds. What is not
    // overridden is made of these.
    #[allow(unsafe_code)]
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            count();
            // SAFETY: the caller's promise is `System`'s requirement.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
            count();
            // SAFETY: as above; `at` came from `System`, as every block does.
            unsafe { System.dealloc(at, layout) }
        }
    }
}
