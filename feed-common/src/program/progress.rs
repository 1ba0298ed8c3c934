//! How far a long job has come: a bar on standard error where that is a terminal, nothing anywhere else.

use crate::capture::CaptureFile;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Steps from one look at the clock to the next.
const STEPS: u32 = 64;

/// A job that is done sooner shows no bar.
const DELAY: Duration = Duration::from_millis(300);

/// Times a second that the bar is drawn at most.
const HZ: u8 = 10;

/// A job under way. Dropping it takes the bar away, so that what is printed next begins on an empty line.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    began: Instant,
    /// Steps until the next look at the clock; `None` where nobody would see the bar.
    left: Option<u32>,
}

impl Progress {
    /// Of a job that goes through a capture and counts, as [`Records::taken`] does, the bytes of the file as it is. Of a
    /// pipe nobody knows how many there are.
    ///
    /// [`Records::taken`]: crate::capture::Records::taken
    pub fn of_file(file: &CaptureFile) -> Progress {
        let total = file.bytes().map(|bytes| bytes.len() as u64);
        let template = match total {
            Some(_) => "{wide_bar} {percent:>3} % of {total_bytes}, {eta} left",
            None => "{spinner} {bytes} so far, {bytes_per_sec}",
        };
        Progress::new(total.unwrap_or(0), template)
    }

    /// Of a job that prints rows while it goes through a capture. It is shown only where they go to a file: on a terminal
    /// they would run into the bar, and a pipe may lead to a pager on the terminal.
    pub fn beside_rows(file: &CaptureFile) -> Progress {
        match is_file(io::stdout()) {
            true => Progress::of_file(file),
            false => Progress::unwatched(),
        }
    }

    /// Of a job that has so many messages to make.
    pub fn of_messages(total: u64) -> Progress {
        Progress::new(
            total,
            "{wide_bar} {percent:>3} % of {len} messages, {eta} left",
        )
    }

    /// Of a job that nobody watches.
    pub fn unwatched() -> Progress {
        Progress {
            bar: ProgressBar::hidden(),
            began: Instant::now(),
            left: None,
        }
    }

    fn new(total: u64, template: &str) -> Progress {
        let target = ProgressDrawTarget::stderr_with_hz(HZ);
        if target.is_hidden() {
            return Progress::unwatched();
        }
        let bar = ProgressBar::with_draw_target(Some(total), target);
        // The templates are ours; were one wrong, the library's own would do.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Progress {
            bar,
            began: Instant::now(),
            left: Some(STEPS),
        }
    }

    /// A step of the job is done; `done` says how much that makes in all, and is seldom asked. About a nanosecond.
    #[inline]
    pub fn step(&mut self, done: impl FnOnce() -> u64) {
        if let Some(left) = &mut self.left {
            *left -= 1;
            if *left == 0 {
                self.show(done());
            }
        }
    }

    #[cold]
    fn show(&mut self, done: u64) {
        self.left = Some(STEPS);
        self.reach(done);
    }

    /// So much of the job is done in all. For those who have no steps but look now and then.
    pub fn reach(&mut self, done: u64) {
        if self.began.elapsed() >= DELAY {
            self.bar.set_position(done);
        }
    }

    /// Prints a line on standard error, above the bar if there is one.
    pub fn print_above(&self, line: &str) {
        // Progress is a courtesy; a closed standard error ends nothing.
        let print = || writeln!(io::stderr(), "{line}");
        let _ = self.bar.suspend(print);
    }
}

/// True where what is written to `out` ends up in a file.
fn is_file(out: impl AsFd) -> bool {
    let file = out.as_fd().try_clone_to_owned().map(File::from);
    file.and_then(|file| file.metadata())
        .is_ok_and(|metadata| metadata.is_file())
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_nobody_watches_is_never_asked_how_far_it_is() {
        let mut progress = Progress::unwatched();
        for _ in 0..10 * STEPS {
            progress.step(|| unreachable!("nobody watches"));
        }
    }

    #[test]
    fn a_watched_job_is_asked_now_and_then() {
        let mut progress = Progress::unwatched();
        progress.left = Some(STEPS);
        let mut asked = 0;
        for _ in 0..10 * STEPS {
            progress.step(|| {
                asked += 1;
                asked
            });
        }
        assert_eq!(asked, 10);
    }
}
