//! A told session's messages on their way out.

use crate::synth::MessageSink;
use std::collections::BTreeMap;
use std::io;

/// Takes the messages that tell one event.
pub(in crate::synth) struct Out<'a> {
    sink: &'a mut dyn MessageSink,
    tally: &'a mut Tally,
    code: fn(&[u8]) -> u16,
    time: u64,
    /// Messages that may still come.
    room: u64,
    written: io::Result<u64>,
}

impl<'a> Out<'a> {
    /// For an event at `time` nanoseconds after midnight of at most `most` messages.
    pub(super) fn new(
        sink: &'a mut dyn MessageSink,
        tally: &'a mut Tally,
        code: fn(&[u8]) -> u16,
        time: u64,
        most: u64,
    ) -> Out<'a> {
        Out {
            sink,
            tally,
            code,
            time,
            room: most,
            written: Ok(0),
        }
    }

    /// One message.
    #[inline]
    pub fn put(&mut self, message: &[u8]) {
        self.room = self
            .room
            .checked_sub(1)
            .expect("no more messages than an exchange says that an event takes");
        if let Ok(written) = &mut self.written {
            *written += 1;
            self.tally.count((self.code)(message), self.time);
            if let Err(e) = self.sink.message(self.time, message) {
                self.written = Err(e);
            }
        }
    }

    /// Messages written.
    pub(super) fn done(self) -> io::Result<u64> {
        self.written
    }
}

/// Messages by type.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// All together.
    pub messages: u64,
    /// Time of the first and of the last, nanoseconds after midnight.
    pub first: u64,
    pub last: u64,
    /// By the number of the type.
    counts: Vec<u64>,
}

impl Tally {
    #[inline]
    fn count(&mut self, code: u16, time: u64) {
        if self.messages == 0 {
            self.first = time;
        }
        self.messages += 1;
        self.last = time;
        let at = usize::from(code);
        if at >= self.counts.len() {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += 1;
    }

    /// What was counted, by the names of the types.
    pub fn by_type(&self, key: fn(u16) -> String) -> BTreeMap<String, u64> {
        let counted = (0..=u16::MAX).zip(&self.counts).filter(|&(_, &n)| n > 0);
        counted.map(|(code, &n)| (key(code), n)).collect()
    }
}
