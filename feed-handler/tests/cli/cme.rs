//! What CME needs besides packets: names that are said elsewhere, and its own list of channels.

use crate::support::{GROUP, PROGRAM, Scratch, configuration, feed_handler, pcap, run};
use feed_common::time::UnixNanos;
use feed_common::wire::mdp3::{Message, PacketBuilder, parse, template};
use feed_replay::synth::{Protocol, Recording, Row, Spec, expected_book};
use serde_json::Value;
use std::process::Command;

/// Where definitions are said.
const DEFINITIONS: &str = "239.192.50.9:6310";

/// Of a made session the packets with definitions, and those with everything else.
fn apart(spec: &Spec) -> [Vec<Vec<u8>>; 2] {
    let (session, _) = Recording::of(spec).unwrap();
    let mut apart = [const { Vec::new() }; 2];
    let mut builders = [(); 2].map(|()| PacketBuilder::new(1, 1472));
    for packet in session.packets() {
        let (_, messages, _) = parse(packet.payload).unwrap();
        for bytes in messages {
            let id = Message::parse(bytes).unwrap().template_id();
            let feed = usize::from(!matches!(id, template::FUTURE | template::SPREAD));
            assert!(builders[feed].push(bytes));
        }
        for (builder, packets) in builders.iter_mut().zip(&mut apart) {
            if !builder.is_empty() {
                packets.push(builder.payload(UnixNanos(packet.time.0)).to_vec());
                builder.clear();
            }
        }
    }
    apart
}

fn book(spec: &Spec) -> String {
    let rows = expected_book(spec, 10).unwrap();
    let rows = rows.iter().map(|row| format!("{row}\n"));
    [format!("{}\n", Row::HEADER)]
        .into_iter()
        .chain(rows)
        .collect()
}

fn capture<'a>(parts: impl IntoIterator<Item = (&'a str, &'a [Vec<u8>])>) -> Vec<u8> {
    let packets = parts.into_iter();
    pcap(packets.flat_map(|(group, part)| part.iter().map(move |p| (group, &p[..]))))
}

#[test]
fn names_said_on_another_stream_are_found() {
    let spec = Spec::new(Protocol::Mdp3, 5_000, 3);
    let [definitions, market] = apart(&spec);
    let scratch = Scratch::new();
    // Behind the market, as a loop that is joined in its middle would be.
    let both = capture([(GROUP, &market[..]), (DEFINITIONS, &definitions)]);
    let both = scratch.file("both.pcap", both);
    let shown = feed_handler(&["book", &both, "--format", "csv"]);
    assert_eq!(shown.is_quiet().out, book(&spec));
    let named = |row: &str| row.starts_with(|c: char| c.is_ascii_uppercase());
    for command in ["bbo", "trades"] {
        let ended = feed_handler(&[command, &both, "--format", "csv"]);
        let mut rows = ended.is_quiet().out.lines().skip(1).peekable();
        assert!(rows.peek().is_some() && rows.all(named), "{command}");
    }
    let symbol = book(&spec)
        .lines()
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap()
        .to_owned();
    let one = feed_handler(&["book", &both, "--format", "csv", "--symbol", &symbol]);
    let rows = one
        .is_quiet()
        .out
        .lines()
        .skip(1)
        .map(str::to_owned)
        .collect::<Vec<_>>();
    assert!(
        !rows.is_empty()
            && rows
                .iter()
                .all(|row| row.starts_with(&format!("{symbol},")))
    );

    // Without them the numbers are the names.
    let alone = scratch.file("alone.pcap", capture([(GROUP, &market[..])]));
    let numbered = feed_handler(&["book", &alone, "--format", "csv"]);
    let row = numbered.is_quiet().out.lines().nth(1).unwrap();
    assert!(row.starts_with(|c: char| c.is_ascii_digit()), "{row}");

    // A run hears of them from its input, and from a file that the channel names.
    let definitions = scratch.file(
        "definitions.pcap",
        capture([(DEFINITIONS, &definitions[..])]),
    );
    let config = scratch.file("feed.toml", configuration("mdp3", GROUP, ""));
    let told = configuration("mdp3", GROUP, "");
    let told = told.replace(
        "lines =",
        &format!("definitions = {definitions:?}\nlines ="),
    );
    let told = scratch.file("told.toml", told);
    let digest = |config: &str, input: &str, out: &str| {
        let out = scratch.path(out);
        let ended = feed_handler(&["run", "-c", config, "--input", input, "--out", &out]);
        assert_eq!(ended.status, 0, "{ended:?}");
        let summary = std::fs::read_to_string(format!("{out}/summary.json")).unwrap();
        let summary: Value = serde_json::from_str(&summary).unwrap();
        summary["book_digest"].clone()
    };
    let named = digest(&config, &both, "both");
    assert!(named.is_string());
    assert_eq!(digest(&told, &alone, "told"), named);
    assert_ne!(digest(&config, &alone, "alone"), named);
}

const LIST: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<configuration environment="test" updated="2026/11/20-10:00:00">
 <channel id="310" label="Futures">
  <products><product code="ES"><group code="ES"/></product></products>
  <connections>
   <connection id="310HA"><type feed-type="H">Historical Replay</type><protocol>TCP/IP</protocol><ip>10.0.0.1</ip><host-ip>10.0.0.1</host-ip><port>10000</port><feed>A</feed></connection>
   <connection id="310IB"><type feed-type="I">Incremental</type><protocol>UDP/IP</protocol><ip>224.0.32.1</ip><host-ip>10.0.0.3</host-ip><port>15310</port><feed>B</feed></connection>
   <connection id="310IA"><type feed-type="I">Incremental</type><protocol>UDP/IP</protocol><ip>224.0.31.1</ip><host-ip>10.0.0.2</host-ip><port>14310</port><feed>A</feed></connection>
  </connections>
 </channel>
</configuration>
"#;

/// A configuration whose channel is one of a list.
fn listed(keys: &str) -> String {
    format!("[[lane]]\nname = \"l\"\n\n[[channel]]\nname = \"es\"\nlane = \"l\"\n{keys}")
}

#[test]
fn lines_come_from_the_exchanges_list() {
    let scratch = Scratch::new();
    let list = scratch.file("config.xml", LIST);
    let keys = format!(
        "protocol = \"mdp3\"\nconfig_xml = {list:?}\nchannel_id = 310\ninterface = \"lo\"\n"
    );
    let config = scratch.file("feed.toml", listed(&keys));
    let shown = feed_handler(&["check", &config]);
    let said = &shown.is_quiet().out;
    assert!(
        said.contains("channel es  line A  224.0.31.1:14310"),
        "{said}"
    );
    assert!(
        said.contains("channel es  line B  224.0.32.1:15310"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 4, "{said}");

    for (from, to, at, message) in [
        (
            "channel_id = 310",
            "channel_id = 311",
            "8:14",
            "config.xml: no channel 311; it has 310",
        ),
        (
            "channel_id = 310\n",
            "",
            "8:14",
            "expected `channel_id` and `interface`",
        ),
        (
            "protocol = \"mdp3\"",
            "protocol = \"itch50\"",
            "8:14",
            "`config_xml` lists CME's",
        ),
        (
            &format!("config_xml = {list:?}\n"),
            "",
            "8:14",
            "expected `config_xml` beside it",
        ),
        ("config.xml", "none.xml", "8:14", "none.xml: cannot be read"),
    ] {
        let config = scratch.file("wrong.toml", listed(&keys.replace(from, to)));
        let ended = feed_handler(&["check", &config]);
        assert_eq!(ended.status, 2, "{ended:?}");
        assert!(
            ended.err.contains(&format!("wrong.toml:{at}: ")),
            "{ended:?}"
        );
        assert!(ended.err.contains(message), "{ended:?}");
    }
    let broken = scratch.file("config.xml", &LIST[..LIST.len() - 20]);
    let ended = feed_handler(&["check", &config]);
    assert!(ended.err.contains(&format!("{broken}:")), "{ended:?}");

    // Definitions are for feeds that say them elsewhere.
    let itch = configuration("itch50", GROUP, "");
    let itch = itch.replace("lines =", "definitions = \"d.pcap\"\nlines =");
    let itch = scratch.file("itch.toml", itch);
    let ended = run(Command::new(PROGRAM).args(["check", &itch]), b"");
    assert!(
        ended.err.contains("names its instruments itself"),
        "{ended:?}"
    );
}
