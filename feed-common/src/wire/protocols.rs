//! The exchanges' protocols that can be read, by name, and telling which one a stream of datagrams speaks.

use super::{iex, itch50, mdp3, memoir, native, pillar, pitch};

/// What a datagram says about a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It is of this protocol.
    Yes,
    /// It could be of this protocol or of another: it carries nothing that would tell.
    Possible,
    /// It is not.
    No,
}

/// A protocol a line: what it is, its name on command lines and in configurations, and whether a datagram fits it.
macro_rules! protocols {
    ($($(#[$doc:meta])* $protocol:ident = $name:literal, $fit:path;)*) => {
        /// The protocols.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ProtocolName {
            $($(#[$doc])* $protocol,)*
        }

        impl ProtocolName {
            /// All of them, in the order in which errors list them.
            pub const ALL: &'static [ProtocolName] = &[$(ProtocolName::$protocol),*];

            /// Their names.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// The name in configurations and on the command line.
            pub const fn name(self) -> &'static str {
                match self {
                    $(ProtocolName::$protocol => $name,)*
                }
            }

            /// Whether a datagram is of this protocol, told by its structure.
            pub fn fit(self, datagram: &[u8]) -> Fit {
                match self {
                    $(ProtocolName::$protocol => $fit(datagram),)*
                }
            }
        }
    };
}

protocols! {
    /// This project's own batches of `MarketData`.
    Native = "native", native::fit;
    /// Nasdaq TotalView-ITCH 5.0 in MoldUDP64.
    Itch50 = "itch50", itch50::fit;
    /// IEX TOPS 1.5 and 1.6, DEEP 1.0 and DEEP+ 1.0 in IEX-TP.
    Iex = "iex", iex::fit;
    /// CME MDP 3.0 over UDP, schema versions 5 to 13.
    Mdp3 = "mdp3", mdp3::fit;
    /// Cboe Multicast PITCH 2.x, US equities.
    Pitch = "pitch", pitch::fit;
    /// NYSE XDP, as the Pillar markets send it: Integrated Feed.
    Pillar = "pillar", pillar::fit;
    /// MEMX MEMOIR Depth.
    Memoir = "memoir", memoir::fit;
}

impl ProtocolName {
    /// The protocol called so.
    pub fn of(name: &str) -> Option<ProtocolName> {
        Self::ALL.iter().copied().find(|p| p.name() == name)
    }

    /// The protocol of a stream as far as one of its datagrams says: [`Fit::Yes`] with its name where it fits one alone,
    /// else [`Fit::Possible`] or [`Fit::No`].
    pub fn tell(datagram: &[u8]) -> (Fit, Option<ProtocolName>) {
        let (mut sure, mut possible) = (None, false);
        for &protocol in Self::ALL {
            match (protocol.fit(datagram), sure) {
                (Fit::Yes, None) => sure = Some(protocol),
                (Fit::Yes, Some(_)) => return (Fit::Possible, None),
                (Fit::Possible, _) => possible = true,
                (Fit::No, _) => {}
            }
        }
        match (sure, possible) {
            (Some(protocol), _) => (Fit::Yes, Some(protocol)),
            (None, true) => (Fit::Possible, None),
            (None, false) => (Fit::No, None),
        }
    }
}

impl std::str::FromStr for ProtocolName {
    type Err = String;

    fn from_str(name: &str) -> Result<ProtocolName, String> {
        ProtocolName::of(name).ok_or_else(|| format!("expected one of {}", Self::NAMES.join(", ")))
    }
}

impl std::fmt::Display for ProtocolName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::super::moldudp64::PacketBuilder;
    use super::*;

    fn mold(messages: &[&[u8]]) -> Vec<u8> {
        let mut packet = PacketBuilder::new(*b"S         ", 1, 1400);
        assert!(messages.iter().all(|message| packet.push(message)));
        packet.payload().to_vec()
    }

    #[test]
    fn names_are_found_again() {
        for &protocol in ProtocolName::ALL {
            assert_eq!(ProtocolName::of(protocol.name()), Some(protocol));
            assert_eq!(protocol.name().parse(), Ok(protocol));
        }
        let error = "itch".parse::<ProtocolName>().unwrap_err();
        assert!(
            error.starts_with("expected one of native, itch50"),
            "{error}"
        );
    }

    #[test]
    fn messages_tell_and_heartbeats_do_not() {
        let itch = (Fit::Yes, Some(ProtocolName::Itch50));
        assert_eq!(ProtocolName::tell(&mold(&[&[b'D'; 19], b""])), itch);
        let native = (Fit::Yes, Some(ProtocolName::Native));
        assert_eq!(ProtocolName::tell(&native::MAGIC), native);
        assert_eq!(ProtocolName::tell(&mold(&[])), (Fit::Possible, None));
        assert_eq!(ProtocolName::tell(&mold(&[b""])), (Fit::Possible, None));
        for nothing in [&mold(&[&[b'D'; 18]])[..], &mold(&[b"zzz"]), b"", b"noise"] {
            assert_eq!(ProtocolName::tell(nothing), (Fit::No, None));
        }
    }
}
