//! Why a client is no longer served: counted by cause, and told with a reason.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $code:literal;)*) => {
        /// Why a client is no longer served, or was never.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Cause { $($(#[$doc])* $name,)* }

        impl Cause {
            /// All of them.
            pub const ALL: &[Cause] = &[$(Cause::$name,)*];

            /// Its name in facts.
            pub fn name(self) -> &'static str {
                match self { $(Cause::$name => $text,)* }
            }

            /// The code of a WebSocket's close (RFC 6455, 7.4.1).
            pub fn code(self) -> u16 {
                match self { $(Cause::$name => $code,)* }
            }
        }
    };
}

causes! {
    /// It left.
    Left = "left", 1000;
    /// The gateway ends.
    Shutdown = "shutdown", 1001;
    /// Nothing was heard of it for too long.
    Silent = "silent", 1008;
    /// It took nothing of what was sent for too long.
    Stalled = "stalled", 1008;
    /// Its queue was full, and it had asked to be dropped then.
    TooSlow = "too_slow", 1008;
    /// It said what cannot be meant.
    BadRequest = "bad_request", 1008;
    /// A message was longer than allowed.
    TooLarge = "too_large", 1009;
    /// It asked for more than it may.
    TooMany = "too_many", 1008;
    /// It has not shown a token that is known.
    Unauthorised = "unauthorised", 1008;
    /// It said nothing in time.
    Handshake = "handshake", 1008;
    /// There was no room for it.
    NoRoom = "no_room", 1013;
    /// A web page that may not connect sent it, or it asked for another host.
    Foreign = "foreign", 1008;
}

/// Why a client is no longer served, in words too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Why.
    pub cause: Cause,
    /// What it is told.
    pub reason: String,
}

impl Ending {
    /// Of a cause that says `reason`.
    pub fn new(cause: Cause, reason: impl fmt::Display) -> Ending {
        Ending {
            cause,
            reason: reason.to_string(),
        }
    }

    /// It left.
    pub fn left() -> Ending {
        Ending::new(Cause::Left, "the client left")
    }

    /// Its queue of `room` records was full.
    pub fn too_slow(room: usize) -> Ending {
        let reason = format_args!("{room} records were waiting");
        Ending::new(Cause::TooSlow, reason)
    }
}

/// How many ended, by cause.
#[derive(Debug, Default)]
pub struct Endings([AtomicU64; Cause::ALL.len()]);

impl Endings {
    /// One more.
    pub fn count(&self, cause: Cause) {
        self.0[cause as usize].fetch_add(1, Relaxed);
    }

    /// Those that there were.
    pub fn read(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let all = Cause::ALL.iter();
        let all = all.map(|&cause| (cause.name(), self.0[cause as usize].load(Relaxed)));
        all.filter(|(_, n)| *n > 0)
    }
}
