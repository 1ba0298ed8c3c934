//! Cold threads that pair ticks with another clock, so that its stamps and receive ticks can be compared: one for the wall
//! clock, one for the clock of each network card that stamps packets.

use super::start::join;
use crate::net::{CardClock, Stamper};
use feed_common::time::{
    Clock, ClockFit, ClockPair, FitQuality, FitReader, UnixNanos, shared_line,
};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

/// Time between two pairs.
const EVERY: Duration = Duration::from_millis(100);

/// Pairs the line is fitted through: one minute of them.
const WINDOW: usize = 600;

/// Pairs clocks until it is stopped.
pub(super) struct Pairing {
    /// `None` only while being dropped.
    thread: Option<JoinHandle<FitQuality>>,
    stop: Arc<AtomicBool>,
}

impl Pairing {
    /// Pairs with the wall clock.
    pub(super) fn start(clock: Clock) -> io::Result<(Pairing, FitReader)> {
        Pairing::with(clock, UnixNanos::now)
    }

    /// Pairs with whatever `wall` reads, in nanoseconds; what it does not know is left out. Takes the first pair before it
    /// returns, so that the line is known from the first packet on.
    fn with(
        clock: Clock,
        mut wall: impl FnMut() -> UnixNanos + Send + 'static,
    ) -> io::Result<(Pairing, FitReader)> {
        let (mut writer, reader) = shared_line();
        let mut fit = ClockFit::new(clock.scale(), WINDOW);
        let mut pair = move || {
            let pair = ClockPair::sample_of(&clock, &mut wall);
            if pair.unix.is_known() {
                fit.push(pair);
                writer.publish(fit.line());
            }
            fit.quality()
        };
        pair();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("clock".into())
            .spawn(move || {
                while !stopped.load(Relaxed) {
                    std::thread::park_timeout(EVERY);
                    pair();
                }
                pair()
            })?;
        let thread = Some(thread);
        Ok((Pairing { thread, stop }, reader))
    }

    /// Ends the thread and says how well the line fitted.
    pub(super) fn finish(mut self) -> FitQuality {
        self.end().unwrap_or_default()
    }

    fn end(&mut self) -> Option<FitQuality> {
        let thread = self.thread.take()?;
        self.stop.store(true, Relaxed);
        thread.thread().unpark();
        Some(join(thread))
    }
}

impl Drop for Pairing {
    fn drop(&mut self) {
        self.end();
    }
}

/// The clock of a card that stamps packets, paired.
pub(super) struct CardPairing {
    /// Number of the clock.
    clock: u32,
    /// The interface it is of.
    interface: String,
    pairing: Pairing,
    reader: FitReader,
}

/// A clock other than the wall clock, and how well its line fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct CardFit {
    /// The interface it is of, and its number.
    pub name: String,
    /// How well the line fitted.
    pub quality: FitQuality,
}

impl CardPairing {
    /// Ends its thread.
    pub(super) fn finish(self) -> CardFit {
        CardFit {
            name: format!("/dev/ptp{} of {}", self.clock, self.interface),
            quality: self.pairing.finish(),
        }
    }
}

/// Pairs the clock of each card that stamps packets, once; and gives each line that it stamps its line.
pub(super) fn pair_cards<'s>(
    clock: &Clock,
    stampers: impl Iterator<Item = &'s Stamper>,
) -> io::Result<(Vec<CardPairing>, Vec<Option<FitReader>>)> {
    let mut pairings: Vec<CardPairing> = Vec::new();
    let mut readers = Vec::new();
    for stamper in stampers {
        let Stamper::Card {
            interface,
            clock: number,
        } = stamper
        else {
            readers.push(None);
            continue;
        };
        let at = match pairings.iter().position(|p| p.clock == *number) {
            Some(at) => at,
            None => {
                let card = CardClock::open(*number)?;
                // A reading that fails is not known, and the line stays as it was.
                let wall = move || UnixNanos(card.now().map_or(0, |now| now.0));
                let (pairing, reader) = Pairing::with(clock.clone(), wall)?;
                pairings.push(CardPairing {
                    clock: *number,
                    interface: interface.clone(),
                    pairing,
                    reader,
                });
                pairings.len() - 1
            }
        };
        readers.push(Some(pairings[at].reader.clone()));
    }
    Ok((pairings, readers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_cannot_be_read_leaves_the_line_as_it_was() {
        let clock = Clock::new();
        let mut reads = 0;
        let wall = move || {
            reads += 1;
            // The first pair takes eight readings.
            UnixNanos(if reads <= 8 { 1_000 + reads } else { 0 })
        };
        let (pairing, mut reader) = Pairing::with(clock.clone(), wall).unwrap();
        reader.refresh();
        let line = reader.line();
        assert!(line.is_known());
        std::thread::sleep(Duration::from_millis(250));
        reader.refresh();
        assert_eq!(reader.line(), line);
        let quality = pairing.finish();
        assert_eq!((quality.pairs, quality.steps), (1, 0));
    }

    #[test]
    fn lines_without_a_card_s_stamps_have_no_line() {
        let stampers = [Stamper::Nobody, Stamper::Kernel { without: None }];
        let (pairings, readers) = pair_cards(&Clock::new(), stampers.iter()).unwrap();
        assert!(pairings.is_empty() && readers.len() == 2);
        assert!(readers.iter().all(Option::is_none));
        // A card that has gone since it was asked.
        let gone = Stamper::Card {
            interface: "eth0".into(),
            clock: u32::MAX,
        };
        assert!(pair_cards(&Clock::new(), [gone].iter()).is_err());
    }
}
