//! States, auctions, figures, and what is about no instrument.

use super::*;

#[test]
fn states_say_whether_orders_match_as_they_come() {
    let mut d = introduced();
    let status = |value, halt, market| {
        made!(SecurityStatus {
            security_status: value,
            halt_condition: halt,
            market_state: market,
            ssr_state: b'~',
        })
    };
    let said = |value, halt, market, what, continuous| {
        let status = Status {
            what,
            value,
            detail: [halt, if market == 0 { b' ' } else { market }, b'~', b' '],
            price: Price::NULL,
            continuous,
        };
        format!("BRK B {status:?}")
    };
    let trading = StatusKind::TRADING;
    for (value, halt, market, what, continuous) in [
        (b'P', b'~', b'P', trading, Some(false)),
        (b'B', b'~', b'P', trading, Some(false)),
        (b'E', b'~', b'E', trading, Some(true)),
        (b'O', b'~', b'O', trading, Some(true)),
        (b'O', b'D', b'O', trading, Some(false)), // halted for news over the open
        (b'L', b'~', b'L', trading, Some(true)),
        (b'4', b'M', b'O', trading, Some(false)),
        (b'5', b'~', b'O', trading, Some(true)),
        (b'5', b'~', b'P', trading, Some(false)),
        (b'5', b'~', 0, trading, None),
        (b'6', b'6', b'O', trading, Some(false)),
        (b'?', b'~', b'O', trading, None),
        (b'C', b'~', b'O', StatusKind::SHORT_SALE, None),
        (b'D', b'~', b'O', StatusKind::SHORT_SALE, None),
        (b'G', b'~', b'P', StatusKind::INDICATION, None),
    ] {
        let have = decode(&mut d, status(value, halt, market).as_bytes());
        let want = said(value, halt, market, what, continuous);
        assert_eq!(have, [format!("{want}.")]);
    }
    // The end of the day: what is left is cancelled without a word.
    let closed = decode(&mut d, status(b'X', b'~', b'X').as_bytes());
    let want = said(b'X', b'~', b'X', trading, Some(false));
    assert_eq!(closed, [want, "BRK B \"clear\".".into()]);
    assert_eq!(odd(&d), []);
}

#[test]
fn states_with_prices() {
    let mut d = introduced();
    let status = |value| {
        made!(SecurityStatus {
            security_status: value,
            halt_condition: b'~',
            price1: 10_000.into(),
            price2: 20_000.into(),
        })
    };
    let said = |what, value| Status {
        what,
        value,
        detail: *b"~   ",
        price: Price(1_000_000_000),
        continuous: None,
    };
    let range = said(StatusKind::INDICATION, b'I');
    let high = figure(StatisticKind::INDICATION_HIGH, Price(2_000_000_000), 0);
    assert_eq!(
        decode(&mut d, status(b'I').as_bytes()),
        [format!("BRK B {range:?}"), format!("BRK B {high}.")]
    );
    let trigger = said(StatusKind::SHORT_SALE, b'A');
    assert_eq!(
        decode(&mut d, status(b'A').as_bytes()),
        [format!("BRK B {trigger:?}.")]
    );
    let interest = made!(RetailPriceImprovement { rpi: b'C' });
    let interest = decode(&mut d, interest.as_bytes());
    assert!(interest[0].starts_with("BRK B Status { what: StatusKind(8), value: 67,"));
}

#[test]
fn books_are_cleared_and_told_anew() {
    let mut d = introduced();
    let clear = wire::SymbolClear {
        source_time: 5.into(),
        source_time_ns: 6.into(),
        symbol_index: 77.into(),
        ..wire::SymbolClear::new()
    };
    let (events, time) = timed(&mut d, clear.as_bytes());
    assert_eq!(
        (events, time),
        (vec!["BRK B \"clear\".".into()], 5_000_000_006)
    );
    let again = made!(AddOrderRefresh {
        source_time: 7.into(),
        order_id: 1.into(),
        price: 10_000.into(),
        volume: 2.into(),
        side: b'S',
    });
    let (events, time) = timed(&mut d, again.as_bytes());
    let add = "AddOrder { order_id: 1, side: Side(83), price: Price(1000000000), quantity: 2 }";
    assert_eq!(
        (events, time),
        (vec![format!("BRK B {add}.")], 7_000_000_001)
    );
}

#[test]
fn an_imbalance_has_the_prices_that_there_are() {
    let mut d = introduced();
    let whole = made!(Imbalance {
        source_time: 5.into(),
        reference_price: 10_000.into(),
        paired_qty: 900.into(),
        total_imbalance_qty: 1100.into(),
        imbalance_side: b'B',
        continuous_book_clearing_price: 20_000.into(),
        auction_interest_clearing_price: 30_000.into(),
        indicative_match_price: 40_000.into(),
        lower_collar: 60_000.into(),
    });
    let imbalance = |side, reference, paired, unpaired| {
        let imbalance = Imbalance {
            side,
            reference,
            paired,
            unpaired,
        };
        format!("BRK B {imbalance:?}")
    };
    let price =
        |what, units: i64| format!("BRK B {}", figure(what, Price(units * 1_000_000_000), 0));
    assert_eq!(
        decode(&mut d, whole.as_bytes()),
        [
            imbalance(Side::BUY, Price(1_000_000_000), 900, 1100),
            price(StatisticKind::AUCTION_FAR, 3),
            price(StatisticKind::AUCTION_NEAR, 2),
            price(StatisticKind::AUCTION_CLEARING, 4),
            price(StatisticKind::COLLAR_LOWER, 6) + ".",
        ]
    );
    let none = made!(Imbalance {
        imbalance_side: b' '
    });
    let nothing = imbalance(Side::NONE, Price::NULL, 0, 0) + ".";
    assert_eq!(decode(&mut d, none.as_bytes()), [nothing]);
    assert_eq!(odd(&d), []);
}

#[test]
fn the_day_so_far() {
    let mut d = introduced();
    let summary = made!(StockSummary {
        high_price: 30_000.into(),
        low_price: 10_000.into(),
        open: 20_000.into(),
        total_volume: 900.into(),
    });
    let figure = |what, price, quantity| format!("BRK B {}", figure(what, price, quantity));
    assert_eq!(
        decode(&mut d, summary.as_bytes()),
        [
            figure(StatisticKind::VOLUME, Price::NULL, 900),
            figure(StatisticKind::HIGH, Price(3_000_000_000), 0),
            figure(StatisticKind::LOW, Price(1_000_000_000), 0),
            figure(StatisticKind::OPEN, Price(2_000_000_000), 0) + ".",
        ],
        "there is no close yet"
    );
}

#[test]
fn what_is_about_no_instrument_is_no_event() {
    let mut d = introduced();
    let unavailable = wire::MessageUnavailable {
        begin_seq: 5.into(),
        end_seq: 7.into(),
        ..wire::MessageUnavailable::new()
    };
    let messages: [&[u8]; 8] = [
        wire::SequenceNumberReset::new().as_bytes(),
        wire::RefreshHeader::new().as_bytes(),
        wire::RetransmissionRequest::new().as_bytes(),
        wire::RequestResponse::new().as_bytes(),
        wire::HeartbeatResponse::new().as_bytes(),
        wire::SymbolIndexMappingRequest::new().as_bytes(),
        wire::RefreshRequest::new().as_bytes(),
        unavailable.as_bytes(),
    ]
    .map(|message| Box::leak(message.to_vec().into_boxed_slice()) as &[u8]);
    for message in messages {
        assert_eq!(decode(&mut d, message), [""; 0]);
    }
    assert_eq!(odd(&d), [("messages_unavailable", 3)]);
}
