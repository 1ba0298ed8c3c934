//! `verify`: two runs of the same messages are equal however these came, and where two part is said as exactly as what is
//! there allows.

mod cuts;
mod parts;
mod program;
#[path = "../harness/scratch.rs"]
#[allow(dead_code)]
mod scratch;
#[path = "../sessions/mod.rs"]
mod sessions;
mod support;
