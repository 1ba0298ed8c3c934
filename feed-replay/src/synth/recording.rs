//! A made session in memory, for whoever sends it more than once or must know its end before its beginning.

use super::{GenerateError, PacketSink, Spec, Summary, generate};
use feed_common::time::UnixNanos;
use std::io;

/// All packets of a session.
#[derive(Clone, Debug)]
pub struct Recording {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    time: UnixNanos,
    end: usize,
    messages: u16,
}

/// A packet of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded<'a> {
    /// When it is on the wire.
    pub time: UnixNanos,
    /// Nanoseconds after the first packet.
    pub offset: u64,
    /// Messages in it; 0 for heartbeats and the end of session.
    pub messages: u16,
    /// The UDP payload.
    pub payload: &'a [u8],
}

impl Recording {
    /// Makes a session.
    pub fn of(spec: &Spec) -> Result<(Recording, Summary), GenerateError> {
        let mut recording = Recording {
            bytes: Vec::new(),
            entries: Vec::new(),
        };
        let summary = generate(spec, &mut recording)?;
        Ok((recording, summary))
    }

    /// How many packets there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True without packets.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The packets in order.
    pub fn packets(&self) -> impl Iterator<Item = Recorded<'_>> + Clone {
        let first = self.entries.first().map_or(UnixNanos::UNKNOWN, |e| e.time);
        let mut begin = 0;
        self.entries.iter().map(move |entry| {
            let payload = &self.bytes[begin..entry.end];
            begin = entry.end;
            let offset = entry.time.0 - first.0;
            Recorded {
                time: entry.time,
                offset,
                messages: entry.messages,
                payload,
            }
        })
    }
}

impl PacketSink for Recording {
    fn packet(&mut self, time: UnixNanos, payload: &[u8]) -> io::Result<()> {
        self.carrying(0, time, payload)
    }

    fn carrying(&mut self, messages: u16, time: UnixNanos, payload: &[u8]) -> io::Result<()> {
        self.bytes.extend_from_slice(payload);
        self.entries.push(Entry {
            time,
            end: self.bytes.len(),
            messages,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Protocol;
    use super::*;

    #[test]
    fn a_recording_is_the_session() {
        for protocol in Protocol::ALL.iter().copied() {
            let spec = Spec::new(protocol, 2_000, 5);
            let (recording, summary) = Recording::of(&spec).unwrap();
            let mut packets = recording.packets();
            let first = packets.clone().next().unwrap().time;
            generate(&spec, &mut |time: UnixNanos, payload: &[u8]| {
                let packet = packets.next().unwrap();
                assert_eq!((packet.time, packet.payload), (time, payload));
                assert_eq!(packet.offset, time.0 - first.0);
                Ok(())
            })
            .unwrap();
            assert!(packets.next().is_none());
            assert_eq!(recording.len() as u64, summary.packets);
            assert_eq!(
                recording
                    .packets()
                    .map(|p| u64::from(p.messages))
                    .sum::<u64>(),
                2_000
            );
            // Others may end with a packet of messages, or with their day.
            if matches!(protocol, Protocol::Itch50 | Protocol::Native(_)) {
                assert_eq!(recording.packets().last().unwrap().messages, 0);
            }
        }
    }
}
