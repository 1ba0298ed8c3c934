//! Which protocol a stream speaks, told by its datagrams as the handler tells it.

use feed_common::wire::{Fit, ProtocolName};

/// Datagrams of a stream that are looked at before it is taken for something else entirely.
const PATIENCE: u8 = 64;

/// What is known of a stream's protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Guess {
    name: Option<ProtocolName>,
    looked_at: u8,
}

impl Guess {
    /// The protocol's name on the command line of the handler; none where no datagram so far has said.
    pub(super) fn name(self) -> Option<&'static str> {
        self.name.map(ProtocolName::name)
    }

    /// Looks at another datagram, unless the stream is decided or has had its chances. What could be of several
    /// protocols, heartbeats most of all, takes none of them.
    #[inline]
    pub(super) fn look(&mut self, payload: &[u8]) {
        if self.name.is_none() && self.looked_at < PATIENCE {
            let (fit, name) = ProtocolName::tell(payload);
            self.name = name;
            self.looked_at += u8::from(fit != Fit::Possible);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use feed_common::wire::moldudp64::PacketBuilder;
    use feed_common::wire::native::MAGIC;
    use zerocopy::IntoBytes;

    fn mold(messages: &[&[u8]]) -> Vec<u8> {
        let mut packet = PacketBuilder::new(*b"S         ", 1, 1400);
        assert!(messages.iter().all(|message| packet.push(message)));
        packet.payload().to_vec()
    }

    fn guess(payloads: &[&[u8]]) -> Option<&'static str> {
        let mut guess = Guess::default();
        payloads.iter().for_each(|payload| guess.look(payload));
        guess.name()
    }

    #[test]
    fn messages_decide_and_heartbeats_do_not() {
        let delete = mold(&[&[b'D'; 19], b""]);
        assert_eq!(guess(&[&delete]), Some("itch50"));
        assert_eq!(guess(&[&MAGIC]), Some("native"));
        assert_eq!(guess(&[&mold(&[]), &mold(&[b""])]), None);
        assert_eq!(guess(&[&mold(&[&[b'D'; 18]])]), None, "too short");
        assert_eq!(guess(&[&mold(&[b"zzz"])]), None);
        assert_eq!(guess(&[b"", b"noise", &delete]), Some("itch50"));
    }

    #[test]
    fn patience_ends_but_not_with_heartbeats() {
        let (delete, beat) = (mold(&[&[b'D'; 19]]), mold(&[]));
        let end = PacketBuilder::new(*b"S         ", 1, 1400).end_of_session();
        let mut silent: Vec<&[u8]> = vec![&beat; 1000];
        silent.extend([end.as_bytes(), &delete]);
        assert_eq!(guess(&silent), Some("itch50"));
        let mut noisy: Vec<&[u8]> = vec![b"noise"; usize::from(PATIENCE)];
        noisy.push(&delete);
        assert_eq!(guess(&noisy), None);
    }
}
