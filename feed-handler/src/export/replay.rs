//! Records back into events, as far as it takes to know what traded and at what price.

use super::exact::TakeRecord;
use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, ExecuteOrder, Flags, Kind, MarketHandler, ModifyOrder,
    MsgCtx, NO_INSTRUMENT, Name, Price, Record, ReplaceOrder, Side, Trade, TradeBreak, Trust,
};
use feed_common::time::{Ticks, UnixNanos};

/// Hands the events of records to a [`MarketHandler`].
pub(super) struct Replay<H> {
    pub(super) to: H,
    /// Whether whoever takes them wants no more.
    enough: fn(&H) -> bool,
    /// The order that a replacement takes away.
    replaced: Option<u64>,
}

impl<H: MarketHandler> Replay<H> {
    pub(super) fn new(to: H, enough: fn(&H) -> bool) -> Replay<H> {
        Replay {
            to,
            enough,
            replaced: None,
        }
    }
}

impl<H: MarketHandler> TakeRecord for Replay<H> {
    fn take(&mut self, record: &Record, quantity: u64, _: &Name) {
        let cx = context(record);
        let order_id = record.order_id.get();
        let side = Side(record.data.side);
        let price = Price(record.data.price.get());
        let replaced = self.replaced.take();
        let to = &mut self.to;
        match Kind(record.data.kind) {
            Kind::ADD => to.on_add(
                &cx,
                AddOrder {
                    order_id,
                    side,
                    price,
                    quantity,
                },
            ),
            Kind::MODIFY => to.on_modify(
                &cx,
                ModifyOrder {
                    order_id,
                    price,
                    quantity,
                },
            ),
            Kind::DELETE => to.on_delete(&cx, DeleteOrder { order_id }),
            // Which execution it was the record does not say.
            Kind::EXECUTE => to.on_execute(
                &cx,
                ExecuteOrder {
                    order_id,
                    quantity,
                    price,
                    match_id: 0,
                    printable: !cx.flags.has(Flags::NON_PRINTABLE),
                },
            ),
            Kind::CANCEL => to.on_cancel(&cx, CancelOrder { order_id, quantity }),
            Kind::REPLACE_OLD => self.replaced = Some(order_id),
            Kind::REPLACE_NEW => {
                if let Some(old_id) = replaced {
                    let new = ReplaceOrder {
                        old_id,
                        new_id: order_id,
                        price,
                        quantity,
                    };
                    to.on_replace(&cx, new);
                }
            }
            Kind::CLEAR if record.instrument.get() == NO_INSTRUMENT => to.on_restart(&cx),
            Kind::CLEAR => to.on_clear(&cx),
            Kind::TRADE => to.on_trade(
                &cx,
                Trade {
                    match_id: order_id,
                    side,
                    price,
                    quantity,
                    flags: cx.flags,
                },
            ),
            Kind::TRADE_BREAK => to.on_trade_break(&cx, TradeBreak { match_id: order_id }),
            _ => {}
        }
    }

    fn has_failed(&self) -> bool {
        (self.enough)(&self.to)
    }
}

fn context(record: &Record) -> MsgCtx {
    MsgCtx {
        sequence: record.sequence.get(),
        channel: record.channel.get(),
        rx: Ticks(record.rx.get()),
        trust: Trust(record.trust),
        timestamp: UnixNanos(record.data.timestamp.get()),
        instrument: record.instrument.get(),
        symbol: record.data.symbol,
        flags: Flags(record.data.flags.get()),
        ..MsgCtx::default()
    }
}
