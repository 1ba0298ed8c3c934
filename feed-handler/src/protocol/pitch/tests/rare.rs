//! Trades, states, auctions and unit clears.

use super::*;

#[test]
fn a_unit_clear_clears_the_instruments_that_have_orders_in_it() {
    let mut d = started();
    let symbols = [b"AAPL  ", b"MSFT  ", b"AAPL  ", b"SPY   "];
    for (symbol, order_id) in symbols.into_iter().zip(1..) {
        decode(&mut d, add(order_id, symbol, 100).as_bytes());
    }
    decode(&mut d, delete(2).as_bytes());
    let mut elsewhere = MsgCtx {
        unit: 3,
        ..context()
    };
    let qqq = add(9, b"QQQ   ", 100);
    d.decode(qqq.as_bytes(), &mut elsewhere, &mut Recorder::default())
        .unwrap();
    let clear = made!(UnitClear {});
    assert_eq!(
        decode(&mut d, clear.as_bytes()),
        ["AAPL \"clear\"", "SPY \"clear\"."]
    );
    assert_eq!(decode(&mut d, clear.as_bytes()), [""; 0]);
    assert_eq!((kept(&d, 1), kept(&d, 4)), (None, None));
    assert!(d.orders.seek(3, 9).is_ok(), "another unit's");
}

#[test]
fn hidden_trades_by_all_forms_and_their_break() {
    let mut d = started();
    let want = |symbol, price| {
        [format!(
            "{symbol} Trade {{ match_id: 9, side: Side(66), price: Price({price}), quantity: 50, \
             flags: Flags(32) }}."
        )]
    };
    let short = made!(TradeShort {
        order_id: 77.into(),
        side: b'B',
        quantity: 50.into(),
        symbol: *b"AAPL  ",
        price: 101.into(),
        execution_id: 9.into(),
    });
    assert_eq!(
        decode(&mut d, short.as_bytes()),
        want("AAPL", 1_010_000_000)
    );
    let long = made!(TradeLong {
        side: b'B',
        quantity: 50.into(),
        symbol: *b"AAPL  ",
        price: 10_101.into(),
        execution_id: 9.into(),
    });
    assert_eq!(decode(&mut d, long.as_bytes()), want("AAPL", 1_010_100_000));
    let expanded = made!(TradeExpanded {
        side: b'B',
        quantity: 50.into(),
        symbol: *b"ABCDEFGH",
        price: 10_101.into(),
        execution_id: 9.into(),
    });
    assert_eq!(
        decode(&mut d, expanded.as_bytes()),
        want("ABCDEFGH", 1_010_100_000)
    );
    let broken = made!(TradeBreak {
        execution_id: 9.into()
    });
    assert_eq!(
        decode(&mut d, broken.as_bytes()),
        [" TradeBreak { match_id: 9 }."]
    );
    assert_eq!(
        oddity(&d, "order_unknown"),
        0,
        "a trade's order is none of the book"
    );
}

#[test]
fn states_and_whether_orders_match() {
    let mut d = started();
    let plain = "detail: [32, 32, 32, 32], price: Price(-9223372036854775808)";
    for (status, continuous) in [
        (b'T', "Some(true)"),
        (b'A', "Some(false)"),
        (b'H', "Some(false)"),
        (b'Q', "Some(false)"),
        (b'S', "Some(false)"),
        (b'?', "None"),
    ] {
        let m = made!(TradingStatus {
            symbol: *b"AAPL    ",
            status: status,
            reg_sho: b'1',
        });
        assert_eq!(
            decode(&mut d, m.as_bytes()),
            [
                format!(
                    "AAPL Status {{ what: StatusKind(2), value: {status}, {plain}, continuous: {continuous} }}"
                ),
                format!(
                    "AAPL Status {{ what: StatusKind(3), value: 49, {plain}, continuous: None }}."
                ),
            ]
        );
    }
    let retail = made!(RetailPriceImprovement {
        symbol: *b"AAPL    ",
        interest: b'A'
    });
    assert_eq!(
        decode(&mut d, retail.as_bytes()),
        [format!(
            "AAPL Status {{ what: StatusKind(8), value: 65, {plain}, continuous: None }}."
        )]
    );
    let end = made!(EndOfSession {});
    assert_eq!(
        decode(&mut d, end.as_bytes()),
        [format!(
            " Status {{ what: StatusKind(1), value: 45, {plain}, continuous: None }}."
        )]
    );
}

#[test]
fn auctions() {
    let mut d = started();
    let mut update = made!(AuctionUpdate {
        symbol: *b"AAPL    ",
        auction_type: b'C',
        reference_price: 100_000.into(),
        buy_shares: 700.into(),
        sell_shares: 500.into(),
        indicative_price: 110_000.into(),
    });
    let imbalance = "AAPL Imbalance { side: Side(66), reference: Price(10000000000), paired: 500, unpaired: 200 }";
    let figure = |what, price: i64, end| {
        format!(
            "AAPL Statistic {{ what: StatisticKind({what}), price: Price({price}), quantity: 0 }}{end}"
        )
    };
    assert_eq!(
        decode(&mut d, update.as_bytes()),
        [imbalance.to_owned(), figure(8, 11_000_000_000, ".")]
    );
    update.auction_only_price = 90_000.into();
    assert_eq!(
        decode(&mut d, update.as_bytes()),
        [
            imbalance.to_owned(),
            figure(7, 9_000_000_000, ""),
            figure(8, 11_000_000_000, ".")
        ]
    );
    (update.indicative_price, update.auction_only_price) = (u64::MAX.into(), 0.into());
    (update.sell_shares, update.reference_price) = (700.into(), 0.into());
    assert_eq!(
        decode(&mut d, update.as_bytes()),
        [
            "AAPL Imbalance { side: Side(0), reference: Price(0), paired: 700, unpaired: 0 }"
                .to_owned(),
            figure(8, i64::MIN, " out of range.")
        ]
    );
    assert_eq!(oddity(&d, "price_range"), 1);
    let summary = made!(AuctionSummary {
        symbol: *b"AAPL    ",
        auction_type: b'C',
        price: 105_000.into(),
        shares: 1_000_000.into(),
    });
    assert_eq!(
        decode(&mut d, summary.as_bytes()),
        [
            "AAPL Trade { match_id: 0, side: Side(0), price: Price(10500000000), quantity: 1000000, \
             flags: Flags(64) }."
        ]
    );
}

#[test]
fn messages_of_the_tcp_services_are_known_and_say_nothing() {
    let mut d = PitchDecoder::new(4, 8);
    for kind in [1, 2, 3, 4, 0x80, 0x81, 0x82, 0x83] {
        let len = wire::length_of(kind).unwrap();
        let mut message = vec![b' '; len];
        (message[0], message[1]) = (len as u8, kind);
        let mut out = Recorder::default();
        assert_eq!(d.decode(&message, &mut context(), &mut out), Ok(()));
        assert!(out.events.is_empty() && PitchSheet::error(&message).is_none());
    }
}
