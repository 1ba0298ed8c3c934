//! Two network namespaces joined by a cable, and who listens at its other end.

use super::{Failed, GROUP};
use feed_common::sys::pin_current_thread;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The sender's end of the cable, and its address.
pub const DEVICE: &str = "s0";
pub const SENDER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
const RECEIVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const RECEIVER_CORE: usize = 0;

/// The process that drains the group, in a namespace of its own.
pub struct Receiver {
    process: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Receiver {
    /// Starts it and joins the two namespaces.
    pub fn start() -> Result<Receiver, Failed> {
        let mut process = Command::new("unshare")
            .arg("-n")
            .arg(std::env::current_exe()?)
            .arg("receive")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (asks, answers) = (process.stdin.take(), process.stdout.take());
        let mut receiver = Receiver {
            asks: asks.ok_or("no pipe")?,
            answers: BufReader::new(answers.ok_or("no pipe")?),
            process,
        };
        receiver.answer()?; // it is in its namespace
        ip("link add s0 type veth peer name r0")?;
        ip(&format!("link set r0 netns {}", receiver.process.id()))?;
        ip(&format!("address add {SENDER}/24 dev s0"))?;
        ip("link set s0 up")?;
        receiver.count()?; // it has its end of the cable
        // The device says that it is connected a moment later.
        std::thread::sleep(Duration::from_millis(200));
        Ok(receiver)
    }

    /// Packets received since this was last asked.
    pub fn count(&mut self) -> Result<u64, Failed> {
        // What was sent last is on its way.
        std::thread::sleep(Duration::from_millis(100));
        self.asks.write_all(b"\n")?;
        self.answer()
    }

    fn answer(&mut self) -> Result<u64, Failed> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line.trim().parse()?)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // Its own end of the pipes being closed ends it too; this is for one that hangs.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The receiver's side: answers each line with the packets since the last.
pub fn receive() -> Result<ExitCode, Failed> {
    println!("0");
    let mut asked = io::stdin().lines();
    asked.next();
    ip(&format!("address add {RECEIVER}/24 dev r0"))?;
    ip("link set r0 up")?;
    let socket = UdpSocket::bind(GROUP)?;
    socket.join_multicast_v4(GROUP.ip(), &RECEIVER)?;
    let received = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&received);
    std::thread::spawn(move || drain(&socket, &counter));
    println!("0");
    for line in asked {
        line?;
        println!("{}", received.swap(0, Ordering::Relaxed));
    }
    Ok(ExitCode::SUCCESS)
}

/// Spins while packets come, as a feed handler does, and sleeps when none have come for some milliseconds.
fn drain(socket: &UdpSocket, received: &AtomicU64) -> io::Result<()> {
    let _ = pin_current_thread(RECEIVER_CORE);
    let mut buffer = [0; 2048];
    loop {
        socket.set_nonblocking(false)?;
        socket.recv(&mut buffer)?;
        received.fetch_add(1, Ordering::Relaxed);
        socket.set_nonblocking(true)?;
        let mut last = Instant::now();
        while last.elapsed() < Duration::from_millis(5) {
            while socket.recv(&mut buffer).is_ok() {
                received.fetch_add(1, Ordering::Relaxed);
                last = Instant::now();
            }
        }
    }
}

fn ip(arguments: &str) -> Result<(), Failed> {
    match Command::new("ip")
        .args(arguments.split(' '))
        .status()?
        .success()
    {
        true => Ok(()),
        false => Err(format!("ip {arguments} failed").into()),
    }
}
