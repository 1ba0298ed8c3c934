//! What waits for the end of an event: instruments whose best prices it may have changed.

use crate::book::Bbo;
use feed_common::event::{Flags, MsgCtx, NO_INSTRUMENT, Trust};

/// The instruments an open event has touched, in the order it did, with their best prices before it; for a feed whose
/// events are each of one instrument, those of all that are open. All memory is taken when it is made, and none of it
/// used by feeds whose events end with their message.
#[derive(Debug)]
pub(super) struct Due {
    touched: Vec<Touched>,
    /// Of the event that has ended: those to be said.
    settled: Vec<Touched>,
    /// One bit an instrument, so that each is noted once.
    noted: Box<[u64]>,
    /// The instrument that was touched last; [`NO_INSTRUMENT`] where none is.
    last: u32,
}

/// An instrument and what it was before the event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Touched {
    pub instrument: u32,
    pub symbol: [u8; 8],
    /// False when the feed says its best prices itself.
    pub announce: bool,
    /// How far it could be believed when the event first touched it.
    pub trust: Trust,
    before: Bbo,
}

impl Due {
    /// Room for events that touch all of `instruments`.
    pub fn with_room(instruments: usize) -> Due {
        Due {
            touched: Vec::with_capacity(instruments),
            settled: Vec::with_capacity(instruments),
            noted: vec![0; instruments.div_ceil(64)].into_boxed_slice(),
            last: NO_INSTRUMENT,
        }
    }

    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.touched.is_empty()
    }

    /// True where [`Due::note`] has nothing to do for an instrument, which is that of the event before.
    #[inline(always)]
    pub fn has_just_noted(&self, instrument: u32) -> bool {
        self.last == instrument
    }

    /// Notes the context's instrument, whose best prices are `before`, unless the event has touched it already. An
    /// instrument without a book is none that could change.
    pub fn note(&mut self, cx: &MsgCtx, before: Bbo, announce: bool) {
        let (word, bit) = (cx.instrument as usize / 64, 1 << (cx.instrument % 64));
        match self.noted.get_mut(word) {
            Some(word) if *word & bit == 0 && self.touched.len() < self.touched.capacity() => {
                *word |= bit;
                self.last = cx.instrument;
                self.touched.push(Touched {
                    instrument: cx.instrument,
                    symbol: cx.symbol,
                    announce,
                    trust: cx.trust,
                    before,
                });
            }
            _ => {}
        }
    }

    /// Ends the event of the context: calls `changed` for every instrument whose best prices are others `now`, in the
    /// order they were touched, and keeps those for which it says so. An event that is of the context's instrument alone
    /// ends no other.
    pub fn settle(
        &mut self,
        cx: &MsgCtx,
        now: impl Fn(u32) -> Bbo,
        mut changed: impl FnMut(&Touched) -> bool,
    ) {
        let Due {
            touched,
            settled,
            noted,
            last,
        } = self;
        *last = NO_INSTRUMENT;
        let mut settle = |t: Touched| {
            noted[t.instrument as usize / 64] &= !(1 << (t.instrument % 64));
            if now(t.instrument) != t.before && changed(&t) {
                settled.push(t);
            }
        };
        if !cx.flags.has(Flags::OF_INSTRUMENT) {
            return touched.drain(..).for_each(settle);
        }
        // Most often the last: what stays open longer has lost its end.
        let at = touched.iter().rposition(|t| t.instrument == cx.instrument);
        if let Some(at) = at {
            settle(touched.remove(at));
        }
    }

    /// The instruments that were kept when the last event ended.
    pub fn settled(&self) -> &[Touched] {
        &self.settled
    }

    /// What was settled has been said.
    pub fn said(&mut self) {
        self.settled.clear();
    }

    /// Forgets them all.
    pub fn clear(&mut self) {
        for touched in self.touched.drain(..) {
            self.noted[touched.instrument as usize / 64] &= !(1 << (touched.instrument % 64));
        }
        self.settled.clear();
        self.last = NO_INSTRUMENT;
    }
}
