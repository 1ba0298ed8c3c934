//! The instruments a decoder knows: their numbers, names and what the filter says of them, found by symbol or by the
//! exchange's number.

use super::ids::Ids;
use super::{Instruments, REVIEWED_AT_ONCE};
use crate::subscribe::{Filter, Standing};
use feed_common::event::{MarketHandler, MsgCtx, NO_INSTRUMENT, NO_SYMBOL, Name, Trust};
use std::collections::HashMap;
use std::io::Write;

/// What an instrument is called and how it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(16))]
pub struct Place {
    /// Its name if that fits, else `#` and its number.
    pub symbol: [u8; 8],
    /// Its number, or [`NO_INSTRUMENT`].
    pub instrument: u32,
    /// Whether it is wanted.
    pub standing: Standing,
}

impl Place {
    /// No instrument: messages about none are always wanted.
    pub const NOWHERE: Place = Place {
        symbol: NO_SYMBOL,
        instrument: NO_INSTRUMENT,
        standing: Standing::Wanted,
    };
}

/// Instruments in the order in which they were first seen. The tables that order flow looks into are taken when it is
/// made; names longer than a symbol, which come with announcements, are kept apart.
#[derive(Debug)]
pub struct Known {
    instruments: Instruments,
    /// By instrument.
    places: Box<[Place]>,
    ids: Ids,
    numbers: HashMap<Name, u32>,
    names: HashMap<u32, Name>,
    filter: Box<Filter>,
    /// Something was lost of which nobody knows what it was about: instruments that have not been seen yet are doubtful.
    doubtful: bool,
    /// Instruments that are late or doubtful.
    missed: usize,
    /// Instruments that the filter has been asked about since it is there.
    reviewed: usize,
    filtered: u64,
}

impl Known {
    /// Room for `instruments` symbols; later ones are delivered without an instrument number.
    pub fn with_room(instruments: usize) -> Known {
        Known {
            instruments: Instruments::with_capacity(instruments),
            places: vec![Place::NOWHERE; instruments.max(1)].into(),
            ids: Ids::with_room(instruments),
            numbers: HashMap::new(),
            names: HashMap::new(),
            filter: Box::default(),
            doubtful: false,
            missed: 0,
            reviewed: 0,
            filtered: 0,
        }
    }

    /// The instrument of a symbol, padded with blanks; it is given a number if it is new.
    #[inline]
    pub fn intern(&mut self, symbol: [u8; 8]) -> Place {
        if symbol == NO_SYMBOL {
            return Place::NOWHERE;
        }
        let instrument = self.instruments.intern(symbol);
        match self.places.get(instrument as usize) {
            Some(place) if place.symbol == symbol => *place,
            _ => self.learn(instrument, symbol, &symbol),
        }
    }

    /// The instrument of a name of any length, padded or not.
    pub fn intern_name(&mut self, name: &[u8]) -> Place {
        let name = Name::new(name);
        if let Some(symbol) = name.symbol() {
            return self.intern(symbol);
        }
        if let Some(&number) = self.numbers.get(&name) {
            return self.at(number);
        }
        let symbol = numbered(self.instruments.len());
        let instrument = self.instruments.intern(symbol);
        if instrument != NO_INSTRUMENT {
            self.numbers.insert(name, instrument);
            self.names.insert(instrument, name);
        }
        self.learn(instrument, symbol, name.as_bytes())
    }

    #[cold]
    fn learn(&mut self, instrument: u32, symbol: [u8; 8], name: &[u8]) -> Place {
        let place = Place {
            symbol,
            instrument,
            standing: self.first(name),
        };
        // An instrument beyond the table has no place to be kept in.
        if let Some(kept) = self.places.get_mut(instrument as usize) {
            kept.symbol = symbol;
            kept.instrument = instrument;
            self.stand(instrument, place.standing);
        }
        place
    }

    /// The standing of an instrument of which nothing has been told.
    fn first(&self, name: &[u8]) -> Standing {
        match Standing::of(name, &self.filter) {
            Standing::Wanted if self.doubtful => Standing::Doubtful,
            standing => standing,
        }
    }

    /// Lets an instrument stand otherwise from now on. One beyond the table has no standing to be kept.
    pub fn stand(&mut self, instrument: u32, standing: Standing) {
        if let Some(place) = self.places.get_mut(instrument as usize) {
            self.missed += usize::from(standing.has_missed());
            self.missed -= usize::from(place.standing.has_missed());
            place.standing = standing;
        }
    }

    /// Something was lost, and nobody knows what it was about: whatever was whole is doubtful.
    pub fn doubt(&mut self) {
        self.doubtful = true;
        for instrument in 0..self.instruments.len() as u32 {
            if self.at(instrument).standing == Standing::Wanted {
                self.stand(instrument, Standing::Doubtful);
            }
        }
    }

    /// True when something was lost of which nobody knows what it was about, and nothing has begun anew since.
    pub fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    /// Instruments of which something is missing, or may be.
    pub fn missed(&self) -> usize {
        self.missed
    }

    /// An instrument by its number.
    #[inline]
    pub fn at(&self, instrument: u32) -> Place {
        let place = self.places.get(instrument as usize);
        place.copied().unwrap_or(Place::NOWHERE)
    }

    /// The whole name of an instrument.
    pub fn name(&self, instrument: u32) -> Name {
        let long = self.names.get(&instrument);
        long.copied()
            .unwrap_or_else(|| Name::new(&self.instruments.symbol(instrument)))
    }

    /// From now on the exchange's number `id` stands for an instrument. False when there is no room for another number.
    pub fn bind(&mut self, id: u32, place: Place) -> bool {
        self.ids.insert(id, place.instrument)
    }

    /// The instrument of one of the exchange's numbers; `None` when it has not been announced. Where it is kept and not
    /// as a value: an `Option` of that is taken apart and put together again, and is waited for then.
    #[inline]
    pub fn of(&self, id: u32) -> Option<&Place> {
        let instrument = self.ids.get(id)?;
        let place = self.places.get(instrument as usize);
        Some(place.unwrap_or(&Place::NOWHERE))
    }

    /// Gives an instrument another name, under which it is not found by name. Where messages about it have come before,
    /// those that the filter passed over are missed.
    pub fn rename(&mut self, place: Place, name: Name, missed: bool) -> Place {
        let Some(kept) = self.places.get_mut(place.instrument as usize) else {
            return place;
        };
        if missed && self.names.get(&place.instrument) == Some(&name) {
            return *kept;
        }
        kept.symbol = name
            .symbol()
            .unwrap_or_else(|| numbered(place.instrument as usize));
        let before = kept.standing;
        let standing = match missed {
            true => before.again(name.as_bytes(), &self.filter),
            false => self.first(name.as_bytes()),
        };
        self.stand(place.instrument, standing);
        self.names.insert(place.instrument, name);
        self.at(place.instrument)
    }

    /// A new session: the exchange's numbers mean nothing any more, and of what is wanted nothing has been missed.
    pub fn restart(&mut self) {
        self.ids.clear();
        self.resume();
    }

    /// A new session of an exchange whose numbers stay what they are.
    pub fn resume(&mut self) {
        self.doubtful = false;
        for place in &mut self.places[..self.instruments.len()] {
            if place.standing.has_missed() {
                place.standing = Standing::Wanted;
            }
        }
        self.missed = 0;
    }

    /// Lets `tell` report events of an instrument in its context, unless they are not wanted, which is counted. Those of
    /// one of which something is missing are marked.
    #[inline(always)]
    pub fn deliver(&mut self, place: Place, cx: &mut MsgCtx, tell: impl FnOnce(&mut MsgCtx)) {
        cx.instrument = place.instrument;
        cx.symbol = place.symbol;
        if place.standing == Standing::Unwanted {
            return self.pass_over();
        }
        let trust = cx.trust;
        if place.standing != Standing::Wanted && trust == Trust::VALID {
            cx.trust = Trust::RECOVERING;
        }
        tell(cx);
        cx.trust = trust;
    }

    /// Counts a message of an instrument that is not wanted.
    #[inline]
    pub fn pass_over(&mut self) {
        self.filtered += 1;
    }

    /// See [`Decode::subscribe`](super::Decode::subscribe).
    pub fn subscribe(&mut self, filter: Box<Filter>) -> Box<Filter> {
        self.reviewed = 0;
        std::mem::replace(&mut self.filter, filter)
    }

    /// See [`Decode::review`](super::Decode::review).
    pub fn review<H: MarketHandler>(&mut self, cx: &MsgCtx, out: &mut H) -> bool {
        let all = self.instruments.len();
        let end = (self.reviewed + REVIEWED_AT_ONCE).min(all);
        for number in self.reviewed..end {
            let name = self.name(number as u32);
            let place = self.places[number];
            let before = place.standing;
            let standing = before.again(name.as_bytes(), &self.filter);
            self.stand(number as u32, standing);
            if before.is_delivered() && !standing.is_delivered() {
                let cx = MsgCtx {
                    instrument: number as u32,
                    symbol: place.symbol,
                    ..*cx
                };
                out.on_clear(&cx);
            }
        }
        self.reviewed = end;
        end < all
    }

    /// Messages passed over because their instrument is not wanted.
    pub fn filtered(&self) -> u64 {
        self.filtered
    }

    /// How often a new symbol or number found its table full.
    pub fn refused(&self) -> u64 {
        self.instruments.refused() + self.ids.refused()
    }

    /// The instruments seen so far.
    pub fn instruments(&self) -> &Instruments {
        &self.instruments
    }
}

/// The symbol of the instrument `number`, whose name is longer than a symbol.
fn numbered(number: usize) -> [u8; 8] {
    let mut symbol = NO_SYMBOL;
    match write!(&mut symbol[..], "#{number}") {
        Ok(()) => symbol,
        Err(_) => *b"########",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subscribe::Glob;

    #[test]
    fn names_of_any_length_have_numbers_in_one_row() {
        let mut known = Known::with_room(4);
        let es = known.intern_name(b"ESZ6    ");
        assert_eq!((es.instrument, &es.symbol), (0, b"ESZ6    "));
        let long = known.intern_name(b"GEZ5-2GEH6+GEM6");
        assert_eq!((long.instrument, &long.symbol), (1, b"#1      "));
        assert_eq!(known.intern_name(b"GEZ5-2GEH6+GEM6\0\0"), long);
        assert_eq!(known.intern(*b"ESZ6    "), es);
        assert_eq!(known.name(1), Name::new(b"GEZ5-2GEH6+GEM6"));
        assert_eq!(known.name(0), Name::new(b"ESZ6"));
        assert!(known.bind(7_000_000, long) && known.bind(3, es));
        let of = [known.of(7_000_000), known.of(3)];
        assert_eq!(of, [Some(&long), Some(&es)]);
        assert_eq!(known.of(4), None);
        known.restart();
        assert_eq!(known.of(3), None);
    }

    #[test]
    fn what_was_lost_can_touch_every_instrument_until_it_is_shown_not_to() {
        let mut known = Known::with_room(4);
        let standings = |known: &Known| [0, 1, 2].map(|i| known.at(i).standing);
        known.intern(*b"A       ");
        known.intern(*b"B       ");
        known.stand(1, Standing::Late);
        assert_eq!((known.missed(), known.is_doubtful()), (1, false));
        known.doubt();
        known.intern(*b"C       ");
        let doubtful = [Standing::Doubtful, Standing::Late, Standing::Doubtful];
        assert_eq!((standings(&known), known.missed()), (doubtful, 3));
        let mut cx = MsgCtx::default();
        let mut trust = None;
        known.deliver(known.at(2), &mut cx, |cx| trust = Some(cx.trust));
        assert_eq!(trust, Some(Trust::RECOVERING));
        known.stand(2, Standing::Wanted);
        known.stand(9, Standing::Wanted);
        assert_eq!(known.missed(), 2);
        known.resume();
        assert_eq!((known.missed(), known.is_doubtful()), (0, false));
        assert_eq!(standings(&known), [Standing::Wanted; 3]);
    }

    #[test]
    fn a_full_table_refuses_and_delivers_all_the_same() {
        let mut known = Known::with_room(1);
        known.intern(*b"A       ");
        let place = known.intern(*b"B       ");
        assert_eq!(
            (place.instrument, &place.symbol),
            (NO_INSTRUMENT, b"B       ")
        );
        assert_eq!(
            known.intern_name(b"a longer name").instrument,
            NO_INSTRUMENT
        );
        assert_eq!(known.refused(), 2);
        assert_eq!(known.intern(NO_SYMBOL), Place::NOWHERE);
    }

    #[test]
    fn a_renamed_instrument_keeps_its_number() {
        let mut known = Known::with_room(4);
        known.subscribe(Box::new(
            Filter::of(vec!["ES*".parse::<Glob>().unwrap()]).unwrap(),
        ));
        let by_number = known.intern_name(b"23253");
        assert!(known.bind(23_253, by_number));
        assert_eq!(by_number.standing, Standing::Unwanted);
        let named = known.rename(by_number, Name::new(b"ESZ6"), true);
        assert_eq!((named.instrument, &named.symbol), (0, b"ESZ6    "));
        assert_eq!(named.standing, Standing::Late, "messages were passed over");
        assert_eq!(known.of(23_253), Some(&named));
        assert_eq!(known.rename(named, Name::new(b"ESZ6"), true), named);
        let first = known.intern_name(b"7");
        let spread = known.rename(first, Name::new(b"ESZ6-ESH7"), false);
        assert_eq!(&spread.symbol, b"#1      ");
        assert_eq!(spread.standing, Standing::Wanted);
        assert_eq!(known.name(1), Name::new(b"ESZ6-ESH7"));
        let other = known.rename(spread, Name::new(b"NQZ6"), true);
        assert_eq!(other.standing, Standing::Unwanted);
        assert_eq!(known.name(1), Name::new(b"NQZ6"));
        known.resume();
        assert_eq!(known.of(23_253).unwrap().standing, Standing::Wanted);
        assert_eq!(
            known.rename(Place::NOWHERE, Name::NONE, true),
            Place::NOWHERE
        );
    }

    #[test]
    fn the_filter_is_asked_about_whole_names() {
        let only = |glob: &str| {
            let glob: Glob = glob.parse().unwrap();
            Box::new(Filter::of(vec![glob]).unwrap())
        };
        let mut known = Known::with_room(8);
        known.subscribe(only("GEZ5*"));
        let long = known.intern_name(b"GEZ5-2GEH6+GEM6");
        let other = known.intern_name(b"ESZ6");
        assert_eq!(
            (long.standing, other.standing),
            (Standing::Wanted, Standing::Unwanted)
        );
        known.subscribe(only("ES*"));
        struct Cleared(Vec<u32>);
        impl MarketHandler for Cleared {
            fn on_clear(&mut self, cx: &MsgCtx) {
                self.0.push(cx.instrument);
            }
        }
        let mut out = Cleared(Vec::new());
        assert!(!known.review(&MsgCtx::default(), &mut out));
        assert_eq!(out.0, [0]);
        let mut cx = MsgCtx::default();
        let mut trust = None;
        known.deliver(known.at(1), &mut cx, |cx| trust = Some(cx.trust));
        assert_eq!(trust, Some(Trust::RECOVERING), "subscribed to late");
        known.deliver(known.at(0), &mut cx, |_| panic!("not wanted"));
        assert_eq!((known.filtered(), cx.trust), (1, Trust::VALID));
    }
}
