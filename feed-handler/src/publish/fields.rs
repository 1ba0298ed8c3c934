//! What the record of each event says.

use crate::book::Quote;
use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, Directory, ExecuteOrder, Flags, Gap, Imbalance, Kind,
    LevelUpdate, ModifyOrder, Price, RankedOrder, Side, SlotUpdate, Statistic, Status, Trade,
    TradeBreak,
};

/// What a record says besides its context.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    pub kind: Kind,
    pub side: Side,
    pub price: Price,
    pub quantity: u64,
    pub order_id: u64,
    /// Besides those of the context.
    pub flags: Flags,
}

impl Fields {
    /// A record of `kind` that says nothing yet.
    pub const fn of(kind: Kind) -> Fields {
        Fields {
            kind,
            side: Side::NONE,
            price: Price::NULL,
            quantity: 0,
            order_id: 0,
            flags: Flags::NONE,
        }
    }

    /// The half of a best bid and offer.
    pub const fn best(kind: Kind, side: Side, quote: Quote) -> Fields {
        Fields {
            side,
            price: quote.price,
            quantity: quote.quantity,
            ..Fields::of(kind)
        }
    }
}

// The events of order flow are part of their decoder's code: as calls they would pass through memory, twice for messages
// that come in two forms.

impl From<AddOrder> for Fields {
    #[inline(always)]
    fn from(m: AddOrder) -> Fields {
        Fields {
            side: m.side,
            price: m.price,
            quantity: m.quantity,
            order_id: m.order_id,
            ..Fields::of(Kind::ADD)
        }
    }
}

impl From<ExecuteOrder> for Fields {
    #[inline(always)]
    fn from(m: ExecuteOrder) -> Fields {
        Fields {
            price: m.price,
            quantity: m.quantity,
            order_id: m.order_id,
            flags: if m.printable {
                Flags::NONE
            } else {
                Flags::NON_PRINTABLE
            },
            ..Fields::of(Kind::EXECUTE)
        }
    }
}

impl From<CancelOrder> for Fields {
    #[inline(always)]
    fn from(m: CancelOrder) -> Fields {
        Fields {
            quantity: m.quantity,
            order_id: m.order_id,
            ..Fields::of(Kind::CANCEL)
        }
    }
}

impl From<DeleteOrder> for Fields {
    #[inline(always)]
    fn from(m: DeleteOrder) -> Fields {
        Fields {
            order_id: m.order_id,
            ..Fields::of(Kind::DELETE)
        }
    }
}

impl From<ModifyOrder> for Fields {
    #[inline(always)]
    fn from(m: ModifyOrder) -> Fields {
        Fields {
            price: m.price,
            quantity: m.quantity,
            order_id: m.order_id,
            ..Fields::of(Kind::MODIFY)
        }
    }
}

impl From<RankedOrder> for Fields {
    #[inline(always)]
    fn from(m: RankedOrder) -> Fields {
        Fields {
            side: m.side,
            price: m.price,
            quantity: m.quantity,
            order_id: m.order_id,
            ..Fields::of(if m.enters { Kind::ADD } else { Kind::MODIFY })
        }
    }
}

impl From<LevelUpdate> for Fields {
    #[inline(always)]
    fn from(m: LevelUpdate) -> Fields {
        Fields {
            side: m.side,
            price: m.price,
            quantity: m.quantity,
            order_id: level_number(0, 0, m.orders),
            ..Fields::of(Kind::LEVEL)
        }
    }
}

impl From<SlotUpdate> for Fields {
    #[inline(always)]
    fn from(m: SlotUpdate) -> Fields {
        Fields {
            side: m.side,
            price: m.price,
            quantity: m.quantity,
            order_id: level_number(m.level, m.action as u8, m.orders),
            flags: if m.implied {
                Flags::IMPLIED
            } else {
                Flags::NONE
            },
            ..Fields::of(Kind::LEVEL)
        }
    }
}

/// What a [`Kind::LEVEL`] record says in the place of an order number.
#[inline(always)]
fn level_number(level: u8, action: u8, orders: Option<u32>) -> u64 {
    let orders = orders.map_or(0, |n| u64::from(n.saturating_add(1)));
    u64::from(level) | u64::from(action) << 8 | orders << 32
}

impl From<Trade> for Fields {
    #[inline(always)]
    fn from(m: Trade) -> Fields {
        Fields {
            side: m.side,
            price: m.price,
            quantity: m.quantity,
            order_id: m.match_id,
            flags: m.flags,
            ..Fields::of(Kind::TRADE)
        }
    }
}

impl From<TradeBreak> for Fields {
    fn from(m: TradeBreak) -> Fields {
        Fields {
            order_id: m.match_id,
            ..Fields::of(Kind::TRADE_BREAK)
        }
    }
}

impl From<Imbalance> for Fields {
    fn from(m: Imbalance) -> Fields {
        Fields {
            side: m.side,
            price: m.reference,
            quantity: m.unpaired,
            order_id: m.paired,
            ..Fields::of(Kind::IMBALANCE)
        }
    }
}

impl From<Status> for Fields {
    fn from(m: Status) -> Fields {
        Fields {
            price: m.price,
            quantity: u32::from_le_bytes(m.detail) as u64,
            order_id: (m.what.0 as u64) << 8 | m.value as u64,
            ..Fields::of(Kind::STATUS)
        }
    }
}

impl From<Directory> for Fields {
    fn from(m: Directory) -> Fields {
        Fields {
            price: m.tick,
            quantity: m.round_lot as u64,
            ..Fields::of(Kind::DIRECTORY)
        }
    }
}

impl From<Statistic> for Fields {
    fn from(m: Statistic) -> Fields {
        Fields {
            price: m.price,
            quantity: m.quantity,
            order_id: m.what.0 as u64,
            ..Fields::of(Kind::STATISTIC)
        }
    }
}

impl From<Gap> for Fields {
    fn from(m: Gap) -> Fields {
        Fields {
            order_id: m.count,
            ..Fields::of(Kind::GAP)
        }
    }
}
