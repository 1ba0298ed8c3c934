//! Blocking consumers, as they are handed to whoever uses the handler.

use crate::publish::Delivery;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use feed_common::event::Kind;
use feed_common::latency::recorder::StageRecorder;
use feed_common::latency::{Probe, Stage};
use feed_common::time::Ticks;
use std::time::Duration;

/// The receiving end of one blocking consumer.
#[derive(Debug)]
pub struct Consumer {
    /// Its name in the configuration.
    pub name: String,
    /// Its records; disconnected when the run has ended and everything was delivered.
    pub receiver: Receiver<Delivery>,
}

impl Consumer {
    pub(super) fn new(name: &str, receiver: Receiver<Delivery>) -> Consumer {
        Consumer {
            name: name.to_owned(),
            receiver,
        }
    }

    /// Takes every record and measures when it had it: what the command does with the consumers of a configuration.
    /// Returns the number of records taken.
    pub fn measure(self, mut recorder: StageRecorder) -> u64 {
        let mut taken = 0;
        loop {
            match self.receiver.recv_timeout(Duration::from_millis(20)) {
                Ok(Delivery::Record(record)) => {
                    // That of a silence came with no packet.
                    if record.data.kind != Kind::TRUST.0 {
                        recorder.mark(Stage::Taken, Ticks(record.rx.get()));
                    }
                    taken += 1;
                }
                Ok(Delivery::Lost(_) | Delivery::Conflated(_) | Delivery::Withheld(_)) => {}
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return taken,
            }
            recorder.housekeep();
        }
    }
}
