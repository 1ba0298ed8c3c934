//! Asking a run how it stands, once a second, on a thread of its own: one that does not answer keeps nobody from the keys.

use super::app::Answer;
use crate::run::ask_status;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded};
use std::io;
use std::path::Path;
use std::thread::Builder;
use std::time::{Duration, Instant};

/// From one question to the next.
const PERIOD: Duration = Duration::from_secs(1);

/// What has been answered. The thread ends, after the question it is at, when this is dropped.
pub struct Asker {
    answers: Receiver<Answer>,
    _stop: Sender<()>,
}

impl Asker {
    /// Asks the run that listens on `socket` from now on.
    pub fn start(socket: &Path) -> io::Result<Asker> {
        let (to, answers) = bounded(1);
        let (stop, stopped) = bounded(0);
        let socket = socket.to_owned();
        let thread = Builder::new().name("ask".into());
        thread.spawn(move || ask(&socket, &to, &stopped))?;
        Ok(Asker {
            answers,
            _stop: stop,
        })
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

fn ask(socket: &Path, to: &Sender<Answer>, stopped: &Receiver<()>) {
    let mut next = Instant::now();
    loop {
        let answer = ask_status(socket).map_err(|e| {
            // Which socket it is stands in the header.
            let said = e.to_string();
            let path = format!("{}: ", socket.display());
            said.strip_prefix(&path).unwrap_or(&said).to_owned()
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
