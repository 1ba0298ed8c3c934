//! What a feed announces apart from what its instruments do: on another stream, in another file.

use super::{Decode, Protocol};
use crate::transport::Framing;
use feed_common::capture::{Datagram, Lend};
use feed_common::event::Directory;
use feed_common::wire::Fit;
use std::collections::HashMap;

/// Instruments at most: a multiple of those that the largest exchange has. More are not taken.
const INSTRUMENTS_MAX: usize = 1 << 20;

/// Announcements by the exchange's number of the instrument; of two the later one counts.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    by_id: HashMap<u32, Directory>,
}

impl Definitions {
    /// Takes those in the datagrams of a protocol, also of streams that nobody follows, if the protocol has any apart.
    pub fn gather<P: Protocol>(&mut self, mut datagrams: impl Lend) {
        if !P::Decoder::ANNOUNCED_APART {
            return;
        }
        let mut framing = P::Framing::default();
        while let Some(datagram) = datagrams.lend() {
            self.read::<P>(&datagram, &mut framing);
        }
    }

    fn read<P: Protocol>(&mut self, datagram: &Datagram<'_>, framing: &mut P::Framing) {
        if P::NAME.fit(datagram.payload) != Fit::Yes {
            return;
        }
        let Ok((frame, _)) = framing.open(datagram.payload) else {
            return;
        };
        for (id, directory) in frame.messages.filter_map(P::Decoder::announcement) {
            self.insert(id, directory);
        }
    }

    /// Takes an announcement; false when there are too many.
    pub fn insert(&mut self, id: u32, directory: Directory) -> bool {
        if self.by_id.len() == INSTRUMENTS_MAX && !self.by_id.contains_key(&id) {
            return false;
        }
        self.by_id.insert(id, directory);
        true
    }

    /// What was announced of an instrument.
    pub fn get(&self, id: u32) -> Option<&Directory> {
        self.by_id.get(&id)
    }

    /// Instruments that were announced.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// True when nothing was announced.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use feed_common::event::Name;

    #[test]
    fn the_last_announcement_counts() {
        let mut definitions = Definitions::default();
        assert!(definitions.is_empty());
        for (id, name) in [(7, "ESZ6"), (u32::MAX, "NQZ6"), (7, "ESH7")] {
            assert!(definitions.insert(id, Directory::of(Name::new(name.as_bytes()))));
        }
        assert_eq!(definitions.len(), 2);
        assert_eq!(definitions.get(7).unwrap().name, Name::new(b"ESH7"));
        assert_eq!(definitions.get(8), None);
    }
}
