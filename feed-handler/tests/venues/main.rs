//! Every protocol that can be made, through every command: one list of promises for all of them.
//!
//! The list of protocols is the generator's own, so a new exchange is tested by being there. What its books are compared
//! with is the market behind the session (`expected_book`), which knows nothing of the exchange's messages; `made` says
//! what each feed can say of it.

#[allow(dead_code)]
#[path = "../cli/support.rs"]
mod support;

#[path = "../sessions/mod.rs"]
mod sessions;

mod commands;
mod lines;
mod made;
mod oracle;
mod runs;
