//! The gateway over real sockets: what clients are told is what was published, whoever else there is.

mod documented;
mod hostile;
mod lanes;
mod policies;
mod stream;
mod support;
mod terms;
