//! Control messages: what the kernel says about a datagram beside its bytes.
//!
//! Layout (cmsg(3), 64-bit): length of the message including its 16-byte header, level, type, data, padding to 8.

use feed_common::time::UnixNanos;

/// Room for both messages we ask for: a timespec (16 + 16) and a drop counter (16 + 8 with padding), and 8 spare.
pub(super) const SPACE: usize = 64;

/// Bytes the kernel writes control messages into; aligned as their headers must be.
#[derive(Clone)]
#[repr(C, align(8))]
pub(super) struct ControlBuffer(pub [u8; SPACE]);

/// What the control messages said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Control {
    /// When the kernel saw the datagram.
    pub kernel: UnixNanos,
    /// The socket's drop counter, which wraps. The kernel says nothing while it is 0.
    pub drops: Option<u32>,
}

const HEADER: usize = size_of::<libc::cmsghdr>();
const _: () = assert!(HEADER == 16 && size_of::<libc::timespec>() == 16);

/// Reads the control messages of one datagram. What it does not know or cannot be, it steps over.
#[inline]
pub(super) fn read(mut bytes: &[u8]) -> Control {
    let mut control = Control {
        kernel: UnixNanos::UNKNOWN,
        drops: None,
    };
    while let Some((header, _)) = bytes.split_first_chunk::<HEADER>() {
        let [
            l0,
            l1,
            l2,
            l3,
            l4,
            l5,
            l6,
            l7,
            v0,
            v1,
            v2,
            v3,
            t0,
            t1,
            t2,
            t3,
        ] = *header;
        let len = usize::from_ne_bytes([l0, l1, l2, l3, l4, l5, l6, l7]);
        let level = i32::from_ne_bytes([v0, v1, v2, v3]);
        let kind = i32::from_ne_bytes([t0, t1, t2, t3]);
        let Some(data) = bytes.get(HEADER..len) else {
            break; // shorter than its own header, or cut off
        };
        match (level, kind) {
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => control.kernel = timespec(data),
            (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                control.drops = data.first_chunk().map(|n| u32::from_ne_bytes(*n));
            }
            _ => {}
        }
        // `len` is at least HEADER here, so every round moves on.
        bytes = bytes.get(len.next_multiple_of(8)..).unwrap_or_default();
    }
    control
}

/// Seconds and nanoseconds since the Unix epoch; unknown when they make no time.
#[inline]
fn timespec(data: &[u8]) -> UnixNanos {
    let word = |at: usize| {
        let bytes = data.get(at..at + 8)?.first_chunk()?;
        u64::try_from(i64::from_ne_bytes(*bytes)).ok()
    };
    let nanos = word(0)
        .zip(word(8))
        .and_then(|(s, ns)| s.checked_mul(1_000_000_000)?.checked_add(ns));
    nanos.map_or(UnixNanos::UNKNOWN, UnixNanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        let mut bytes = (HEADER + data.len()).to_ne_bytes().to_vec();
        bytes.extend(level.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    fn stamp(seconds: i64, nanos: i64) -> Vec<u8> {
        let data = [seconds.to_ne_bytes(), nanos.to_ne_bytes()].concat();
        message(libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS, &data)
    }

    #[test]
    fn both_messages_in_either_order() {
        let drops = message(libc::SOL_SOCKET, libc::SO_RXQ_OVFL, &7u32.to_ne_bytes());
        let want = Control {
            kernel: UnixNanos(1_700_000_000_000_000_042),
            drops: Some(7),
        };
        let stamp = stamp(1_700_000_000, 42);
        assert_eq!(read(&[stamp.clone(), drops.clone()].concat()), want);
        assert_eq!(read(&[drops, stamp].concat()), want);
    }

    #[test]
    fn nothing_foreign_or_impossible_says_anything() {
        let nothing = Control {
            kernel: UnixNanos::UNKNOWN,
            drops: None,
        };
        assert_eq!(read(&[]), nothing);
        assert_eq!(read(&[0; SPACE]), nothing, "a length of 0");
        assert_eq!(read(&[0xFF; SPACE]), nothing, "a length past the end");
        assert_eq!(read(&stamp(-1, 0)), nothing);
        assert_eq!(read(&stamp(i64::MAX, 0)), nothing);
        assert_eq!(read(&stamp(1, 1)[..24]), nothing, "cut off");
        let foreign = message(libc::IPPROTO_IP, libc::SCM_TIMESTAMPNS, &[1; 16]);
        assert_eq!(read(&foreign), nothing);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..SPACE)) {
            read(&bytes);
        }
    }
}
