//! What must hold of every reader and decoder, whatever bytes it is given.
//!
//! A target is a function of bytes that panics where something does not hold. libFuzzer drives it from `fuzz_targets`
//! (`scripts/fuzz`), and `feed-handler/tests/fuzz.rs` drives the same functions with the seeds and with damaged seeds,
//! in every run of the tests. Beyond "it does not panic": reading twice gives the same, totals add up, what is handed
//! out lies where it is said to lie, and whatever an encoder of ours made is read back as it was.

mod blocks;
mod book;
mod capture;
mod choices;
mod config;
mod encoded;
mod file_source;
mod fragments;
mod frames;
mod gaps;
mod gateway;
mod hlog;
mod iex;
mod inspect;
mod itch50;
mod itchfile;
mod journal;
mod lane;
mod loops;
mod mdp3;
mod memoir;
mod messages;
mod native;
mod pcapng;
mod pillar;
mod pitch;
mod prices;
mod retransmissions;
mod seeds;
mod servers;
mod shared;
mod soup;
mod source;
mod streams;
mod subscribe;

pub use seeds::Seeds;

/// A reader or decoder under test.
pub struct Target {
    /// The name of the target and of the folder of its corpus.
    pub name: &'static str,
    /// Panics where something does not hold for these bytes.
    pub check: fn(&[u8]),
    /// Adds inputs to begin with.
    pub seeds: fn(&mut Seeds),
}

/// All of them.
pub static TARGETS: &[Target] = &[
    target("pcap", capture::frames, seeds::captures),
    target("pcapng", pcapng::pcapng, seeds::pcapngs),
    target("binaryfile", capture::binaryfile, seeds::binaryfiles),
    target("streams", streams::streams, seeds::streams),
    target("frames", frames::frames, seeds::frames),
    target("fragments", fragments::fragments, seeds::noise),
    target(
        "fragment_frames",
        fragments::fragment_frames,
        seeds::fragments,
    ),
    target("itch50", itch50::itch50, seeds::packets),
    target("iex", iex::iex, seeds::segments),
    target("mdp3", mdp3::mdp3, seeds::mdp3),
    target("memoir", memoir::memoir, seeds::memoir),
    target("pillar", pillar::pillar, seeds::packets_of_pillar),
    target("native", native::native, seeds::batches),
    target("pitch", pitch::pitch, seeds::blocks),
    target("itchfile", itchfile::itchfile, seeds::records),
    target("prices", prices::prices, seeds::prices),
    target("book", book::book, seeds::noise),
    target("lane", lane::lane, seeds::noise),
    target("lane_itch50", lane::itch50, seeds::lanes_itch50),
    target("lane_iex", lane::iex, seeds::lanes_iex),
    target("lane_native", lane::native, seeds::lanes_native),
    target("inspect", inspect::inspect, seeds::captures),
    target("gaps", gaps::gaps_and_lines, seeds::lossy),
    target("file_source", file_source::file_source, seeds::captures),
    target("soupbintcp", soup::soupbintcp, seeds::soupbintcp),
    target("soup_replay", soup::soup_replay, seeds::soup_clients),
    target("glimpse", soup::glimpse, seeds::soup_clients),
    target(
        "retransmissions",
        retransmissions::retransmissions,
        retransmissions::seeds,
    ),
    target("loops", loops::loops, loops::seeds),
    target("encoded", encoded::encoded, encoded::seeds),
    target(
        "record_stream",
        encoded::record_stream,
        encoded::stream_seeds,
    ),
    target("shared_memory", shared::shared_memory, shared::seeds),
    target("journal", journal::journal, journal::seeds),
    target("hlog", hlog::hlog, seeds::logs),
    target("config", config::config, seeds::configs),
    target("ctl", subscribe::ctl, seeds::requests),
    target("globs", subscribe::globs, seeds::globs),
    target("gateway", gateway::gateway, gateway::seeds),
];

const fn target(name: &'static str, check: fn(&[u8]), seeds: fn(&mut Seeds)) -> Target {
    Target { name, check, seeds }
}

/// Runs one target on one input.
///
/// # Panics
///
/// When something does not hold, or when there is no target of that name.
pub fn check(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|t| t.name == name);
    (target.expect("a target of that name").check)(data);
}
