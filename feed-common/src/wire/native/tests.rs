use super::*;
use crate::event::{Flags, MarketData, Price};
use crate::time::UnixNanos;
use proptest::prelude::*;
use zerocopy::byteorder::little_endian::{I64, U32};

const INFO: BatchInfo = BatchInfo {
    session: *b"SESSION001",
    sequence: 7_000_000_001,
    sent: UnixNanos(1_700_000_000_123_456_789),
};

fn market_data(symbol: &[u8; 8], price: i64, quantity: u32) -> MarketData {
    MarketData {
        symbol: *symbol,
        price: I64::new(price),
        quantity: U32::new(quantity),
        kind: 1,
        side: b'B',
        flags: U16::new(Flags::END_OF_EVENT.0),
        timestamp: U64::new(0x0102_0304_0506_0708),
    }
}

fn price(width: usize, signed: bool, endian: Endian, decimals: u32) -> PriceLayout {
    PriceLayout::new(width, signed, endian, decimals).unwrap()
}

fn one_record(info: &BatchInfo, price: &PriceLayout, columns: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let records = [
        market_data(b"AAPL    ", 190_250_000_000, 100),
        market_data(b"MSFT    ", 410_500_000_000, 0x0A0B_0C0D),
    ];
    if columns {
        encode_columns(&mut out, info, price, &records).unwrap();
    } else {
        encode_records(&mut out, info, price, &records[..1]).unwrap();
    }
    out
}

#[test]
fn whole_records_byte_by_byte() {
    let out = one_record(&INFO, &PriceLayout::CANONICAL, false);
    let mut want = b"FHNB\x01\x01\x30\x00SESSION001\x01\x00\x20\x00\x01\x01".to_vec();
    want.extend(7_000_000_001u64.to_le_bytes());
    want.extend(1_700_000_000_123_456_789u64.to_le_bytes());
    want.extend(b"\x08\x09\x00\0\0\0\0\0AAPL    ");
    want.extend(190_250_000_000i64.to_le_bytes());
    want.extend(b"\x64\0\0\0\x01B\x01\0\x08\x07\x06\x05\x04\x03\x02\x01");
    assert_eq!(out, want);
    assert_eq!(out.len(), encoded_len(1, 8));
}

#[test]
fn columns_byte_by_byte() {
    let out = one_record(&INFO, &price(4, false, Endian::Big, 4), true);
    assert_eq!(out[18..24], *b"\x02\x00\x1c\x00\x01\x02");
    assert_eq!(out[40..43], [4, 4, 3]);
    let mut want = b"AAPL    MSFT    ".to_vec();
    want.extend(1_902_500u32.to_be_bytes());
    want.extend(4_105_000u32.to_be_bytes());
    want.extend(b"\x64\0\0\0\x0D\x0C\x0B\x0A\x01\x01BB\x01\0\x01\0");
    want.extend([8, 7, 6, 5, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(out[48..], want);
}

#[test]
fn fields_that_a_sender_appends_are_stepped_over() {
    let records = [
        market_data(b"AAPL    ", 190_250_000_000, 100),
        market_data(b"MSFT    ", i64::MIN, 7),
    ];
    let mut out = appended_header(&INFO, 40, 2).unwrap().as_bytes().to_vec();
    for r in &records {
        out.extend(r.as_bytes());
        out.extend(b"appended");
    }
    let (batch, rest) = Batch::parse(&out).unwrap();
    assert!(rest.is_empty());
    let read: Vec<_> = batch.market_data().unwrap().iter().collect();
    assert_eq!(read, records);
    assert_eq!(
        appended_header(&INFO, 31, 1),
        Err(EncodeError::RecordLength(31))
    );
    assert_eq!(
        appended_header(&INFO, 1 << 16, 1),
        Err(EncodeError::RecordLength(1 << 16))
    );
    assert_eq!(appended_header(&INFO, 96, 0), Err(EncodeError::Empty));
    assert_eq!(
        appended_header(&INFO, 96, 682),
        Err(EncodeError::TooMany(682))
    );
    assert!(appended_header(&INFO, 96, 681).is_ok());
}

#[test]
fn a_full_ethernet_frame_holds_what_is_promised() {
    assert_eq!(records_that_fit(MAX_DATAGRAM, 8), 44);
    assert_eq!(records_that_fit(MAX_DATAGRAM, 4), 50);
    assert_eq!(records_that_fit(0, 8), 0);
    assert!(encoded_len(44, 8) <= MAX_DATAGRAM && encoded_len(45, 8) > MAX_DATAGRAM);
}

#[test]
fn heartbeat_and_end_of_session() {
    let mut out = Vec::new();
    encode_heartbeat(&mut out, &INFO);
    encode_end_of_session(&mut out, &INFO);
    let (first, rest) = Batch::parse(&out).unwrap();
    assert_eq!(first.header().frame, frame::HEARTBEAT);
    assert_eq!(first.header().sequence.get(), INFO.sequence);
    assert_eq!(first.bytes().len(), HEADER_LENGTH);
    let records = first.market_data().unwrap();
    assert!(records.is_empty() && records.get(0).is_none() && records.prices().is_empty());
    let (second, rest) = Batch::parse(rest).unwrap();
    assert_eq!(second.header().frame, frame::END_OF_SESSION);
    assert!(rest.is_empty());
}

#[test]
fn what_cannot_be_written_leaves_nothing_behind() {
    let mut out = vec![9; 3];
    let fine = market_data(b"A       ", 10_000, 1);
    let odd = market_data(b"A       ", 1, 1);
    let cents = price(4, false, Endian::Little, 5);
    let null = price(8, true, Endian::Little, 9);
    let too_many = vec![fine; records_that_fit(MAX_UDP_PAYLOAD, 4) + 1];
    let last = BatchInfo {
        sequence: u64::MAX,
        ..INFO
    };
    for encode in [encode_records, encode_columns] {
        let mut refused = |info, price, records: &[MarketData]| {
            let e = encode(&mut out, info, price, records).unwrap_err();
            assert_eq!(out, [9; 3]);
            e
        };
        assert_eq!(refused(&INFO, &cents, &[]), EncodeError::Empty);
        assert_eq!(
            refused(&INFO, &cents, &[fine, fine, odd]),
            EncodeError::Price(2)
        );
        assert_eq!(
            refused(&INFO, &cents, &too_many),
            EncodeError::TooMany(too_many.len())
        );
        assert_eq!(refused(&last, &null, &[fine]), EncodeError::Sequence);
    }
}

#[test]
fn the_header_names_its_fields() {
    let out = one_record(&INFO, &PriceLayout::CANONICAL, false);
    let fields = Batch::parse(&out).unwrap().0.header().fields();
    assert_eq!(fields[3], ("session", FieldValue::Text(b"SESSION001")));
    assert_eq!(fields[8], ("sequence", FieldValue::Integer(7_000_000_001)));
    assert_eq!(fields[11], ("price_decimals", FieldValue::Integer(9)));
}

/// Every lie in the header, each with the error it must give.
#[test]
fn lies_in_the_header() {
    use NativeError::*;
    let whole = one_record(&INFO, &PriceLayout::CANONICAL, false);
    let lies: &[(usize, &[u8], NativeError)] = &[
        (0, b"X", Foreign),
        (3, b"\0", Foreign),
        (4, b"\0", Version),
        (4, b"\x02", Version),
        (5, b"\0", Header),
        (5, b"\x04", Header),
        (5, b"\x02", Header),          // heartbeat with a record
        (6, b"\x2f\0", Header),        // header shorter than this version's
        (6, b"\xff\xff", ShortHeader), // header longer than the datagram
        (6, b"\x31\0", Overrun),       // header longer by one
        (18, b"\0\0", Header),         // data without records
        (18, b"\x02\0", Overrun),      // one record too many
        (18, b"\xff\xff", Overrun),    // as many as can be said
        (20, b"\x1f\0", Header),       // record shorter than its fields
        (20, b"\0\0", Header),         // records of nothing
        (20, b"\x21\0", Overrun),      // record longer than the datagram
        (20, b"\xff\xff", Overrun),    // likewise
        (23, b"\0", Header),           // neither records nor columns
        (23, b"\x03", Header),         // likewise
        (24, &[0xff; 8], Header),      // sequence numbers past the last
        (40, b"\x07", Header),         // no such price
        (41, b"\x0a", Header),         // more decimals than canonical prices have
        (42, b"\x04", Header),         // a format bit nobody defined
    ];
    for (at, lie, error) in lies {
        let mut bytes = whole.clone();
        bytes[*at..at + lie.len()].copy_from_slice(lie);
        let got = Batch::parse(&bytes).map(|_| ());
        assert_eq!(got, Err(*error), "{lie:?} at {at}");
    }
    for cut in 0..whole.len() {
        let want = if cut < HEADER_LENGTH {
            ShortHeader
        } else {
            Overrun
        };
        assert_eq!(Batch::parse(&whole[..cut]).map(|_| ()), Err(want));
    }
}

#[test]
fn another_record_kind_is_framed_but_not_read() {
    let mut bytes = one_record(&INFO, &PriceLayout::CANONICAL, false);
    bytes[22] = 9;
    bytes[23] = 77;
    bytes[40] = 77;
    let (batch, rest) = Batch::parse(&bytes).unwrap();
    assert!(rest.is_empty());
    assert_eq!(
        batch.market_data().map(|_| ()),
        Err(NativeError::UnknownRecord)
    );
    assert!(matches!(batch.contents(), Contents::Unknown(1)));
}

/// As a sender of the future would: `header` more bytes of header, `record` more bytes a record.
fn appended(bytes: &[u8], header: usize, record: usize) -> Vec<u8> {
    let (batch, _) = Batch::parse(bytes).unwrap();
    let mut h = *batch.header();
    let length = h.record_length.get() as usize;
    h.header_length = U16::new((HEADER_LENGTH + header) as u16);
    h.record_length = U16::new((length + record) as u16);
    let mut out = h.as_bytes().to_vec();
    out.resize(out.len() + header, 0xEE);
    let body = &batch.bytes()[HEADER_LENGTH..];
    if h.arrangement == arrangement::RECORDS {
        for r in body.chunks_exact(length) {
            out.extend(r);
            out.resize(out.len() + record, 0xEE);
        }
    } else {
        out.extend(body);
        out.resize(out.len() + record * h.count.get() as usize, 0xEE);
    }
    out
}

fn any_record() -> impl Strategy<Value = MarketData> {
    any::<([u8; 8], u32, u32, u8, u8, u16, u64)>().prop_map(
        |(symbol, m, q, kind, side, flags, t)| {
            MarketData {
                symbol,
                // Exact at every number of decimals, and within 32 bits of mantissa.
                price: I64::new((m >> 1) as i64 * 1_000_000_000),
                quantity: U32::new(q),
                kind,
                side,
                flags: U16::new(flags),
                timestamp: U64::new(t),
            }
        },
    )
}

fn any_price() -> impl Strategy<Value = PriceLayout> {
    (any::<bool>(), any::<bool>(), any::<bool>(), 0u32..=9).prop_map(
        |(wide, signed, big, decimals)| {
            let endian = if big { Endian::Big } else { Endian::Little };
            // 32 bits hold the generated prices in whole units only.
            let (width, decimals) = if wide { (8, decimals) } else { (4, 0) };
            price(width, signed, endian, decimals)
        },
    )
}

proptest! {
    #[test]
    fn round_trip(
        mut records in prop::collection::vec(any_record(), 1..60),
        p in any_price(),
        null in any::<prop::sample::Index>(),
        columns in any::<bool>(),
        more_header in 0usize..20,
        more_record in 0usize..20,
    ) {
        let i = null.index(records.len());
        records[i].price = I64::new(Price::NULL.0);
        let mut out = Vec::new();
        let encode = if columns { encode_columns } else { encode_records };
        encode(&mut out, &INFO, &p, &records).unwrap();
        prop_assert_eq!(out.len(), encoded_len(records.len(), p.width()));
        for mut bytes in [out.clone(), appended(&out, more_header, more_record)] {
            bytes.extend(b"tail");
            let (batch, rest) = Batch::parse(&bytes).unwrap();
            prop_assert_eq!(rest, b"tail");
            let market = batch.market_data().unwrap();
            prop_assert_eq!(market.iter().collect::<Vec<_>>(), records.clone());
            let prices: Vec<i64> = records.iter().map(|r| r.price.get()).collect();
            for skip in [0, 1, records.len() / 2, records.len(), records.len() + 1] {
                let mut got = Vec::new();
                market.for_each(skip, &prices, |i, r| got.push((i, r)));
                let want: Vec<_> = records.iter().copied().enumerate().skip(skip).collect();
                prop_assert_eq!(got, want);
            }
        }
    }

    #[test]
    fn damaged_bytes_give_an_error_or_a_consistent_view(
        columns in any::<bool>(),
        damage in prop::collection::vec((0usize..120, any::<u8>()), 0..6),
        cut in 0usize..120,
    ) {
        let mut bytes = one_record(&INFO, &PriceLayout::CANONICAL, columns);
        for (at, value) in damage {
            if let Some(b) = bytes.get_mut(at) {
                *b = value;
            }
        }
        bytes.truncate(cut.max(48));
        read_everything(&bytes)?;
    }

    #[test]
    fn random_bytes_behind_a_true_magic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Some(start) = bytes.get_mut(..6) {
            start.copy_from_slice(b"FHNB\x01\x01");
        }
        read_everything(&bytes)?;
    }
}

fn read_everything(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok((batch, rest)) = Batch::parse(bytes) else {
        return Ok(());
    };
    prop_assert_eq!(batch.bytes().len() + rest.len(), bytes.len());
    let Ok(market) = batch.market_data() else {
        prop_assert_ne!(batch.header().record_kind, record_kind::MARKET_DATA);
        return Ok(());
    };
    prop_assert_eq!(market.len(), batch.header().count.get() as usize);
    let layout = market.price_layout();
    prop_assert_eq!(market.prices().len(), layout.bytes(market.len()));
    prop_assert_eq!(market.iter().count(), market.len());
    let mut seen = 0;
    market.for_each(0, &vec![5; market.len()], |i, r| {
        assert_eq!((i, r.price.get()), (seen, 5));
        seen += 1;
    });
    prop_assert_eq!(seen, market.len());
    Ok(())
}
