//! The market told as MEMX tells it: MEMOIR Depth.
//!
//! There are no auctions: until its opening cross a security is quoting (`Q`), because until then its book may be crossed,
//! and what trades in a cross is told as executions, without a bulk print. A replaced order leaves and another enters.
//! Order Reduced says what was taken away, which is how the handler reads it.

use super::Spec;
use super::packer::Framer;
use super::told::{Event, Ledger, Out, Venue, What};
use feed_common::time::UnixNanos;
use feed_common::wire::memoir as wire;
use wire::{MAX_PACKET, PacketBuilder};
use zerocopy::IntoBytes;
use zerocopy::byteorder::big_endian::{I64, U16, U64};

/// Tells the market.
pub(super) struct Memoir {
    /// Midnight in New York: times are on the Unix epoch.
    midnight: u64,
    /// The part of the day.
    session: u8,
    securities: Vec<Security>,
}

/// What is remembered of a security.
#[derive(Clone, Copy, Debug)]
struct Security {
    /// Its state in all markets.
    state: u8,
    /// Why.
    reason: u8,
    /// It has had its auction since it began, or began again, to trade.
    crossed: bool,
    /// This market alone has halted it.
    halted: bool,
}

impl Security {
    const NEW: Security = Security {
        state: b'Q',
        reason: b'X',
        crossed: false,
        halted: false,
    };

    /// Its status and the reason of it.
    fn status(self) -> [u8; 2] {
        match self.state {
            _ if self.halted => *b"HA",
            b'T' if !self.crossed => *b"QX",
            state => [state, self.reason],
        }
    }
}

impl Venue for Memoir {
    type Framer = MemoirFramer;

    /// The order that leaves and the one that enters; or the announcement and the first state.
    const MOST: u64 = 2;

    fn new(spec: &Spec) -> Memoir {
        Memoir {
            midnight: spec.midnight().0,
            session: b'1',
            securities: Vec::new(),
        }
    }

    fn framer(spec: &Spec) -> MemoirFramer {
        // Differs between days and, mostly, between seeds.
        let session = u64::from_be_bytes(*b"MEMO\0\0\0\0")
            | (spec.date.days() as u64 & 0xffff) << 16
            | spec.seed & 0xffff;
        MemoirFramer {
            builder: PacketBuilder::new(session, 1, spec.payload_limit),
            out: Vec::with_capacity(MAX_PACKET),
        }
    }

    /// Replaced orders take two.
    fn events(messages: u64) -> u64 {
        messages - messages / 12
    }

    fn code(message: &[u8]) -> u16 {
        wire::template_of(message).unwrap_or(0).into()
    }

    fn key(code: u16) -> String {
        code.to_string()
    }

    fn tell(&mut self, event: &Event, _: &Ledger, out: &mut Out<'_>) {
        let timestamp = self.time(event.time);
        if let What::System(code) = event.what {
            return self.system(code, timestamp, out);
        }
        if event.symbol == *b"        " {
            return; // what concerns all is said of each
        }
        if self.securities.len() <= event.instrument {
            self.securities.resize(event.instrument + 1, Security::NEW);
        }
        match event.what {
            What::Directory { round_lot, .. } => {
                let mut symbol = [0; 6];
                symbol.copy_from_slice(&event.symbol[..6]);
                let directory = wire::InstrumentDirectory {
                    timestamp,
                    security_id: id(event),
                    symbol,
                    round_lot: round_lot.into(),
                    mpv: 10_000.into(),
                    ..wire::InstrumentDirectory::new()
                };
                out.put(directory.as_bytes());
                self.status(event, timestamp, out);
            }
            What::Status { state, reason, .. } => {
                let security = &mut self.securities[event.instrument];
                security.state = state;
                security.crossed &= matches!(state, b'T' | b'Q');
                security.reason = match state {
                    b'H' | b'P' if reason[0] != b'O' => b'R',
                    b'H' | b'P' => b'A',
                    _ => b'X',
                };
                self.status(event, timestamp, out);
            }
            What::Operational {
                market: b'Q',
                halted,
            } => {
                self.securities[event.instrument].halted = halted;
                self.status(event, timestamp, out);
            }
            What::Cross { .. } => {
                let open = self.session == b'2';
                let security = &mut self.securities[event.instrument];
                let before = security.status();
                security.crossed = open;
                if security.status() != before {
                    self.status(event, timestamp, out);
                }
            }
            What::ShortSale(action) => {
                let restriction = wire::RegShoRestriction {
                    timestamp,
                    security_id: id(event),
                    restricted: (action != b'0').into(),
                    ..wire::RegShoRestriction::new()
                };
                out.put(restriction.as_bytes());
            }
            what => order(event, what, timestamp, out),
        }
    }

    fn filler(&mut self, now: u64, out: &mut Out<'_>) {
        self.session(self.time(now), out);
    }
}

impl Memoir {
    /// The exchange's time of `now` nanoseconds after midnight.
    fn time(&self, now: u64) -> U64 {
        U64::new(self.midnight + now)
    }

    fn system(&mut self, code: u8, timestamp: U64, out: &mut Out<'_>) {
        self.session = match code {
            b'S' => b'1',
            b'Q' => b'2',
            b'M' => b'3',
            b'E' => b'4',
            _ => return,
        };
        self.session(timestamp, out);
    }

    /// Says which part of the day it is.
    fn session(&self, timestamp: U64, out: &mut Out<'_>) {
        let status = wire::TradingSessionStatus {
            timestamp,
            session: self.session,
            ..wire::TradingSessionStatus::new()
        };
        out.put(status.as_bytes());
    }

    fn status(&self, event: &Event, timestamp: U64, out: &mut Out<'_>) {
        let [status, reason] = self.securities[event.instrument].status();
        let status = wire::SecurityTradingStatus {
            timestamp,
            security_id: id(event),
            status,
            reason,
            ..wire::SecurityTradingStatus::new()
        };
        out.put(status.as_bytes());
    }
}

/// What orders do, and trades.
fn order(event: &Event, what: What, timestamp: U64, out: &mut Out<'_>) {
    let security_id = id(event);
    let add = |order: super::told::Order| wire::OrderAdded {
        timestamp,
        security_id,
        order_id: order.id.into(),
        side: order.side.0,
        quantity: order.shares.into(),
        price: price(order.price),
        ..wire::OrderAdded::new()
    };
    let delete = |order_id: u64| wire::OrderDeleted {
        timestamp,
        security_id,
        order_id: order_id.into(),
        ..wire::OrderDeleted::new()
    };
    match what {
        What::Add(order) => out.put(add(order).as_bytes()),
        What::Delete { order } => out.put(delete(order.id).as_bytes()),
        What::Replace { old, new } => {
            out.put(delete(old.id).as_bytes());
            out.put(add(new).as_bytes());
        }
        What::Cancel { order, shares } => {
            let reduced = wire::OrderReduced {
                timestamp,
                security_id,
                order_id: order.id.into(),
                quantity: shares.into(),
                ..wire::OrderReduced::new()
            };
            out.put(reduced.as_bytes());
        }
        What::Execute {
            order,
            shares,
            number,
            price: other,
            ..
        } => {
            let executed = wire::OrderExecuted {
                timestamp,
                security_id,
                order_id: order.id.into(),
                trade_id: number.into(),
                quantity: shares.into(),
                price: price(other.unwrap_or(order.price)),
                ..wire::OrderExecuted::new()
            };
            out.put(executed.as_bytes());
        }
        What::Hidden {
            shares,
            price: at,
            number,
        } => {
            let trade = wire::Trade {
                timestamp,
                security_id,
                trade_id: number.into(),
                quantity: shares.into(),
                price: price(at),
                ..wire::Trade::new()
            };
            out.put(trade.as_bytes());
        }
        What::Broken {
            number,
            print: Some(print),
        } => {
            let broken = wire::BrokenTrade {
                timestamp,
                security_id,
                trade_id: number.into(),
                original_quantity: u32::try_from(print.shares).unwrap_or(u32::MAX).into(),
                original_price: price(print.price),
                ..wire::BrokenTrade::new()
            };
            out.put(broken.as_bytes());
        }
        _ => {}
    }
}

/// Numbers of the day: there are at most 65,535 securities.
fn id(event: &Event) -> U16 {
    U16::new(event.instrument as u16 + 1)
}

/// From 4 decimals to 6.
fn price(price: u32) -> I64 {
    I64::new(i64::from(price) * 100)
}

/// Packets of a session.
pub(super) struct MemoirFramer {
    builder: PacketBuilder,
    out: Vec<u8>,
}

impl MemoirFramer {
    fn set(&mut self, header: wire::Header) -> &[u8] {
        self.out.clear();
        self.out.extend_from_slice(header.as_bytes());
        &self.out
    }
}

impl Framer for MemoirFramer {
    fn push(&mut self, message: &[u8]) -> bool {
        self.builder.push(message)
    }

    fn is_empty(&self) -> bool {
        self.builder.is_empty()
    }

    fn len(&self) -> usize {
        self.builder.len()
    }

    fn take(&mut self, _: UnixNanos) -> &[u8] {
        self.out.clear();
        self.out.extend_from_slice(self.builder.payload());
        self.builder.clear();
        &self.out
    }

    fn heartbeat(&mut self, _: UnixNanos) -> Option<&[u8]> {
        Some(self.set(self.builder.heartbeat()))
    }

    fn end_of_session(&mut self, _: UnixNanos) -> Option<&[u8]> {
        Some(self.set(self.builder.shutdown()))
    }
}

#[cfg(test)]
mod tests;
