//! MEMX MEMOIR Depth 1.3: packets, and the 13 messages in SBE. Other markets that run the same system send the same.
//!
//! Source: the layouts published by the Open Markets Initiative, checked against captured packets where there are any.
//! Integers are big-endian, prices signed with 6 implied decimal places, times nanoseconds since the Unix epoch; text is
//! ASCII padded with NULs or blanks. A message is an SBE header and a root block, whose length is the header's: a newer
//! sender's block may be longer than the struct, or have something behind it.
//!
//! Unverified: all meanings, which no second source confirms, and above all [`OrderReduced::quantity`]. In no capture:
//! templates 1, 14, 15, 16, 18 and 100, and the end of a session.

use super::Fit;
use super::message::{Fields, message};
use zerocopy::byteorder::big_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, IntoBytes};

/// The SBE schema of the messages.
pub const SCHEMA: u8 = 2;

/// The version of the schema that is written here.
pub const VERSION: u16 = 0x0103;

/// Payload that travels unfragmented over Ethernet and IPv4 without options.
pub const MAX_PACKET: usize = 1472;

/// What [`Header::message_type`] says.
#[allow(missing_docs)]
pub mod packet_type {
    pub const HEARTBEAT: u8 = 0;
    pub const SHUTDOWN: u8 = 1;
    pub const SEQUENCED: u8 = 2;
}

message! {
    /// Head of a packet.
    pub struct Header: 18 {
        /// One of [`packet_type`].
        message_type: u8 => u,
        /// Bytes ahead of the payload.
        header_length: u8 => u,
        session_id: U64 => u,
        /// Of the first message; of the next one where there is none.
        sequence_number: U64 => u,
    }
}

/// Declares a message per entry: its template, struct, name in facts, length with the SBE header, and its fields after the
/// header.
macro_rules! memoir {
    ($(
        $(#[$doc:meta])*
        $template:literal $name:ident $text:literal $size:literal {
            $($(#[$field_doc:meta])* $field:ident: $ty:ty => $letter:ident,)*
        }
    )*) => {
        message! {$(
            $(#[$doc])*
            pub struct $name: $size {
                /// Bytes of the root block, which is behind this and the next three.
                block_length: U16 => u,
                /// The struct's `TEMPLATE`.
                template_id: u8 => u,
                /// [`SCHEMA`].
                schema_id: u8 => u,
                version: U16 => u,
                $($(#[$field_doc])* $field: $ty => $letter,)*
            }
        )*}

        $(impl $name {
            /// The template.
            pub const TEMPLATE: u8 = $template;

            /// A message of zeros with its SBE header set.
            pub fn new() -> $name {
                $name {
                    block_length: U16::new(($size - SBE) as u16),
                    template_id: $template,
                    schema_id: SCHEMA,
                    version: U16::new(VERSION),
                    ..$name::default()
                }
            }
        })*

        /// Any message, in place.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Message<'a> {
            $($name(&'a $name),)*
        }

        impl<'a> Message<'a> {
            /// Lays the struct its template names over the front of `bytes`.
            pub fn parse(bytes: &'a [u8]) -> Result<Message<'a>, MessageError> {
                if bytes.is_empty() {
                    return Err(MessageError::Empty);
                }
                if bytes.len() < SBE {
                    return Err(MessageError::Short);
                }
                match template_of(bytes) {
                    $(Some($template) => {
                        let block = block(bytes).ok_or(MessageError::Short)?;
                        match $name::ref_from_prefix(block) {
                            Ok((message, _)) => Ok(Message::$name(message)),
                            Err(_) => Err(MessageError::Short),
                        }
                    })*
                    _ => Err(MessageError::UnknownType),
                }
            }

            /// Its fields, those of the SBE header first.
            pub fn fields(&self) -> &'a dyn Fields {
                match *self { $(Message::$name(message) => message,)* }
            }
        }

        /// The templates.
        pub const TEMPLATES: &[u8] = &[$($template),*];

        /// Bytes a message of this template has, SBE header included; `None` for an unknown one.
        pub const fn length_of(template: u8) -> Option<usize> {
            match template { $($template => Some($size),)* _ => None }
        }

        /// The message's name in facts; `None` for an unknown template.
        pub const fn name(template: u8) -> Option<&'static str> {
            match template { $($template => Some($text),)* _ => None }
        }
    };
}

/// Bytes of the SBE header.
pub const SBE: usize = 6;

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// No byte at all.
    #[error("empty message")]
    Empty,
    /// Fewer bytes than its block has, or a block of fewer bytes than its template.
    #[error("message shorter than its block or its template")]
    Short,
    /// Of another schema, or of a template that is not known.
    #[error("unknown template")]
    UnknownType,
}

/// The template of a message of this schema; 0, which none has, where it is too short for one, and `None` in another
/// schema.
#[inline]
pub fn template_of(message: &[u8]) -> Option<u8> {
    match message.first_chunk::<SBE>() {
        Some(&[_, _, template, SCHEMA, _, _]) => Some(template),
        Some(_) => None,
        None => Some(0),
    }
}

/// A message without what is behind its root block; `None` where it ends before.
#[inline]
pub fn block(message: &[u8]) -> Option<&[u8]> {
    let length = u16::from_be_bytes(*message.first_chunk()?);
    message.get(..SBE + usize::from(length))
}

/// What the messages about a security begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The template.
    pub template: u8,
    /// Nanoseconds since the Unix epoch.
    pub timestamp: u64,
    /// From the directory.
    pub security_id: u16,
}

impl Head {
    /// Bytes of it.
    pub const LEN: usize = SBE + 10;

    /// Reads it off such a message, other than the directory; `None` for others, and where there are fewer bytes.
    #[inline(always)]
    pub fn of(message: &[u8]) -> Option<Head> {
        let [_, _, template, schema, _, _, a, b, c, d, e, f, g, h, s, t] =
            *message.first_chunk::<{ Head::LEN }>()?;
        // One bit per template: 2, 3, from 10 to 16, and 18.
        let known = 0b101_1111_1100_0000_1100_u32.checked_shr(template.into());
        let begins_so = known.unwrap_or(0) & 1 == 1 && schema == SCHEMA;
        begins_so.then_some(Head {
            template,
            timestamp: u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            security_id: u16::from_be_bytes([s, t]),
        })
    }
}

memoir! {
    /// A security of the day.
    1 InstrumentDirectory "Instrument Directory" 42 {
        timestamp: U64 => t,
        /// Stands for the security until the end of the session.
        security_id: U16 => u,
        symbol: [u8; 6] => a,
        symbol_suffix: [u8; 6] => a,
        round_lot: U32 => u,
        reserved: u8 => x,
        is_test: u8 => u,
        /// Least price variation.
        mpv: I64 => sp6,
    }

    /// Whether short sales are restricted.
    2 RegShoRestriction "Reg SHO Restriction" 17 {
        timestamp: U64 => t,
        security_id: U16 => u,
        restricted: u8 => u,
    }

    /// A state of a security.
    3 SecurityTradingStatus "Security Trading Status" 18 {
        timestamp: U64 => t,
        security_id: U16 => u,
        /// `H` halted, `P` paused, `Q` quoting, `T` trading.
        status: u8 => a,
        /// `X` none, `R` regulatory, `A` administrative.
        reason: u8 => a,
    }

    /// The part of the day that all securities are in.
    5 TradingSessionStatus "Trading Session Status" 15 {
        timestamp: U64 => t,
        /// `1` opening, `2` trading, `3` post, `4` closed.
        session: u8 => a,
    }

    /// A new order.
    10 OrderAdded "Order Added" 37 {
        timestamp: U64 => t,
        security_id: U16 => u,
        order_id: U64 => u,
        /// `B` or `S`.
        side: u8 => a,
        quantity: U32 => u,
        price: I64 => sp6,
    }

    /// An order has left.
    11 OrderDeleted "Order Deleted" 24 {
        timestamp: U64 => t,
        security_id: U16 => u,
        order_id: U64 => u,
    }

    /// An order is smaller.
    12 OrderReduced "Order Reduced" 28 {
        timestamp: U64 => t,
        security_id: U16 => u,
        order_id: U64 => u,
        /// What was taken away or what remains: no source says which.
        quantity: U32 => u,
    }

    /// A displayed order traded.
    13 OrderExecuted "Order Executed" 44 {
        timestamp: U64 => t,
        security_id: U16 => u,
        order_id: U64 => u,
        trade_id: U64 => u,
        /// What traded: the order has so much less.
        quantity: U32 => u,
        price: I64 => sp6,
    }

    /// A trade with an order that was not displayed.
    14 Trade "Trade" 36 {
        timestamp: U64 => t,
        security_id: U16 => u,
        trade_id: U64 => u,
        quantity: U32 => u,
        price: I64 => sp6,
    }

    /// A trade is void.
    15 BrokenTrade "Broken Trade" 36 {
        timestamp: U64 => t,
        security_id: U16 => u,
        trade_id: U64 => u,
        original_quantity: U32 => u,
        original_price: I64 => sp6,
    }

    /// A trade was another one.
    16 CorrectedTrade "Corrected Trade" 48 {
        timestamp: U64 => t,
        security_id: U16 => u,
        trade_id: U64 => u,
        original_quantity: U32 => u,
        original_price: I64 => sp6,
        corrected_quantity: U32 => u,
        corrected_price: I64 => sp6,
    }

    /// All orders of a security have left.
    18 ClearBook "Clear Book" 16 {
        timestamp: U64 => t,
        security_id: U16 => u,
    }

    /// A snapshot has been told.
    100 SnapshotComplete "Snapshot Complete" 22 {
        timestamp: U64 => t,
        /// Number of the feed's message that it reflects.
        as_of_sequence: U64 => u,
    }
}

/// Why bytes are not a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Fewer bytes than the header has.
    #[error("shorter than its header")]
    ShortHeader,
    /// Not one of [`packet_type`], or a header that ends within its own fields.
    #[error("a type of packet that there is not, or a header shorter than its fields")]
    Header,
    /// The header or a message runs past the end, or there are fewer messages than the count says.
    #[error("a message runs past the end")]
    Overrun,
    /// Bytes are left after the last message, or after the header of a packet without messages.
    #[error("bytes are left over after the last message")]
    Trailing,
}

/// A packet's header, how many messages it has, and the messages, every length checked.
#[inline]
pub fn parse(datagram: &[u8]) -> Result<(&Header, u16, Messages<'_>), ParseError> {
    let (header, _) = Header::ref_from_prefix(datagram).map_err(|_| ParseError::ShortHeader)?;
    let length = usize::from(header.header_length);
    if header.message_type > packet_type::SEQUENCED || length < size_of::<Header>() {
        return Err(ParseError::Header);
    }
    let payload = datagram.get(length..).ok_or(ParseError::Overrun)?;
    let (count, body) = match header.message_type {
        packet_type::SEQUENCED => {
            let (count, body) = payload.split_first_chunk().ok_or(ParseError::Overrun)?;
            (u16::from_be_bytes(*count), body)
        }
        _ => (0, payload),
    };
    let mut messages = Messages { rest: body };
    for _ in 0..count {
        messages.next().ok_or(ParseError::Overrun)?;
    }
    match messages.rest {
        [] => Ok((header, count, Messages { rest: body })),
        _ => Err(ParseError::Trailing),
    }
}

/// The messages of a packet, in order, without their lengths; iteration ends at the first that is not whole.
#[derive(Clone, Copy, Debug, Default)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    /// Messages laid back to back in `bytes`, each behind its length.
    pub fn new(bytes: &'a [u8]) -> Messages<'a> {
        Messages { rest: bytes }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.rest.split_first_chunk()?;
        let (message, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        self.rest = rest;
        Some(message)
    }
}

/// Whether a datagram is a packet with a message of a known template in it, told by its lengths and the schema.
pub fn fit(datagram: &[u8]) -> Fit {
    let Ok((header, count, messages)) = parse(datagram) else {
        return Fit::No;
    };
    // More than reading needs: a small number and another one are not much to tell a protocol by.
    if usize::from(header.header_length) != size_of::<Header>() {
        return Fit::No;
    }
    let mut known = false;
    for message in messages {
        match Message::parse(message) {
            Ok(_) => known = true,
            Err(MessageError::UnknownType) if block(message).is_some() => {} // templates may be added
            Err(_) => return Fit::No,
        }
    }
    match (known, count) {
        (true, _) => Fit::Yes,
        (false, 0) => Fit::Possible,
        (false, _) => Fit::No,
    }
}

/// Packs messages into packets of a session, numbering them from where it was started.
///
/// The buffer is taken once. Push messages until one is refused, send [`PacketBuilder::payload`], [`clear`], push on.
///
/// [`clear`]: PacketBuilder::clear
#[derive(Clone, Debug)]
pub struct PacketBuilder {
    session: u64,
    /// Number of the packet's first message.
    sequence: u64,
    count: u16,
    limit: usize,
    bytes: Vec<u8>,
}

/// Bytes ahead of the first message.
const AHEAD: usize = size_of::<Header>() + 2;

impl PacketBuilder {
    /// An empty packet whose first message will be number `sequence`. `limit` is the packet in bytes that must not be
    /// exceeded; values outside the header's 20 and [`MAX_PACKET`] are brought inside.
    pub fn new(session: u64, sequence: u64, limit: usize) -> PacketBuilder {
        let limit = limit.clamp(AHEAD, MAX_PACKET);
        let mut bytes = Vec::with_capacity(limit);
        bytes.resize(AHEAD, 0);
        PacketBuilder {
            session,
            sequence,
            count: 0,
            limit,
            bytes,
        }
    }

    /// Appends a message; false, changing nothing, when it does not fit: send the packet first. A message refused by an
    /// empty packet fits none.
    #[inline]
    pub fn push(&mut self, message: &[u8]) -> bool {
        if self.bytes.len() + 2 + message.len() > self.limit {
            return false;
        }
        // Both fit 16 bits: the limit is far below, and a message has two bytes at least.
        let length = (message.len() as u16).to_be_bytes();
        self.bytes.extend_from_slice(&length);
        self.bytes.extend_from_slice(message);
        self.count += 1;
        true
    }

    /// The packet as it stands.
    pub fn payload(&mut self) -> &[u8] {
        let header = self.header(packet_type::SEQUENCED, self.sequence);
        self.bytes[..AHEAD - 2].copy_from_slice(header.as_bytes());
        self.bytes[AHEAD - 2..AHEAD].copy_from_slice(&self.count.to_be_bytes());
        &self.bytes
    }

    /// Begins the packet after this one.
    pub fn clear(&mut self) {
        self.sequence += u64::from(self.count);
        self.count = 0;
        self.bytes.truncate(AHEAD);
    }

    /// Bytes of the packet as it stands.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// True before the first message.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// A packet that announces the next message.
    pub fn heartbeat(&self) -> Header {
        self.header(packet_type::HEARTBEAT, self.next())
    }

    /// A packet that says that the next message would be this one, but none comes.
    pub fn shutdown(&self) -> Header {
        self.header(packet_type::SHUTDOWN, self.next())
    }

    fn next(&self) -> u64 {
        self.sequence + u64::from(self.count)
    }

    fn header(&self, message_type: u8, sequence: u64) -> Header {
        Header {
            message_type,
            header_length: size_of::<Header>() as u8,
            session_id: self.session.into(),
            sequence_number: sequence.into(),
        }
    }
}

#[cfg(test)]
#[path = "memoir_tests.rs"]
mod tests;
