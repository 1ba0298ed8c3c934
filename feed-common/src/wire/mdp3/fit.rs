//! Telling packets of MDP 3.0 from those of other protocols.

use super::{MessageHeader, SCHEMA_ID, parse, schema};
use crate::wire::Fit;
use zerocopy::FromBytes;

/// Versions that a sender could have. A schema comes about once a year.
const VERSIONS: std::ops::RangeInclusive<u16> = 1..=255;

/// Whether a datagram is a packet of market data: its messages' sizes end where it does, and one at least is of a known
/// template with a root block as long as that template's. A packet of unknown templates could be one, and so could a
/// header without messages.
pub fn fit(datagram: &[u8]) -> Fit {
    let Ok((_, messages, _)) = parse(datagram) else {
        return Fit::No;
    };
    match messages.map(seen).max() {
        Some(Seen::Known) => Fit::Yes,
        Some(Seen::Strange) | None => Fit::Possible,
        Some(Seen::Impossible) => Fit::No,
    }
}

/// What a message's header says of its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    /// It is no header of ours. One message that is damaged is no reason against the packet.
    Impossible,
    /// A header of ours with a template that no schema here has.
    Strange,
    Known,
}

fn seen(message: &[u8]) -> Seen {
    let Ok((header, body)) = MessageHeader::ref_from_prefix(message) else {
        return Seen::Impossible;
    };
    let (version, length) = (header.version.get(), header.block_length.get());
    let ours = header.schema_id.get() == SCHEMA_ID && VERSIONS.contains(&version);
    if !ours || usize::from(length) > body.len() {
        return Seen::Impossible;
    }
    match schema(version).template(header.template_id.get()) {
        None => Seen::Strange,
        // Older senders of a version without a schema of its own have shorter blocks; no block was ever halved.
        Some(template) if length >= template.root.len / 2 => Seen::Known,
        Some(_) => Seen::Impossible,
    }
}
