//! `stats` and `decode` over any file.

use feed_common::capture::{CaptureFile, Datagrams};
use feed_common::wire::ProtocolName;
use feed_handler::inspect::decode::{Format, Options, decode};
use feed_handler::inspect::stats::stats;
use feed_handler::inspect::{Lines, Streams, dissector};

/// A capture, its streams told by their bytes and then taken for every protocol there is.
pub fn inspect(data: &[u8]) {
    let Ok(file) = CaptureFile::from_memory("fuzz", data.to_vec()) else {
        return;
    };
    let streams = Streams::detect(Datagrams::new(&file));
    let told = stats(|| Datagrams::new(&file), None, &Lines::Found).map(|(counted, _)| counted);
    match streams {
        Ok(streams) => {
            // Streams that are told while they are counted, and before.
            let known = stats(|| Datagrams::new(&file), Some(&streams), &Lines::Found);
            assert_eq!(told, known.map(|(counted, _)| counted));
            look(&file, &streams);
        }
        Err(e) => assert_eq!(told, Err(e)),
    }
    for &protocol in ProtocolName::ALL {
        look(&file, &Streams::given(dissector(protocol)));
    }
}

fn look(file: &CaptureFile, streams: &Streams) {
    for lines in [Lines::Found, Lines::Separate] {
        let count = || stats(|| Datagrams::new(file), Some(streams), &lines);
        let (counted, datagrams) = count().expect("streams are given");
        let (again, _) = count().expect("streams are given");
        assert_eq!(counted, again);
        assert!(counted.packets <= datagrams.frames());
        assert!(counted.by_type.values().sum::<u64>() <= counted.messages);
    }
    for format in [Format::Json, Format::Text] {
        let options = Options {
            format,
            limit: 5_000,
            strict: false,
        };
        let mut out = Vec::new();
        let decoded = decode(Datagrams::new(file), streams, options, &mut out).expect("memory");
        let mut lines = 0;
        for line in out.split_inclusive(|&b| b == b'\n') {
            lines += 1;
            if format == Format::Json {
                let value: serde_json::Value = serde_json::from_slice(line).expect("JSON");
                assert!(value["type"].is_string() && value["seq"].is_u64());
            }
        }
        assert_eq!(lines, decoded.messages);
        let malformed = decoded.errors.values().sum::<u64>() > 0;
        assert_eq!(malformed, decoded.first.is_some());
    }
}
