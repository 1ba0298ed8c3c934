//! What a schema says of messages: templates, their blocks of fields, their groups.

use super::tables::SCHEMAS;
use crate::wire::message::{FieldType, Value};

/// The templates of a schema version.
#[derive(Debug)]
pub struct Schema {
    /// Its version.
    pub version: u16,
    /// By number.
    pub templates: &'static [&'static Template],
}

/// A kind of message.
#[derive(Debug, PartialEq, Eq)]
pub struct Template {
    /// Its number.
    pub id: u16,
    /// Its name in the schema, without the number.
    pub name: &'static str,
    /// The fields that every message has once.
    pub root: Block,
    /// In the order of the wire.
    pub groups: &'static [GroupLayout],
}

/// A repeating group of a template.
#[derive(Debug, PartialEq, Eq)]
pub struct GroupLayout {
    /// Its name in facts.
    pub name: &'static str,
    /// How its length and count are written.
    pub dimension: Dimension,
    /// The first version that has it.
    pub since: u16,
    /// The fields of an entry.
    pub block: Block,
}

/// The head of a group: how long an entry is and how many follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// `u16 block_length, u8 num_in_group`.
    Three,
    /// `u16 block_length, 5 bytes of padding, u8 num_in_group`.
    Eight,
}

/// Fields at fixed places.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    /// Bytes, in this version.
    pub len: u16,
    /// In wire order, covering every byte.
    pub fields: &'static [Field],
}

/// A field of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name in facts.
    pub name: &'static str,
    /// Bytes from the start of the block.
    pub offset: u16,
    /// Bytes.
    pub len: u16,
    /// How to read it.
    pub ty: FieldType,
    /// The bits that say that it has no value.
    pub null: Option<u64>,
    /// The first version that has it.
    pub since: u16,
}

/// The schema that describes messages of this version: its own, else the next newer one, which says of each field since
/// when it is there; of a version newer than all, the newest.
pub fn schema(version: u16) -> &'static Schema {
    let found = SCHEMAS.iter().find(|schema| schema.version >= version);
    found.unwrap_or(&SCHEMAS[SCHEMAS.len() - 1])
}

impl Schema {
    /// All of them, oldest first.
    pub const ALL: &'static [Schema] = SCHEMAS;

    /// The template of this number.
    pub fn template(&self, id: u16) -> Option<&'static Template> {
        let found = self.templates.binary_search_by_key(&id, |t| t.id).ok()?;
        Some(self.templates[found])
    }
}

impl Dimension {
    /// Bytes it has.
    #[inline]
    pub const fn size(self) -> usize {
        match self {
            Dimension::Three => 3,
            Dimension::Eight => 8,
        }
    }
}

impl Block {
    /// The field called so.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl Field {
    /// Its value in a block as a sender of `version` wrote it; [`Value::Null`] where it says that it has none, where it
    /// is younger than the version, and where the block ends before it does.
    pub fn value<'a>(&self, block: &'a [u8], version: u16) -> Value<'a> {
        let at = usize::from(self.offset);
        match block.get(at..at + usize::from(self.len)) {
            Some(bytes) if version >= self.since => self.read(bytes),
            _ => Value::Null,
        }
    }

    fn read<'a>(&self, bytes: &'a [u8]) -> Value<'a> {
        let number = || {
            bytes
                .iter()
                .rev()
                .fold(0, |n, &byte| n << 8 | u64::from(byte))
        };
        match self.ty {
            FieldType::Text => Value::Text(bytes),
            FieldType::Opaque => Value::Hex(bytes),
            _ if self.null == Some(number()) => Value::Null,
            FieldType::Unsigned => Value::Unsigned(number()),
            FieldType::Time => Value::Time(number()),
            FieldType::Signed => Value::Signed(self.extended(number())),
            FieldType::Price(decimals) => Value::Price {
                mantissa: self.extended(number()).into(),
                decimals,
            },
        }
    }

    /// Its bits with the sign carried on to the left.
    fn extended(&self, number: u64) -> i64 {
        let unused = 64 - 8 * u32::from(self.len);
        (number << unused) as i64 >> unused
    }

    /// That these bits mean that it has no value.
    pub(super) const fn null(self, bits: u64) -> Field {
        Field {
            null: Some(bits),
            ..self
        }
    }

    /// That it is there from this version on.
    pub(super) const fn since(self, version: u16) -> Field {
        Field {
            since: version,
            ..self
        }
    }
}

/// An unsigned integer or bits.
pub(super) const fn u(name: &'static str, offset: u16, len: u16) -> Field {
    field(name, offset, len, FieldType::Unsigned)
}

/// A signed integer.
pub(super) const fn i(name: &'static str, offset: u16, len: u16) -> Field {
    field(name, offset, len, FieldType::Signed)
}

/// A signed integer with implied decimal places.
pub(super) const fn p(name: &'static str, offset: u16, len: u16, decimals: u32) -> Field {
    field(name, offset, len, FieldType::Price(decimals))
}

/// Text.
pub(super) const fn a(name: &'static str, offset: u16, len: u16) -> Field {
    field(name, offset, len, FieldType::Text)
}

/// Bytes without a meaning.
pub(super) const fn x(name: &'static str, offset: u16, len: u16) -> Field {
    field(name, offset, len, FieldType::Opaque)
}

const fn field(name: &'static str, offset: u16, len: u16, ty: FieldType) -> Field {
    Field {
        name,
        offset,
        len,
        ty,
        null: None,
        since: 0,
    }
}
