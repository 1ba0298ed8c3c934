//! CME packets: single ones of two schema versions, and a stretch of both lines of a channel.

use super::{Check, captures, corpus, golden, long, say};
use feed_common::capture::{CaptureFile, Datagrams};
use feed_common::wire::mdp3::{
    self, BlockView, Dimension, Field, Message, MessageHeader, PacketHeader,
};
use feed_common::wire::message::{self, FieldType, Value, trimmed};
use feed_handler::inspect::Lines;
use feed_handler::inspect::stats::stats;
use feed_handler::protocol::Sheet;
use feed_handler::protocol::mdp3::Mdp3Sheet;
use feed_handler::transport::{Framing, Mdp3Framing};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// These came over TCP, whose framing is another.
const TCP: &str = "cme_mdp3_v1_12";

const LINES: &str = "cme_mdp3/ab_v1_8_10000/Cme.Mdp3.Sbe.v8.1.Example.pcap";

#[test]
fn every_golden_value_of_mdp_3() {
    let Some(corpus) = corpus() else { return };
    let captures = captures(&corpus, &["cme_mdp3"]);
    let (skipped, read): (Vec<_>, Vec<_>) = captures
        .iter()
        .partition(|path| path.components().any(|part| part.as_os_str() == TCP));
    for capture in &skipped {
        say(&format!("skipped, TCP: {}", capture.display()));
    }
    assert_eq!(skipped.len(), 3);
    let compared: u64 = read.iter().map(|capture| compare(capture)).sum();
    say(&format!(
        "{compared} values of {} captures are as the dissector has them",
        read.len()
    ));
    assert!(compared > 0);
}

#[test]
fn both_lines_are_one_channel() {
    let Some(corpus) = corpus() else { return };
    let file = CaptureFile::open(corpus.join(LINES)).expect("a readable capture");
    let counted = stats(|| Datagrams::new(&file), None, &Lines::Found);
    let (counted, _) = counted.expect("a protocol");
    assert_eq!((counted.channels, counted.restarts), (1, 0));
    assert_eq!((counted.packets, counted.duplicates), (10_000, 5_000));
    assert_eq!(
        (counted.messages, counted.gaps, counted.lost),
        (5_299, 0, 0)
    );
    assert!(counted.errors.is_empty(), "{:?}", counted.errors);
    for command in ["book", "bbo", "trades"] {
        let program = Command::new(env!("CARGO_BIN_EXE_feed-handler"))
            .args([command, "--format", "csv"])
            .arg(corpus.join(LINES))
            .output()
            .expect("the program");
        let said = String::from_utf8_lossy(&program.stderr);
        assert!(program.status.success(), "{command}: {said}");
        assert!(program.stdout.starts_with(b"symbol,"), "{said}");
    }
}

#[test]
fn every_golden_value_of_both_lines() {
    let Some(corpus) = corpus() else { return };
    let capture = corpus.join(LINES);
    let file = CaptureFile::open(&capture).expect("a readable capture");
    let mut datagrams = Datagrams::new(&file);
    let mut lines: BTreeMap<_, Vec<u32>> = BTreeMap::new();
    let (mut compared, mut messages) = (0, 0);
    for golden in long(&capture) {
        let datagram = datagrams.next().expect("as many packets");
        let (header, ..) = mdp3::parse(datagram.payload).expect("a packet of MDP 3.0");
        let line = lines.entry(datagram.dst).or_default();
        line.push(header.msg_seq_num.get());
        let places = places(datagram.payload);
        messages += said_the_same(datagram.payload, &places);
        compared += decoded(&golden, &places);
    }
    assert!(datagrams.next().is_none());
    assert_eq!(messages, 2 * 5_299);
    assert_eq!(lines.len(), 2);
    for numbers in lines.values() {
        assert!(numbers.iter().copied().eq(17_347_815..17_347_815 + 5_000));
    }
    say(&format!(
        "{compared} values of {messages} messages on two lines are as the other decoder has them"
    ));
}

/// Compares a capture with its golden file; how many values were compared.
fn compare(capture: &Path) -> u64 {
    let file = CaptureFile::open(capture).expect("a readable capture");
    let mut datagrams = Datagrams::new(&file);
    let mut compared = 0;
    for golden in golden(capture) {
        let datagram = datagrams.next().expect("as many packets");
        let places = places(datagram.payload);
        said_the_same(datagram.payload, &places);
        let mut check = Check::new(capture, datagram.payload, &golden, our_name);
        for place in &places {
            match bits(place.field.name) {
                Some(names) => split(&mut check, place, names),
                None => {
                    let name = stem(place.field.name);
                    check.value(name, place.at, place.bytes.len(), place.raw());
                }
            }
        }
        compared += check.done();
    }
    assert!(datagrams.next().is_none(), "{}", capture.display());
    compared
}

/// A field, and where it lies in a packet.
struct Place<'a> {
    field: Field,
    at: usize,
    bytes: &'a [u8],
    version: u16,
    /// Whether it is of a root block or a group's entry.
    of_message: bool,
}

impl<'a> Place<'a> {
    /// Its value without regard to what means absent, but for prices: those the dissector writes as no number.
    fn raw(&self) -> Value<'a> {
        match self.field.ty {
            FieldType::Price(_) => self.value(self.field.null),
            _ => self.value(None),
        }
    }

    fn value(&self, null: Option<u64>) -> Value<'a> {
        let field = Field {
            offset: 0,
            null,
            ..self.field
        };
        field.value(self.bytes, self.version)
    }
}

/// Every field of a packet, headers included, in wire order.
fn places(payload: &[u8]) -> Vec<Place<'_>> {
    let mut found = Found {
        payload,
        at: 0,
        version: 0,
        places: Vec::new(),
    };
    found.headers(PacketHeader::LAYOUT);
    let (_, messages, _) = mdp3::parse(payload).expect("a packet of MDP 3.0");
    for bytes in messages {
        let end = found.at + bytes.len();
        let message = Message::parse(bytes).expect("a message");
        found.version = message.version();
        let template = message.template().expect("a known template");
        found.headers(MessageHeader::LAYOUT);
        found.block(message.block().expect("a known template"));
        let mut groups = message.groups();
        for layout in template.groups {
            found.dimension(layout.dimension);
            let group = groups.next(layout.dimension).expect("a group in bounds");
            for entry in 0..group.len() {
                let bytes = group.entry(entry);
                found.block(BlockView::new(&layout.block, bytes, found.version));
            }
        }
        assert_eq!(found.at, end, "{}", template.name);
    }
    assert_eq!(found.at, payload.len());
    found.places
}

struct Found<'a> {
    payload: &'a [u8],
    at: usize,
    version: u16,
    places: Vec<Place<'a>>,
}

impl Found<'_> {
    fn headers(&mut self, layout: &[message::Field]) {
        for field in layout {
            self.header(field.name, field.len, field.ty);
        }
    }

    fn dimension(&mut self, dimension: Dimension) {
        self.header("block_length", 2, FieldType::Unsigned);
        if dimension == Dimension::Eight {
            self.header("padding_5", 5, FieldType::Opaque);
        }
        self.header("num_in_group", 1, FieldType::Unsigned);
    }

    fn header(&mut self, name: &'static str, len: usize, ty: FieldType) {
        let field = Field {
            name,
            offset: 0,
            len: len as u16,
            ty,
            null: None,
            since: 0,
        };
        self.place(field, false);
    }

    fn block(&mut self, block: BlockView<'_>) {
        for (field, _) in block.fields() {
            self.place(*field, true);
        }
        assert_eq!(block.excess(), b"");
    }

    fn place(&mut self, field: Field, of_message: bool) {
        let bytes = &self.payload[self.at..][..field.len.into()];
        self.places.push(Place {
            field,
            at: self.at,
            bytes,
            version: self.version,
            of_message,
        });
        self.at += bytes.len();
    }
}

/// The framing hands out the messages, and the sheet says the same of them as the tables; how many there were.
fn said_the_same(payload: &[u8], places: &[Place<'_>]) -> u64 {
    let (frame, rest) = Mdp3Framing.open(payload).expect("a frame");
    assert!(rest.is_empty());
    let mut said = Vec::new();
    let mut count = 0;
    for message in frame.messages {
        assert_eq!(Mdp3Sheet::error(message), None);
        assert!(!Mdp3Sheet::is_long(message));
        Mdp3Sheet::visit(message, &mut |name, value| match value {
            Value::Rows(rows) => (0..rows.count()).for_each(|entry| {
                rows.visit(entry, &mut |name, value| {
                    said.push(format!("{name} {value:?}"))
                });
            }),
            value => said.push(format!("{name} {value:?}")),
        });
        count += 1;
    }
    let ours = places.iter().filter(|place| place.of_message);
    let ours = ours.map(|place| {
        let value = place.value(place.field.null);
        format!("{} {value:?}", place.field.name)
    });
    assert!(said.into_iter().eq(ours));
    assert_eq!(count, u64::from(frame.carries));
    count
}

/// Compares a bit field that the dissector takes apart: the names of its bits from the lowest, the last with all above.
fn split(check: &mut Check, place: &Place<'_>, names: &[&str]) {
    let Value::Unsigned(mut all) = place.raw() else {
        panic!("{} is no bit field", place.field.name);
    };
    for (i, name) in names.iter().enumerate() {
        let value = if i + 1 < names.len() { all & 1 } else { all };
        all >>= 1;
        let leaf = check.leaf(name, place.at);
        assert_eq!(leaf.hex, format!("{value:x}"), "{name}");
        check.compared += 1;
    }
}

fn bits(name: &str) -> Option<&'static [&'static str]> {
    match name {
        "match_event_indicator" => Some(&[
            "lasttrademsg",
            "lastvolumemsg",
            "lastquotemsg",
            "laststatsmsg",
            "lastimpliedmsg",
            "recoverymsg",
            "reserved",
            "endofevent",
        ]),
        "settl_price_type" => Some(&[
            "final",
            "actual",
            "rounded",
            "intraday",
            "reservedbits",
            "unusedsettlpricetype5",
            "unusedsettlpricetype6",
            "nullvalue",
        ]),
        "inst_attrib_value" => Some(&[
            "electronicmatcheligible",
            "ordercrosseligible",
            "blocktradeeligible",
            "efpeligible",
            "ebfeligible",
            "efseligible",
            "efreligible",
            "otceligible",
            "ilinkindicativemassquotingeligible",
            "negativestrikeeligible",
            "negativepriceoutrighteligible",
            "isfractional",
            "volatilityquotedoption",
            "rfqcrosseligible",
            "zeropriceoutrighteligible",
            "decayingproducteligibility",
            "variableproducteligibility",
            "dailyproducteligibility",
            "gtorderseligibility",
            "impliedmatchingeligibility",
            "reserved12",
        ]),
        _ => None,
    }
}

/// Our name without what tells the ways apart in which the newest schema writes a field: the dissector has a name of
/// each schema's own.
fn stem(name: &str) -> &str {
    let name = name.rsplit('.').next().unwrap_or(name);
    let name = name.trim_end_matches("_ex").trim_end_matches("_optional");
    name.trim_end_matches("_short")
}

/// The same for the dissector's names.
fn our_name(theirs: &str) -> &str {
    match theirs {
        "packetsequencenumber" => "msgseqnum",
        "messagesize" => "msgsize",
        "mdtradeentryid" => "mdtradeentry",
        other => other.trim_end_matches("optional"),
    }
}

/// Compares a packet with what the other decoder has: `[path, offset, length, value]` of every field but headers and
/// padding. How many values were compared.
fn decoded(golden: &Json, places: &[Place<'_>]) -> u64 {
    let header = |i: usize| places[i].value(None);
    let number = |name: &str| golden[name].as_u64().expect("a number");
    assert_eq!(header(0), Value::Unsigned(number("seq")));
    assert_eq!(header(1), Value::Time(number("sending_time")));
    let fields = |place: &&Place<'_>| place.of_message && place.field.ty != FieldType::Opaque;
    let mut places = places.iter().filter(fields);
    let mut compared = 2;
    for message in golden["messages"].as_array().expect("messages") {
        for field in message["fields"].as_array().expect("fields") {
            let place = places.next().expect("as many fields");
            let path = field[0].as_str().expect("a path");
            let theirs = path.rsplit('.').next().unwrap_or(path).to_lowercase();
            let ours = stem(place.field.name).replace('_', "");
            assert!(
                theirs.starts_with(&ours) || ours.starts_with(&theirs),
                "{path} {ours}"
            );
            let place_of = (field[1].as_u64(), field[2].as_u64());
            let (at, len) = (place.at as u64, place.bytes.len() as u64);
            assert_eq!(place_of, (Some(at), Some(len)), "{path}");
            assert_eq!(plain(place.value(None)), field[3], "{path}");
            compared += 1;
        }
    }
    assert!(places.next().is_none(), "{golden}");
    compared
}

/// A value as the other decoder writes it: prices as their mantissas.
fn plain(value: Value<'_>) -> Json {
    match value {
        Value::Unsigned(n) | Value::Time(n) => n.into(),
        Value::Signed(n) => n.into(),
        Value::Price { mantissa, .. } => i64::try_from(mantissa).expect("64 bits").into(),
        Value::Text(text) => String::from_utf8_lossy(trimmed(text)).into(),
        Value::Float(_) | Value::Hex(_) | Value::Null | Value::Rows(_) => {
            unreachable!("not of this decoder")
        }
    }
}
