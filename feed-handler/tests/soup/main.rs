//! SoupBinTCP and NYSE Pillar: the clients of recovery against an exchange's servers, in virtual time and without sockets.

mod glimpse;
mod pillar;
mod replay;
mod world;
