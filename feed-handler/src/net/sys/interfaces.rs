//! The network interfaces of this machine.

use std::ffi::CStr;
use std::io;
use std::net::Ipv4Addr;

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceFacts {
    /// Name, such as `eth0`.
    pub name: String,
    /// The kernel's number for it.
    pub index: u32,
    /// Its IPv4 addresses.
    pub addresses: Vec<Ipv4Addr>,
    /// Whether it is up.
    pub up: bool,
}

/// All interfaces, in the kernel's order.
pub fn interfaces() -> io::Result<Vec<InterfaceFacts>> {
    let list = List::read()?;
    let mut all: Vec<InterfaceFacts> = Vec::new();
    let mut next = list.0;
    while !next.is_null() {
        // SAFETY: `next` is not null and comes from the list getifaddrs made, which lives until `list` is dropped.
        let entry = unsafe { &*next };
        next = entry.ifa_next;
        // SAFETY: every entry has a name, a C string that lives as long as the list.
        let name = unsafe { CStr::from_ptr(entry.ifa_name) };
        let text = name.to_string_lossy();
        let known = all.iter().position(|i| i.name == text);
        let at = known.unwrap_or_else(|| {
            all.push(InterfaceFacts {
                name: text.into_owned(),
                // SAFETY: `name` is a C string. 0, for an interface that has just gone, is refused when it is used.
                index: unsafe { libc::if_nametoindex(name.as_ptr()) },
                addresses: Vec::new(),
                up: entry.ifa_flags & libc::IFF_UP as u32 != 0,
            });
            all.len() - 1
        });
        all[at].addresses.extend(ipv4(entry));
    }
    Ok(all)
}

fn ipv4(entry: &libc::ifaddrs) -> Option<Ipv4Addr> {
    // SAFETY: an address of an entry is null or points to a `sockaddr` of the list, of which the family is always
    // there.
    let family = unsafe { entry.ifa_addr.as_ref() }?.sa_family;
    if i32::from(family) != libc::AF_INET {
        return None;
    }
    // SAFETY: by its family the address is a whole `sockaddr_in`, which getifaddrs aligns for any address.
    let address = unsafe { &*entry.ifa_addr.cast::<libc::sockaddr_in>() };
    Some(Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr)))
}

/// The list getifaddrs made.
struct List(*mut libc::ifaddrs);

impl List {
    fn read() -> io::Result<List> {
        let mut first = std::ptr::null_mut();
        // SAFETY: `first` is a place for the list's head, which on success belongs to the returned value.
        match unsafe { libc::getifaddrs(&mut first) } {
            0 => Ok(List(first)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: the list came from getifaddrs and is freed once.
        unsafe { libc::freeifaddrs(self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_there() {
        let all = interfaces().unwrap();
        let lo = all.iter().find(|i| i.name == "lo").expect("lo");
        assert_ne!(lo.index, 0);
        assert!(
            all.iter()
                .all(|i| all.iter().filter(|j| j.name == i.name).count() == 1)
        );
    }
}
