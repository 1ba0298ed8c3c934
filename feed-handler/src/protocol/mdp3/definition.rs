//! Instruments: from the exchange's numbers to names.

use super::{Mdp3Decoder, ends};
use crate::protocol::{DecodeError, Place};
use feed_common::event::{Directory, Flags, MarketHandler, MsgCtx, Name, Price};
use feed_common::wire::mdp3::{BlockView, Message, MessageError, template};
use feed_common::wire::message::Value;
use std::io::Write;

impl Mdp3Decoder {
    /// Takes a definition: the instrument has a name from now on, or another one.
    pub(super) fn define<H: MarketHandler>(
        &mut self,
        message: Message<'_>,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let (id, directory) = announcement(&message).ok_or(MessageError::Block)?;
        let root = message.block().ok_or(DecodeError::UnknownType)?;
        let indicator = root.unsigned("match_event_indicator").unwrap_or(0);
        // A definition says when it was last changed, not when it is said.
        cx.timestamp = cx.sent;
        let last = ends(indicator as u8);
        match self.known.of(id) {
            Some(&place) => self.redefine(place, &directory, last, cx, out),
            None => {
                let place = self.number(id as i32);
                self.name(place, &directory, last, cx, out);
            }
        }
        self.close(last, cx, out);
        Ok(())
    }

    /// An instrument that no message has been about: its symbol is its number in decimal, unless it has been defined on
    /// another stream.
    #[cold]
    pub(super) fn introduce<H: MarketHandler>(
        &mut self,
        id: i32,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Place {
        let place = self.number(id);
        let definitions = self.definitions.clone();
        match definitions.get(id as u32) {
            Some(directory) => self.name(place, directory, false, cx, out),
            None => {
                let directory = Directory::of(self.known.name(place.instrument));
                if directory.name.symbol().is_none() {
                    self.tell(place, false, Flags::NONE, cx, |cx| {
                        out.on_directory(cx, directory)
                    });
                }
                place
            }
        }
    }

    /// Gives an instrument a number of ours.
    fn number(&mut self, id: i32) -> Place {
        let mut text = [0; 11];
        let mut rest = &mut text[..];
        write!(rest, "{id}").expect("11 bytes have room for any number");
        let place = self.known.intern_name(&text);
        self.known.bind(id as u32, place);
        place
    }

    /// Names an instrument of which nothing has been told.
    fn name<H: MarketHandler>(
        &mut self,
        place: Place,
        directory: &Directory,
        last: bool,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Place {
        let place = self.known.rename(place, directory.name, false);
        self.tell(place, last, Flags::NONE, cx, |cx| {
            out.on_directory(cx, *directory)
        });
        place
    }

    fn redefine<H: MarketHandler>(
        &mut self,
        before: Place,
        directory: &Directory,
        last: bool,
        cx: &mut MsgCtx,
        out: &mut H,
    ) {
        let place = self.known.rename(before, directory.name, true);
        if before.standing.is_delivered() && !place.standing.is_delivered() {
            self.tell(before, false, Flags::NONE, cx, |cx| out.on_clear(cx));
        }
        self.tell(place, last, Flags::NONE, cx, |cx| {
            out.on_directory(cx, *directory)
        });
    }
}

/// The exchange's number of the instrument that a message defines, and what it says of it; `None` where it is no
/// definition, or one cut off.
pub(super) fn announcement(message: &Message<'_>) -> Option<(u32, Directory)> {
    use template::*;
    match message.template_id() {
        FUTURE_7 | OPTION_7 | SPREAD_7 | FUTURE | OPTION | SPREAD | FIXED_INCOME | REPO | FX => {}
        _ => return None,
    }
    let root = message.block()?;
    let id = root.signed("security_id")? as i32;
    let price = |name| {
        let (mantissa, decimals) = root.price(name)?;
        Price::from_wide(mantissa.into(), decimals)
    };
    let tick = price("min_price_increment").or_else(|| price("min_price_increment_optional"));
    let directory = Directory {
        round_lot: 0,
        tick: tick.unwrap_or(Price::NULL),
        display_factor: price("display_factor").unwrap_or(Price::NULL),
        depths: depths(message),
        name: named(root.text("symbol"), id),
    };
    Some((id as u32, directory))
}

/// A name, or where it is blank the number.
fn named(symbol: &[u8], id: i32) -> Name {
    match Name::new(symbol) {
        Name::NONE => Name::new(id.to_string().as_bytes()),
        name => name,
    }
}

/// Levels of the real and the implied book; 0 where nothing, or nothing readable, is said.
fn depths(message: &Message<'_>) -> [u8; 2] {
    let mut depths = [0; 2];
    let (mut groups, version) = (message.groups(), message.version());
    let layouts = message.template().map_or(&[][..], |t| t.groups);
    for layout in layouts.iter().filter(|g| g.since <= version) {
        let Ok(group) = groups.next(layout.dimension) else {
            break;
        };
        if layout.name != "feed_types" {
            continue;
        }
        for entry in 0..group.len() {
            let feed = BlockView::new(&layout.block, group.entry(entry), version);
            let depth = feed.unsigned("market_depth").unwrap_or(0);
            let depth = u8::try_from(depth).unwrap_or(0);
            match feed.get("md_feed_type") {
                Value::Text(b"GBX") => depths[0] = depth,
                Value::Text(b"GBI") => depths[1] = depth,
                _ => {}
            }
        }
    }
    depths
}
