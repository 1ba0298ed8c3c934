//! From the name of a protocol to its types. A line here is what makes a protocol known to runs, captures and books.

use super::{Decode, Described, Protocol, iex, itch50, mdp3, memoir, native, pillar, pitch};
use feed_common::time::Zone;
use feed_common::wire::ProtocolName;

/// Something that is done for a protocol whose name alone is known.
pub trait ForProtocol {
    /// What it gives.
    type Out;

    /// Does it.
    fn call<P: Protocol>(self) -> Self::Out;
}

/// The same for protocols that have a sheet.
pub trait ForDescribed {
    /// What it gives.
    type Out;

    /// Does it.
    fn call<P: Described>(self) -> Self::Out;
}

/// A protocol a line: its name, its type, and whether its frames hold `messages` that a sheet describes or `batches`
/// that inspection takes apart on its own.
macro_rules! registry {
    ($($name:ident => $protocol:ty, $holds:ident;)*) => {
        /// Does something for the protocol of a name.
        pub fn with_protocol<F: ForProtocol>(name: ProtocolName, what: F) -> F::Out {
            match name {
                $(ProtocolName::$name => what.call::<$protocol>(),)*
            }
        }

        /// Does something for the protocol of a name, if a sheet describes it.
        pub fn with_described<F: ForDescribed>(name: ProtocolName, what: F) -> Option<F::Out> {
            match name {
                $(ProtocolName::$name => registry!(@$holds what, $protocol),)*
            }
        }
    };
    (@messages $what:ident, $protocol:ty) => { Some($what.call::<$protocol>()) };
    (@batches $what:ident, $protocol:ty) => { None };
}

registry! {
    Native => native::Native, batches;
    Itch50 => itch50::Itch50, messages;
    Iex => iex::Iex, messages;
    Mdp3 => mdp3::Mdp3, messages;
    Pitch => pitch::Pitch, messages;
    Pillar => pillar::Pillar, messages;
    Memoir => memoir::Memoir, messages;
}

/// Whether a protocol announces instruments apart from what they do ([`Decode::ANNOUNCED_APART`]).
pub fn announced_apart(name: ProtocolName) -> bool {
    struct Apart;
    impl ForProtocol for Apart {
        type Out = bool;

        fn call<P: Protocol>(self) -> bool {
            P::Decoder::ANNOUNCED_APART
        }
    }
    with_protocol(name, Apart)
}

/// The zone of a protocol's times that count from midnight.
pub fn zone(name: ProtocolName) -> Zone {
    struct OfZone;
    impl ForProtocol for OfZone {
        type Out = Zone;

        fn call<P: Protocol>(self) -> Zone {
            P::ZONE
        }
    }
    with_protocol(name, OfZone)
}
