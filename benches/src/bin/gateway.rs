//! What a gateway delivers to twenty clients at a rate of records, how late, and what it takes for that.
//!
//! ```text
//! cargo run --release -p benches --bin gateway [RECORDS_A_SECOND] [SECONDS] [CLIENTS]
//! ```
//!
//! A writer of shared memory publishes best prices on an absolute schedule, each with the time of its publication; the
//! gateway is a process of its own, the program beside this one; clients are threads of this process that read what comes
//! and nothing else. Two cores have to do for all of it, so the clients' work is in the latency too. Once each: text and
//! batches by WebSocket, batches by TCP, all conflating.

use feed_common::event::{Flags, Kind, Price, Record, Side};
use feed_common::ring::shared::{OwnedBy, Published, Session, SharedPlan, SharedReader, publish};
use feed_common::sys::sleep_precisely;
use feed_common::time::{Clock, UnixNanos};
use feed_common::wire::native::Batch;
use feed_handler::gateway::FRAME_LENGTH;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Slots of the ring: more than a second at the rate that is aimed for.
const SLOTS: usize = 65_536;
const INSTRUMENTS: u64 = 1_000;
/// Records of a packet, which become visible together.
const PACKET: u64 = 10;
/// How long a client waits for what is still to come.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() {
    let arguments: Vec<u64> = std::env::args()
        .skip(1)
        .map(|a| a.parse().expect("a number"))
        .collect();
    let number = |i: usize, or| arguments.get(i).copied().unwrap_or(or);
    let (rate, seconds, clients) = (number(0, 50_000), number(1, 10).clamp(1, 60), number(2, 20));
    println!(
        "{rate} records a second for {seconds} s, {INSTRUMENTS} instruments, {clients} clients that conflate"
    );
    println!(
        "{:<22} {:>12} {:>10} {:>8} {:>8} {:>9} {:>9} {:>9} {:>8} {:>8}",
        "",
        "delivered",
        "conflated",
        "dropped",
        "lost",
        "p50 µs",
        "p99 µs",
        "max µs",
        "CPU",
        "idle"
    );
    for (name, way) in [
        ("WebSocket, JSON", Way::Text),
        ("WebSocket, binary", Way::Binary),
        ("TCP, binary", Way::Tcp),
    ] {
        measure(name, way, rate, seconds, clients);
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Text,
    Binary,
    Tcp,
}

fn path() -> PathBuf {
    format!("/dev/shm/feed-bench-gateway-{}", std::process::id()).into()
}

fn measure(name: &str, way: Way, rate: u64, seconds: u64, clients: u64) {
    let plan = SharedPlan {
        path: path(),
        slots: SLOTS,
        instruments: INSTRUMENTS as u32,
        mode: 0o600,
        group: None,
        session: Session::new("bench"),
        channels: Vec::new(),
        scale: Clock::new().scale(),
    };
    let mut published = publish(&plan).unwrap_or_else(|error| panic!("{error}"));
    let mut gateway = Running::start();
    let before = gateway.processor_time();
    thread::sleep(Duration::from_secs(1));
    let idle = gateway.processor_time() - before;
    let readers: Vec<_> = (0..clients)
        .map(|_| Reader::connect(&gateway, way))
        .collect();
    let total = rate * seconds;
    let threads: Vec<_> = readers
        .into_iter()
        .map(|reader| thread::spawn(move || reader.run(total)))
        .collect();
    let before = gateway.processor_time();
    let took = write(&mut published, rate, total);
    let mut latencies: Vec<u64> = Vec::new();
    let mut missing = 0;
    for thread in threads {
        let (times, n) = thread.join().expect("a reader");
        latencies.extend(times);
        missing += n;
    }
    let processor = (gateway.processor_time() - before).as_secs_f64() / took.as_secs_f64();
    // The one thing that the handler would notice is the ring: it is written without looking at anybody.
    let seen = SharedReader::open(&path(), OwnedBy::Us).expect("just made");
    assert_eq!(seen.subscriber().published(), total);
    let facts = gateway.stop();
    drop(published);
    for file in [path(), format!("{}.lock", path().display()).into()] {
        std::fs::remove_file(file).expect("what was made");
    }
    latencies.sort_unstable();
    let at = |q: f64| match latencies.len() {
        0 => 0.0,
        n => latencies[((n - 1) as f64 * q) as usize] as f64 / 1_000.0,
    };
    let count = |key: &str| facts[key].as_u64().expect("a count");
    assert_eq!(
        latencies.len() as u64 + missing,
        total * clients,
        "not all of it: {facts}"
    );
    println!(
        "{name:<22} {:>12} {:>10} {:>8} {:>8} {:>9.0} {:>9.0} {:>9.0} {:>7.1}% {:>7.1}%",
        latencies.len(),
        count("conflated"),
        count("dropped"),
        count("lost"),
        at(0.5),
        at(0.99),
        at(1.0),
        processor * 100.0,
        idle.as_secs_f64() * 100.0
    );
}

/// Writes best prices on schedule, a packet of them at a time; how long that took.
fn write(published: &mut Published, rate: u64, total: u64) -> Duration {
    sleep_precisely();
    let start = Instant::now();
    let mut n = 0;
    while n < total {
        let due = Duration::from_nanos(n * 1_000_000_000 / rate);
        thread::sleep(due.saturating_sub(start.elapsed()));
        let now = UnixNanos::now();
        for n in n..(n + PACKET).min(total) {
            published.ring.push(&record(n, now));
        }
        published.ring.flush();
        n += PACKET;
    }
    start.elapsed()
}

fn record(n: u64, now: UnixNanos) -> Record {
    let (pair, is_bid) = (n / 2, n.is_multiple_of(2));
    let instrument = pair * 7 % INSTRUMENTS;
    let mut record = Record::default();
    let symbol = format!("S{instrument:<7}");
    record.data.symbol.copy_from_slice(symbol.as_bytes());
    record
        .data
        .price
        .set((pair % 10_000) as i64 * 10_000_000 + i64::from(!is_bid) * 10_000_000);
    record.data.quantity.set(100);
    (record.data.kind, record.data.side) = match is_bid {
        true => (Kind::BID.0, Side::BUY.0),
        false => (Kind::OFFER.0, Side::SELL.0),
    };
    record
        .data
        .flags
        .set(if is_bid { 0 } else { Flags::END_OF_EVENT.0 });
    record.data.timestamp.set(now.0);
    record.sequence.set(n);
    record.instrument.set(instrument as u32);
    debug_assert!(Price(record.data.price.get()).is_some());
    record
}

/// The gateway's process.
struct Running {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    http: String,
    tcp: String,
}

impl Running {
    fn start() -> Running {
        let own = std::env::current_exe().expect("this program");
        let program = own.with_file_name("feed-handler");
        let file = path();
        let mut child = Command::new(program)
            .arg("gateway")
            .arg(file)
            .args([
                "--listen",
                "127.0.0.1:0",
                "--tcp",
                "127.0.0.1:0",
                "--format",
                "json",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .expect("feed-handler beside this program: cargo build --release --bin feed-handler");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        out.read_line(&mut line).expect("where it listens");
        let told: Value = serde_json::from_str(&line).expect("where it listens");
        let at = |key: &str| {
            told["listening"][key]
                .as_str()
                .expect("an address")
                .to_owned()
        };
        Running {
            child,
            out,
            http: at("http"),
            tcp: at("tcp"),
        }
    }

    /// What the process has had of the processors.
    fn processor_time(&self) -> Duration {
        let stat = format!("/proc/{}/schedstat", self.child.id());
        let threads = format!("/proc/{}/task", self.child.id());
        let of = |path: &str| -> u64 {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            text.split(' ')
                .next()
                .and_then(|n| n.parse().ok())
                .unwrap_or(0)
        };
        let tasks = std::fs::read_dir(threads).into_iter().flatten().flatten();
        let all = tasks.map(|task| of(&format!("{}/schedstat", task.path().display())));
        Duration::from_nanos(all.sum::<u64>().max(of(&stat)))
    }

    /// Ends it; what it did.
    fn stop(&mut self) -> Value {
        let pid = self.child.id().to_string();
        let killed = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(killed.is_ok_and(|status| status.success()));
        let mut line = String::new();
        self.out.read_line(&mut line).expect("what it did");
        assert!(self.child.wait().expect("a child").success());
        serde_json::from_str(&line).expect("what it did")
    }
}

/// A client on a blocking socket: what is measured is the gateway, not a library.
struct Reader {
    stream: BufReader<TcpStream>,
    way: Way,
}

impl Reader {
    fn connect(gateway: &Running, way: Way) -> Reader {
        let address = if way == Way::Tcp {
            &gateway.tcp
        } else {
            &gateway.http
        };
        let stream = TcpStream::connect(address).expect("the gateway listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        stream.set_nodelay(true).expect("an option");
        let mut reader = Reader {
            stream: BufReader::with_capacity(1 << 17, stream),
            way,
        };
        if way != Way::Tcp {
            let request = format!(
                "GET /stream HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
            );
            reader
                .stream
                .get_mut()
                .write_all(request.as_bytes())
                .expect("sent");
            let mut line = String::new();
            while line != "\r\n" {
                line.clear();
                reader.stream.read_line(&mut line).expect("an answer");
            }
        }
        let format = if way == Way::Text { "json" } else { "binary" };
        reader.say(&json!({"op": "hello", "format": format, "policy": "conflate"}));
        reader.say(&json!({"op": "subscribe", "id": 1, "symbols": ["*"]}));
        let mut message = Vec::new();
        while reader.next(&mut message) {
            if message.starts_with(b"{") && text(&message)["type"] == "subscribed" {
                return reader;
            }
        }
        panic!("not subscribed");
    }

    fn say(&mut self, what: &Value) {
        let text = what.to_string();
        let length = u16::try_from(text.len()).expect("short");
        let mut bytes = match self.way {
            Way::Tcp => u32::from(length).to_le_bytes().to_vec(),
            // A text of a client: final, masked (with zeros).
            _ if length < 126 => vec![0x81, 0x80 | length as u8, 0, 0, 0, 0],
            _ => [&[0x81, 0xFE][..], &length.to_be_bytes(), &[0; 4]].concat(),
        };
        bytes.extend_from_slice(text.as_bytes());
        self.stream.get_mut().write_all(&bytes).expect("sent");
    }

    /// The next message; false at the end.
    fn next(&mut self, message: &mut Vec<u8>) -> bool {
        loop {
            let mut head = [0; 2];
            let (length, is_data) = match self.way {
                Way::Tcp => {
                    let mut length = [0; FRAME_LENGTH];
                    if self.stream.read_exact(&mut length).is_err() {
                        return false;
                    }
                    (u64::from(u32::from_le_bytes(length)), true)
                }
                _ => {
                    if self.stream.read_exact(&mut head).is_err() {
                        return false;
                    }
                    let mut long = [0; 8];
                    let bytes = match head[1] & 127 {
                        126 => 2,
                        127 => 8,
                        _ => 0,
                    };
                    if self.stream.read_exact(&mut long[8 - bytes..]).is_err() {
                        return false;
                    }
                    let length = match bytes {
                        0 => u64::from(head[1] & 127),
                        _ => u64::from_be_bytes(long),
                    };
                    (length, head[0] & 15 <= 2)
                }
            };
            message.resize(length as usize, 0);
            if self.stream.read_exact(message).is_err() {
                return false;
            }
            if is_data {
                return true;
            }
        }
    }

    /// Reads until everything has come or is told to be missing: how late each record was, and how many are missing.
    fn run(mut self, total: u64) -> (Vec<u64>, u64) {
        let (mut times, mut missing) = (Vec::with_capacity(total as usize), 0);
        let mut message = Vec::with_capacity(1 << 17);
        while times.len() as u64 + missing < total && self.next(&mut message) {
            let now = UnixNanos::now().0;
            if let Ok((batch, _)) = Batch::parse(&message) {
                let market = batch.market_data().expect("market data");
                times.extend(market.iter().map(|r| now.saturating_sub(r.timestamp.get())));
            } else if message.starts_with(b"{\"type\":\"updates\"") {
                times.extend(timestamps(&message).map(|time| now.saturating_sub(time)));
            } else {
                missing += text(&message)["count"].as_u64().unwrap_or(0);
            }
        }
        (times, missing)
    }
}

fn text(message: &[u8]) -> Value {
    serde_json::from_slice(message).expect("an object")
}

/// The times of rows, found by their name alone: twenty clients that parse all of it would be measured instead.
fn timestamps(message: &[u8]) -> impl Iterator<Item = u64> + '_ {
    const NAME: &[u8] = b"\"timestamp\":";
    let mut rest = message;
    std::iter::from_fn(move || {
        let at = rest.windows(NAME.len()).position(|w| w == NAME)? + NAME.len();
        rest = &rest[at..];
        let digits = rest.iter().take_while(|b| b.is_ascii_digit());
        Some(digits.fold(0, |n, b| n * 10 + u64::from(b - b'0')))
    })
}
