//! What a network card's driver says of it: the reading halves of `SIOCETHTOOL` and of the settings of stamps. Nothing is
//! set.
//!
//! Commands and layouts are those of linux/ethtool.h and linux/net_tstamp.h: each structure is an array of 32-bit words; of
//! the former the first is the command. Any user may ask.

use socket2::{Domain, Socket, Type};
use std::io;
use std::os::fd::AsRawFd;

/// `SIOCETHTOOL` (linux/sockios.h).
const SIOCETHTOOL: libc::c_ulong = 0x8946;
/// `SIOCGHWTSTAMP` (linux/sockios.h).
const SIOCGHWTSTAMP: libc::c_ulong = 0x89b1;

/// Slots of the card's receive ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingSizes {
    /// In use.
    pub rx: u32,
    /// The most the card can have.
    pub rx_max: u32,
}

/// When the card interrupts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coalescing {
    /// Microseconds a received packet may wait for others.
    pub rx_usecs: u32,
    /// Packets it waits for.
    pub rx_frames: u32,
    /// The driver changes both by itself.
    pub adaptive: bool,
}

/// Whether received packets are put together before the network stack sees them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offloads {
    /// By the kernel (generic receive offload).
    pub gro: bool,
    /// By the card (large receive offload).
    pub lro: bool,
}

/// Who can stamp received packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StampSources {
    /// The card, in its own time.
    pub hardware: bool,
    /// The card stamps every packet, and not only those of PTP.
    pub every_packet: bool,
    /// The kernel.
    pub software: bool,
    /// Number of the card's clock (`/dev/ptpN`).
    pub clock: Option<u32>,
}

/// An open socket by which drivers are asked.
#[derive(Debug)]
pub struct Ethtool(Socket);

impl Ethtool {
    /// A socket of the network namespace this thread is in.
    pub fn new() -> io::Result<Ethtool> {
        Socket::new(Domain::IPV4, Type::DGRAM, None).map(Ethtool)
    }

    /// `ETHTOOL_GRINGPARAM`.
    pub fn ring(&self, interface: &str) -> io::Result<RingSizes> {
        let [_, rx_max, _, _, _, rx, ..] = self.get::<9>(interface, 0x10)?;
        Ok(RingSizes { rx, rx_max })
    }

    /// `ETHTOOL_GCOALESCE`.
    pub fn coalescing(&self, interface: &str) -> io::Result<Coalescing> {
        let words = self.get::<23>(interface, 0x0e)?;
        Ok(Coalescing {
            rx_usecs: words[1],
            rx_frames: words[2],
            adaptive: words[10] != 0,
        })
    }

    /// `ETHTOOL_GGRO` and `ETHTOOL_GFLAGS`.
    pub fn offloads(&self, interface: &str) -> io::Result<Offloads> {
        const LRO: u32 = 1 << 15;
        let [_, gro] = self.get::<2>(interface, 0x2b)?;
        let [_, flags] = self.get::<2>(interface, 0x25)?;
        Ok(Offloads {
            gro: gro != 0,
            lro: flags & LRO != 0,
        })
    }

    /// `ETHTOOL_GET_TS_INFO`.
    pub fn stamps(&self, interface: &str) -> io::Result<StampSources> {
        const RX_HARDWARE: u32 = 1 << 2;
        const RX_SOFTWARE: u32 = 1 << 3;
        const RAW_HARDWARE: u32 = 1 << 6;
        const FILTER_ALL: u32 = 1 << 1;
        let words = self.get::<11>(interface, 0x41)?;
        let (sources, clock, filters) = (words[1], words[2].cast_signed(), words[7]);
        Ok(StampSources {
            hardware: sources & RX_HARDWARE != 0 && sources & RAW_HARDWARE != 0,
            every_packet: filters & FILTER_ALL != 0,
            software: sources & RX_SOFTWARE != 0,
            clock: u32::try_from(clock).ok(),
        })
    }

    /// `SIOCGHWTSTAMP`: whether the card has been told to stamp every received packet.
    pub fn stamps_every_packet(&self, interface: &str) -> io::Result<bool> {
        const FILTER_ALL: u32 = 1;
        // struct hwtstamp_config: flags, what of the sent packets is stamped, what of the received ones.
        let [_, _, filter] = self.ask(interface, SIOCGHWTSTAMP, [0; 3])?;
        Ok(filter == FILTER_ALL)
    }

    /// Asks one of the commands above, whose structure has `N` words or fewer.
    fn get<const N: usize>(&self, interface: &str, command: u32) -> io::Result<[u32; N]> {
        let mut words = [0u32; N];
        words[0] = command;
        self.ask(interface, SIOCETHTOOL, words)
    }

    /// Private to this file, which asks nothing that sets anything, and with room for the answer.
    fn ask<const N: usize>(
        &self,
        interface: &str,
        call: libc::c_ulong,
        mut words: [u32; N],
    ) -> io::Result<[u32; N]> {
        // SAFETY: a C structure of integers and unions of them and pointers, for which all zeros is a valid value.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        // One byte stays for the closing zero.
        if interface.len() >= request.ifr_name.len() || interface.contains('\0') {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
            *to = from as libc::c_char;
        }
        request.ifr_ifru.ifru_data = words.as_mut_ptr().cast();
        // SAFETY: SIOCETHTOOL reads the name and the data pointer of an `ifreq`, reads the command from the data, and
        // for each command asked in this file, a reading one, writes at most its structure there: 9 words for
        // GRINGPARAM, 23 for GCOALESCE, 2 for GGRO and GFLAGS, 11 for GET_TS_INFO; SIOCGHWTSTAMP writes the 3 words of a
        // hwtstamp_config. The callers give them as `N`. Both live through the call and nothing else refers to them; the
        // kernel keeps no pointer.
        let done = unsafe { libc::ioctl(self.0.as_raw_fd(), call as _, &mut request) };
        match done {
            0 => Ok(words),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_answers_what_it_has() {
        let ethtool = Ethtool::new().unwrap();
        // Every interface says who stamps, and lo is stamped by the kernel at most.
        let stamps = ethtool.stamps("lo").unwrap();
        assert!(stamps.software && !stamps.hardware && stamps.clock.is_none());
        assert!(!ethtool.offloads("lo").unwrap().lro);
        let no_ring = ethtool.ring("lo").unwrap_err();
        assert_eq!(no_ring.raw_os_error(), Some(libc::EOPNOTSUPP));
        assert!(ethtool.stamps_every_packet("lo").is_err());
    }

    #[test]
    fn what_is_no_interface_is_refused() {
        let ethtool = Ethtool::new().unwrap();
        for name in ["none0", "", "sixteen-letters!", "a\0b"] {
            assert!(ethtool.ring(name).is_err(), "{name:?}");
            assert!(ethtool.coalescing(name).is_err(), "{name:?}");
            assert!(ethtool.stamps_every_packet(name).is_err(), "{name:?}");
        }
    }
}
