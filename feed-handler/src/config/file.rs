//! The file as written: keys and types, nothing resolved. Every value that can be wrong for a reason beyond its type
//! carries its place, so that the error can point at it.

use super::plan::{Believed, BookKeep, JournalSync, ServiceKind, WhenFull};
use crate::net::Timestamps;
use crate::pipeline::Join;
use feed_common::config::{ByteSize, TimeSpan};
use feed_common::wire::ProtocolName;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddrV4;
use std::path::PathBuf;
use toml::Spanned;
use toml::value::Datetime;

/// A whole configuration file.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub session: Session,
    #[serde(default)]
    pub process: Process,
    #[serde(default)]
    pub book: Book,
    #[serde(default)]
    pub publish: Publish,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_memory: Option<SharedMemory>,
    #[serde(default)]
    pub subscribe: Subscribe,
    #[serde(default)]
    pub control: Control,
    #[serde(default)]
    pub metrics: Metrics,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal: Option<Journal>,
    #[serde(default)]
    pub latency: Latency,
    #[serde(default)]
    pub output: Output,
    #[serde(default, rename = "lane")]
    pub lanes: Vec<Lane>,
    #[serde(default, rename = "channel")]
    pub channels: Vec<Channel>,
    #[serde(default, rename = "consumer")]
    pub consumers: Vec<Consumer>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Session {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<Spanned<DateText>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<Spanned<String>>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Metrics {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<Spanned<SocketAddrV4>>,
}

/// `[journal]`: without it there is none.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Journal {
    pub dir: Spanned<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<Spanned<ByteSize>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<Spanned<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Spanned<u64>>,
    #[serde(default)]
    pub sync: JournalSync,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Process {
    #[serde(default)]
    pub lock_memory: bool,
}

/// A date as a string or as TOML's own kind of date: both are written by people who mean the same.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub(super) struct DateText(pub String);

impl<'de> Deserialize<'de> for DateText {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<DateText, D::Error> {
        d.deserialize_any(DateVisitor)
    }
}

struct DateVisitor;

impl<'de> Visitor<'de> for DateVisitor {
    type Value = DateText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a date such as \"2026-11-20\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<DateText, E> {
        Ok(DateText(text.to_owned()))
    }

    /// The form in which the parser hands out its dates.
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DateText, A::Error> {
        let date = Datetime::deserialize(MapAccessDeserializer::new(map))?;
        Ok(DateText(date.to_string()))
    }
}

/// A protocol by its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProtocolText(pub ProtocolName);

impl<'de> Deserialize<'de> for ProtocolText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<ProtocolText, D::Error> {
        let name = String::deserialize(from)?;
        let known = ProtocolName::of(&name);
        known
            .map(ProtocolText)
            .ok_or_else(|| D::Error::unknown_variant(&name, ProtocolName::NAMES))
    }
}

impl Serialize for ProtocolText {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.name())
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Channel {
    pub name: Spanned<String>,
    pub protocol: Spanned<ProtocolText>,
    pub lane: Spanned<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reorder_window: Option<Spanned<TimeSpan>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_after: Option<Spanned<TimeSpan>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stash_packets: Option<Spanned<u64>>,
    #[serde(default)]
    pub join: Join,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub definitions: Option<Spanned<PathBuf>>,
    /// An exchange's own list of channels, and which of them this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_xml: Option<Spanned<PathBuf>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<Spanned<u64>>,
    /// On which the lines of that list are joined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<Spanned<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Service>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Service>,
    /// `[[channel.line]]`, or `lines = [...]` in place.
    #[serde(default, rename = "line", alias = "lines")]
    pub lines: Vec<Line>,
}

/// `[channel.recovery]` and `[channel.snapshot]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    pub kind: Spanned<ServiceKind>,
    pub servers: Spanned<Vec<Spanned<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orders: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<Spanned<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Spanned<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Spanned<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<Spanned<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Spanned<TimeSpan>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_messages: Option<Spanned<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_in_flight: Option<Spanned<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Spanned<TimeSpan>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_id: Option<Spanned<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_id: Option<Spanned<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<Spanned<u64>>,
    /// `[[channel.recovery.line]]`: where the answers are sent that are for everybody.
    #[serde(
        default,
        rename = "line",
        alias = "lines",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub lines: Vec<Line>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub name: Spanned<String>,
    pub group: Spanned<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<Spanned<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Spanned<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retransmission: Option<bool>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lane {
    pub name: Spanned<String>,
    #[serde(default)]
    pub layout: Layout,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub core: Option<Spanned<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receive_core: Option<Spanned<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decode_core: Option<Spanned<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Spanned<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<Spanned<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket_buffer: Option<Spanned<ByteSize>>,
    #[serde(default)]
    pub timestamps: Timestamps,
    #[serde(default)]
    pub ring: Ring,
}

/// Which thread does what in a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Layout {
    #[default]
    OneThread,
    TwoThreads,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ring {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<Spanned<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot_bytes: Option<Spanned<u64>>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Book {
    #[serde(default)]
    pub keep: BookKeep,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orders: Option<Spanned<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub levels: Option<Spanned<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruments: Option<Spanned<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publish_bbo: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Publish {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<Spanned<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest_every: Option<Spanned<u64>>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SharedMemory {
    pub dir: Spanned<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruments: Option<Spanned<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Spanned<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Spanned<String>>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Subscribe {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub symbols: Vec<Spanned<String>>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Control {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<Spanned<PathBuf>>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Consumer {
    pub name: Spanned<String>,
    pub kind: ConsumerKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Spanned<u64>>,
    #[serde(default)]
    pub when_full: WhenFull,
    #[serde(default)]
    pub trust: Believed,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lanes: Option<Spanned<Vec<Spanned<String>>>>,
}

/// How a consumer takes its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ConsumerKind {
    Blocking,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Latency {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_messages: Option<Spanned<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digits: Option<Spanned<u64>>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Output {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<PathBuf>,
}
