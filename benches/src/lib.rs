//! What the harnesses share; they are in `src/bin`, a program each.

use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, ExecuteOrder, MarketHandler, MsgCtx, ReplaceOrder, Trade,
};

/// Uses every field of every event and of its context, so that none can be left unread.
pub struct Sum(pub u64);

impl Sum {
    #[inline(always)]
    fn add<const N: usize>(&mut self, cx: &MsgCtx, fields: [u64; N]) {
        let context = cx.timestamp.0
            ^ cx.sequence
            ^ u64::from(cx.instrument)
            ^ u64::from(cx.flags.0)
            ^ u64::from_le_bytes(cx.symbol);
        let all = fields.into_iter().fold(context, u64::wrapping_add);
        self.0 = self.0.wrapping_add(all);
    }
}

impl MarketHandler for Sum {
    #[inline]
    fn on_add(&mut self, cx: &MsgCtx, m: AddOrder) {
        self.add(
            cx,
            [m.order_id, m.side.0.into(), m.price.0 as u64, m.quantity],
        );
    }
    #[inline]
    fn on_execute(&mut self, cx: &MsgCtx, m: ExecuteOrder) {
        self.add(cx, [m.order_id, m.quantity, m.price.0 as u64, m.match_id]);
    }
    #[inline]
    fn on_cancel(&mut self, cx: &MsgCtx, m: CancelOrder) {
        self.add(cx, [m.order_id, m.quantity]);
    }
    #[inline]
    fn on_delete(&mut self, cx: &MsgCtx, m: DeleteOrder) {
        self.add(cx, [m.order_id]);
    }
    #[inline]
    fn on_replace(&mut self, cx: &MsgCtx, m: ReplaceOrder) {
        self.add(cx, [m.old_id, m.new_id, m.price.0 as u64, m.quantity]);
    }
    #[inline]
    fn on_trade(&mut self, cx: &MsgCtx, m: Trade) {
        self.add(
            cx,
            [m.match_id, m.side.0.into(), m.price.0 as u64, m.quantity],
        );
    }
}
