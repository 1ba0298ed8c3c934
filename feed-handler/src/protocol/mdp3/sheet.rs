//! Every template for people, by the tables of the version that a message was written in.

use crate::protocol::{DecodeError, Sheet};
use feed_common::wire::mdp3::{
    Block, BlockView, Group, GroupLayout, Message, MessageHeader, SCHEMA_ID, Schema, Template,
};
use feed_common::wire::message::{Rows, Value};
use zerocopy::FromBytes;

/// Messages of CME MDP 3.0. The header is left out as framing is; of groups that the sender's version does not have yet
/// nothing is said.
#[derive(Clone, Copy, Debug)]
pub struct Mdp3Sheet;

impl Sheet for Mdp3Sheet {
    /// The template, and above it the schema where it is not that of market data.
    fn code(message: &[u8]) -> u32 {
        match MessageHeader::ref_from_prefix(message) {
            Err(_) => 0,
            Ok((header, _)) => {
                let (template, schema) = (header.template_id.get(), header.schema_id.get());
                let foreign = if schema == SCHEMA_ID { 0 } else { schema };
                u32::from(foreign) << 16 | u32::from(template)
            }
        }
    }

    fn name(code: u32) -> Option<&'static str> {
        let id = u16::try_from(code).ok()?;
        let newest_first = Schema::ALL.iter().rev();
        let mut found = newest_first.filter_map(|schema| schema.template(id));
        found.next().map(|template| template.name)
    }

    /// The template's number; of another schema's with that schema's before it.
    fn key(code: u32) -> String {
        match (code >> 16, code & 0xFFFF) {
            (0, template) => template.to_string(),
            (schema, template) => format!("{schema}/{template}"),
        }
    }

    fn error(message: &[u8]) -> Option<DecodeError> {
        Known::parse(message).err()
    }

    fn is_long(message: &[u8]) -> bool {
        Known::parse(message).is_ok_and(|known| known.is_long())
    }

    fn visit(message: &[u8], visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        match Known::parse(message) {
            Ok(known) => known.visit(visit),
            Err(_) => visit("bytes", Value::Hex(message)),
        }
    }
}

/// A message of a known template, all its groups within its bounds.
struct Known<'a> {
    template: &'static Template,
    message: Message<'a>,
}

impl<'a> Known<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Known<'a>, DecodeError> {
        if bytes.is_empty() {
            return Err(DecodeError::Empty);
        }
        let message = Message::parse(bytes)?;
        let template = message.template().ok_or(DecodeError::UnknownType)?;
        let known = Known { template, message };
        known.walk(&mut |_, _| {})?;
        Ok(known)
    }

    /// Calls `each` with the groups of its version; what is behind them.
    fn walk(
        &self,
        each: &mut dyn FnMut(&'static GroupLayout, Group<'a>),
    ) -> Result<&'a [u8], DecodeError> {
        let mut groups = self.message.groups();
        let version = self.message.version();
        for layout in self.template.groups.iter().filter(|g| g.since <= version) {
            each(layout, groups.next(layout.dimension)?);
        }
        Ok(groups.rest())
    }

    fn root(&self) -> BlockView<'a> {
        let (root, version) = (&self.template.root, self.message.version());
        BlockView::new(root, self.message.root_bytes(), version)
    }

    fn is_long(&self) -> bool {
        let mut long = !self.root().excess().is_empty();
        let rest = self.walk(&mut |layout, group| {
            long |= !group.is_empty() && group.stride() > layout.block.len.into();
        });
        long || rest.is_ok_and(|rest| !rest.is_empty())
    }

    fn visit(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        fields(self.root(), visit);
        let version = self.message.version();
        let rest = self.walk(&mut |layout, group| {
            let block = &layout.block;
            let entries = Listed {
                block,
                group,
                version,
            };
            visit(layout.name, Value::Rows(&entries));
        });
        if let Ok(rest @ [_, ..]) = rest {
            visit("excess", Value::Hex(rest));
        }
    }
}

/// The entries of a group.
struct Listed<'a> {
    block: &'static Block,
    group: Group<'a>,
    version: u16,
}

impl Rows for Listed<'_> {
    fn count(&self) -> usize {
        self.group.len()
    }

    fn visit(&self, entry: usize, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        let bytes = self.group.entry(entry);
        fields(BlockView::new(self.block, bytes, self.version), visit);
    }
}

/// Every field of a block, and the `excess` behind them.
fn fields(block: BlockView<'_>, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
    for (field, value) in block.fields() {
        visit(field.name, value);
    }
    if !block.excess().is_empty() {
        visit("excess", Value::Hex(block.excess()));
    }
}
