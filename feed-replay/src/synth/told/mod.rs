//! One simulated market, told in the words of other exchanges.
//!
//! The ITCH session *is* the market: what it says becomes an [`Event`] each, the [`Ledger`] keeps the books, and a
//! [`Venue`] says the same in its own messages, which a [`Framer`] packs. A session has exactly as many messages as asked
//! for: telling ends before an event that might be too long for what is left, and the rest is filled with messages that
//! change nothing.
//!
//! A new exchange is a file that implements [`Venue`], and a line in the table of `synth/mod.rs`.

mod event;
mod ledger;
mod out;
mod rows;
#[cfg(test)]
mod tests;

// What a venue has to do with; not each of them asks for all of it.
pub(super) use event::{Event, Order, Print, What};
pub(super) use ledger::{Ledger, Total};
pub(super) use out::Out;
pub use rows::Row;

use super::packer::{Framer, Packer};
use super::{MessageSink, PacketSink, Protocol, SECOND, Spec, Summary, itch};
use feed_common::time::UnixNanos;
use out::Tally;
use std::io;

/// An exchange that tells the market in its own messages.
pub(super) trait Venue {
    /// Its packets.
    type Framer: Framer;

    /// Messages that one event takes at most.
    const MOST: u64;

    /// Ready to tell the session that `spec` describes.
    fn new(spec: &Spec) -> Self;

    /// Its packets of that session.
    fn framer(spec: &Spec) -> Self::Framer;

    /// Events of the market that `messages` messages tell, about: with too few much is filler, with too many the day ends
    /// early. One for one unless the exchange is more or less talkative.
    fn events(messages: u64) -> u64 {
        messages
    }

    /// Number of a message's type, as in `stats`.
    fn code(message: &[u8]) -> u16;

    /// The name of a type in `by_type`, as in `stats`.
    fn key(code: u16) -> String;

    /// Tells an event, which `ledger` already contains. At most [`Venue::MOST`] messages.
    fn tell(&mut self, event: &Event, ledger: &Ledger, out: &mut Out<'_>);

    /// One message that changes nothing, `now` nanoseconds after midnight in New York. It may be all there is of a
    /// session.
    fn filler(&mut self, now: u64, out: &mut Out<'_>);
}

/// Makes the session that `spec` describes, and the market as far as it was told.
pub(super) fn session<V: Venue>(
    spec: &Spec,
    sink: &mut dyn PacketSink,
) -> io::Result<(Summary, Ledger)> {
    let mut packer = Packer::new(spec, V::framer(spec), sink);
    let mut teller = Teller::new(V::new(spec), spec.messages.max(1), &mut packer);
    teller.day(spec)?;
    teller.fill(spec)?;
    let Teller { ledger, tally, .. } = teller;
    let (packets, bytes) = packer.finish()?;
    let at = |time: u64| UnixNanos(spec.midnight().0 + time);
    let summary = Summary {
        messages: tally.messages,
        packets,
        bytes,
        symbols: ledger.instruments() as u64,
        by_type: tally.by_type(V::key),
        first: at(tally.first),
        last: at(tally.last),
    };
    Ok((summary, ledger))
}

/// Hears the market and has the exchange tell it.
struct Teller<'a, V> {
    venue: V,
    ledger: Ledger,
    sink: &'a mut dyn MessageSink,
    tally: Tally,
    /// Messages that the session may still have.
    left: u64,
    /// The message that is told next: only the one behind it says whether it ends what happened.
    held: Vec<u8>,
    /// Too few messages are left for another event.
    over: bool,
}

impl<'a, V: Venue> Teller<'a, V> {
    fn new(venue: V, messages: u64, sink: &'a mut dyn MessageSink) -> Teller<'a, V> {
        Teller {
            venue,
            ledger: Ledger::default(),
            sink,
            tally: Tally::default(),
            left: messages,
            held: Vec::with_capacity(64),
            over: false,
        }
    }

    /// Tells the day, or as much of it as there are messages for.
    fn day(&mut self, spec: &Spec) -> io::Result<()> {
        let events = V::events(self.left);
        let rate = u128::from(spec.rate) * u128::from(events) / u128::from(self.left);
        let market = Spec {
            protocol: Protocol::Itch50,
            messages: events,
            rate: rate.clamp(1, 1_000_000_000) as u64,
            ..spec.clone()
        };
        match itch::session(&market, self) {
            Ok(_) => self.tell(false),
            Err(_) if self.over => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// Tells the message that is held, unless the session is over.
    fn tell(&mut self, more: bool) -> io::Result<()> {
        if self.left < V::MOST {
            self.over = true;
            return Ok(());
        }
        let mut event = self.ledger.apply(&self.held);
        event.more = more && self.left >= 2 * V::MOST;
        let mut out = Out::new(self.sink, &mut self.tally, V::code, event.time, V::MOST);
        self.venue.tell(&event, &self.ledger, &mut out);
        self.left -= out.done()?;
        Ok(())
    }

    /// What is left is filler, at the session's rate.
    fn fill(&mut self, spec: &Spec) -> io::Result<()> {
        let mut now = self.tally.last.max(super::OPEN);
        for _ in 0..self.left {
            now += SECOND / spec.rate;
            let mut out = Out::new(self.sink, &mut self.tally, V::code, now, 1);
            self.venue.filler(now, &mut out);
            assert_eq!(out.done()?, 1, "a filler is one message");
        }
        self.left = 0;
        Ok(())
    }
}

impl<V: Venue> MessageSink for Teller<'_, V> {
    fn message(&mut self, _time: u64, message: &[u8]) -> io::Result<()> {
        // Tracking number and time: what happens at once has both in common.
        let stamp = |message: &[u8]| message[3..11].first_chunk::<8>().copied();
        if !self.held.is_empty() {
            self.tell(stamp(&self.held) == stamp(message))?;
        }
        if self.over {
            // The market would go on until its own messages are used up.
            return Err(io::ErrorKind::Other.into());
        }
        self.held.clear();
        self.held.extend_from_slice(message);
        Ok(())
    }
}
