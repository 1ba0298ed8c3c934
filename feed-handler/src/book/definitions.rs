//! What a feed's definitions say that books have to know. It outlives sessions, as exchanges do not say it again.

use super::books::Books;
use super::instrument::Kept;
use super::slots;
use feed_common::event::{Directory, MsgCtx, Name};
use zerocopy::FromZeros;

/// What has been said of an instrument. Zeroed: nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromZeros)]
#[repr(C)]
pub(super) struct Definition {
    /// The whole name, where a symbol is too short for it; else zeros.
    name: [u8; Name::MAX],
    /// See [`Directory::depths`].
    depths: [u8; 2],
}

impl Definition {
    fn of(m: &Directory) -> Definition {
        let mut name = [0; Name::MAX];
        if m.name.symbol().is_none() {
            let long = m.name.as_bytes();
            name[..long.len()].copy_from_slice(long);
        }
        Definition {
            name,
            depths: m.depths,
        }
    }

    /// How many levels are kept of the real and of the implied book.
    #[inline(always)]
    pub fn depths(&self) -> [u8; 2] {
        slots::depths(self.depths)
    }
}

impl Books {
    /// An instrument is announced: how many numbered levels it has, and its name where a symbol is too short for it.
    pub fn directory(&mut self, cx: &MsgCtx, m: &Directory) {
        let i = cx.instrument;
        let new = Definition::of(m);
        if !self.has_room_for(i) {
            return;
        }
        if self.known(i).is_some() {
            self.instruments[i].symbol = cx.symbol; // it can have had another
        }
        if self.definitions[i] == new {
            return; // most feeds say nothing that is kept
        }
        self.definitions[i] = new;
        if self.known(i).is_some() {
            self.instruments[i].depths = new.depths();
            if self.instruments[i].kept == Kept::Slots {
                self.slots[i].cut(new.depths());
            }
        }
    }

    /// The whole name of the instrument with that number and symbol.
    pub fn name(&self, instrument: u32, symbol: [u8; 8]) -> Name {
        if symbol[0] == b'#' && self.has_room_for(instrument) {
            let long = Name::new(&self.definitions[instrument].name);
            if long != Name::NONE {
                return long;
            }
        }
        Name::new(&symbol)
    }
}
