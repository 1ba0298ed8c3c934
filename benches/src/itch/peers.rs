//! ITCH decoders of others, used as their documentation shows. Each gives the wrapping sum of all fields that events of
//! ours have: instrument, time, order, side, shares, symbol, price, match and new order.

use itch5::messages::{
    AddOrderNoMPIDAttribution, BuySellIndicator, OrderCancel, OrderDelete, OrderExecuted,
    OrderReplace, Trade,
};
use itch5::{MessageHandler, Parser};
use itchy::{Body, MessageStream, Side};
use std::ops::ControlFlow;

/// The wrapping sum of some values.
#[inline(always)]
fn sum<const N: usize>(values: [u64; N]) -> u64 {
    values.into_iter().fold(0, u64::wrapping_add)
}

/// The crate `itch5`: casts to views, a handler by message.
pub fn itch5(file: &[u8]) -> u64 {
    let mut all = Views(0);
    Parser::new(file)
        .parse_stream(&mut all)
        .expect("known messages");
    all.0
}

struct Views(u64);

/// A method of the handler, with the fields that are its message's own.
macro_rules! views {
    ($($on:ident: $message:ident = |$m:ident| $own:expr;)*) => {
        impl MessageHandler for Views {
            $(#[inline]
            fn $on(&mut self, $m: &$message) -> ControlFlow<()> {
                let of_all = [
                    $m.stock_locate().into(),
                    $m.timestamp().to_u64(),
                    self.0,
                ];
                self.0 = sum(of_all).wrapping_add(sum($own));
                ControlFlow::Continue(())
            })*
        }
    };
}

views! {
    on_add_order_no_mpid_attribution: AddOrderNoMPIDAttribution = |m| [
        m.order_reference_number(),
        u64::from(matches!(m.buy_sell_indicator(), BuySellIndicator::Buy)),
        m.shares().into(),
        m.stock().to_u64(),
        m.price().into_u32().into(),
    ];
    on_order_executed: OrderExecuted = |m| [
        m.order_reference_number(),
        m.executed_shares().into(),
        m.match_number(),
    ];
    on_order_cancel: OrderCancel = |m| [m.order_reference_number(), m.cancelled_shares().into()];
    on_order_delete: OrderDelete = |m| [m.order_reference_number()];
    on_order_replace: OrderReplace = |m| [
        m.original_order_reference_number(),
        m.new_order_reference_number(),
        m.shares().into(),
        m.price().into_u32().into(),
    ];
    on_trade: Trade = |m| [
        m.order_reference_number(),
        u64::from(matches!(m.buy_sell_indicator(), BuySellIndicator::Buy)),
        m.shares().into(),
        m.stock().to_u64(),
        m.price().into_u32().into(),
        m.match_number(),
    ];
}

/// The crate `itchy`: owned messages from a reader.
pub fn itchy(file: &[u8]) -> u64 {
    let symbol = |s: itchy::ArrayString8| {
        let bytes = s.as_bytes().try_into().expect("eight bytes");
        u64::from_be_bytes(bytes)
    };
    let side = |s| u64::from(s == Side::Buy);
    let mut all = 0u64;
    for message in MessageStream::from_reader(file) {
        let m = message.expect("known messages");
        let own = match m.body {
            Body::AddOrder(a) => sum([
                a.reference,
                side(a.side),
                a.shares.into(),
                symbol(a.stock),
                a.price.raw().into(),
            ]),
            Body::OrderExecuted {
                reference,
                executed,
                match_number,
            } => sum([reference, executed.into(), match_number]),
            Body::OrderCancelled {
                reference,
                cancelled,
            } => sum([reference, cancelled.into()]),
            Body::DeleteOrder { reference } => reference,
            Body::ReplaceOrder(r) => sum([
                r.old_reference,
                r.new_reference,
                r.shares.into(),
                r.price.raw().into(),
            ]),
            Body::NonCrossTrade(t) => sum([
                t.reference,
                side(t.side),
                t.shares.into(),
                symbol(t.stock),
                t.price.raw().into(),
                t.match_number,
            ]),
            other => panic!("not in the mix: {other:?}"),
        };
        all = sum([all, own, m.stock_locate.into(), m.timestamp]);
    }
    all
}

/// The crate `lunary`: its parser that copies nothing, fields by their places behind the header.
#[cfg(feature = "lunary")]
pub fn lunary(file: &[u8]) -> u64 {
    let mut parser = lunary::ZeroCopyParser::new(file);
    let mut all = 0u64;
    while let Some(m) = parser.parse_next() {
        let own = match m.msg_type() {
            kind @ (b'A' | b'P') => {
                let stock: [u8; 8] = m.read_stock(13).try_into().expect("eight bytes");
                let matched = if kind == b'P' { m.read_u64(25) } else { 0 };
                sum([
                    m.read_u64(0),
                    u64::from(m.read_u8(8) == b'B'),
                    m.read_u32(9).into(),
                    u64::from_be_bytes(stock),
                    m.read_u32(21).into(),
                    matched,
                ])
            }
            b'E' => sum([m.read_u64(0), m.read_u32(8).into(), m.read_u64(12)]),
            b'X' => sum([m.read_u64(0), m.read_u32(8).into()]),
            b'D' => m.read_u64(0),
            b'U' => sum([
                m.read_u64(0),
                m.read_u64(8),
                m.read_u32(16).into(),
                m.read_u32(20).into(),
            ]),
            other => panic!("not in the mix: {other}"),
        };
        all = sum([all, own, m.stock_locate().into(), m.timestamp()]);
    }
    all
}

#[cfg(test)]
mod tests {
    use crate::itch::mix;
    use feed_common::wire::moldudp64::Blocks;

    /// The same sum by offsets of the specification.
    fn by_offset(file: &[u8]) -> u64 {
        let be = |m: &[u8], at: usize, len: usize| {
            m[at..at + len]
                .iter()
                .fold(0, |n, &b| n << 8 | u64::from(b))
        };
        let message = |m: &[u8]| {
            let fields: &[(usize, usize)] = match m[0] {
                b'A' => &[(20, 4), (24, 8), (32, 4)],
                b'P' => &[(20, 4), (24, 8), (32, 4), (36, 8)],
                b'E' => &[(19, 4), (23, 8)],
                b'X' => &[(19, 4)],
                b'D' => &[],
                b'U' => &[(19, 8), (27, 4), (31, 4)],
                other => panic!("not in the mix: {other}"),
            };
            let of_all = [(1, 2), (5, 6), (11, 8)];
            let read = fields
                .iter()
                .chain(&of_all)
                .map(|&(at, len)| be(m, at, len));
            let buys = matches!(m[0], b'A' | b'P') && m[19] == b'B';
            read.fold(u64::from(buys), u64::wrapping_add)
        };
        Blocks::new(file).map(message).fold(0, u64::wrapping_add)
    }

    #[test]
    fn all_read_what_the_specification_says() {
        let file = mix(5_000);
        let expected = by_offset(&file);
        assert_eq!(super::itch5(&file), expected);
        assert_eq!(super::itchy(&file), expected);
        #[cfg(feature = "lunary")]
        assert_eq!(super::lunary(&file), expected);
    }
}
