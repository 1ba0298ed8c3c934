use super::super::Resolution;
use super::*;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

const START: UnixNanos = UnixNanos(1_441_812_279_474_000_000);

fn at(seconds: f64) -> UnixNanos {
    UnixNanos(START.0 + (seconds * 1e9) as u64)
}

fn sample() -> (String, StageSet) {
    let mut set = StageSet::new(Resolution::default());
    (1..=1_000u64).for_each(|i| set.record(Stage::Dequeue, i * 100));
    (1..=10u64).for_each(|i| set.record(Stage::Published, i * 1_000_000));
    let mut log = LogWriter::begin(Vec::new(), START, &["clock: tsc", "two\nlines"]).unwrap();
    log.write_set(&set, at(0.127), at(1.134), None).unwrap();
    log.write_set(&set, at(1.134), at(2.2), Some("lane 0,a/b"))
        .unwrap();
    let text = String::from_utf8(log.finish().unwrap()).unwrap();
    (text, set)
}

#[test]
fn header_and_lines_have_the_form_readers_expect() {
    let (text, _) = sample();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..8],
        [
            "#[Logged with feed-handler]",
            "#[Histogram log format version 1.3]",
            "# clock: tsc",
            "# two",
            "# lines",
            "#[BaseTime: 1441812279.474 (seconds since epoch)]",
            "#[StartTime: 1441812279.474 (seconds since epoch), Wed Sep 09 15:24:39 UTC 2015]",
            "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"",
        ]
    );
    assert!(lines[8].starts_with("Tag=dequeue,0.127,1.007,0.100,HISTFA"));
    assert!(lines[9].starts_with("Tag=published,0.127,1.007,10.002,HISTFA"));
    assert!(lines[10].starts_with("Tag=lane_0_a_b/dequeue,1.134,1.066,0.100,HISTFA"));
    assert_eq!(lines.len(), 12);
}

#[test]
fn reads_back_what_was_written() {
    let (text, set) = sample();
    let mut reader = LogReader::new(&text);
    let intervals: Vec<LogInterval> = reader.by_ref().collect::<Result<_, _>>().unwrap();
    assert_eq!(reader.base(), Some(START));
    assert_eq!(intervals.len(), 4);
    for (i, stage) in [Stage::Dequeue, Stage::Published].into_iter().enumerate() {
        let want = set.histogram(stage).unwrap();
        for got in [&intervals[i], &intervals[i + 2]] {
            assert_eq!(got.stage, Some(stage));
            let cells: Vec<(u64, u64)> = got
                .cells
                .iter()
                .map(|cell| (cell.high, cell.count))
                .collect();
            let wanted: Vec<(u64, u64)> = want
                .iter_recorded()
                .map(|c| (c.value_iterated_to(), u64::from(c.count_at_value())))
                .collect();
            assert_eq!(cells, wanted);
        }
    }
    assert_eq!(intervals[0].source, None);
    assert_eq!(intervals[2].source.as_deref(), Some("lane_0_a_b"));
    assert_eq!(intervals[2].start, Duration::from_millis(1_134));
    assert_eq!(intervals[2].length, Duration::from_millis(1_066));
}

/// hdrhistogram's own scanner and deserializer see the same.
#[test]
fn the_crate_s_reader_agrees() {
    let (text, set) = sample();
    let mut seen = Vec::new();
    for entry in IntervalLogIterator::new(text.as_bytes()) {
        match entry.expect("every line scans") {
            LogEntry::StartTime(t) | LogEntry::BaseTime(t) => {
                assert_eq!(t.as_millis(), 1_441_812_279_474);
            }
            LogEntry::Interval(line) => {
                let bytes = STANDARD.decode(line.encoded_histogram()).unwrap();
                let h: Histogram<u32> = Deserializer::new()
                    .deserialize(&mut bytes.as_slice())
                    .unwrap();
                seen.push((line.tag().unwrap().as_str().to_owned(), h));
            }
        }
    }
    assert_eq!(seen.len(), 4);
    assert_eq!(seen[0].0, "dequeue");
    assert_eq!(seen[0].1, set.histogram(Stage::Dequeue).unwrap());
    assert_eq!(seen[3].1, set.histogram(Stage::Published).unwrap());
}

#[test]
fn broken_lines_name_themselves() {
    for (line, why) in [
        ("Tag=x", "a tag and nothing else"),
        ("0.1,0.2", "fewer than four fields"),
        ("0.1,-1,0.2,AAAA", "a time that is not a number of seconds"),
        ("NaN,1,0.2,AAAA", "a time that is not a number of seconds"),
        ("0.1,1.0,0.2,*", "the histogram is not base64"),
        ("0.1,1.0,0.2,", "the histogram is cut short"),
    ] {
        let text = format!("# comment\n\n{line}\n");
        let error = LogReader::new(&text).next().unwrap().expect_err(why);
        assert_eq!((error.line, error.reason), (3, why));
    }
}

#[test]
fn a_log_of_another_tool_is_read() {
    // From the format's documentation: untagged, absolute times, no base.
    let mut h = Histogram::<u64>::new_with_bounds(1, 1_000, 2).unwrap();
    h.record(42).unwrap();
    let mut bytes = Vec::new();
    V2DeflateSerializer::new()
        .serialize(&h, &mut bytes)
        .unwrap();
    let text = format!("1441812279.5,1.0,0.000,{}\n", STANDARD.encode(&bytes));
    let mut reader = LogReader::new(&text);
    let line = reader.next().unwrap().unwrap();
    assert_eq!((line.source, line.stage, reader.base()), (None, None, None));
    assert_eq!(line.cells.histogram().max(), 42);
    assert!(reader.next().is_none());
}

#[test]
fn what_follows_a_broken_line_is_read() {
    let (text, _) = sample();
    let lines: Vec<&str> = text.lines().collect();
    let torn = &lines[9][..lines[9].len() / 2];
    let bytes = [
        lines[8].as_bytes(),
        b"\n\xff\xfe\n",
        torn.as_bytes(),
        b"\r\n",
        lines[10].as_bytes(),
    ]
    .concat();
    let read: Vec<_> = LogReader::over(&bytes[..]).collect();
    assert_eq!(read.len(), 4);
    assert!(read[0].is_ok() && read[3].is_ok(), "{read:?}");
    let said = |at: usize| read[at].as_ref().expect_err("broken").to_string();
    assert_eq!(said(1), "line 2: it is not text");
    assert!(said(2).starts_with("line 3: the histogram "), "{}", said(2));
}

#[test]
fn a_line_without_end_ends_the_reading() {
    let endless = io::repeat(b'x');
    let mut reader = LogReader::over(io::BufReader::new(endless));
    let error = reader.next().unwrap().expect_err("no log");
    assert_eq!(error.reason, "it is longer than any line can be");
    assert!(reader.next().is_none());
}

#[test]
fn a_full_disk_is_an_error() {
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let log = LogWriter::begin(io::BufWriter::new(full), START, &[]).unwrap();
    let error = log.finish().map(drop).expect_err("nothing fits there");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}
