//! What the system knows of an interface, in the network namespace of the process.

use super::check;
use feed_common::wire::ethernet::Mac;
use socket2::{Domain, Socket, Type};
use std::ffi::{CString, c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// An interface when it was asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceFacts {
    /// Its number.
    pub index: u32,
    /// Bytes of the longest IP packet it takes whole.
    pub mtu: usize,
    /// Its station address where it is an Ethernet device, which `lo` is not.
    pub mac: Option<Mac>,
    /// Switched on.
    pub up: bool,
    /// Connected to something.
    pub carrier: bool,
}

/// Asks about the interface with this name.
pub fn interface_facts(name: &str) -> io::Result<InterfaceFacts> {
    let named = CString::new(name).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: `named` is a NUL-terminated string that lives until the call returns; nothing keeps the pointer.
    let index = match unsafe { libc::if_nametoindex(named.as_ptr()) } {
        0 => return Err(io::Error::last_os_error()),
        index => index,
    };
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    let ask = |request| ask(&socket, name, request);
    let (mtu, flags) = (ask(libc::SIOCGIFMTU)?, ask(libc::SIOCGIFFLAGS)?);
    let hardware = ask(libc::SIOCGIFHWADDR)?;
    // SAFETY: SIOCGIFMTU has written the union's `ifru_mtu`, an integer.
    let mtu = unsafe { mtu.ifr_ifru.ifru_mtu };
    // SAFETY: SIOCGIFFLAGS has written the union's `ifru_flags`, an integer.
    let flags = c_int::from(unsafe { flags.ifr_ifru.ifru_flags });
    // SAFETY: SIOCGIFHWADDR has written the union's `ifru_hwaddr`, a structure of integers.
    let hardware = unsafe { hardware.ifr_ifru.ifru_hwaddr };
    let mac = hardware
        .sa_data
        .first_chunk::<6>()
        .filter(|_| hardware.sa_family == libc::ARPHRD_ETHER);
    Ok(InterfaceFacts {
        index,
        mtu: usize::try_from(mtu).unwrap_or(0),
        mac: mac.map(|mac| mac.map(|byte| byte as u8)),
        up: flags & libc::IFF_UP != 0,
        carrier: flags & libc::IFF_RUNNING != 0,
    })
}

/// One of the requests that take an interface's name and give back something of a fixed size.
fn ask(socket: &Socket, name: &str, request: libc::c_ulong) -> io::Result<libc::ifreq> {
    // SAFETY: a C structure of integers and unions of them and pointers, for which all zeros is a valid value.
    let mut about: libc::ifreq = unsafe { std::mem::zeroed() };
    // The name was found, so it fits; the last byte stays the NUL behind it.
    let room = about.ifr_name.len() - 1;
    for (to, from) in about.ifr_name[..room].iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    // SAFETY: `about` is an `ifreq` with a NUL-terminated name, which is all that the SIOCGIF requests above read; they
    // write to its union and nowhere else. The descriptor is open.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), request as _, &mut about) })?;
    Ok(about)
}

/// Multicast leaves through the interface with this number, whatever addresses it has.
pub fn set_multicast_interface(socket: BorrowedFd<'_>, index: u32) -> io::Result<()> {
    let request = libc::ip_mreqn {
        imr_multiaddr: libc::in_addr { s_addr: 0 },
        imr_address: libc::in_addr { s_addr: 0 },
        imr_ifindex: index as c_int,
    };
    // SAFETY: the pointer and the length describe `request`, a plain structure that the kernel only reads during the
    // call. The descriptor is open for as long as it is borrowed.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_MULTICAST_IF,
            ptr::from_ref(&request).cast::<c_void>(),
            size_of_val(&request) as libc::socklen_t,
        )
    };
    check(result).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_found_by_name_or_refused() {
        let lo = interface_facts("lo").unwrap();
        assert!(lo.index > 0 && lo.mtu >= 1_280, "{lo:?}");
        assert_eq!(lo.mac, None, "loopback is no Ethernet");
        assert!(interface_facts("no such one").is_err());
        assert!(interface_facts("longer than any interface's name").is_err());
        assert!(interface_facts("nul\0inside").is_err());
    }
}
