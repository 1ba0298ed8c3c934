//! Sockets and files as packet sources.

mod address;
mod counters;
pub mod file;
mod host;
mod servers;
mod socket;
mod stamps;
#[allow(unsafe_code)]
mod sys;
mod udp;

pub use address::{Interface, InterfaceError, LineAddress};
pub use counters::{LineCounters, LineCounts};
pub use host::{HostDrops, HostWatch};
pub use servers::Servers;
pub use socket::{SocketError, granted_buffer};
pub use stamps::{CardStamps, Lack, Stamper, Timestamps};
pub use sys::ethtool::{Coalescing, Ethtool, Offloads, RingSizes, StampSources};
pub use sys::interfaces::{InterfaceFacts, interfaces};
pub use sys::namespace::{Entered, NamespaceError, enter_private};
pub use sys::phc::CardClock;
pub use udp::{UdpOptions, UdpReceiver};
