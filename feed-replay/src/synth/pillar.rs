//! The market told as a NYSE Pillar market tells it: Integrated Feed.
//!
//! The channel's numbers begin with a reset in a packet of its own; every second with messages begins with a reference
//! to it. Every other symbol begins the day with 6 decimals, the others with 4; when one of 6 has a price that does not fit
//! 32 bits any more, it is mapped again with 4. An order that only shrinks is modified in its place, every other change
//! is a replacement. The session's last status (`X`) is never sent: it would void the books that a session is compared by.

use super::packer::Framer;
use super::told::{Event, Ledger, Out, Venue, What};
use super::{SECOND, Spec};
use feed_common::time::UnixNanos;
use feed_common::wire::pillar as wire;
use wire::{Flag, MAX_PACKET, PacketBuilder, SequenceNumberReset};
use zerocopy::byteorder::little_endian::U32;
use zerocopy::{Immutable, IntoBytes};

/// Tells the market.
pub(super) struct Pillar {
    /// Midnight in New York, in seconds of the epoch: times are UTC.
    midnight: u64,
    /// The second last referred to.
    referred: Option<u32>,
    /// Trading hours have begun.
    open: bool,
    symbols: Vec<Symbol>,
}

/// What has been said of an instrument.
#[derive(Clone, Copy, Debug, Default)]
struct Symbol {
    /// Messages so far.
    sequence: u32,
    /// Decimals of its prices.
    scale: u8,
    round_lot: u16,
    /// `C` a stock, `E` a fund.
    security_type: u8,
    trading: bool,
    /// It has had its auction since it began, or began again, to trade.
    crossed: bool,
}

/// The second and its nanoseconds.
type At = (U32, U32);

impl Venue for Pillar {
    type Framer = PillarFramer;

    /// A reference to the second, another mapping, an event, and the state it leads to.
    const MOST: u64 = 4;

    fn new(spec: &Spec) -> Pillar {
        Pillar {
            midnight: spec.midnight().0 / SECOND,
            referred: None,
            open: false,
            symbols: Vec::new(),
        }
    }

    fn framer(spec: &Spec) -> PillarFramer {
        PillarFramer {
            builder: PacketBuilder::new(1, spec.payload_limit.min(MAX_PACKET)),
            resets: false,
            out: Vec::with_capacity(MAX_PACKET),
        }
    }

    fn code(message: &[u8]) -> u16 {
        wire::kind_of(message)
    }

    fn key(code: u16) -> String {
        code.to_string()
    }

    fn tell(&mut self, event: &Event, _: &Ledger, out: &mut Out<'_>) {
        let at = self.at(event.time);
        if let What::System(code) = event.what {
            return self.system(code, at, out);
        }
        if event.symbol == *b"        " {
            return; // what concerns all is said of each
        }
        if self.symbols.len() <= event.instrument {
            self.symbols.resize(event.instrument + 1, Symbol::default());
        }
        self.refer(at, out);
        self.rescale(event, out);
        match event.what {
            What::Directory { round_lot, class } => {
                let symbol = &mut self.symbols[event.instrument];
                symbol.scale = [4, 6][event.instrument % 2];
                symbol.round_lot = round_lot as u16;
                symbol.security_type = if class == b'Q' { b'E' } else { b'C' };
                out.put(mapping(event, symbol).as_bytes());
                self.status(event, at, b'P', b'~', out);
            }
            What::Status { state, reason, .. } => self.traded(event, at, state, reason, out),
            What::Operational {
                market: b'Q',
                halted,
            } => match halted {
                true => self.status(event, at, b'6', b'6', out),
                false => self.status(event, at, b'5', b'~', out),
            },
            What::ShortSale(action) => {
                let value = match action {
                    b'1' => b'A',
                    b'2' => b'C',
                    _ => b'D',
                };
                self.status(event, at, value, b'~', out);
            }
            What::Cross {
                shares,
                price,
                number,
                auction,
            } => {
                if shares > 0 {
                    let cross = wire::CrossTrade {
                        cross_id: short(number),
                        price: self.scaled(event, price),
                        volume: short(shares),
                        cross_type: match auction {
                            b'C' => b'6',
                            b'H' => b'5',
                            _ => b'O',
                        },
                        ..self.message(event, at)
                    };
                    out.put(cross.as_bytes());
                }
                self.crossed(event, at, out);
            }
            What::Collar {
                reference,
                upper,
                lower,
                extension,
            } => {
                let collar = wire::Imbalance {
                    reference_price: self.scaled(event, reference),
                    upper_collar: self.scaled(event, upper),
                    lower_collar: self.scaled(event, lower),
                    num_extensions: extension as u8,
                    auction_type: b'H',
                    imbalance_side: b' ',
                    ..self.message(event, at)
                };
                out.put(collar.as_bytes());
            }
            What::Imbalance {
                paired,
                imbalance,
                side,
                far,
                near,
                reference,
                auction,
            } => {
                let none = !matches!(side, b'B' | b'S');
                let side = if none { b' ' } else { side };
                let message = wire::Imbalance {
                    reference_price: self.scaled(event, reference),
                    paired_qty: short(paired),
                    total_imbalance_qty: short(imbalance),
                    unpaired_qty: short(imbalance),
                    imbalance_side: side,
                    unpaired_side: side,
                    significant_imbalance: b' ',
                    auction_interest_clearing_price: self.scaled(event, far),
                    continuous_book_clearing_price: self.scaled(event, near),
                    indicative_match_price: self.scaled(event, near),
                    auction_type: match auction {
                        b'C' => b'C',
                        b'H' => b'H',
                        _ => b'M',
                    },
                    ..self.message(event, at)
                };
                out.put(message.as_bytes());
            }
            What::Retail(interest) => {
                let message = wire::RetailPriceImprovement {
                    rpi: match interest {
                        b'B' => b'A',
                        b'S' => b'B',
                        b'A' => b'C',
                        _ => b' ',
                    },
                    ..self.message(event, at)
                };
                out.put(message.as_bytes());
            }
            what => self.order(event, what, at, out),
        }
    }

    fn filler(&mut self, now: u64, out: &mut Out<'_>) {
        let (second, _) = self.at(now);
        self.referred = Some(second.get());
        out.put(reference(second).as_bytes());
    }
}

impl Pillar {
    /// The exchange's time of `now` nanoseconds after midnight.
    fn at(&self, now: u64) -> At {
        let second = self.midnight + now / SECOND;
        (short(second), short(now % SECOND))
    }

    /// The first message of a second is preceded by a reference to it.
    fn refer(&mut self, (second, _): At, out: &mut Out<'_>) {
        if self.referred != Some(second.get()) {
            self.referred = Some(second.get());
            out.put(reference(second).as_bytes());
        }
    }

    fn system(&mut self, code: u8, (second, nanos): At, out: &mut Out<'_>) {
        match code {
            b'O' => {
                let reset = SequenceNumberReset {
                    source_time: second,
                    source_time_ns: nanos,
                    ..SequenceNumberReset::new()
                };
                out.put(reset.as_bytes());
            }
            b'Q' => self.open = true,
            b'M' => self.open = false,
            _ => {}
        }
    }

    /// Maps the instrument again if the event has a price that is too high for its scale.
    fn rescale(&mut self, event: &Event, out: &mut Out<'_>) {
        let symbol = &mut self.symbols[event.instrument];
        if symbol.scale == 6 && highest(event.what) > u32::MAX / 100 {
            symbol.scale = 4;
            out.put(mapping(event, symbol).as_bytes());
        }
    }

    /// A price of 4 decimals in the instrument's scale.
    fn scaled(&self, event: &Event, price: u32) -> U32 {
        U32::new(match self.symbols[event.instrument].scale {
            6 => price * 100, // which fits, see `rescale`
            _ => price,
        })
    }

    /// What orders do, and trades.
    fn order(&mut self, event: &Event, what: What, at: At, out: &mut Out<'_>) {
        match what {
            What::Add(order) => {
                let mut firm_id = [0; 5];
                firm_id[..4].copy_from_slice(&order.participant.unwrap_or_default());
                let add = wire::AddOrder {
                    order_id: order.id.into(),
                    price: self.scaled(event, order.price),
                    volume: order.shares.into(),
                    side: order.side.0,
                    firm_id,
                    ..self.message(event, at)
                };
                out.put(add.as_bytes());
            }
            What::Execute {
                order,
                shares,
                number,
                price,
                printable,
            } => {
                let execution = wire::OrderExecution {
                    order_id: order.id.into(),
                    trade_id: short(number),
                    price: self.scaled(event, price.unwrap_or(order.price)),
                    volume: shares.into(),
                    printable: printable.into(),
                    trade_cond1: b'@',
                    trade_cond2: b' ',
                    trade_cond3: b' ',
                    trade_cond4: if shares < 100 { b'I' } else { b' ' },
                    ..self.message(event, at)
                };
                out.put(execution.as_bytes());
            }
            What::Cancel { order, shares } => {
                let modify = wire::ModifyOrder {
                    order_id: order.id.into(),
                    price: self.scaled(event, order.price),
                    volume: (order.shares - shares).into(),
                    side: order.side.0,
                    ..self.message(event, at)
                };
                out.put(modify.as_bytes());
            }
            What::Delete { order } => {
                let delete = wire::DeleteOrder {
                    order_id: order.id.into(),
                    ..self.message(event, at)
                };
                out.put(delete.as_bytes());
            }
            What::Replace { old, new } => {
                let replace = wire::ReplaceOrder {
                    order_id: old.id.into(),
                    new_order_id: new.id.into(),
                    price: self.scaled(event, new.price),
                    volume: new.shares.into(),
                    side: new.side.0,
                    ..self.message(event, at)
                };
                out.put(replace.as_bytes());
            }
            What::Hidden {
                shares,
                price,
                number,
            } => {
                let trade = wire::NonDisplayedTrade {
                    trade_id: short(number),
                    price: self.scaled(event, price),
                    volume: shares.into(),
                    printable: 1,
                    trade_cond1: b'@',
                    trade_cond2: b' ',
                    trade_cond3: b' ',
                    trade_cond4: b' ',
                    ..self.message(event, at)
                };
                out.put(trade.as_bytes());
            }
            What::Broken { number, .. } => {
                let cancel = wire::TradeCancel {
                    trade_id: short(number),
                    ..self.message(event, at)
                };
                out.put(cancel.as_bytes());
            }
            _ => {}
        }
    }

    /// The instrument's trading state in all markets.
    fn traded(&mut self, event: &Event, at: At, state: u8, reason: [u8; 4], out: &mut Out<'_>) {
        let symbol = &mut self.symbols[event.instrument];
        symbol.trading = state == b'T';
        symbol.crossed &= symbol.trading || state == b'Q';
        match state {
            b'T' => self.status(event, at, b'5', b'~', out),
            b'Q' => self.status(event, at, b'B', b'~', out),
            b'P' => self.status(event, at, b'4', b'M', out),
            _ => {
                let why = if reason[0] == b'T' { b'D' } else { b'C' };
                self.status(event, at, b'4', why, out);
            }
        }
    }

    /// The instrument has had its auction: from now on its orders match as they come.
    fn crossed(&mut self, event: &Event, at: At, out: &mut Out<'_>) {
        let symbol = &mut self.symbols[event.instrument];
        symbol.crossed = self.open;
        if self.open && symbol.trading {
            self.status(event, at, b'O', b'~', out);
        }
    }

    fn status(&mut self, event: &Event, at: At, value: u8, halt: u8, out: &mut Out<'_>) {
        let symbol = self.symbols[event.instrument];
        let status = wire::SecurityStatus {
            security_status: value,
            halt_condition: halt,
            market_state: match self.open && symbol.crossed {
                true => b'O',
                false => b'P',
            },
            ssr_state: b'~',
            ssr_exchange: b' ',
            ..self.message(event, at)
        };
        out.put(status.as_bytes());
    }

    /// A message about the event's instrument with nothing in it but that.
    fn message<T: About>(&mut self, event: &Event, at: At) -> T {
        let symbol = &mut self.symbols[event.instrument];
        symbol.sequence += 1;
        T::about(index(event), at, symbol.sequence.into())
    }
}

/// A message about an instrument.
trait About: IntoBytes + Immutable {
    /// Begun: all else is zero.
    fn about(symbol_index: U32, at: At, symbol_seq_num: U32) -> Self;
}

/// The messages of the second referred to, and behind the semicolon those that say their own.
macro_rules! about {
    ($($short:ident)*; $($whole:ident)*) => {
        $(impl About for wire::$short {
            fn about(symbol_index: U32, (_, source_time_ns): At, symbol_seq_num: U32) -> Self {
                wire::$short { source_time_ns, symbol_index, symbol_seq_num, ..wire::$short::new() }
            }
        })*
        $(impl About for wire::$whole {
            fn about(symbol_index: U32, (source_time, source_time_ns): At, symbol_seq_num: U32) -> Self {
                let new = wire::$whole::new();
                wire::$whole { source_time, source_time_ns, symbol_index, symbol_seq_num, ..new }
            }
        })*
    };
}

about! {
    AddOrder ModifyOrder DeleteOrder OrderExecution ReplaceOrder NonDisplayedTrade CrossTrade TradeCancel
    RetailPriceImprovement;
    SecurityStatus Imbalance
}

/// Indices are stable and sparse.
fn index(event: &Event) -> U32 {
    U32::new(event.instrument as u32 * 17 + 1_000)
}

fn mapping(event: &Event, symbol: &Symbol) -> wire::SymbolIndexMapping {
    let mut text = [0; 11];
    let name = feed_common::wire::message::trimmed(&event.symbol);
    text[..name.len()].copy_from_slice(name);
    wire::SymbolIndexMapping {
        symbol_index: index(event),
        symbol: text,
        market_id: 1.into(),
        system_id: 1,
        exchange_code: b'N',
        price_scale_code: symbol.scale,
        security_type: symbol.security_type,
        lot_size: symbol.round_lot.into(),
        round_lots_accepted: b'N',
        mpv: 100.into(),
        unit_of_trade: 1.into(),
        ..wire::SymbolIndexMapping::new()
    }
}

/// The highest price of an event.
fn highest(what: What) -> u32 {
    match what {
        What::Add(order) | What::Delete { order } | What::Cancel { order, .. } => order.price,
        What::Execute { order, price, .. } => order.price.max(price.unwrap_or(0)),
        What::Replace { old, new } => old.price.max(new.price),
        What::Hidden { price, .. } | What::Cross { price, .. } => price,
        What::Collar {
            reference, upper, ..
        } => reference.max(upper),
        What::Imbalance {
            far,
            near,
            reference,
            ..
        } => far.max(near).max(reference),
        _ => 0,
    }
}

/// Numbers and quantities of a session fit 32 bits.
fn short(number: u64) -> U32 {
    U32::new(number as u32)
}

fn reference(second: U32) -> wire::SourceTimeReference {
    wire::SourceTimeReference {
        id: 1.into(),
        source_time: second,
        ..wire::SourceTimeReference::new()
    }
}

/// Original packets; a reset has one of its own.
pub struct PillarFramer {
    builder: PacketBuilder,
    /// The packet being filled is a reset.
    resets: bool,
    out: Vec<u8>,
}

impl Framer for PillarFramer {
    fn push(&mut self, message: &[u8]) -> bool {
        let resets = wire::kind_of(message) == SequenceNumberReset::TYPE;
        if self.resets || (resets && !self.builder.is_empty()) || !self.builder.push(message) {
            return false;
        }
        self.resets = resets;
        true
    }

    fn is_empty(&self) -> bool {
        self.builder.is_empty()
    }

    fn len(&self) -> usize {
        self.builder.len()
    }

    fn take(&mut self, time: UnixNanos) -> &[u8] {
        let flag = match std::mem::take(&mut self.resets) {
            true => Flag::SEQUENCE_RESET,
            false => Flag::ORIGINAL,
        };
        self.out.clear();
        self.out
            .extend_from_slice(self.builder.payload(flag, time.0));
        self.builder.clear();
        &self.out
    }

    fn heartbeat(&mut self, time: UnixNanos) -> Option<&[u8]> {
        self.out.clear();
        let beat = self.builder.heartbeat(time.0);
        self.out.extend_from_slice(beat.as_bytes());
        Some(&self.out)
    }

    /// There is no such packet.
    fn end_of_session(&mut self, _: UnixNanos) -> Option<&[u8]> {
        None
    }
}

#[cfg(test)]
mod tests;
