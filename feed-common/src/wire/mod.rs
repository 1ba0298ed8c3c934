//! Wire formats, one file per specification: views over bytes, and the encoders the generator needs.
//!
//! Messages are structs laid over the bytes: alignment 1, no padding, integers in the wire's byte order. They are
//! taken from the front of a slice with `ref_from_prefix`, which checks the length once; after that no field access
//! can fail. The same structs are filled in to make messages. Enumerations stay bytes, so that a value this version
//! does not know is kept, not lost.

mod checksum;
mod contents;
pub mod ethernet;
pub mod frame;
pub mod iex;
pub mod iextp;
pub mod ipv4;
pub mod ipv6;
pub mod itch50;
pub mod link;
pub mod mdp3;
pub mod memoir;
pub mod message;
pub mod moldudp64;
pub mod native;
pub mod pillar;
pub mod pitch;
mod protocols;
pub mod soupbintcp;
pub mod udp;

pub use protocols::{Fit, ProtocolName};

#[cfg(test)]
mod oracle_tests;
