//! A client.

use super::Running;
use feed_common::time::UnixNanos;
use feed_common::wire::native::Batch;
use feed_handler::gateway::FRAME_LENGTH;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long a client waits for what is still to come.
const PATIENCE: Duration = Duration::from_secs(5);

/// How a client is connected, and how its records are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    /// WebSocket, JSON.
    Text,
    /// WebSocket, batches.
    Binary,
    /// TCP, batches.
    Tcp,
}

/// A client on a blocking socket: what is measured is the gateway, not a library.
pub struct Reader {
    stream: BufReader<TcpStream>,
    way: Way,
}

impl Reader {
    /// One that conflates what more than so many records would be, and has subscribed to everything.
    pub fn connect(gateway: &Running, way: Way, queue: u64) -> Reader {
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
        reader.say(&json!({"op": "hello", "format": format, "policy": "conflate", "queue": queue}));
        reader.subscribe();
        reader
    }

    /// Takes no more than a few messages that nobody reads: else the system holds megabytes of them.
    pub fn narrow(&self) {
        let socket = socket2::SockRef::from(self.stream.get_ref());
        socket.set_recv_buffer_size(4_096).expect("an option");
    }

    /// Subscribes to everything, in the place of what it had subscribed to.
    pub fn subscribe(&mut self) {
        self.say(&json!({"op": "subscribe", "id": 1, "symbols": ["*"]}));
        let mut message = Vec::new();
        while self.next(&mut message) {
            if message.starts_with(b"{") && text(&message)["type"] == "subscribed" {
                return;
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
    pub fn run(&mut self, total: u64) -> (Vec<u64>, u64) {
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
