//! Real connections, on 127.0.0.1 only.

use super::*;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Says back what it hears, a byte a millisecond, and closes after a full stop.
struct Echo(Arc<AtomicU64>);

#[derive(Default)]
struct Saying {
    heard: Vec<u8>,
    next: u64,
}

impl StreamServer for Echo {
    fn connect(&mut self, now: u64) -> Box<dyn StreamConnection> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::new(Saying {
            heard: Vec::new(),
            next: now,
        })
    }

    fn counts(&self) -> ServerCounts {
        ServerCounts {
            requests: self.0.load(Ordering::Relaxed),
            ..ServerCounts::default()
        }
    }
}

impl StreamConnection for Saying {
    fn heard(&mut self, bytes: &[u8], _: u64) {
        self.heard.extend_from_slice(bytes);
    }

    fn poll(&mut self, now: u64, room: usize, out: &mut Vec<u8>) -> Again {
        assert!(room > 0);
        if now < self.next || self.heard.is_empty() {
            return Again::At(self.next.max(now + 1_000_000));
        }
        let byte = self.heard.remove(0);
        out.push(byte);
        self.next = now + 1_000_000;
        match byte {
            b'.' => Again::Close,
            _ => Again::At(self.next),
        }
    }
}

/// Talks to a server while it runs.
fn with_server(server: Box<dyn StreamServer>, talk: impl FnOnce(SocketAddrV4)) -> SocketCounts {
    let mut server = TcpServer::bind("127.0.0.1:0".parse().unwrap(), None, server).unwrap();
    let (address, over) = (server.address(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let serving = scope.spawn(|| {
            server.serve(Instant::now(), &over);
            server.counts().1
        });
        let talked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| talk(address)));
        over.store(true, Ordering::Relaxed);
        let counts = serving.join().unwrap();
        match talked {
            Ok(()) => counts,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn connect(to: SocketAddrV4) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream
}

#[test]
fn several_clients_are_served_in_their_time_and_closed_when_all_is_said() {
    let connections = Arc::new(AtomicU64::new(0));
    let counts = with_server(Box::new(Echo(Arc::clone(&connections))), |address| {
        let mut clients = [connect(address), connect(address), connect(address)];
        let begin = Instant::now();
        for (client, text) in clients
            .iter_mut()
            .zip(["slowly.ignored", "a.", "hello, you."])
        {
            client.write_all(text.as_bytes()).unwrap();
        }
        for (client, text) in clients.iter_mut().zip(["slowly.", "a.", "hello, you."]) {
            let mut said = String::new();
            // A close with bytes unread is a reset to the peer.
            let ended = client.read_to_string(&mut said);
            assert!(ended.is_ok() || text == "slowly.", "{ended:?}");
            assert!(said == text || text == "slowly.", "{said}");
        }
        assert!(begin.elapsed() >= Duration::from_millis(10));
    });
    assert_eq!(connections.load(Ordering::Relaxed), 3);
    assert_eq!(counts.sent, 7 + 2 + 11);
}

/// Says more than any buffer holds.
struct Flood;

impl StreamServer for Flood {
    fn connect(&mut self, _: u64) -> Box<dyn StreamConnection> {
        Box::new(Flooding(0))
    }

    fn counts(&self) -> ServerCounts {
        ServerCounts::default()
    }
}

struct Flooding(u32);

impl StreamConnection for Flooding {
    fn heard(&mut self, _: &[u8], _: u64) {}

    fn poll(&mut self, now: u64, room: usize, out: &mut Vec<u8>) -> Again {
        const WORDS: u32 = 4 << 20;
        let words = (room as u32 / 4).min(WORDS - self.0);
        for word in self.0..self.0 + words {
            out.extend_from_slice(&word.to_be_bytes());
        }
        self.0 += words;
        match self.0 {
            WORDS => Again::Close,
            _ => Again::At(now),
        }
    }
}

#[test]
fn a_slow_client_gets_all_of_it_in_order_and_holds_nobody_up() {
    with_server(Box::new(Flood), |address| {
        let (mut slow, mut fast) = (connect(address), connect(address));
        std::thread::sleep(Duration::from_millis(50));
        for client in [&mut fast, &mut slow] {
            let mut all = Vec::new();
            client.read_to_end(&mut all).unwrap();
            let words = all.chunks_exact(4).enumerate();
            assert_eq!(words.len(), 4 << 20);
            for (i, word) in words {
                assert_eq!(word, (i as u32).to_be_bytes());
            }
        }
    });
}

#[test]
fn there_is_an_end_to_the_clients_it_takes() {
    let connections = Arc::new(AtomicU64::new(0));
    let counts = with_server(Box::new(Echo(Arc::clone(&connections))), |address| {
        let mut clients: Vec<_> = (0..70).map(|_| connect(address)).collect();
        let mut closed = 0;
        for client in &mut clients {
            let _ = client.write_all(b".");
            let mut said = Vec::new();
            let _ = client.read_to_end(&mut said);
            closed += u64::from(said.is_empty());
        }
        assert!(closed <= 6);
    });
    assert_eq!(counts.overflowed + connections.load(Ordering::Relaxed), 70);
}
