//! The program as its users meet it: facts, exit statuses, and what it says about input that is not as it should be.
//!
//! Every run of the program is held to three things besides what its test asks: it ends within a minute, it does not
//! panic, and a status other than 0 comes with a reason.

mod books;
mod cme;
mod consumers;
mod doctor;
#[cfg(feature = "export")]
mod export;
#[cfg(feature = "export")]
mod export_runs;
mod files;
mod gateway;
mod journal;
mod naive;
mod output;
mod packets;
mod progress;
mod protocols;
mod readings;
mod report;
mod sampling;
mod shared;
mod start;
mod support;
mod usage;
