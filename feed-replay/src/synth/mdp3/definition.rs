//! Instruments, announced.

use super::levels::DEPTH;
use super::{Mdp3, PRICE_UNIT, VERSION, security_id};
use crate::synth::told::{Event, Ledger};
use feed_common::wire::mdp3::{Template, schema, template};
use feed_common::wire::message::trimmed;
use zerocopy::IntoBytes;

/// The group and the product of all instruments.
pub(super) const GROUP: [u8; 6] = *b"SM\0\0\0\0";
pub(super) const ASSET: [u8; 6] = *b"SIM\0\0\0";

/// Levels of the implied book, which nobody fills.
const IMPLIED: u8 = 2;

/// Every so many instruments are followed by a spread.
const SPREADS: usize = 8;

impl Mdp3 {
    /// Announces an instrument, and now and then a spread with the one before it.
    pub(super) fn define(&mut self, event: &Event, ledger: &Ledger) {
        let number = event.instrument;
        let name = trimmed(&event.symbol).to_vec();
        self.announce(template::FUTURE, b"FUT", security_id(number), &name, event);
        if number % SPREADS == SPREADS - 1 {
            let before = ledger.symbol(number - 1);
            let spread = [b"SPREAD:", trimmed(&before), b"-", &name].concat();
            let id = security_id(number) + 1;
            self.announce(
                template::SPREAD,
                b"MLEG",
                id,
                &spread[..spread.len().min(20)],
                event,
            );
        }
    }

    fn announce(&mut self, template_id: u16, class: &[u8], id: i32, name: &[u8], event: &Event) {
        let template = schema(VERSION).template(template_id);
        let template = template.expect("a template of the version");
        let at = self.midnight + event.time;
        let penny = 100 * PRICE_UNIT;
        let optional = template_id == template::SPREAD;
        let tick = ["min_price_increment", "min_price_increment_optional"][usize::from(optional)];
        let root = filled(
            template,
            &[
                ("security_update_action", b"A"),
                ("last_update_time", &at.to_le_bytes()),
                ("md_security_trading_status", &[super::PRE_OPEN]),
                ("appl_id", &310i16.to_le_bytes()),
                ("security_exchange", b"XCME"),
                ("security_group", &GROUP),
                ("asset", &ASSET),
                ("symbol", name),
                ("security_id", &id.to_le_bytes()),
                ("security_type", class),
                ("currency", b"USD"),
                ("match_algorithm", b"F"),
                ("min_trade_vol", &1u32.to_le_bytes()),
                ("max_trade_vol", &1_000_000u32.to_le_bytes()),
                (tick, &penny.to_le_bytes()),
                ("display_factor", &1_000_000_000i64.to_le_bytes()),
                ("user_defined_instrument", b"N"),
            ],
        );
        let feeds = [[b'G', b'B', b'X', DEPTH as u8], [b'G', b'B', b'I', IMPLIED]];
        self.keep(template_id, root.as_bytes(), |message| {
            for group in template.groups {
                match group.name {
                    "feed_types" => message.group(group.dimension, &feeds),
                    _ => message.group::<u8>(group.dimension, &[]),
                };
            }
        });
    }
}

/// A root block with these fields; the others are absent where they can be, else zeros.
fn filled(template: &Template, fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut root = vec![0; template.root.len.into()];
    for field in template.root.fields {
        let (at, len) = (usize::from(field.offset), usize::from(field.len));
        let said = fields.iter().find(|(name, _)| *name == field.name);
        let null = field.null.map(u64::to_le_bytes);
        match (said, null) {
            (Some((_, bytes)), _) => root[at..at + bytes.len()].copy_from_slice(bytes),
            (None, Some(null)) => root[at..at + len].copy_from_slice(&null[..len]),
            (None, None) => {}
        }
    }
    root
}
