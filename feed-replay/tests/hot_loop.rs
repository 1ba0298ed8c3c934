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

/// Set for the half of a test that runs in a network of its own.
const INSIDE: &str = "FEED_REPLAY_TEST_INSIDE";

/// Calls of the allocator after the first packets of a capture, which are sent to `target` through `interface`.
fn calls_while_sending(
    file: &CaptureFile,
    (interface, target): (&str, SocketAddrV4),
    choice: SocketChoice,
    speed: Speed,
) -> u64 {
    let survey = Survey::of(file);
    let streams = survey.streams.keys().copied().collect();
    let route = Route::new(&streams, Some(target), &[]).unwrap();
    let interface = Interface::named(interface).unwrap();
    let opened = open(
        route.targets(),
        &interface,
        SenderOptions::default(),
        choice,
    )
    .unwrap();
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

/// Packets of many sizes, in groups of ten at one time.
fn capture(name: &str) -> Gone {
    let path = std::env::temp_dir().join(format!("feed-hot-{name}-{}.pcap", std::process::id()));
    let flow = UdpFlow::multicast(
        "10.0.0.1:7000".parse().unwrap(),
        "239.1.1.1:7000".parse().unwrap(),
    );
    let (mut out, mut frame) = (PcapWriter::new(Vec::new()).unwrap(), Vec::new());
    for i in 0..PACKETS as u64 {
        let payload = vec![i as u8; 1 + (i % 700) as usize];
        flow.encode(&payload, i as u16, &mut frame).unwrap();
        out.frame(UnixNanos(1 + i / 10 * 300_000), &frame).unwrap();
    }
    std::fs::write(&path, out.finish().unwrap()).unwrap();
    Gone(path)
}

fn of_kind(kind: SocketKind, offload: bool) -> SocketChoice {
    SocketChoice {
        kind: Some(kind),
        offload,
        bypass: false,
    }
}

#[test]
fn sending_datagrams_takes_no_memory() {
    let mapped = capture("udp");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = socket.local_addr().unwrap().to_string().parse().unwrap();
    let to = ("lo", target);
    let file = CaptureFile::open(&mapped.0).unwrap();
    for (offload, speed) in [
        (false, Speed::Max),
        (true, Speed::Max),
        (false, Speed::ORIGINAL),
    ] {
        let choice = of_kind(SocketKind::Udp, offload);
        let calls = calls_while_sending(&file, to, choice, speed);
        assert_eq!(calls, 0, "{choice:?} {speed:?}");
    }

    // Payloads that cannot be borrowed are copied to buffers that are used again. Unpacking itself takes memory by the
    // chunk.
    let gzip = Command::new("gzip").arg("-k").arg(&mapped.0).status();
    if gzip.is_ok_and(|status| status.success()) {
        let packed = Gone(mapped.0.with_extension("pcap.gz"));
        let file = CaptureFile::open(&packed.0).unwrap();
        let choice = of_kind(SocketKind::Udp, false);
        let calls = calls_while_sending(&file, to, choice, Speed::Max);
        assert!(calls < PACKETS as u64 / 50, "{calls}");
    }
}

/// Runs itself again in a network namespace with a pair of veth devices.
#[test]
fn sending_frames_takes_no_memory() {
    if std::env::var_os(INSIDE).is_some() {
        let mapped = capture("raw");
        let file = CaptureFile::open(&mapped.0).unwrap();
        let to = ("s0", "239.1.1.1:7000".parse().unwrap());
        for speed in [Speed::Max, Speed::ORIGINAL] {
            let choice = of_kind(SocketKind::Raw, false);
            assert_eq!(
                calls_while_sending(&file, to, choice, speed),
                0,
                "{speed:?}"
            );
        }
        return;
    }
    let cable = "ip link add s0 type veth peer name r0 && ip address add 10.9.0.1/24 dev s0 \
        && ip link set s0 up && ip link set r0 up";
    let may = Command::new("unshare")
        .args(["-rn", "sh", "-c", cable])
        .output();
    if !may.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "not run: this system does not let its users make network namespaces and veth devices"
        );
        return;
    }
    let script = format!("{cable} && exec \"$0\" --exact sending_frames_takes_no_memory");
    let output = Command::new("unshare")
        .args(["-rn", "sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
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
