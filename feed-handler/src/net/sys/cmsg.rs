//! Control messages: what the kernel says about a datagram beside its bytes.
//!
//! Layout (cmsg(3), 64-bit): length of the message including its 16-byte header, level, type, data, padding to 8.

use feed_common::time::{CardNanos, UnixNanos};

/// Room for the messages we ask for: one or three timespecs (16 + 48) and a drop counter (16 + 8 with padding), and 8
/// spare.
pub(super) const SPACE: usize = 96;

/// Bytes the kernel writes control messages into; aligned as their headers must be.
#[derive(Clone)]
#[repr(C, align(8))]
pub(super) struct ControlBuffer(pub [u8; SPACE]);

/// What the control messages said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Control {
    /// When the kernel saw the datagram.
    pub kernel: UnixNanos,
    /// When the network card did, by its own clock.
    pub card: CardNanos,
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
        card: CardNanos::UNKNOWN,
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
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => control.kernel = UnixNanos(timespec(data)),
            // Three times (linux/errqueue.h): the kernel's, one that is not used any more, the card's; zeros for none.
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPING) => {
                control.kernel = UnixNanos(timespec(data));
                control.card = CardNanos(timespec(data.get(32..).unwrap_or_default()));
            }
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

/// Seconds and nanoseconds as nanoseconds; 0, which means unknown, when they make no time.
#[inline]
fn timespec(data: &[u8]) -> u64 {
    let word = |at: usize| {
        let bytes = data.get(at..at + 8)?.first_chunk()?;
        u64::try_from(i64::from_ne_bytes(*bytes)).ok()
    };
    let nanos = word(0)
        .zip(word(8))
        .and_then(|(s, ns)| s.checked_mul(1_000_000_000)?.checked_add(ns));
    nanos.unwrap_or(0)
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
            card: CardNanos::UNKNOWN,
            drops: Some(7),
        };
        let stamp = stamp(1_700_000_000, 42);
        assert_eq!(read(&[stamp.clone(), drops.clone()].concat()), want);
        assert_eq!(read(&[drops, stamp].concat()), want);
    }

    /// As the kernel says the times of a datagram that it and a card have stamped.
    fn stamps(times: [(i64, i64); 3]) -> Vec<u8> {
        let words = times.into_iter().flat_map(|(s, ns)| [s, ns]);
        let data: Vec<u8> = words.flat_map(i64::to_ne_bytes).collect();
        message(libc::SOL_SOCKET, libc::SCM_TIMESTAMPING, &data)
    }

    #[test]
    fn the_card_s_time_is_the_third() {
        let both = stamps([(1_700_000_000, 42), (9, 9), (1_700_000_036, 999_999_999)]);
        let drops = message(libc::SOL_SOCKET, libc::SO_RXQ_OVFL, &7u32.to_ne_bytes());
        let want = Control {
            kernel: UnixNanos(1_700_000_000_000_000_042),
            card: CardNanos(1_700_000_036_999_999_999),
            drops: Some(7),
        };
        let all = [both, drops].concat();
        assert!(all.len() <= SPACE, "{} bytes", all.len());
        assert_eq!(read(&all), want);
        let kernel_alone = read(&stamps([(1, 2), (0, 0), (0, 0)]));
        assert_eq!(kernel_alone.kernel, UnixNanos(1_000_000_002));
        assert_eq!(kernel_alone.card, CardNanos::UNKNOWN);
        let card_alone = read(&stamps([(0, 0), (0, 0), (0, 3)]));
        assert_eq!(card_alone.kernel, UnixNanos::UNKNOWN);
        assert_eq!(card_alone.card, CardNanos(3));
    }

    /// The bytes of a message as a 64-bit little-endian kernel lays it out.
    #[cfg(all(target_endian = "little", target_pointer_width = "64"))]
    #[test]
    fn the_layout_is_the_kernel_s() {
        let mut bytes = vec![64, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 37, 0, 0, 0];
        bytes.extend([2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend([0; 16]);
        bytes.extend([3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0]);
        let Control { kernel, card, .. } = read(&bytes);
        assert_eq!(kernel, UnixNanos(2_000_000_001));
        assert_eq!(card, CardNanos(3_000_000_004));
    }

    #[test]
    fn nothing_foreign_or_impossible_says_anything() {
        let nothing = Control {
            kernel: UnixNanos::UNKNOWN,
            card: CardNanos::UNKNOWN,
            drops: None,
        };
        assert_eq!(read(&[]), nothing);
        assert_eq!(read(&[0; SPACE]), nothing, "a length of 0");
        assert_eq!(read(&[0xFF; SPACE]), nothing, "a length past the end");
        assert_eq!(read(&stamp(-1, 0)), nothing);
        assert_eq!(read(&stamp(i64::MAX, 0)), nothing);
        assert_eq!(read(&stamp(1, 1)[..24]), nothing, "cut off");
        let card = stamps([(1, 1), (0, 0), (-1, 5)]);
        assert_eq!(read(&card[..63]), nothing, "cut off");
        assert_eq!(read(&card).card, CardNanos::UNKNOWN);
        let short = message(libc::SOL_SOCKET, libc::SCM_TIMESTAMPING, &card[16..56]);
        assert_eq!(
            read(&short).card,
            CardNanos::UNKNOWN,
            "two times and a half"
        );
        let foreign = message(libc::IPPROTO_IP, libc::SCM_TIMESTAMPNS, &[1; 16]);
        assert_eq!(read(&foreign), nothing);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..SPACE)) {
            read(&bytes);
        }

        /// A message of the three times cut anywhere, or of any length its header likes to say.
        #[test]
        fn three_times_are_read_or_not(
            times: [(i64, i64); 3],
            cut in 0..SPACE,
            len in proptest::option::of(any::<u64>()),
        ) {
            let mut bytes = stamps(times);
            if let Some(len) = len {
                bytes[..8].copy_from_slice(&len.to_ne_bytes());
            }
            bytes.truncate(cut);
            let whole = cut >= 64 && len.is_none();
            let nanos = |(s, ns): (i64, i64)| {
                let (s, ns) = (u64::try_from(s).ok()?, u64::try_from(ns).ok()?);
                s.checked_mul(1_000_000_000)?.checked_add(ns)
            };
            let read = read(&bytes);
            if whole {
                prop_assert_eq!(read.kernel.0, nanos(times[0]).unwrap_or(0));
                prop_assert_eq!(read.card.0, nanos(times[2]).unwrap_or(0));
            } else if len.is_none() {
                prop_assert_eq!((read.kernel.0, read.card.0), (0, 0));
            }
        }
    }
}
