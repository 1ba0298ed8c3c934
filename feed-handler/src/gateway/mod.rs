//! The gateway: records of a run for people far from the hot path, over WebSocket and TCP.
//!
//! A process of its own reads the shared memory that a run publishes ([`crate::tail`]); the run does not know of it. A
//! thread (`source`) reads the lanes and puts every record into the queues of those who want it (`hub`), another (`seek`)
//! finds lanes; a task for each client (`client`) sends what waits for it. Nothing waits for a client: one that is slow has a full queue, and what
//! happens then it has chosen (`queue`). What clients say and are told is in `docs/GATEWAY.md`.

mod binary;
mod client;
mod door;
mod ending;
mod http;
mod hub;
mod interests;
mod lane;
mod lanes;
mod listeners;
mod options;
mod pack;
mod queue;
mod request;
mod seat;
mod seek;
mod serve;
mod source;
mod status;
mod tcp;
mod text;
mod tokens;
mod update;
mod websocket;

pub use binary::PublishedRow;
pub use interests::Subscription;
pub use options::{GatewayError, LANES_MAX, Limits, Options};
pub use request::{Form, Hello, NAMED_MAX, Policy, Request, RequestError, Subscribe};
pub use serve::{Addresses, Gateway};
pub use status::text as status_text;
pub use tcp::{LENGTH as FRAME_LENGTH, frame_length};
pub use tokens::{Tokens, TokensError};
