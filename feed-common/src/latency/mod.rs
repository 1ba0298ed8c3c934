//! Latency: the stages of a packet's way, the recorders that hold what they took, the interval log and percentile files.

pub mod bursts;
pub mod cost;
mod counters;
pub mod hgrm;
pub mod log;
pub mod messages;
pub mod pauses;
mod payload;
pub mod recorder;
mod set;
mod spread;
mod stage;
pub mod summary;

pub use payload::{Cell, Cells};
pub use set::{MEASURED, Resolution, ResolutionError, StageSet};
pub use spread::Spread;
pub use stage::{NoProbe, Probe, Stage};
