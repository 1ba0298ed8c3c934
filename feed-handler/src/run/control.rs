//! The local socket on which a run is told what is wanted, and says how it stands.
//!
//! A request is one line (`subscribe A* MSFT`, `unsubscribe B*`, `list`, `status`, `books A*`), the answer one line of JSON, and
//! the connection is over. Connections are served one after another by a cold thread, each for a bounded time, so that nobody can keep
//! the socket for himself or make it grow.

use super::board::Board;
use crate::status::{BooksStatus, Status};
use crate::subscribe::{Filter, Glob, GlobError, Subscription};
use serde_json::{Value, json};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// Longest request, and longest answer to one about what is wanted: every rule of a filter, written out, fits.
pub const LINE_BYTES_MAX: usize = 8192;

/// Longest answer: the status of as many channels and lines as a configuration can have is far below.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Connections that wait while one is served; the system refuses more.
const BACKLOG: i32 = 8;

/// How long a client has for its request and the server for its answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often the server looks for connections, for its end, and for what lanes have handed back.
const NAP: Duration = Duration::from_millis(20);

/// Why there is no control socket, or no answer on one.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Another process listens there.
    #[error("{}: another process listens on this socket", .0.display())]
    Taken(PathBuf),
    /// What is there is no socket.
    #[error("{}: exists and is no socket", .0.display())]
    NoSocket(PathBuf),
    /// Nobody listens there.
    #[error("{}: nothing listens there: {source}", .path.display())]
    Silent {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The request was refused, or the answer is none.
    #[error("{}: {reason}", .path.display())]
    Refused {
        /// The socket.
        path: PathBuf,
        /// What was said.
        reason: String,
    },
}

/// A control socket being served. Ends and takes its socket away when it is dropped.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
    /// Device and number of the socket made, so that another process's is not taken away.
    identity: Option<(u64, u64)>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    /// Listens on `path`, which only this user may open. A socket that nobody listens on any more is replaced.
    pub fn start(
        path: &Path,
        subscription: Arc<Subscription>,
        board: Arc<Board>,
    ) -> Result<Control, Box<ControlError>> {
        let failed = |source| ControlError::Io {
            path: path.to_owned(),
            source,
        };
        let listener = listen(path)?;
        let identity = fs::symlink_metadata(path).map(|m| (m.dev(), m.ino())).ok();
        let stop = Arc::new(AtomicBool::new(false));
        let mut control = Control {
            path: path.to_owned(),
            identity,
            stop: stop.clone(),
            thread: None,
        };
        let thread = Builder::new().name("control".into());
        let thread = thread.spawn(move || serve(&listener, &subscription, &board, &stop));
        control.thread = Some(thread.map_err(failed)?);
        Ok(control)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic there has been told; the run ends as it would have.
            let _ = thread.join();
        }
        let now = fs::symlink_metadata(&self.path).map(|m| (m.dev(), m.ino()));
        if now.ok() == self.identity {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Sends a request to the run that listens on `path` and returns its answer.
pub fn ask(path: &Path, request: &str) -> Result<Value, Box<ControlError>> {
    let owned = || path.to_owned();
    let mut stream = UnixStream::connect(path).map_err(|source| ControlError::Silent {
        path: owned(),
        source,
    })?;
    let exchanged = stream
        .write_all(format!("{request}\n").as_bytes())
        .and_then(|()| line(&mut stream, 4 * PATIENCE, ANSWER_BYTES_MAX));
    let answer = exchanged.map_err(|source| ControlError::Io {
        path: owned(),
        source,
    })?;
    let refused = |reason: String| {
        Box::new(ControlError::Refused {
            path: owned(),
            reason,
        })
    };
    let answer: Value = serde_json::from_str(&answer)
        .map_err(|_| refused("what answers there is no feed handler".into()))?;
    match &answer["error"] {
        Value::Null => Ok(answer),
        error => Err(refused(error.as_str().unwrap_or("refused").to_owned())),
    }
}

/// How the run that listens on `path` stands.
pub fn ask_status(path: &Path) -> Result<Status, Box<ControlError>> {
    let answer = ask(path, "status")?;
    let refused = |reason: &str| ControlError::Refused {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    if answer.is_null() {
        return Err(refused("the run has not started yet").into());
    }
    let status = serde_json::from_value(answer);
    Ok(status.map_err(|_| refused("what answers there is of another version"))?)
}

/// The best prices of these symbols in the run that listens on `path`.
pub fn ask_books(path: &Path, symbols: &Glob) -> Result<BooksStatus, Box<ControlError>> {
    let answer = ask(path, &format!("books {}", symbols.as_str()))?;
    let books = serde_json::from_value(answer);
    Ok(books.map_err(|_| ControlError::Refused {
        path: path.to_owned(),
        reason: "what answers there is of another version".to_owned(),
    })?)
}

fn listen(path: &Path) -> Result<UnixListener, Box<ControlError>> {
    let failed = |source| ControlError::Io {
        path: path.to_owned(),
        source,
    };
    match bind(path) {
        Err(e) if e.kind() == ErrorKind::AddrInUse => {}
        bound => return Ok(bound.map_err(failed)?),
    }
    let there = fs::symlink_metadata(path).map_err(failed)?;
    if !there.file_type().is_socket() {
        return Err(ControlError::NoSocket(path.to_owned()).into());
    }
    match UnixStream::connect(path) {
        // Left behind by a process that could not clean up.
        Err(e) if e.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)?;
            Ok(bind(path).map_err(failed)?)
        }
        // Also when it is too busy to answer.
        _ => Err(ControlError::Taken(path.to_owned()).into()),
    }
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // The file that binding makes has the mode of the socket: at no moment may anybody else open it.
    let file = File::from(OwnedFd::from(socket));
    file.set_permissions(Permissions::from_mode(0o600))?;
    let socket = Socket::from(OwnedFd::from(file));
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(UnixListener::from(OwnedFd::from(socket)))
}

fn serve(listener: &UnixListener, subscription: &Subscription, board: &Board, stop: &AtomicBool) {
    while !stop.load(Relaxed) {
        match listener.accept() {
            // A client that leaves or is too slow has no answer; that is its loss alone.
            Ok((stream, _)) => drop(answer(stream, subscription, board)),
            Err(_) => std::thread::sleep(NAP),
        }
        subscription.collect();
    }
}

fn answer(mut stream: UnixStream, subscription: &Subscription, board: &Board) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    let facts = match line(&mut stream, PATIENCE, LINE_BYTES_MAX) {
        Ok(request) if request.trim() == "status" => json!(board.status()),
        Ok(request) => match request.trim().strip_prefix("books ") {
            Some(symbols) => books(symbols, board).unwrap_or_else(|e| json!({ "error": e })),
            None => reply(&request, subscription),
        },
        Err(e) => json!({ "error": format!("no request: {e}") }),
    };
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{facts}\n").as_bytes())
}

/// The best prices of the symbols that one pattern means.
fn books(symbols: &str, board: &Board) -> Result<Value, String> {
    let symbols: Glob = symbols
        .trim()
        .parse()
        .map_err(|e: GlobError| e.to_string())?;
    board.books(&symbols).map(|books| json!(books))
}

/// Does what a request, one line without its end, says; the answer, which fits a line of [`LINE_BYTES_MAX`].
pub fn reply(request: &str, subscription: &Subscription) -> Value {
    match act(request, subscription) {
        Ok(filter) => facts(&filter),
        Err(reason) => json!({ "error": reason }),
    }
}

/// Does what a request says, and says what is wanted then.
fn act(request: &str, subscription: &Subscription) -> Result<Filter, String> {
    let mut words = request.split_ascii_whitespace();
    let verb = words.next().unwrap_or("");
    let symbols: Result<Vec<Glob>, _> = words.map(str::parse).collect();
    match (verb, symbols) {
        ("subscribe" | "unsubscribe", Ok(symbols)) if !symbols.is_empty() => {
            let changed = subscription.change(&symbols, verb == "subscribe");
            changed.map_err(|e| e.to_string())
        }
        ("subscribe" | "unsubscribe", Err(e)) => Err(e.to_string()),
        ("subscribe" | "unsubscribe", Ok(_)) => Err(format!("{verb}: expected symbol patterns")),
        ("list", Ok(symbols)) if symbols.is_empty() => Ok(subscription.filter()),
        _ => Err(
            "expected `subscribe`, `unsubscribe`, `list`, `status` or `books` and a pattern"
                .to_owned(),
        ),
    }
}

/// `rules` in their order, of which the last that matches decides, and what holds `otherwise`.
fn facts(filter: &Filter) -> Value {
    let rules = filter.rules().iter();
    let rules: Vec<_> = rules
        .map(|rule| json!({"symbols": rule.symbols.as_str(), "wanted": rule.wanted}))
        .collect();
    json!({"rules": rules, "otherwise": filter.otherwise()})
}

/// Reads up to the end of a line, for a bounded time and to a bounded length.
fn line(stream: &mut UnixStream, patience: Duration, longest: usize) -> io::Result<String> {
    let until = Instant::now() + patience;
    let (mut bytes, mut part) = (Vec::new(), [0; 512]);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let n = match stream.read(&mut part) {
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Err(ErrorKind::TimedOut.into()),
            read => read?,
        };
        if n == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&part[..n]);
        if let Some(end) = bytes.iter().position(|&b| b == b'\n') {
            bytes.truncate(end);
            let text = String::from_utf8(bytes);
            return text.map_err(|_| io::Error::new(ErrorKind::InvalidData, "not text"));
        }
        if bytes.len() > longest {
            return Err(io::Error::new(ErrorKind::InvalidData, "line too long"));
        }
    }
}

#[cfg(test)]
#[path = "control_tests.rs"]
mod tests;
