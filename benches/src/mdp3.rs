//! CME MDP 3.0: from packets in memory to books and records.

use crate::context;
use crate::lane::Nothing;
use feed_common::event::MarketHandler;
use feed_common::time::UnixNanos;
use feed_handler::book::BookLimits;
use feed_handler::protocol::Decode;
use feed_handler::protocol::mdp3::Mdp3Decoder;
use feed_handler::publish::{Booked, Outlet, Records};
use feed_handler::transport::{Framing, Mdp3Framing};
use feed_replay::synth::{Protocol, generate};

/// A session and the books it goes into.
pub struct Session {
    packets: Vec<Box<[u8]>>,
    /// Messages of all packets.
    pub messages: u64,
    decoder: Mdp3Decoder,
    books: Booked<Nothing>,
}

/// Instruments that there is room for.
const INSTRUMENTS: usize = 1 << 10;

impl Session {
    /// At least so many messages.
    pub fn new(messages: u64) -> Session {
        let spec = feed_replay::synth::Spec {
            protocol: Protocol::Mdp3,
            ..crate::spec(messages as usize)
        };
        let mut packets = Vec::new();
        let mut keep = |_: UnixNanos, packet: &[u8]| {
            packets.push(packet.into());
            Ok(())
        };
        let made = generate(&spec, &mut keep).expect("a session that can be made");
        let limits = BookLimits {
            orders: 1 << 20,
            levels: 1 << 19,
            instruments: INSTRUMENTS,
        };
        Session {
            packets,
            messages: made.messages,
            decoder: Mdp3Decoder::with_room(INSTRUMENTS),
            books: Booked::new(Records::new(Nothing, 1), 0..1, &limits, true).expect("memory"),
        }
    }

    /// Empties the books.
    pub fn restart(&mut self) {
        self.decoder.restart();
        self.books.on_restart(&context());
    }

    /// Takes the session into the books, as it comes.
    pub fn play(&mut self) {
        let mut cx = context();
        for packet in &self.packets {
            let (frame, _) = Mdp3Framing.open(packet).expect("a packet");
            cx.sequence = frame.span.first;
            cx.sent = frame.sent;
            for message in frame.messages {
                let decoded = self.decoder.decode(message, &mut cx, &mut self.books);
                decoded.expect("known messages");
            }
        }
    }

    /// Orders and levels that are in the books.
    pub fn filled(&self) -> (u64, u64) {
        let totals = self.books.books(0).expect("they are kept");
        (totals.live_orders, totals.levels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_books_fill_and_fill_again_alike() {
        let mut session = Session::new(5_000);
        session.play();
        let filled = session.filled();
        assert!(filled.0 > 0 && filled.1 > 0, "{filled:?}");
        session.restart();
        assert_eq!(session.filled(), (0, 0));
        session.play();
        assert_eq!(session.filled(), filled);
    }
}
