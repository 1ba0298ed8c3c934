//! The file as written: keys and types, nothing resolved. Every value that can be wrong for a reason beyond its type
//! carries its place, so that the error can point at it.

use feed_common::config::TimeSpan;
use serde::Deserialize;
use std::path::PathBuf;
use toml::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub seed: Option<u64>,
    pub session: Spanned<Session>,
    #[serde(default, rename = "line")]
    pub lines: Vec<Line>,
    #[serde(default, rename = "loop")]
    pub loops: Vec<Loop>,
    #[serde(default, rename = "server")]
    pub servers: Vec<Server>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Session {
    pub protocol: Option<Spanned<String>>,
    pub feed: Option<Spanned<String>>,
    pub messages: Option<Spanned<u64>>,
    pub rate: Option<Spanned<u64>>,
    pub symbols: Option<Spanned<u16>>,
    pub seed: Option<Spanned<u64>>,
    pub capture: Option<Spanned<PathBuf>>,
    pub group: Option<Spanned<String>>,
    pub speed: Option<Spanned<String>>,
    pub lead: Option<Spanned<TimeSpan>>,
    pub heartbeat: Option<Spanned<TimeSpan>>,
    pub grace: Option<Spanned<TimeSpan>>,
    pub faults: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub name: Spanned<String>,
    pub group: Spanned<String>,
    pub interface: String,
    pub ttl: Option<u8>,
    pub source_port: Option<u16>,
    pub faults: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Loop {
    pub name: Spanned<String>,
    pub group: Spanned<String>,
    pub interface: String,
    pub ttl: Option<u8>,
    pub source_port: Option<u16>,
    #[serde(default)]
    pub orders: bool,
    pub period: Option<Spanned<TimeSpan>>,
    pub spacing: Option<Spanned<TimeSpan>>,
    pub payload: Option<Spanned<u64>>,
    pub faults: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    pub name: Option<Spanned<String>>,
    pub kind: Spanned<Kind>,
    pub address: Spanned<String>,
    pub interface: Option<String>,
    pub payload: Option<Spanned<u64>>,
    pub packets: Option<Spanned<u64>>,
    pub messages: Option<Spanned<u64>>,
    pub requests_per_second: Option<Spanned<u64>>,
    pub keep: Option<Spanned<u64>>,
    pub group: Option<Spanned<String>>,
    pub requests: Option<Spanned<u64>>,
    pub product_id: Option<Spanned<u64>>,
    pub channel_id: Option<Spanned<u64>>,
    pub faults: Option<Spanned<String>>,
}

/// What a server does.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    MoldUdp64,
    SoupBinTcp,
    Glimpse,
    Pillar,
}
