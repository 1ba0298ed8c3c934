//! Metrics for whoever collects them: the run's status as OpenMetrics text over HTTP, on the loopback interface.
//!
//! Requests are served one after another by a cold thread, each for a bounded time and with a bounded head, so that nobody
//! can keep it for himself or make it grow.

use super::board::Board;
use crate::status::metrics::{CONTENT_TYPE, render};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddrV4, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// Longest head of a request; no collector's is a tenth of it.
const HEAD_BYTES_MAX: usize = 8192;

/// How long a client has for its request and the server for its answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often the server looks for connections and for its end.
const NAP: Duration = Duration::from_millis(20);

/// Why there are no metrics.
#[derive(Debug, thiserror::Error)]
#[error("metrics on {address}: {source}")]
pub struct ExpositionError {
    address: SocketAddrV4,
    source: io::Error,
}

/// Metrics being served. Ends when it is dropped.
#[derive(Debug)]
pub(super) struct Exposition {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Exposition {
    /// Listens on an address, which the configuration has checked to be of the loopback interface.
    pub fn start(address: SocketAddrV4, board: Arc<Board>) -> Result<Exposition, ExpositionError> {
        let failed = |source| ExpositionError { address, source };
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = Builder::new().name("metrics".into());
        let thread = thread.spawn(move || serve(&listener, &board, &stopped));
        Ok(Exposition {
            stop,
            thread: Some(thread.map_err(failed)?),
        })
    }
}

impl Drop for Exposition {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic there has been told; the run ends as it would have.
            let _ = thread.join();
        }
    }
}

fn serve(listener: &TcpListener, board: &Board, stop: &AtomicBool) {
    while !stop.load(Relaxed) {
        match listener.accept() {
            // A client that leaves or is too slow has no answer; that is its loss alone.
            Ok((stream, _)) => drop(answer(stream, board)),
            Err(_) => std::thread::sleep(NAP),
        }
    }
}

fn answer(mut stream: TcpStream, board: &Board) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = head(&mut stream)?;
    let (status, body) = reply(&head, board);
    let text = "text/plain; charset=utf-8";
    let kind = if status == OK { CONTENT_TYPE } else { text };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}

const OK: &str = "200 OK";

/// The status line's text and the body for a request.
fn reply(head: &str, board: &Board) -> (&'static str, String) {
    let mut words = head.lines().next().unwrap_or("").split(' ');
    let (method, target) = (words.next(), words.next().unwrap_or(""));
    let path = target.split('?').next();
    match (method, path, board.status()) {
        (Some("GET"), Some("/metrics"), Some(status)) => (OK, render(&status)),
        (Some("GET"), Some("/metrics"), None) => (
            "503 Service Unavailable",
            "the run has not started yet\n".into(),
        ),
        (Some("GET"), ..) => ("404 Not Found", "metrics are at /metrics\n".into()),
        _ => ("405 Method Not Allowed", "expected GET\n".into()),
    }
}

/// The head of a request, up to the empty line behind it.
fn head(stream: &mut TcpStream) -> io::Result<String> {
    let until = Instant::now() + PATIENCE;
    let (mut bytes, mut part) = (Vec::new(), [0; 1024]);
    while !bytes.windows(4).any(|w| w == b"\r\n\r\n") {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let n = match stream.read(&mut part) {
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            read => read?,
        };
        bytes.extend_from_slice(&part[..n]);
        if n == 0 || bytes.len() > HEAD_BYTES_MAX {
            return Err(ErrorKind::InvalidData.into());
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
#[path = "exposition_tests.rs"]
mod tests;
