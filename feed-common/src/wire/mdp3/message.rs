//! A message in place: its root block, and its groups stepped by the lengths on the wire.

use super::schema::{Block, Dimension, Field, Template, schema};
use super::{MessageHeader, SCHEMA_ID};
use crate::wire::message::Value;
use std::marker::PhantomData;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// Why bytes are not a message, or not one that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Fewer bytes than its header has or its size says.
    #[error("shorter than its header or its size")]
    Short,
    /// Of another schema than market data's.
    #[error("of another schema")]
    Foreign,
    /// Its root block runs past its end, or lacks fields that its template always had.
    #[error("a root block that is too long or too short")]
    Block,
    /// The entries of a group run past its end.
    #[error("a group runs past the end")]
    Group,
    /// The entries of a group lack fields that its template always had.
    #[error("entries of a group that are too short")]
    Entry,
}

/// A message of the market data schema, its root block within its bounds.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    header: &'a MessageHeader,
    root: &'a [u8],
    /// The bytes behind the root block.
    groups: &'a [u8],
}

impl<'a> Message<'a> {
    /// The message at the front of `bytes`.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Message<'a>, MessageError> {
        let size = bytes.first_chunk().map(|size| u16::from_le_bytes(*size));
        let whole = size.and_then(|size| bytes.get(..usize::from(size)));
        let parts = whole.and_then(|whole| MessageHeader::ref_from_prefix(whole).ok());
        let (header, body) = parts.ok_or(MessageError::Short)?;
        if header.schema_id.get() != SCHEMA_ID {
            return Err(MessageError::Foreign);
        }
        let (root, groups) = body
            .split_at_checked(header.block_length.get().into())
            .ok_or(MessageError::Block)?;
        Ok(Message {
            header,
            root,
            groups,
        })
    }

    /// Its header.
    #[inline]
    pub fn header(&self) -> &'a MessageHeader {
        self.header
    }

    /// The number of its template.
    #[inline]
    pub fn template_id(&self) -> u16 {
        self.header.template_id.get()
    }

    /// The version of its sender's schema.
    #[inline]
    pub fn version(&self) -> u16 {
        self.header.version.get()
    }

    /// What its version's schema says of it; `None` for a template that it does not have.
    pub fn template(&self) -> Option<&'static Template> {
        schema(self.version()).template(self.template_id())
    }

    /// Its root block as a struct; `None` where the block on the wire is shorter.
    #[inline]
    pub fn root<T: FromBytes + KnownLayout + Immutable + Unaligned>(&self) -> Option<&'a T> {
        T::ref_from_prefix(self.root).ok().map(|(root, _)| root)
    }

    /// Its root block's bytes.
    #[inline]
    pub fn root_bytes(&self) -> &'a [u8] {
        self.root
    }

    /// Its root block with the names of its template.
    pub fn block(&self) -> Option<BlockView<'a>> {
        let template = self.template()?;
        Some(BlockView::new(&template.root, self.root, self.version()))
    }

    /// Its groups, in order.
    #[inline]
    pub fn groups(&self) -> Groups<'a> {
        Groups { rest: self.groups }
    }
}

/// Walks the groups of a message.
#[derive(Clone, Copy, Debug)]
pub struct Groups<'a> {
    rest: &'a [u8],
}

impl<'a> Groups<'a> {
    /// The next group. Where the message has ended it is one that the sender does not know yet: it has no entries.
    #[inline]
    pub fn next(&mut self, dimension: Dimension) -> Result<Group<'a>, MessageError> {
        let Some((head, body)) = self.rest.split_at_checked(dimension.size()) else {
            return Ok(Group::EMPTY);
        };
        let stride = usize::from(u16::from_le_bytes([head[0], head[1]]));
        let count = usize::from(head[dimension.size() - 1]);
        let (bytes, rest) = body
            .split_at_checked(stride * count)
            .ok_or(MessageError::Group)?;
        self.rest = rest;
        Ok(Group {
            bytes,
            stride,
            count,
        })
    }

    /// The bytes behind the groups that were taken: groups of a later version, or padding.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

/// A group: entries of one length, all of them in the message.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    bytes: &'a [u8],
    stride: usize,
    count: usize,
}

impl<'a> Group<'a> {
    const EMPTY: Group<'static> = Group {
        bytes: &[],
        stride: 0,
        count: 0,
    };

    /// How many entries it has.
    #[inline]
    pub fn len(&self) -> usize {
        self.count
    }

    /// True when it has none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes from one entry to the next.
    #[inline]
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// All entries, back to back.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The bytes of an entry.
    ///
    /// # Panics
    ///
    /// When there is no such entry.
    pub fn entry(&self, index: usize) -> &'a [u8] {
        assert!(index < self.count, "entry {index} of {}", self.count);
        &self.bytes[index * self.stride..][..self.stride]
    }

    /// The entries as structs.
    #[inline]
    pub fn entries<T: FromBytes + KnownLayout + Immutable + Unaligned>(
        &self,
    ) -> Result<Entries<'a, T>, MessageError> {
        const { assert!(size_of::<T>() > 0) };
        if self.stride < size_of::<T>() && self.count > 0 {
            return Err(MessageError::Entry);
        }
        Ok(Entries {
            rest: self.bytes,
            stride: self.stride,
            entry: PhantomData,
        })
    }
}

/// The entries of a group as structs laid over the front of each.
#[derive(Clone, Copy, Debug)]
pub struct Entries<'a, T> {
    rest: &'a [u8],
    /// At least the struct's size where there are entries.
    stride: usize,
    entry: PhantomData<&'a T>,
}

impl<'a, T: FromBytes + KnownLayout + Immutable + Unaligned> Entries<'a, T> {
    /// The entry of this index, counted from the next one.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&'a T> {
        let bytes = self.rest.get(index.checked_mul(self.stride)?..)?;
        T::ref_from_prefix(bytes).ok().map(|(entry, _)| entry)
    }
}

impl<'a, T: FromBytes + KnownLayout + Immutable + Unaligned> Iterator for Entries<'a, T> {
    type Item = &'a T;

    #[inline]
    fn next(&mut self) -> Option<&'a T> {
        let (entry, _) = T::ref_from_prefix(self.rest).ok()?;
        self.rest = &self.rest[self.stride..];
        Some(entry)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.rest.len().checked_div(self.stride).unwrap_or(0);
        (left, Some(left))
    }
}

impl<T: FromBytes + KnownLayout + Immutable + Unaligned> ExactSizeIterator for Entries<'_, T> {}

/// A block with the names of its fields.
#[derive(Clone, Copy, Debug)]
pub struct BlockView<'a> {
    block: &'static Block,
    bytes: &'a [u8],
    version: u16,
}

impl<'a> BlockView<'a> {
    /// A root block or an entry as a sender of `version` wrote it.
    pub fn new(block: &'static Block, bytes: &'a [u8], version: u16) -> BlockView<'a> {
        BlockView {
            block,
            bytes,
            version,
        }
    }

    /// Every field with its value, in wire order.
    pub fn fields(self) -> impl Iterator<Item = (&'static Field, Value<'a>)> {
        let fields = self.block.fields.iter();
        fields.map(move |field| (field, field.value(self.bytes, self.version)))
    }

    /// The bytes behind what the schema knows of the block.
    pub fn excess(&self) -> &'a [u8] {
        self.bytes
            .get(usize::from(self.block.len)..)
            .unwrap_or_default()
    }

    /// The value of a field; [`Value::Null`] also where the schema has no such field.
    pub fn get(&self, name: &str) -> Value<'a> {
        let field = self.block.field(name);
        field.map_or(Value::Null, |field| field.value(self.bytes, self.version))
    }

    /// An integer that is there and not negative.
    pub fn unsigned(&self, name: &str) -> Option<u64> {
        match self.get(name) {
            Value::Unsigned(n) | Value::Time(n) => Some(n),
            Value::Signed(n) => n.try_into().ok(),
            _ => None,
        }
    }

    /// An integer that is there.
    pub fn signed(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Value::Unsigned(n) | Value::Time(n) => n.try_into().ok(),
            Value::Signed(n) => Some(n),
            _ => None,
        }
    }

    /// Mantissa and decimal places of a price that is there.
    pub fn price(&self, name: &str) -> Option<(i64, u32)> {
        match self.get(name) {
            Value::Price { mantissa, decimals } => Some((mantissa.try_into().ok()?, decimals)),
            _ => None,
        }
    }

    /// Text with its padding; empty where it is not there.
    pub fn text(&self, name: &str) -> &'a [u8] {
        match self.get(name) {
            Value::Text(text) => text,
            _ => &[],
        }
    }
}
