//! The system calls of the network side, each wrapped so that safe code cannot misuse it.

mod cmsg;
pub mod ethtool;
pub mod interfaces;
pub mod namespace;
pub(super) mod options;
pub mod phc;
pub(super) mod recvmmsg;
pub(super) mod wait;
