//! Asking a run how it stands, once a second, on a thread of its own: one that does not answer keeps nobody from the keys.

use super::app::{Answer, Told};
use crate::run::{ControlError, ask_books, ask_status};
use crate::subscribe::Glob;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

/// From one question to the next.
const PERIOD: Duration = Duration::from_secs(1);

/// What has been answered. The thread ends, after the question it is at, when this is dropped.
pub struct Asker {
    answers: Receiver<Answer>,
    symbols: Wanted,
    _stop: Sender<()>,
}

/// The symbols whose best prices are asked for too.
type Wanted = Arc<Mutex<Option<Glob>>>;

impl Asker {
    /// Asks the run that listens on `socket` from now on.
    pub fn start(socket: &Path) -> io::Result<Asker> {
        let (to, answers) = bounded(1);
        let (stop, stopped) = bounded(0);
        let socket = socket.to_owned();
        let symbols = Wanted::default();
        let wanted = symbols.clone();
        let thread = Builder::new().name("ask".into());
        thread.spawn(move || ask(&socket, &wanted, &to, &stopped))?;
        Ok(Asker {
            answers,
            symbols,
            _stop: stop,
        })
    }

    /// From the next question on asks for the best prices of these symbols too, or of none.
    pub fn want(&self, symbols: Option<&Glob>) {
        let mut wanted = self.symbols.lock().unwrap_or_else(PoisonError::into_inner);
        if wanted.as_ref() != symbols {
            *wanted = symbols.cloned();
        }
    }

    /// The next answer, if there is one already. An error when there will be none any more.
    pub fn answer(&self) -> io::Result<Option<Answer>> {
        match self.answers.try_recv() {
            Ok(answer) => Ok(Some(answer)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(io::Error::other("the asking thread has ended")),
        }
    }
}

fn ask(socket: &Path, wanted: &Wanted, to: &Sender<Answer>, stopped: &Receiver<()>) {
    let why = |e: Box<ControlError>| {
        // Which socket it is stands in the header.
        let said = e.to_string();
        let path = format!("{}: ", socket.display());
        said.strip_prefix(&path).unwrap_or(&said).to_owned()
    };
    let mut next = Instant::now();
    loop {
        let symbols = wanted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let answer = ask_status(socket).map_err(why).map(|status| Told {
            status,
            books: symbols.map(|symbols| ask_books(socket, &symbols).map_err(why)),
        });
        if to.send(answer).is_err() {
            return;
        }
        // What took longer is not made up for.
        next = Instant::now().max(next + PERIOD);
        if stopped.recv_deadline(next) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}
