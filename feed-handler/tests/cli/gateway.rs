//! The gateway as its users start it: over a live run, and refused where it must not begin.

use crate::support::*;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;

struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
    http: String,
}

impl Running {
    /// Over these lanes.
    fn start(lanes: &[&str]) -> Running {
        let mut child = Command::new(PROGRAM)
            .arg("gateway")
            .args(lanes)
            .args(["--listen", "127.0.0.1:0", "--format", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        let http = told["listening"]["http"].as_str().unwrap().to_owned();
        Running { child, out, http }
    }

    /// What it says of itself now.
    fn status(&self) -> Value {
        let mut stream = std::net::TcpStream::connect(&self.http).unwrap();
        let request = "GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// A client that has subscribed to everything; all that it is told.
    fn client(&self) -> JoinHandle<Vec<Value>> {
        let (ready, is_ready) = std::sync::mpsc::channel();
        let http = self.http.clone();
        let client = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(everything(http, ready))
        });
        is_ready.recv_timeout(Duration::from_secs(30)).unwrap();
        client
    }

    /// SIGTERM; the facts it prints, and what it said on standard error.
    fn stop(mut self) -> (Value, String) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        let mut said = String::new();
        let mut err = self.child.stderr.take().unwrap();
        err.read_to_string(&mut said).unwrap();
        assert_eq!(wait(&mut self.child), 0, "{rest}{said}");
        (serde_json::from_str(&rest).unwrap(), said)
    }
}

/// Everything a client is told, up to the end; says that it has subscribed through `ready`.
async fn everything(http: String, ready: std::sync::mpsc::Sender<()>) -> Vec<Value> {
    let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{http}/stream"))
        .await
        .unwrap();
    for said in [
        json!({"op": "hello", "policy": "disconnect"}),
        json!({"op": "subscribe", "id": 1, "symbols": ["*"]}),
    ] {
        socket.send(Message::text(said.to_string())).await.unwrap();
    }
    let mut told = Vec::new();
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Text(text) = message {
            let text: Value = serde_json::from_str(&text).unwrap();
            if text["type"] == "subscribed" {
                ready.send(()).unwrap();
            }
            told.push(text);
        }
    }
    told
}

#[test]
fn a_client_of_a_live_run_has_every_record_as_tail_prints_it() {
    let scratch = Scratch::new();
    let dir = scratch.path("shm");
    let shared = format!("[publish]\nslots = 65536\n[shared_memory]\ndir = \"{dir}\"\n");
    let mut live = Live::start(&scratch, "itch50", &shared, "6s");
    let file = scratch.path("shm/l");
    live.wait_until_it_listens();
    let gateway = Running::start(&[&file]);
    let client = gateway.client();
    let spec = feed_replay::synth::Spec::new(feed_replay::synth::Protocol::Itch50, 500, 7);
    let (made, _) = feed_replay::synth::Recording::of(&spec).unwrap();
    live.send(made.packets().map(|packet| packet.payload));
    let summary = live.summary();
    // It is told of the end of the run, and then of that of the gateway.
    std::thread::sleep(Duration::from_millis(300));
    let (facts, _) = gateway.stop();
    let told = client.join().unwrap();
    let tail = feed_handler(&["tail", &file, "--oldest", "--once", "--format", "json"]);
    let want: Vec<Value> = tail
        .out
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(summary["published"], want.len() as u64);
    assert!(want.len() > 500);
    let updates = told.iter().filter(|t| t["type"] == "updates");
    let rows = updates.flat_map(|t| t["rows"].as_array().unwrap().clone());
    let rows: Vec<Value> = rows
        .zip(0u64..)
        .map(|(mut row, position)| {
            let first = row.as_object_mut().unwrap().remove("position");
            assert_eq!(first, Some(position.into()));
            row
        })
        .collect();
    assert_eq!(rows, want);
    let last: Vec<_> = told[told.len() - 2..].iter().map(|t| &t["type"]).collect();
    assert_eq!(last, ["lane", "closed"]);
    assert_eq!(told[told.len() - 2]["state"], "ended");
    assert_eq!(told[told.len() - 1]["cause"], "shutdown");
    assert_eq!(
        (&facts["sent"], &facts["lost"]),
        (&json!(want.len()), &json!(0))
    );
    assert_eq!(facts["ended"], json!({"shutdown": 1}));
    // How long records took to come here is among the consumers of the run.
    assert!(
        summary["processes"]
            .as_array()
            .is_some_and(|p| !p.is_empty()),
        "{summary}"
    );
}

/// A gateway that begins before any run, and a `tail` that begins between two: both have the lanes of runs that begin later.
#[test]
fn lanes_of_later_runs_are_found_by_who_follows_their_folder() {
    let scratch = Scratch::new();
    let dir = scratch.path("shm");
    std::fs::create_dir(&dir).unwrap();
    let gateway = Running::start(&["--dir", &dir]);
    let client = gateway.client();
    let capture = scratch.file("a.pcap", session(500));
    let run = |lane: &str| -> u64 {
        let shared = format!("[publish]\nslots = 65536\n[shared_memory]\ndir = \"{dir}\"\n");
        let text = configuration("itch50", GROUP, "").replace("\"l\"", &format!("\"{lane}\""));
        let config = scratch.file("feed.toml", text + &shared);
        let run = [
            "run", "-c", &config, "--input", &capture, "--format", "json",
        ];
        let summary = feed_handler(&run).is(0, "").json();
        summary["published"].as_u64().unwrap()
    };
    let first = run("first");
    let mut tail = Command::new(PROGRAM)
        .args(["tail", "--dir", &dir, "--oldest", "--format", "json"])
        .args(["--count", &(first * 2).to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let mut rows = |number: u64| -> Vec<Value> {
        let lines = lines.by_ref().take(number as usize);
        lines
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .collect()
    };
    let rows_of_first = rows(first);
    assert_eq!(run("second"), first);
    assert_eq!(rows(first), rows_of_first);
    assert!(first > 500 && rows_of_first.len() as u64 == first);
    let mut said = String::new();
    tail.stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(wait(&mut tail), 0);
    assert!(said.contains("first: its writer has ended"), "{said}");
    assert!(said.contains("second: a new lane"), "{said}");
    let since = Instant::now();
    while gateway.status()["records"] != first * 2 {
        assert!(since.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(300));
    let (facts, said) = gateway.stop();
    assert!(said.contains("nobody has published here yet"), "{said}");
    assert_eq!((&facts["found"], &facts["lost"]), (&json!(2), &json!(0)));
    let told = client.join().unwrap();
    for lane in ["first", "second"] {
        let of = |kind: &'static str| {
            let all = told.iter();
            all.filter(move |t| t["type"] == kind && t["lane"] == lane)
        };
        let sent = of("updates").flat_map(|t| t["rows"].as_array().unwrap().clone());
        let sent = sent.map(|mut row| {
            row.as_object_mut().unwrap().remove("position");
            row
        });
        assert!(sent.eq(rows_of_first.iter().cloned()), "{lane}");
        assert_eq!(of("snapshot").count(), 1);
        let states: Vec<_> = of("lane").map(|t| &t["state"]).collect();
        assert_eq!(states, ["live", "ended"]);
    }
}

#[test]
fn what_it_cannot_begin_with_is_said() {
    let scratch = Scratch::new();
    let nowhere = scratch.path("nowhere");
    feed_handler(&["gateway"]).is(2, "--dir");
    feed_handler(&["gateway", "--dir", &nowhere]).is(2, "No such file");
    feed_handler(&["gateway", &nowhere]).is(2, "No such file");
    let other = scratch.file("other", [7; 8192]);
    feed_handler(&["gateway", &other]).is(2, "not a shared-memory file of feed-handler");
    feed_handler(&["gateway", &other, "--owner", "12345"]).is(2, "belongs to user");
    feed_handler(&["gateway", &other, "--listen", "0.0.0.0:0"]).is(2, "--tokens FILE");
    feed_handler(&["gateway", &other, "--heartbeat", "5"]).is(2, "--heartbeat");
    let tokens = scratch.file("tokens", "0123456789abcdef\n");
    feed_handler(&["gateway", &other, "--tokens", &tokens]).is(2, "expected mode 0600");
    // A run's file, and a port that is taken.
    let capture = scratch.file("a.pcap", session(100));
    let dir = scratch.path("shm");
    let shared = format!("[shared_memory]\ndir = \"{dir}\"\n");
    let config = scratch.file("feed.toml", configuration("itch50", GROUP, "") + &shared);
    feed_handler(&["run", "-c", &config, "--input", &capture]).is(0, "");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    feed_handler(&["gateway", "--dir", &dir, "--listen", &taken]).is(1, "in use");
}
