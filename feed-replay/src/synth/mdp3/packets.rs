//! Packets, numbered from 1.

use crate::synth::Spec;
use crate::synth::packer::Framer;
use feed_common::time::UnixNanos;
use feed_common::wire::mdp3::{PacketBuilder, PacketHeader};

/// Packs messages. Silence has no packets of its own: heartbeats are messages.
pub(in crate::synth) struct Packets {
    builder: PacketBuilder,
    bytes: usize,
    out: Vec<u8>,
}

impl Packets {
    const HEADER: usize = size_of::<PacketHeader>();

    pub(super) fn new(spec: &Spec) -> Packets {
        Packets {
            builder: PacketBuilder::new(1, spec.payload_limit),
            bytes: Self::HEADER,
            out: Vec::with_capacity(spec.payload_limit),
        }
    }
}

impl Framer for Packets {
    fn push(&mut self, message: &[u8]) -> bool {
        let pushed = self.builder.push(message);
        if pushed {
            self.bytes += message.len();
        }
        pushed
    }

    fn is_empty(&self) -> bool {
        self.builder.is_empty()
    }

    fn len(&self) -> usize {
        self.bytes
    }

    fn take(&mut self, time: UnixNanos) -> &[u8] {
        self.out.clear();
        self.out.extend_from_slice(self.builder.payload(time));
        self.builder.clear();
        self.bytes = Self::HEADER;
        &self.out
    }

    fn heartbeat(&mut self, _: UnixNanos) -> Option<&[u8]> {
        None
    }

    fn end_of_session(&mut self, _: UnixNanos) -> Option<&[u8]> {
        None
    }
}
