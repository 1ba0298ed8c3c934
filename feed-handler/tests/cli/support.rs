//! The program run with arguments, and the files it is given.

use feed_common::capture::PcapWriter;
use feed_common::time::UnixNanos;
use feed_common::wire::frame::UdpFlow;
use feed_replay::synth::{Protocol, Recording, Spec};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddrV4, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_feed-handler");

/// How long a run may take before it is ended and the test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Group and port of the captures made here.
pub const GROUP: &str = "239.192.50.1:26477";

/// A directory that goes away with the test.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "feed-handler-cli-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file and returns its path.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How a run of the program ended.
#[derive(Debug)]
pub struct Ended {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// The facts it printed.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e} in {self:?}"))
    }

    /// Holds the status and a part of what it said on standard error.
    #[track_caller]
    pub fn is(&self, status: i32, said: &str) -> &Ended {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.err.contains(said), "no `{said}` in {self:?}");
        self
    }

    /// Done, with nothing to say.
    #[track_caller]
    pub fn is_quiet(&self) -> &Ended {
        assert_eq!((self.status, self.err.as_str()), (0, ""), "{self:?}");
        self
    }
}

/// Runs the program.
#[track_caller]
pub fn feed_handler(arguments: &[&str]) -> Ended {
    run(Command::new(PROGRAM).args(arguments), b"")
}

/// Runs it over a capture, for its facts.
#[track_caller]
pub fn run_over(config: &str, capture: &str) -> Ended {
    feed_handler(&["run", "-c", config, "--input", capture, "--format", "json"])
}

/// A live run that soon ends, for its facts.
#[track_caller]
pub fn run_briefly(config: &str) -> Ended {
    let soon = ["--duration", "100ms", "--format", "json"];
    feed_handler(&[&["run", "-c", config], &soon[..]].concat())
}

/// Until there is a file, or whatever else, of this name.
#[track_caller]
pub fn wait_for(path: &str) {
    let since = Instant::now();
    while !std::fs::exists(path).unwrap() {
        assert!(since.elapsed() < PATIENCE, "no {path}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Runs a command with `input` on its standard input.
#[track_caller]
pub fn run(command: &mut Command, input: &[u8]) -> Ended {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let out = collect(child.stdout.take().unwrap());
    let err = collect(child.stderr.take().unwrap());
    // A program that does not read it closes it; that is its right.
    let _ = stdin.write_all(input);
    drop(stdin);
    let ended = Ended {
        status: wait(&mut child),
        out: out.join().unwrap(),
        err: err.join().unwrap(),
    };
    assert!(!ended.err.contains("panicked"), "{ended:?}");
    assert!(
        ended.status == 0 || !ended.err.trim().is_empty(),
        "{ended:?}"
    );
    ended
}

fn collect(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    })
}

/// The exit status; -1 for a death by signal.
#[track_caller]
pub fn wait(child: &mut Child) -> i32 {
    let since = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap_or(-1);
        }
        if since.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("still running after {PATIENCE:?}");
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// A capture of packets, each in a frame of its own, a microsecond apart.
pub fn pcap<'a>(packets: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut out = PcapWriter::new(Vec::new()).unwrap();
    for (i, (group, payload)) in packets.into_iter().enumerate() {
        out.frame(time(i), &frame(group, payload)).unwrap();
    }
    out.finish().unwrap()
}

/// When frame `i` was captured.
pub fn time(i: usize) -> UnixNanos {
    UnixNanos(1_795_000_000_000_000_000 + i as u64 * 1_000)
}

/// The frame of a packet to a group.
pub fn frame(group: &str, payload: &[u8]) -> Vec<u8> {
    let sender: SocketAddrV4 = "192.0.2.10:26400".parse().unwrap();
    let mut frame = Vec::new();
    let flow = UdpFlow::multicast(sender, group.parse().unwrap());
    flow.encode(payload, 1, &mut frame).unwrap();
    frame
}

/// A made session of ITCH 5.0 as a capture.
pub fn session(messages: u64) -> Vec<u8> {
    let (session, _) = Recording::of(&Spec::new(Protocol::Itch50, messages, 7)).unwrap();
    pcap(session.packets().map(|p| (GROUP, p.payload)))
}

/// A configuration of one lane and one channel with one line.
pub fn configuration(protocol: &str, group: &str, lane: &str) -> String {
    format!(
        "[[lane]]\nname = \"l\"\n{lane}\n[[channel]]\nname = \"c\"\nprotocol = \"{protocol}\"\nlane = \"l\"\n\
         lines = [{{ name = \"A\", group = \"{group}\", interface = \"lo\" }}]\n"
    )
}

/// A live run of one line, which is a port of this machine that was free a moment ago.
pub struct Live {
    child: Child,
    pub config: String,
    address: String,
    /// The file of its standard error.
    said: String,
}

impl Live {
    /// Starts it with `tables` behind its configuration, and lets it run for `duration`. Its folder is `out`.
    pub fn start(scratch: &Scratch, protocol: &str, tables: &str, duration: &str) -> Live {
        let (config, address) = Live::configuration(scratch, protocol, tables);
        let child = Command::new(PROGRAM)
            .args(["run", "-c", &config, "--duration", duration])
            .args(["--out", &scratch.path("out"), "--format", "json"])
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(scratch.path("live.err")).unwrap())
            .spawn()
            .unwrap();
        Live {
            child,
            config,
            address,
            said: scratch.path("live.err"),
        }
    }

    /// What such a run is configured by, and the address of its line.
    pub fn configuration(scratch: &Scratch, protocol: &str, tables: &str) -> (String, String) {
        let free = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        let text = configuration(protocol, &address, "").replace(", interface = \"lo\"", "");
        (scratch.file("live.toml", text + tables), address)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Until somebody has a socket of its line's address, by the system's list of ports.
    #[track_caller]
    pub fn wait_until_it_listens(&mut self) {
        let port: u16 = self.address.rsplit(':').next().unwrap().parse().unwrap();
        let listed = format!(":{port:04X} ");
        let since = Instant::now();
        while !std::fs::read_to_string("/proc/net/udp")
            .unwrap()
            .contains(&listed)
        {
            let ended = self.child.try_wait().unwrap();
            let waits = ended.is_none() && since.elapsed() < PATIENCE;
            assert!(waits, "{}", std::fs::read_to_string(&self.said).unwrap());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends it packets, a few at a time, so that no buffer of the kernel's runs over.
    pub fn send<'a>(&self, packets: impl IntoIterator<Item = &'a [u8]>) {
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for (i, packet) in packets.into_iter().enumerate() {
            sender.send_to(packet, &self.address).unwrap();
            if i % 32 == 31 {
                thread::sleep(Duration::from_millis(2));
            }
        }
    }

    /// Waits for its end, which has to be a good one; what it said of itself.
    #[track_caller]
    pub fn summary(mut self) -> Value {
        let mut out = String::new();
        let mut stdout = self.child.stdout.take().unwrap();
        stdout.read_to_string(&mut out).unwrap();
        assert_eq!(wait(&mut self.child), 0);
        serde_json::from_str(&out).unwrap()
    }

    /// Ends it as a service manager would; what it said of itself.
    #[track_caller]
    pub fn end(self) -> Value {
        let process = self.id().to_string();
        assert!(
            Command::new("kill")
                .arg(process)
                .status()
                .unwrap()
                .success()
        );
        self.summary()
    }

    /// Kills it as the system would, without a word.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
