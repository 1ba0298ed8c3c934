//! The messages that are not about orders: what is listed, what trades, auctions, and what the exchange tells.

use super::instrument::{Halt, Instrument, Listing};
use super::tape::{Name, Tape};
use feed_common::wire::itch50 as wire;
use std::io;

/// What an auction would bring if it were now.
#[derive(Clone, Copy, Debug)]
pub struct Indication {
    /// `O`, `C` or `H`.
    pub kind: u8,
    /// Shares that would trade, and those left over on one side: `B`, `S`, `N` for none, `O` when there are not enough
    /// orders.
    pub paired: u64,
    pub unpaired: u64,
    pub side: u8,
    /// Clearing price of the auction's own orders, and with all others; 0 when there is none.
    pub far: u32,
    pub near: u32,
    /// Price the shares are counted at.
    pub reference: u32,
}

impl Tape<'_> {
    /// System event.
    pub fn system(&mut self, code: u8) -> io::Result<()> {
        let message = wire::SystemEvent {
            event_code: code,
            ..wire::SystemEvent::new()
        };
        self.put(Name::NONE, message)
    }

    /// The instrument is announced.
    pub fn directory(&mut self, instrument: &Instrument) -> io::Result<()> {
        let name = instrument.name;
        let fund = instrument.category == b'P'; // where most of them are listed
        let message = wire::StockDirectory {
            stock: name.symbol,
            market_category: instrument.category,
            financial_status: b'N',
            round_lot_size: instrument.lot.into(),
            round_lots_only: b'N',
            issue_classification: if fund { b'Q' } else { b'C' },
            issue_sub_type: if fund { *b"E " } else { *b"Z " },
            authenticity: b'P',
            short_sale_threshold: b'N',
            ipo_flag: match instrument.listing {
                Listing::Ordinary => b'N',
                Listing::Offering => b'Y',
                Listing::Direct => b'Z',
            },
            luld_tier: if instrument.target >= 1_000 {
                b'1'
            } else {
                b'2'
            },
            etp_flag: if fund { b'Y' } else { b'N' },
            etp_leverage_factor: u32::from(fund).into(),
            inverse_indicator: b'N',
            ..wire::StockDirectory::new()
        };
        self.put(name, message)
    }

    /// The instrument's trading state.
    pub fn trading(&mut self, name: Name, state: u8, reason: &[u8; 4]) -> io::Result<()> {
        let message = wire::StockTradingAction {
            stock: name.symbol,
            trading_state: state,
            reserved: b' ',
            reason: *reason,
            ..wire::StockTradingAction::new()
        };
        self.put(name, message)
    }

    /// The short sale price test of an instrument: `0` none, `1` from now on, `2` still.
    pub fn short_sale(&mut self, name: Name, action: u8) -> io::Result<()> {
        let message = wire::RegShoRestriction {
            stock: name.symbol,
            reg_sho_action: action,
            ..wire::RegShoRestriction::new()
        };
        self.put(name, message)
    }

    /// A market maker of an instrument.
    pub fn participant(
        &mut self,
        name: Name,
        participant: [u8; 4],
        primary: bool,
        state: u8,
    ) -> io::Result<()> {
        let message = wire::MarketParticipantPosition {
            mpid: participant,
            stock: name.symbol,
            primary_market_maker: if primary { b'Y' } else { b'N' },
            market_maker_mode: b'N',
            participant_state: state,
            ..wire::MarketParticipantPosition::new()
        };
        self.put(name, message)
    }

    /// The three levels of the circuit breaker: 7, 13 and 20 % below yesterday's index, in hundredths of a point.
    pub fn breaker_levels(&mut self, index: u64) -> io::Result<()> {
        let level = |percent: u64| (index * (100 - percent) / 100 * 1_000_000).into();
        let message = wire::MwcbDeclineLevel {
            level1: level(7),
            level2: level(13),
            level3: level(20),
            ..wire::MwcbDeclineLevel::new()
        };
        self.put(Name::NONE, message)
    }

    /// The index has fallen below a level.
    pub fn breaker(&mut self, level: u8) -> io::Result<()> {
        let message = wire::MwcbStatus {
            breached_level: level,
            ..wire::MwcbStatus::new()
        };
        self.put(Name::NONE, message)
    }

    /// When a new instrument will be quoted, in seconds after midnight, and at what price it was sold.
    pub fn quoting_period(&mut self, name: Name, release: u32, price: u32) -> io::Result<()> {
        let message = wire::QuotingPeriodUpdate {
            stock: name.symbol,
            release_time: release.into(),
            qualifier: b'A',
            ipo_price: price.into(),
            ..wire::QuotingPeriodUpdate::new()
        };
        self.put(name, message)
    }

    /// The prices between which the auction after a pause may end: 5 % around `reference`, and 5 more with each
    /// extension; whole ticks.
    pub fn collar(&mut self, instrument: &Instrument, extension: u32) -> io::Result<()> {
        let name = instrument.name;
        let reference = instrument.fair.below() as u32;
        let width = (reference / 20).max(1) * (extension + 1);
        let price = |ticks: u32| (ticks * instrument.tick).into();
        let message = wire::LuldAuctionCollar {
            stock: name.symbol,
            reference_price: price(reference),
            upper_price: price(reference + width),
            lower_price: price(reference - width),
            extension: extension.into(),
            ..wire::LuldAuctionCollar::new()
        };
        self.put(name, message)
    }

    /// One market stops (`H`) or goes on (`T`) trading an instrument.
    pub fn operational_halt(&mut self, name: Name, market: u8, action: u8) -> io::Result<()> {
        let message = wire::OperationalHalt {
            stock: name.symbol,
            market_code: market,
            action,
            ..wire::OperationalHalt::new()
        };
        self.put(name, message)
    }

    /// Retail price improvement orders: `B`, `S`, `A` both, `N` none.
    pub fn retail(&mut self, name: Name, interest: u8) -> io::Result<()> {
        let message = wire::RetailPriceImprovement {
            stock: name.symbol,
            interest_flag: interest,
            ..wire::RetailPriceImprovement::new()
        };
        self.put(name, message)
    }

    /// Price discovery of a direct listing: bounds from the registered range, and a collar of 10 % around the price at
    /// which it would open now.
    pub fn direct_listing(&mut self, instrument: &Instrument, eligible: bool) -> io::Result<()> {
        let name = instrument.name;
        let near = instrument.fair.below() as u32;
        let price = |ticks: u32| (ticks * instrument.tick).into();
        let message = wire::DirectListing {
            stock: name.symbol,
            open_eligibility: if eligible { b'Y' } else { b'N' },
            min_allowable_price: price(near * 7 / 10),
            max_allowable_price: price(near * 2),
            near_execution_price: price(near),
            near_execution_time: self.now().into(),
            lower_price_range_collar: price(near - near / 10),
            upper_price_range_collar: price(near + near / 10),
            ..wire::DirectListing::new()
        };
        self.put(name, message)
    }

    /// The bulk print of an auction; both 0 when nothing traded.
    pub fn cross(
        &mut self,
        name: Name,
        kind: u8,
        shares: u64,
        price: u32,
        match_number: u64,
    ) -> io::Result<()> {
        let message = wire::CrossTrade {
            shares: shares.into(),
            stock: name.symbol,
            cross_price: price.into(),
            match_number: match_number.into(),
            cross_type: kind,
            ..wire::CrossTrade::new()
        };
        self.put(name, message)
    }

    /// State of a coming auction.
    pub fn imbalance(&mut self, name: Name, indication: Indication) -> io::Result<()> {
        let off = indication.near.abs_diff(indication.reference);
        let percent = u64::from(off) * 100 / u64::from(indication.reference).max(1);
        let message = wire::NetOrderImbalance {
            paired_shares: indication.paired.into(),
            imbalance_shares: indication.unpaired.into(),
            imbalance_direction: indication.side,
            stock: name.symbol,
            far_price: indication.far.into(),
            near_price: indication.near.into(),
            reference_price: indication.reference.into(),
            cross_type: indication.kind,
            price_variation: match percent {
                _ if indication.near == 0 => b' ',
                0 => b'L',
                1..10 => b'0' + percent as u8,
                10..20 => b'A',
                20..30 => b'B',
                _ => b'C',
            },
            ..wire::NetOrderImbalance::new()
        };
        self.put(name, message)
    }

    /// An execution is void.
    pub fn broken(&mut self, name: Name, match_number: u64) -> io::Result<()> {
        let message = wire::BrokenTrade {
            match_number: match_number.into(),
            ..wire::BrokenTrade::new()
        };
        self.put(name, message)
    }
}

impl Halt {
    /// The state and reason that stop an instrument.
    pub fn stop(self) -> (u8, &'static [u8; 4]) {
        match self {
            Halt::News => (b'H', b"T1  "),
            Halt::Volatility => (b'P', b"LUDP"),
            Halt::Breaker => (b'H', b"MWC1"),
            Halt::Listing => (b'H', b"IPO1"),
        }
    }

    /// The reason of its quotation period.
    pub fn quote(self) -> &'static [u8; 4] {
        match self {
            Halt::News => b"T3  ",
            Halt::Volatility => b"LUDP",
            Halt::Breaker => b"MWCQ",
            Halt::Listing => b"IPOQ",
        }
    }
}
