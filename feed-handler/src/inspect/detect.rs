//! Which protocol each stream of a capture speaks, told by its bytes.

use super::appearance::Appearance;
use super::itch50::Itch50File;
use super::{Dissect, Fit, dissector};
use feed_common::capture::{Datagram, Lend};
use feed_common::wire::ProtocolName;
use std::collections::HashMap;
use std::net::SocketAddr;

/// Datagrams of a stream that are looked at before it is taken for something else entirely.
const PATIENCE: u32 = 64;

/// The protocol of every recognised stream of a capture. A stream is a destination; a BinaryFILE is one without.
#[derive(Clone, Default)]
pub struct Streams {
    by_destination: HashMap<Option<SocketAddr>, &'static dyn Dissect>,
    /// What streams that are not in the map speak.
    otherwise: Option<&'static dyn Dissect>,
    unrecognised: usize,
}

/// Why no protocol was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DetectError {
    /// There are streams, but what they carry would fit several protocols.
    #[error("the bytes do not say which protocol this is; name one: --protocol {}", .0.join("|"))]
    Undecided(Vec<&'static str>),
    /// No stream is of a protocol this build reads.
    #[error("no stream of a known protocol; known are: {}", .0.join(", "))]
    Unrecognised(Vec<&'static str>),
}

/// What is known of a stream so far.
#[derive(Clone, Copy)]
pub(super) enum Verdict {
    /// Nothing fits yet.
    Nothing {
        looked_at: u32,
    },
    /// Only datagrams that carry no message.
    Possible,
    Decided(&'static dyn Dissect),
}

impl Streams {
    /// Looks at the datagrams of a whole capture. One without datagrams has no streams, and that is no error.
    pub fn detect(mut datagrams: impl Lend) -> Result<Streams, DetectError> {
        let (mut appearance, mut verdicts) = (Appearance::default(), Vec::new());
        while let Some(datagram) = datagrams.lend() {
            let stream = appearance.number(datagram.dst);
            if stream == verdicts.len() {
                verdicts.push(Verdict::default());
            }
            verdicts[stream].look(&datagram);
            if datagram.dst.is_none() {
                break; // a BinaryFILE is of one kind throughout
            }
        }
        Streams::conclude(appearance.order(), &verdicts)
    }

    /// Takes the user's word: every stream speaks `protocol`.
    pub fn given(protocol: &'static dyn Dissect) -> Streams {
        Streams {
            by_destination: HashMap::from([(None, &Itch50File as &dyn Dissect)]),
            otherwise: Some(protocol),
            unrecognised: 0,
        }
    }

    /// The protocol of a datagram's stream.
    pub fn of(&self, datagram: &Datagram<'_>) -> Option<&'static dyn Dissect> {
        self.at(datagram.dst)
    }

    /// The protocol of what is sent to a destination.
    pub(super) fn at(&self, destination: Option<SocketAddr>) -> Option<&'static dyn Dissect> {
        let known = self.by_destination.get(&destination).copied();
        known.or(self.otherwise)
    }

    /// The destination of the only stream, if there is known to be no other.
    pub(super) fn only(&self) -> Option<Option<SocketAddr>> {
        let mut destinations = self.by_destination.keys();
        match (self.otherwise, destinations.next(), destinations.next()) {
            (None, Some(&only), None) => Some(only),
            _ => None,
        }
    }

    /// The protocol of all streams, where they have one and the same.
    pub(super) fn agreed(&self) -> Option<&'static dyn Dissect> {
        let mut protocols = self.by_destination.values();
        let &first = protocols.next()?;
        protocols.all(|p| p.name() == first.name()).then_some(first)
    }

    /// Streams that are left out.
    pub fn unrecognised(&self) -> usize {
        self.unrecognised
    }

    /// From the verdicts on all streams, in the same order.
    pub(super) fn conclude(
        streams: &[Option<SocketAddr>],
        verdicts: &[Verdict],
    ) -> Result<Streams, DetectError> {
        let names = || ProtocolName::NAMES.to_vec();
        if verdicts.is_empty() {
            return Ok(Streams::default());
        }
        let both = || streams.iter().zip(verdicts);
        let mut found = Streams {
            by_destination: both()
                .filter_map(|(&dst, verdict)| Some((dst, verdict.protocol()?)))
                .collect(),
            otherwise: None,
            unrecognised: 0,
        };
        if found.by_destination.is_empty() {
            let possible = verdicts.iter().any(|v| matches!(v, Verdict::Possible));
            return Err(match possible {
                true => DetectError::Undecided(names()),
                false => DetectError::Unrecognised(names()),
            });
        }
        // A line that was silent but for heartbeats speaks what all the others speak.
        if let Some(agreed) = found.agreed() {
            let silent = both().filter(|(_, verdict)| matches!(verdict, Verdict::Possible));
            found
                .by_destination
                .extend(silent.map(|(&dst, _)| (dst, agreed)));
        }
        found.unrecognised = verdicts.len() - found.by_destination.len();
        Ok(found)
    }
}

impl Default for Verdict {
    fn default() -> Verdict {
        Verdict::Nothing { looked_at: 0 }
    }
}

impl Verdict {
    fn protocol(self) -> Option<&'static dyn Dissect> {
        match self {
            Verdict::Decided(protocol) => Some(protocol),
            _ => None,
        }
    }

    /// Lets a datagram change the verdict on its stream.
    pub(super) fn look(&mut self, datagram: &Datagram<'_>) {
        if datagram.dst.is_none() {
            *self = Verdict::Decided(&Itch50File);
            return;
        }
        let looked_at = match self {
            Verdict::Decided(_) => return,
            Verdict::Nothing { looked_at } if *looked_at >= PATIENCE => return,
            Verdict::Nothing { looked_at } => *looked_at,
            Verdict::Possible => 0,
        };
        *self = match ProtocolName::tell(datagram.payload) {
            (_, Some(protocol)) => Verdict::Decided(dissector(protocol)),
            (Fit::No, None) => match self {
                Verdict::Possible => Verdict::Possible,
                _ => Verdict::Nothing {
                    looked_at: looked_at + 1,
                },
            },
            (_, None) => Verdict::Possible,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use feed_common::time::UnixNanos;
    use feed_common::wire::moldudp64::PacketBuilder;
    use feed_common::wire::native::MAGIC;
    use zerocopy::IntoBytes;

    fn at(port: u16, payload: &[u8]) -> Datagram<'_> {
        Datagram {
            number: 1,
            time: UnixNanos::UNKNOWN,
            dst: Some(SocketAddr::from(([239, 0, 0, 1], port))),
            src: None,
            payload,
        }
    }

    fn mold(messages: &[&[u8]]) -> Vec<u8> {
        let mut b = PacketBuilder::new(*b"S         ", 1, 1400);
        assert!(messages.iter().all(|m| b.push(m)));
        b.payload().to_vec()
    }

    fn name(datagrams: &[Datagram<'_>]) -> Result<&'static str, DetectError> {
        let streams = Streams::detect(datagrams)?;
        Ok(streams.of(&datagrams[0]).map_or("none", Dissect::name))
    }

    #[test]
    fn messages_decide() {
        let delete = [b'D'; 19];
        assert_eq!(name(&[at(1, &mold(&[&delete]))]), Ok("itch50"));
        assert_eq!(name(&[at(1, &mold(&[b"", &delete]))]), Ok("itch50"));
        let mut native = MAGIC.to_vec();
        native.resize(60, 0);
        assert_eq!(name(&[at(1, &native)]), Ok("native"));
    }

    #[test]
    fn what_fits_nothing_is_named_so() {
        let names = ProtocolName::NAMES.to_vec();
        let unrecognised = Err(DetectError::Unrecognised(names));
        let short = [b'D'; 18];
        assert_eq!(name(&[at(1, &mold(&[&short]))]), unrecognised);
        assert_eq!(name(&[at(1, &mold(&[b"zzz"]))]), unrecognised);
        let mut trailing = mold(&[&[b'D'; 19]]);
        trailing.push(0);
        assert_eq!(name(&[at(1, &trailing)]), unrecognised);
        assert_eq!(name(&[at(1, b"")]), unrecognised);
    }

    #[test]
    fn heartbeats_decide_nothing_unless_all_others_agree() {
        let heartbeat = mold(&[]);
        let end = PacketBuilder::new(*b"S         ", 1, 1400).end_of_session();
        let error = name(&[at(1, &heartbeat), at(1, end.as_bytes())]).unwrap_err();
        assert_eq!(error, DetectError::Undecided(ProtocolName::NAMES.to_vec()));
        assert!(error.to_string().contains("native|itch50"), "{error}");

        let data = mold(&[&[b'D'; 19]]);
        assert_eq!(name(&[at(1, &heartbeat), at(2, &data)]), Ok("itch50"));
        assert_eq!(
            name(&[at(1, &heartbeat), at(2, &data), at(3, &MAGIC)]),
            Ok("none")
        );
        assert_eq!(name(&[at(1, &heartbeat), at(1, &data)]), Ok("itch50"));
    }

    #[test]
    fn a_capture_without_datagrams_has_no_streams() {
        let none = Streams::detect(&[][..]).unwrap();
        assert!(none.of(&at(1, b"")).is_none());
        assert_eq!(none.unrecognised(), 0);
    }

    #[test]
    fn noise_beside_a_feed_is_left_out() {
        let data = mold(&[&[b'D'; 19]]);
        let all = [at(1, &data), at(2, b"noise")];
        let streams = Streams::detect(&all[..]).unwrap();
        assert!(streams.of(&all[1]).is_none());
        assert_eq!(streams.unrecognised(), 1);
    }
}
