//! `gaps` and `lines` over any file.

use feed_common::capture::{CaptureFile, Datagrams};
use feed_common::wire::ProtocolName;
use feed_handler::inspect::contributions::contributions;
use feed_handler::inspect::gaps::{GapFormat, GapRows, Totals, gaps};
use feed_handler::inspect::stats::stats;
use feed_handler::inspect::{Lines, Streams, dissector};

/// A capture, its streams told by their bytes and then taken for every protocol there is.
pub fn gaps_and_lines(data: &[u8]) {
    let Ok(file) = CaptureFile::from_memory("fuzz", data.to_vec()) else {
        return;
    };
    if let Ok(streams) = Streams::detect(Datagrams::new(&file)) {
        look(&file, &streams);
    }
    for &protocol in ProtocolName::ALL {
        look(&file, &Streams::given(dissector(protocol)));
    }
}

fn look(file: &CaptureFile, streams: &Streams) {
    let pass = || Datagrams::new(file);
    for lines in [Lines::Found, Lines::Separate] {
        let (found, _) = contributions(pass, streams, &lines);
        let (counted, _) = stats(pass, Some(streams), &lines).expect("streams are given");
        let (totals, listed) = list(file, streams, &lines, GapFormat::Json);
        let json: serde_json::Value = serde_json::from_slice(&listed).expect("JSON");
        let entries = json["entries"].as_array().expect("an array");
        let holes = entries.iter().filter(|e| e["kind"] == "hole");
        let (closed, open): (Vec<_>, Vec<_>) = holes.partition(|e| e["state"] == "closed");
        assert_eq!(
            (closed.len() as u64, open.len() as u64),
            (totals.closed, totals.open)
        );
        assert!(closed.iter().all(|e| !e["closed_by"].is_null()));
        assert_eq!(
            list(file, streams, &lines, GapFormat::Json),
            (totals, listed)
        );
        for format in [GapFormat::Csv, GapFormat::Text] {
            assert_eq!(list(file, streams, &lines, format).0, totals);
        }
        // Where nothing stands beside the lines, holes are those of `stats`.
        let channels = found.channels.iter();
        if channels.clone().all(|c| c.retransmission_packets == 0) {
            assert_eq!((totals.open, totals.lost), (counted.gaps, counted.lost));
            let lost = channels.fold(0u64, |sum, c| sum.saturating_add(c.lost_by_all));
            assert_eq!(lost, counted.lost);
        }
        for channel in &found.channels {
            for line in &channel.lines {
                assert!(line.lost_alone <= line.lost, "{channel:?}");
                assert!(line.first <= line.messages && line.duplicates <= line.packets);
            }
        }
    }
}

fn list(
    file: &CaptureFile,
    streams: &Streams,
    lines: &Lines,
    format: GapFormat,
) -> (Totals, Vec<u8>) {
    let mut rows = GapRows::new(format, Vec::new());
    let found = gaps(|| Datagrams::new(file), streams, lines, &mut rows).expect("memory");
    (found.totals, rows.into_inner())
}
