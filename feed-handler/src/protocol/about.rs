//! What the protocols are, for people.

use super::{Described, ForDescribed, ForProtocol, Protocol, Sheet, with_described, with_protocol};
use feed_common::event::Kind;
use feed_common::latency::messages::TypeCode;
use feed_common::wire::ProtocolName;
use feed_common::wire::native::record_kind;

/// What a protocol is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Whose it is and what it is called.
    pub feed: &'static str,
    /// Of the specification, as far as they are read.
    pub versions: &'static str,
    /// What its messages travel in.
    pub framing: &'static str,
    /// What its books are made of.
    pub books: &'static str,
}

/// What there is to know about the protocol of a name.
pub fn about(name: ProtocolName) -> About {
    struct OfAbout;
    impl ForProtocol for OfAbout {
        type Out = About;

        fn call<P: Protocol>(self) -> About {
            P::ABOUT
        }
    }
    with_protocol(name, OfAbout)
}

/// Every message type of a protocol: how facts write it, and what the specification calls it.
pub fn messages(name: ProtocolName) -> Vec<(String, &'static str)> {
    struct OfSheet;
    impl ForDescribed for OfSheet {
        type Out = Vec<(String, &'static str)>;

        fn call<P: Described>(self) -> Self::Out {
            // The widest type number of any protocol has 16 bits.
            let named = |code| Some((P::Sheet::key(code), P::Sheet::name(code)?));
            (0..=u32::from(u16::MAX)).filter_map(named).collect()
        }
    }
    let records = || {
        let named = |kind: u8| Some((kind.to_string(), Kind(kind).name()?));
        (0..=u8::MAX).filter_map(named).collect()
    };
    with_described(name, OfSheet).unwrap_or_else(records)
}

/// How the number of a message's type is read off its bytes: for the types of figures.
pub fn type_code(name: ProtocolName) -> TypeCode {
    struct OfCode;
    impl ForDescribed for OfCode {
        type Out = TypeCode;

        fn call<P: Described>(self) -> TypeCode {
            P::Sheet::code
        }
    }
    // The only batches that are read.
    with_described(name, OfCode).unwrap_or(|_| record_kind::MARKET_DATA.into())
}

/// How facts write the type of that number, and what the specification calls it, if it has it.
pub fn message_type(name: ProtocolName, code: u32) -> (String, Option<&'static str>) {
    struct OfType(u32);
    impl ForDescribed for OfType {
        type Out = (String, Option<&'static str>);

        fn call<P: Described>(self) -> Self::Out {
            (P::Sheet::key(self.0), P::Sheet::name(self.0))
        }
    }
    let batch = || (code.to_string(), Some("batch of MarketData"));
    with_described(name, OfType(code)).unwrap_or_else(batch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use feed_common::latency::messages::TYPES_MAX;

    #[test]
    fn every_protocol_says_what_it_is() {
        for &name in ProtocolName::ALL {
            let About {
                feed,
                versions,
                framing,
                books,
            } = about(name);
            assert!(
                [feed, versions, framing, books]
                    .iter()
                    .all(|s| !s.is_empty())
            );
            let all = messages(name);
            let keys: std::collections::HashSet<_> = all.iter().map(|(key, _)| key).collect();
            assert!(!all.is_empty() && keys.len() == all.len(), "{name}");
            assert!(all.len() <= TYPES_MAX, "{name}: no room for figures");
        }
        assert_eq!(messages(ProtocolName::Itch50).len(), 23);
    }

    #[test]
    fn types_are_read_off_and_named() {
        let of = |name, message: &[u8]| message_type(name, type_code(name)(message));
        assert_eq!(
            of(ProtocolName::Itch50, b"A..."),
            ("A".into(), Some("Add Order"))
        );
        assert_eq!(of(ProtocolName::Itch50, b"~"), ("~".into(), None));
        assert_eq!(of(ProtocolName::Native, b"").1, Some("batch of MarketData"));
    }
}
