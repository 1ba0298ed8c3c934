//! A writer of shared memory, gateways over it, and clients of both kinds.

use feed_common::event::{Flags, Kind, NO_INSTRUMENT, NO_SYMBOL, Price, Record, Side};
use feed_common::ring::Writer;
use feed_common::ring::shared::{Channel, Hold, OwnedBy, Published, Session, SharedPlan, publish};
use feed_common::time::Clock;
use feed_handler::gateway::{Addresses, FRAME_LENGTH, Gateway, Limits, Options, Tokens};
use feed_handler::publish::Table;
use feed_handler::tail::Place;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A folder that goes away with the test.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let name = format!("feed-gateway-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A lane that writes what it is told.
pub struct Feed {
    ring: Writer<Record>,
    table: Table,
    _hold: Hold,
}

impl Feed {
    pub fn new(path: PathBuf, slots: usize) -> Feed {
        let plan = SharedPlan {
            path,
            slots,
            instruments: 4096,
            mode: 0o600,
            group: None,
            session: Session::new("test"),
            channels: vec![Channel {
                number: 0,
                name: "c".into(),
                protocol: "itch50".into(),
            }],
            scale: Clock::new().scale(),
        };
        let Published { ring, board, hold } = publish(&plan).unwrap();
        Feed {
            ring,
            table: Table::new(board),
            _hold: hold,
        }
    }

    pub fn push(&mut self, record: &Record) {
        self.ring.push(record);
        self.table.take(record);
    }

    pub fn flush(&mut self) {
        self.ring.flush();
    }

    /// Announces an instrument whose name no record can hold: sixteen bytes of it to a record behind.
    pub fn name(&mut self, instrument: u32, name: &str) {
        self.push(&record(Kind::DIRECTORY, instrument, 0, 0));
        let mut bytes = name.as_bytes().to_vec();
        bytes.resize(bytes.len().next_multiple_of(16), b' ');
        for part in bytes.chunks_exact(16) {
            let mut extension = record(Kind::EXTENSION, instrument, 0, 0);
            let half = |at: usize| <[u8; 8]>::try_from(&part[at..at + 8]).unwrap();
            extension.order_id.set(u64::from_le_bytes(half(0)));
            extension.data.price.set(i64::from_le_bytes(half(8)));
            self.push(&extension);
        }
    }

    /// The best prices of an instrument, made visible.
    pub fn quote(&mut self, instrument: u32, bid: i64, sequence: u64) {
        pair(instrument, bid, sequence)
            .iter()
            .for_each(|r| self.push(r));
        self.flush();
    }

    /// Records written.
    pub fn position(&self) -> u64 {
        self.ring.position()
    }
}

/// `S0`, `S1`, ...; from 1,000 on names that are too long for a record.
pub fn symbol(instrument: u32) -> [u8; 8] {
    let mut symbol = *b"        ";
    let text = match instrument {
        NO_INSTRUMENT => return NO_SYMBOL,
        0..1_000 => format!("S{instrument}"),
        _ => format!("#{instrument}"),
    };
    symbol[..text.len()].copy_from_slice(text.as_bytes());
    symbol
}

pub fn record(kind: Kind, instrument: u32, price: i64, sequence: u64) -> Record {
    let mut record = Record::default();
    record.data.kind = kind.0;
    record.data.symbol = symbol(instrument);
    record.data.price.set(price * 1_000_000_000);
    record.data.quantity.set(100);
    record
        .data
        .timestamp
        .set(1_700_000_000_000_000_000 + sequence);
    record.sequence.set(sequence);
    record.instrument.set(instrument);
    record
}

pub fn pair(instrument: u32, bid: i64, sequence: u64) -> [Record; 2] {
    let mut pair = [
        record(Kind::BID, instrument, bid, sequence),
        record(Kind::OFFER, instrument, bid + 1, sequence),
    ];
    pair[0].data.side = Side::BUY.0;
    pair[1].data.side = Side::SELL.0;
    pair[1].data.flags.set(Flags::END_OF_EVENT.0);
    pair
}

/// What is missing of all of a channel.
pub fn gap(sequence: u64) -> Record {
    let mut record = record(Kind::GAP, NO_INSTRUMENT, 0, sequence);
    record.data.price.set(Price::NULL.0);
    record.order_id.set(3);
    record
}

pub const LOOPBACK: &str = "127.0.0.1:0";

pub fn options(files: &[PathBuf]) -> Options {
    Options {
        lanes: Place::Files(files.to_vec()),
        owned_by: OwnedBy::Us,
        listen: LOOPBACK.parse().unwrap(),
        tcp: Some(LOOPBACK.parse().unwrap()),
        tokens: Tokens::default(),
        origins: Vec::new(),
        limits: Limits::default(),
    }
}

pub fn gateway(files: &[PathBuf], limits: Limits) -> Gateway {
    Gateway::start(Options {
        limits,
        ..options(files)
    })
    .unwrap()
}

/// Waits until something is so.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let so = timeout(PATIENCE, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    so.await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// What came.
#[derive(Debug, PartialEq)]
pub enum Got {
    Text(Value),
    Binary(Vec<u8>),
}

impl Got {
    #[track_caller]
    pub fn text(self) -> Value {
        match self {
            Got::Text(value) => value,
            Got::Binary(bytes) => panic!("{} bytes", bytes.len()),
        }
    }
}

/// A client by either way.
pub enum Client {
    Ws(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
    Tcp(TcpStream),
}

pub async fn upgrade(
    address: SocketAddr,
    headers: &[(&'static str, &str)],
) -> Result<Client, tungstenite::Error> {
    let mut request = format!("ws://{address}/stream").into_client_request()?;
    for (name, value) in headers {
        let old = request.headers_mut().insert(*name, value.parse().unwrap());
        drop(old);
    }
    let (socket, _) = timeout(PATIENCE, connect_async(request))
        .await
        .expect("in time")?;
    Ok(Client::Ws(Box::new(socket)))
}

impl Client {
    pub async fn ws(at: Addresses) -> Client {
        upgrade(at.http, &[]).await.unwrap()
    }

    pub async fn tcp(at: Addresses) -> Client {
        Client::Tcp(TcpStream::connect(at.tcp.unwrap()).await.unwrap())
    }

    /// One that has been welcomed.
    pub async fn welcomed(at: Addresses, tcp: bool, hello: Value) -> Client {
        let mut client = match tcp {
            true => Client::tcp(at).await,
            false => Client::ws(at).await,
        };
        client.say(&hello).await;
        assert_eq!(client.text().await["type"], "welcome");
        client
    }

    pub async fn say(&mut self, what: &Value) {
        self.say_text(&what.to_string()).await;
    }

    pub async fn say_text(&mut self, text: &str) {
        match self {
            // One that was dropped meanwhile shows so when it is read.
            Client::Ws(socket) => _ = socket.send(Message::text(text)).await,
            Client::Tcp(stream) => {
                let mut frame = (text.len() as u32).to_le_bytes().to_vec();
                frame.extend_from_slice(text.as_bytes());
                let _ = stream.write_all(&frame).await;
            }
        }
    }

    pub async fn say_raw(&mut self, bytes: &[u8]) {
        match self {
            Client::Ws(socket) => match socket.get_mut() {
                MaybeTlsStream::Plain(stream) => _ = stream.write_all(bytes).await,
                _ => panic!("no TLS here"),
            },
            Client::Tcp(stream) => _ = stream.write_all(bytes).await,
        }
    }

    /// The next message; `None` at the end.
    pub async fn next(&mut self) -> Option<Got> {
        timeout(PATIENCE, self.read())
            .await
            .expect("a message in time")
    }

    pub async fn text(&mut self) -> Value {
        self.next().await.expect("a message").text()
    }

    async fn read(&mut self) -> Option<Got> {
        match self {
            Client::Ws(socket) => loop {
                match socket.next().await?.ok()? {
                    Message::Text(text) => {
                        return Some(Got::Text(serde_json::from_str(&text).unwrap()));
                    }
                    Message::Binary(bytes) => return Some(Got::Binary(bytes.to_vec())),
                    Message::Close(_) => return None,
                    _ => {}
                }
            },
            Client::Tcp(stream) => {
                let mut length = [0; FRAME_LENGTH];
                stream.read_exact(&mut length).await.ok()?;
                let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
                stream.read_exact(&mut bytes).await.ok()?;
                Some(match bytes.starts_with(b"{") {
                    true => Got::Text(serde_json::from_slice(&bytes).unwrap()),
                    false => Got::Binary(bytes),
                })
            }
        }
    }

    /// Subscribes, and takes everything up to the answer.
    pub async fn subscribe(&mut self, request: Value) -> Vec<Got> {
        self.say(&request).await;
        let mut got = Vec::new();
        loop {
            match self.next().await.expect("subscribed") {
                Got::Text(text) if text["type"] == "subscribed" => return got,
                Got::Text(text) if text["type"] == "closed" => panic!("{text}"),
                other => got.push(other),
            }
        }
    }

    /// Reads to the end: the cause it gives, and that it closes.
    pub async fn ending(&mut self) -> (String, String) {
        let mut last = Value::Null;
        while let Some(got) = self.next().await {
            if let Got::Text(text) = got {
                last = text;
            }
        }
        assert_eq!(last["type"], "closed", "{last}");
        let word = |key: &str| last[key].as_str().unwrap().to_owned();
        (word("cause"), word("reason"))
    }
}

pub fn all(id: u32) -> Value {
    json!({"op": "subscribe", "id": id, "symbols": ["*"]})
}

/// Reads updates in text until so many rows have come; everything else that came.
pub async fn rows(client: &mut Client, number: usize) -> (Vec<Value>, Vec<Value>) {
    let (mut rows, mut others) = (Vec::new(), Vec::new());
    while rows.len() < number {
        let mut text = client.text().await;
        match text["type"].as_str() {
            Some("updates") => rows.append(text["rows"].as_array_mut().unwrap()),
            _ => others.push(text),
        }
    }
    (rows, others)
}
