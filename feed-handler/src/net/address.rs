//! What a line listens to, as plain values.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::str::FromStr;

/// What one socket listens to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineAddress {
    /// A multicast group and port, or an address of this machine for a unicast line.
    pub group: SocketAddrV4,
    /// Where a multicast group is joined; without one the kernel would take whichever interface its routes name.
    pub interface: Option<Interface>,
    /// Takes packets of this sender only (a source-specific join).
    pub source: Option<Ipv4Addr>,
}

impl fmt::Display for LineAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.group.fmt(f)?;
        if let Some(interface) = &self.interface {
            write!(f, " on {interface}")?;
        }
        if let Some(source) = self.source {
            write!(f, " from {source}")?;
        }
        Ok(())
    }
}

/// A network interface, by name or by one of its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interface {
    /// Such as `eth0`.
    Name(String),
    /// An IPv4 address it has.
    Address(Ipv4Addr),
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Interface::Name(name) => f.write_str(name),
            Interface::Address(address) => address.fmt(f),
        }
    }
}

/// Not a name the kernel would take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the name of an interface (1 to 15 characters) or its IPv4 address")]
pub struct InterfaceError;

impl FromStr for Interface {
    type Err = InterfaceError;

    fn from_str(text: &str) -> Result<Interface, InterfaceError> {
        if let Ok(address) = text.parse() {
            return Ok(Interface::Address(address));
        }
        // The kernel's own rule (dev_valid_name): IFNAMSIZ with its NUL, no path, no blanks, no colon.
        let allowed = |c: char| !c.is_whitespace() && !c.is_control() && c != '/' && c != ':';
        let valid = (1..=15).contains(&text.len())
            && text.chars().all(allowed)
            && text != "."
            && text != "..";
        valid
            .then(|| Interface::Name(text.to_owned()))
            .ok_or(InterfaceError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_told_apart() {
        assert_eq!(
            "10.0.0.1".parse(),
            Ok(Interface::Address(Ipv4Addr::new(10, 0, 0, 1)))
        );
        assert_eq!("eth0.100".parse(), Ok(Interface::Name("eth0.100".into())));
        for bad in ["", "a name", "eth0/1", "eth0:1", "sixteen-letters!", ".."] {
            assert_eq!(bad.parse::<Interface>(), Err(InterfaceError), "{bad}");
        }
    }
}
