//! What is beside the books: trades, figures, statuses.

use super::*;
use feed_common::event::StatisticKind;
use feed_common::wire::mdp3::{
    DailyStatisticsEntry, FillEntry, LimitsBandingEntry, SessionStatisticsEntry, SingleTradeEntry,
    TradeEntry, TradeLongEntry, VolumeEntry, VolumeLongEntry,
};

fn trade(action: u8, number: u32) -> TradeEntry {
    TradeEntry {
        md_entry_px_ex: 9.into(),
        md_entry_size_short: 4.into(),
        security_id: 42.into(),
        rpt_seq: 21.into(),
        number_of_orders: 2.into(),
        aggressor_side: 2,
        md_update_action: action,
        raw_md_trade_entry: number.into(),
        ..TradeEntry::default()
    }
}

#[test]
fn trades_are_made_changed_and_taken_back() {
    let mut read = Read::new();
    let sold = |number: u64, price| Trade {
        match_id: 42 << 32 | number,
        side: Side::SELL,
        price: Price(price),
        quantity: 4,
        flags: Flags::NONE,
    };
    let broken = |number: u64| TradeBreak {
        match_id: 42 << 32 | number,
    };
    let mut message = MessageBuilder::new();
    message
        .begin(template::TRADE_SUMMARY, 9, &root(END))
        .group(Dimension::Three, &[trade(0, 5), trade(1, 6), trade(2, 7)])
        .group(Dimension::Eight, &[FillEntry::default()]);
    assert_eq!(
        read.message(message.finish()),
        [
            said("42", sold(5, 9), "|"),
            said("42", broken(6), "|"),
            said("42", sold(6, 9), "|"),
            said("42", broken(7), "."),
        ]
    );
    // Version 5 numbers no trades: new ones are told apart, others cannot be found.
    let old = [trade(0, 5), trade(1, 6), trade(2, 7)];
    let old = simple(template::TRADE_SUMMARY_7, 5, END, &old);
    assert_eq!(
        read.message(&old),
        [said("42", sold(21, 900), "|"), said("", "end", ".")]
    );
    assert_eq!(read.odd("trade_unnumbered"), 2);
    let long = TradeLongEntry {
        md_entry_px_ex: 9.into(),
        md_entry_size: (1 << 33).into(),
        security_id: 42.into(),
        rpt_seq: 22.into(),
        md_trade_entry: 8.into(),
        aggressor_side: 2,
        ..TradeLongEntry::default()
    };
    let want = Trade {
        quantity: 1 << 33,
        ..sold(8, 9)
    };
    let long = simple(template::TRADE_SUMMARY_LONG, 12, END, &[long]);
    assert_eq!(read.message(&long), [said("42", want, ".")]);
    let single = SingleTradeEntry {
        md_entry_px_ex: 9.into(),
        md_entry_size_short: 4.into(),
        security_id: 42.into(),
        rpt_seq: 23.into(),
        trade_id: 9.into(),
        aggressor_side: 2,
        ..SingleTradeEntry::default()
    };
    let single = simple(template::TRADE_7, 5, END, &[single]);
    assert_eq!(read.message(&single), [said("42", sold(9, 900), ".")]);
}

fn figure(what: StatisticKind, price: i64, quantity: u64) -> Statistic {
    Statistic {
        what,
        price: Price(price),
        quantity,
    }
}

#[test]
fn figures_by_their_types() {
    use StatisticKind as Is;
    let mut read = Read::new();
    let volume = VolumeEntry {
        md_entry_size_short: 900.into(),
        security_id: 42.into(),
        rpt_seq: 1.into(),
        ..VolumeEntry::default()
    };
    let of_volume = |n| figure(Is::VOLUME, Price::NULL.0, n);
    let told = read.message(&simple(template::VOLUME, 9, END, &[volume]));
    assert_eq!(told, [said("42", of_volume(900), ".")]);
    let long = VolumeLongEntry {
        md_entry_size: (1 << 50).into(),
        security_id: 42.into(),
        rpt_seq: 2.into(),
        ..VolumeLongEntry::default()
    };
    let told = read.message(&simple(template::VOLUME_LONG, 12, END, &[long]));
    assert_eq!(told, [said("42", of_volume(1 << 50), ".")]);

    for (entry_type, flag, action, want) in [
        (b'4', 0, 0, Some(figure(Is::OPEN, 6, 0))),
        (b'4', 5, 0, Some(figure(Is::AUCTION_CLEARING, 6, 0))),
        (b'7', 255, 0, Some(figure(Is::HIGH, 6, 0))),
        (b'8', 255, 1, Some(figure(Is::LOW, 6, 0))),
        (b'9', 100, 0, Some(figure(Is::VWAP, 6, 0))),
        (b'N', 255, 0, Some(figure(Is::HIGH_BID, 6, 0))),
        (b'O', 255, 2, Some(figure(Is::LOW_OFFER, Price::NULL.0, 0))),
        (b'?', 255, 0, None),
    ] {
        let entry = SessionStatisticsEntry {
            md_entry_px_ex: 6.into(),
            security_id: 42.into(),
            open_close_settl_flag: flag,
            md_update_action: action,
            md_entry_type_statistics: entry_type,
            raw_size: NULL_I32.into(),
            ..SessionStatisticsEntry::default()
        };
        let told = read.message(&simple(template::SESSION_STATISTICS, 9, END, &[entry]));
        let want: Vec<_> = want.iter().map(|want| said("42", want, ".")).collect();
        assert_eq!(told, want, "{}", entry_type as char);
    }
    assert_eq!(read.odd("entry_unknown"), 1);

    for (entry_type, kind) in [
        (b'6', Is::SETTLEMENT),
        (b'B', Is::CLEARED_VOLUME),
        (b'C', Is::OPEN_INTEREST),
        (b'W', Is::FIXING),
    ] {
        let entry = DailyStatisticsEntry {
            md_entry_px_optional_ex: NULL_PRICE.into(),
            md_entry_size_short_optional: 12.into(),
            security_id: 42.into(),
            md_entry_type_daily_statistics: entry_type,
            ..DailyStatisticsEntry::default()
        };
        let told = read.message(&simple(template::DAILY_STATISTICS, 9, END, &[entry]));
        let want = figure(kind, Price::NULL.0, 12);
        assert_eq!(told, [said("42", want, ".")]);
    }

    let limits = LimitsBandingEntry {
        high_limit_price: 9.into(),
        low_limit_price: NULL_PRICE.into(),
        max_price_variation: 3.into(),
        security_id: 42.into(),
        rpt_seq: 1.into(),
    };
    let told = read.message(&simple(template::LIMITS_BANDING, 9, END, &[limits]));
    assert_eq!(
        told,
        [
            said("42", figure(Is::LIMIT_UPPER, 9, 0), "|"),
            said("42", figure(Is::LIMIT_LOWER, Price::NULL.0, 0), "|"),
            said("42", figure(Is::PRICE_BAND, 3, 0), "."),
        ]
    );
}

#[test]
fn statuses_of_instruments_and_of_groups() {
    let mut read = Read::new();
    for (value, continuous) in [
        (17, Some(true)),
        (2, Some(false)),
        (21, Some(false)),
        (26, Some(false)),
        (103, None),
        (20, None),
        (255, None),
    ] {
        let mut root = SecurityStatusRoot {
            security_group: *b"ES\0\0\0\0",
            security_id_optional: 42.into(),
            match_event_indicator: END,
            security_trading_status: value,
            halt_reason: 1,
            security_trading_event: 4,
            ..SecurityStatusRoot::default()
        };
        let mut want = Status {
            what: StatusKind::TRADING,
            value,
            detail: [1, 4, 0, 0],
            price: Price::NULL,
            continuous,
        };
        let status = |root: &SecurityStatusRoot| {
            let mut message = MessageBuilder::new();
            message.begin(template::SECURITY_STATUS, 9, root);
            message.finish().to_vec()
        };
        assert_eq!(read.message(&status(&root)), [said("42", want, ".")]);
        root.security_id_optional = NULL_I32.into();
        (want.what, want.continuous) = (StatusKind::GROUP, None);
        assert_eq!(read.message(&status(&root)), [said("ES", want, ".")]);
        assert_eq!(read.out.last.instrument, NO_INSTRUMENT);
    }
}
