//! What every program of the feed handler agrees on.
//!
//! No sockets and no threads live here: only the types and the formats that the live process, the replayer and the
//! report generator share. Data runs `capture`/`ring` -> `packet` -> `wire` -> `event`, with `time` and `latency`
//! stamping it along the way; what leaves the process goes through `encode` and, where it is kept, `journal`. `unsafe` is
//! confined to `ring`, `prices`, `sys`, and one file of `journal`.

pub mod capture;
pub mod config;
pub mod encode;
pub mod event;
pub mod journal;
pub mod latency;
pub mod packet;
#[allow(unsafe_code)]
pub mod prices;
pub mod program;
pub mod record;
#[allow(unsafe_code)]
pub mod ring;
#[allow(unsafe_code)]
pub mod sys;
pub mod time;
pub mod wire;
