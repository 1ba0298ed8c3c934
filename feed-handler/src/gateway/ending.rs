//! Why a client is no longer served: told with its reason, and counted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! endings {
    ($($(#[$doc:meta])* $name:ident $(($of:ty))? = $text:literal, $code:literal, $reason:literal;)*) => {
        /// Why a client is no longer served, or was never; shown as what it is told.
        #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
        pub enum Ending { $($(#[$doc])* #[error($reason)] $name $(($of))?,)* }

        impl Ending {
            const NAMES: &[&str] = &[$($text,)*];

            /// Its name in facts.
            pub fn name(&self) -> &'static str {
                match self { $(Ending::$name { .. } => $text,)* }
            }

            /// The code of a WebSocket's close (RFC 6455, 7.4.1).
            pub fn code(&self) -> u16 {
                match self { $(Ending::$name { .. } => $code,)* }
            }
        }
    };
}

endings! {
    /// It left.
    Left = "left", 1000, "the client left";
    /// The gateway ends.
    Shutdown = "shutdown", 1001, "the gateway ends";
    /// Nothing was heard of it for so many milliseconds.
    Silent(u128) = "silent", 1008, "nothing heard for {0} ms";
    /// It took nothing of what was sent for so many milliseconds.
    Stalled(u128) = "stalled", 1008, "took nothing for {0} ms";
    /// Its queue of so many records was full, and it had asked to be dropped then.
    TooSlow(usize) = "too_slow", 1008, "{0} records were waiting";
    /// It said what cannot be meant.
    BadRequest(String) = "bad_request", 1008, "{0}";
    /// A message was longer than allowed.
    TooLarge(String) = "too_large", 1009, "{0}";
    /// It asked for more than it may.
    TooMany(String) = "too_many", 1008, "{0}";
    /// It has not shown a token that is known.
    Unauthorised(&'static str) = "unauthorised", 1008, "{0}";
    /// It said nothing in time.
    Handshake = "handshake", 1008, "no hello in time";
    /// There was no room for it.
    NoRoom(String) = "no_room", 1013, "{0}";
    /// A web page that may not connect sent it, or it asked for another host.
    Foreign(String) = "foreign", 1008, "{0}";
}

/// How many ended, by why.
#[derive(Debug, Default)]
pub struct Endings([AtomicU64; Ending::NAMES.len()]);

impl Endings {
    /// One more.
    pub fn count(&self, ending: &Ending) {
        let names = Ending::NAMES.iter().zip(&self.0);
        for (_, n) in names.filter(|(name, _)| **name == ending.name()) {
            n.fetch_add(1, Relaxed);
        }
    }

    /// Those that there were, by name.
    pub fn read(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let all = Ending::NAMES.iter().zip(&self.0);
        let all = all.map(|(&name, n)| (name, n.load(Relaxed)));
        all.filter(|(_, n)| *n > 0)
    }
}
