//! Who on this machine listens to a group. Frames that are put on a wire do not come back to them.

use std::net::Ipv4Addr;

/// Where the system lists the groups that are joined in the namespace of the process.
pub const LIST: &str = "/proc/net/igmp";

/// Whether `list` says that `group` is joined on `interface`.
///
/// A line without indent begins an interface, `2 eth0 : 1 V3`; each indented one is a group, its address in hexadecimal
/// as the machine stores it: `010000E0` is 224.0.0.1 where the least byte comes first.
pub fn is_member(list: &str, interface: &str, group: Ipv4Addr) -> bool {
    let mut here = false;
    list.lines().any(|line| {
        let mut words = line.split_whitespace();
        if !line.starts_with(char::is_whitespace) {
            let name = words.nth(1).unwrap_or("");
            here = name.trim_end_matches(':') == interface;
            return false;
        }
        let address = words.next().and_then(|w| u32::from_str_radix(w, 16).ok());
        here && address.is_some_and(|a| Ipv4Addr::from(a.to_ne_bytes()) == group)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Linux writes it on a machine whose least byte comes first.
    const LISTED: &str = "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n\
        1\tlo        :     1      V3\n\
        \t\t\t\t010000E0     1 0:00000000\t\t0\n\
        2\tenp0s31f6-long:     2      V3\n\
        \t\t\t\t0201A8EF     1 0:00000000\t\t0\n\
        \t\t\t\t010000E0     1 0:00000000\t\t0\n";

    #[test]
    #[cfg(target_endian = "little")]
    fn groups_are_found_on_their_interface_alone() {
        let group = Ipv4Addr::new(239, 168, 1, 2);
        assert!(is_member(LISTED, "enp0s31f6-long", group));
        assert!(!is_member(LISTED, "lo", group));
        assert!(!is_member(LISTED, "eth0", group));
        assert!(is_member(LISTED, "lo", Ipv4Addr::new(224, 0, 0, 1)));
    }

    #[test]
    fn whatever_else_stands_there_is_no_member() {
        for text in [
            "",
            "\n\t\n \tzz",
            "\t010000E0",
            "2\n\t010000E0",
            "2 lo :\n\t1010000E00 ",
        ] {
            assert!(
                !is_member(text, "lo", Ipv4Addr::new(224, 0, 0, 1)),
                "{text:?}"
            );
        }
    }
}
