//! What bad messages cost: a session with some put between its own, through a whole lane.

use super::push;
use crate::lane::{FileLane, Nothing, booked};
use feed_common::capture::CaptureFile;
use feed_common::wire::moldudp64::Blocks;
use feed_handler::publish::Records;

/// One bad message for so many good ones: 5 % of all are bad.
const GOOD_FOR_ONE: u64 = 19;

/// A session and the same with bad messages in it. The good ones are the same in both, so that the books are too.
pub struct Spoilt {
    /// The session.
    pub good: CaptureFile,
    /// The session with bad messages between the good.
    pub spoilt: CaptureFile,
    /// Good messages.
    pub messages: u64,
    /// Bad ones.
    pub bad: u64,
}

impl Spoilt {
    /// Of a BinaryFILE.
    pub fn new(session: Vec<u8>) -> Spoilt {
        let (mut spoilt, mut messages, mut bad) = (Vec::new(), 0, 0);
        for message in Blocks::new(&session) {
            push(&mut spoilt, message);
            messages += 1;
            // Where a bad one comes must not be learnable.
            let drawn = u64::wrapping_mul(messages, 0x9E37_79B9_7F4A_7C15) >> 32;
            if drawn.is_multiple_of(GOOD_FOR_ONE) {
                spoil(&mut spoilt, message, bad);
                bad += 1;
            }
        }
        let file = |bytes| CaptureFile::from_memory("session.itch", bytes).expect("a BinaryFILE");
        Spoilt {
            good: file(session),
            spoilt: file(spoilt),
            messages,
            bad,
        }
    }

    /// Nanoseconds through a lane without books, or with, of each of the two files. Every bad message has to be counted.
    pub fn through_lane(&self, file: &CaptureFile, books: bool) -> f64 {
        let bad = match std::ptr::eq(file, &self.spoilt) {
            true => self.bad,
            false => 0,
        };
        let (took, dropped) = match books {
            true => FileLane::new(file, booked(Nothing)).run(),
            false => FileLane::new(file, Records::new(Nothing, 1)).run(),
        };
        assert_eq!(dropped, bad, "bad messages that were counted");
        took
    }
}

/// A message too short for its type, or of a type that is none.
fn spoil(file: &mut Vec<u8>, message: &[u8], nth: u64) {
    match nth % 2 {
        0 => push(file, &message[..message.len() - 1]),
        _ => {
            let at = file.len() + 2;
            push(file, message);
            file[at] = b'z';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::itch::session;

    #[test]
    fn one_in_twenty_is_bad_and_counted() {
        let spoilt = Spoilt::new(session(40_000, 20));
        let share = spoilt.bad as f64 / (spoilt.messages + spoilt.bad) as f64;
        assert!((0.045..0.055).contains(&share), "{share}");
        for books in [false, true] {
            spoilt.through_lane(&spoilt.good, books);
            spoilt.through_lane(&spoilt.spoilt, books);
        }
    }
}
