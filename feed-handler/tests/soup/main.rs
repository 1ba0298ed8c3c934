//! SoupBinTCP: the clients of recovery against an exchange's servers, in virtual time and without sockets.

mod glimpse;
mod replay;
mod world;
