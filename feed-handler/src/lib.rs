//! The feed handler as a library; `main.rs` only parses arguments.
//!
//! Data runs one way: `net` -> ring -> `transport` -> `sequence` -> `protocol` -> `book` -> `publish`, driven by `pipeline`
//! and put on threads by `run`. `unsafe` is confined to `net::sys`.

pub mod book;
pub mod config;
pub mod demo;
pub mod doctor;
#[cfg(feature = "export")]
pub mod export;
#[cfg(feature = "gateway")]
pub mod gateway;
pub mod inspect;
pub mod journal;
pub mod net;
pub mod pipeline;
pub mod protocol;
pub mod publish;
pub mod record;
pub mod recovery;
pub mod report;
pub mod run;
pub mod sequence;
pub mod series;
pub mod status;
pub mod subscribe;
pub mod tail;
pub mod top;
pub mod trail;
pub mod transport;
pub mod verify;
