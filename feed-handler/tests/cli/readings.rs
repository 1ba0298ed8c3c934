//! Sensor readings and points of time series on their way: from packets, live and of a capture, through the lane and its
//! books to the journal and to shared memory.

use crate::support::*;
use feed_common::encode::Encode;
use feed_common::event::{Flags, Kind, MarketData};
use feed_common::prices::PriceLayout;
use feed_common::record::{PointFlags, SensorReading, TimeSeriesPoint};
use feed_common::time::UnixNanos;
use feed_common::wire::native::{BatchInfo, NativeRecord, NativeRecords, encode_records};
use serde_json::{Value, json};

/// A session of a weather station that trades: records of all kinds, numbered through.
#[derive(Default)]
struct Station {
    sent: u64,
    packets: Vec<Vec<u8>>,
}

impl Station {
    fn info(&mut self, count: usize) -> BatchInfo {
        let sequence = self.sent + 1;
        self.sent += count as u64;
        BatchInfo {
            session: *b"WEATHER   ",
            sequence,
            sent: UnixNanos(sequence),
        }
    }

    fn rows<T: NativeRecord>(&mut self, records: &[T]) {
        let info = self.info(records.len());
        let batch = NativeRecords::new(&info, records).unwrap();
        let mut packet = vec![0; batch.serialized_size()];
        batch.serialize_into_slice(&mut packet).unwrap();
        self.packets.push(packet);
    }

    fn quote(&mut self, kind: Kind, side: u8, price: i64, flags: Flags) {
        let info = self.info(1);
        let record = MarketData {
            symbol: *b"EURUSD  ",
            kind: kind.0,
            side,
            price: price.into(),
            quantity: 7.into(),
            flags: flags.0.into(),
            timestamp: 5.into(),
        };
        let mut packet = Vec::new();
        encode_records(&mut packet, &info, &PriceLayout::CANONICAL, &[record]).unwrap();
        self.packets.push(packet);
    }
}

fn reading(sensor: u32, temperature: i32) -> SensorReading {
    SensorReading {
        timestamp: 1_700_000_000_000_000_000.into(),
        sensor: sensor.into(),
        temperature: temperature.into(),
        pressure: 101_325.into(),
        humidity: 4_507.into(),
        status: 1.into(),
    }
}

/// Ten readings and a hundred points, some of both between a bid and the offer that ends its event.
fn day() -> Station {
    let mut station = Station::default();
    let end = Flags::END_OF_EVENT;
    station.rows(&[reading(7, -1_205), reading(8, 2_150)]);
    station.quote(Kind::BID, b'B', 1_100_000_000, Flags::NONE);
    station.rows(&[1, 2, 3, 4, 5, 6, 7, 8].map(|sensor| reading(sensor, 5)));
    let points = (0..50).map(|i| TimeSeriesPoint::new(3, i, i as f64 / 8.0, PointFlags::NONE));
    station.rows(&points.collect::<Vec<_>>());
    station.quote(Kind::OFFER, b'S', 1_200_000_000, end);
    let points = (0..50).map(|i| TimeSeriesPoint::new(4, i, f64::NAN, PointFlags::AFTER_GAP));
    station.rows(&points.collect::<Vec<_>>());
    station
}

fn capture(scratch: &Scratch) -> String {
    let day = day();
    let packets = day.packets.iter().map(|packet| (GROUP, &packet[..]));
    scratch.file("day.pcap", pcap(packets))
}

fn lines(ended: &Ended) -> Vec<Value> {
    let lines = ended.out.lines();
    lines.map(|l| serde_json::from_str(l).unwrap()).collect()
}

#[test]
fn a_capture_of_them_is_counted_and_taken_apart() {
    let scratch = Scratch::new();
    let file = capture(&scratch);
    let stats = feed_handler(&["stats", &file, "--format", "json"]);
    let stats = stats.is_quiet().json();
    let types = json!({"10": 1, "11": 1, "22": 10, "23": 100});
    assert_eq!(
        (&stats["by_type"], &stats["messages"]),
        (&types, &112.into())
    );
    let decoded = feed_handler(&["decode", &file, "--format", "json"]);
    let decoded = lines(decoded.is_quiet());
    assert_eq!(
        decoded[0],
        json!({
            "packet": 1, "seq": 1, "type": "22", "name": "sensor", "sensor": 7, "temperature": "-12.05",
            "pressure": 101_325, "humidity": "45.07", "status": 1, "timestamp": 1_700_000_000_000_000_000u64,
        })
    );
    let point = json!({
        "packet": 4, "seq": 15, "type": "23", "name": "point", "series": 3, "value": 0.375, "flags": 0, "timestamp": 3,
    });
    assert_eq!(decoded[14], point);
    assert_eq!(decoded[111]["value"], Value::Null);
    let text = feed_handler(&["decode", &file, "--limit", "1"]);
    assert!(
        text.is_quiet().out.contains("temperature=-12.05"),
        "{text:?}"
    );
    // The bid waits for its offer, whatever comes between the two.
    let bbo = feed_handler(&["bbo", &file, "--format", "csv"]);
    let rows: Vec<_> = bbo.is_quiet().out.lines().skip(1).collect();
    assert_eq!(rows, ["EURUSD,62,5,1.1,7,1.2,7"]);
}

#[test]
fn a_live_run_carries_them_to_the_journal_and_to_shared_memory() {
    let scratch = Scratch::new();
    let file = capture(&scratch);
    let (journal, shared) = (scratch.path("journal"), scratch.path("shm"));
    let sinks = format!(
        "[publish]\nslots = 4096\n[shared_memory]\ndir = {shared:?}\n[journal]\ndir = {journal:?}\nsegment = \"256KiB\"\n"
    );
    let mut live = Live::start(&scratch, "native", &sinks, "3s");
    live.wait_until_it_listens();
    live.send(day().packets.iter().map(Vec::as_slice));
    let summary = live.summary();
    assert_eq!(summary["messages"], 112);

    let tail = feed_handler(&[
        "tail", "--dir", &shared, "--oldest", "--once", "--format", "json",
    ]);
    // A line that falls silent before the run ends is said to be, which is no message.
    let mut rows = lines(tail.is(0, "its writer has ended"));
    rows.retain(|row| row["type"] != "trust");
    assert_eq!(rows.len(), 112);
    let first = json!({
        "sensor": 7, "temperature": "-12.05", "pressure": 101_325, "humidity": "45.07", "status": 1,
    });
    assert_eq!(
        (&rows[0]["type"], &rows[0]["reading"]),
        (&"sensor".into(), &first)
    );
    let point = json!({"series": 3, "value": 0.375, "flags": 0});
    assert_eq!(
        (&rows[14]["type"], &rows[14]["point"]),
        (&"point".into(), &point)
    );
    let text = feed_handler(&[
        "tail", "--dir", &shared, "--oldest", "--once", "--kind", "sensor",
    ]);
    assert_eq!(text.out.lines().count(), 10);
    assert!(
        text.out
            .starts_with("c 1 sensor 7: -12.05 °C, 101325 Pa, 45.07 %"),
        "{text:?}"
    );

    let kept = feed_handler(&["journal", "cat", &journal, "--format", "json"]);
    let mut kept = lines(kept.is_quiet());
    kept.retain(|row| row["kind"] != "trust");
    let of = |kind: &str| kept.iter().filter(|row| row["kind"] == kind).count();
    assert_eq!((kept.len(), of("sensor"), of("point")), (112, 10, 100));

    // The run's own points: what came in adds up to what it counted, and the report draws it.
    let series = std::fs::File::open(scratch.path("out/series.points")).unwrap();
    let rates = feed_handler::series::read(series).unwrap();
    assert!(rates.finished && rates.damage.is_empty(), "{rates:?}");
    let mut from = 0.0;
    let messages = rates.points.iter().map(|point| {
        let length = point.at.as_secs_f64() - from;
        from = point.at.as_secs_f64();
        point.messages * length
    });
    let messages: f64 = messages.sum();
    assert!((messages - 112.0).abs() < 1e-3, "{messages}");
    let report = [
        "report",
        &scratch.path("out"),
        "-o",
        &scratch.path("again.html"),
    ];
    feed_handler(&report).is(0, "");
    let [own, again] = ["out/report.html", "again.html"]
        .map(|name| std::fs::read_to_string(scratch.path(name)).unwrap());
    let drawn = |page: &str| page.matches("Rates over time").count();
    assert_eq!((drawn(&own), drawn(&again)), (2, 2));

    // Live and from the file they are the same records, with books or without.
    let text = configuration("native", GROUP, "");
    let config = scratch.file("file.toml", text);
    let again = ["run", "-c", &config, "--input", &file, "--format", "json"];
    let again = feed_handler(&again).json();
    assert_eq!(again["record_digest"], summary["record_digest"]);
    assert_eq!(again["book_digest"], summary["book_digest"]);
}
