//! Fragments put together.

use super::choices::Choices;
use feed_common::capture::Fragments;
use feed_common::time::UnixNanos;
use feed_common::wire::frame::{Contents, Fragment, LinkType, contents};
use std::net::{IpAddr, Ipv4Addr};

/// Five bytes a fragment: of datagrams of ours, in any order, any often and lying at will. What is put together of
/// fragments that did not lie is what was taken apart.
pub fn fragments(data: &[u8]) {
    let mut choices = Choices(data);
    let (mut fragments, mut honest) = (Fragments::new(), [true; 8]);
    let (mut now, mut given) = (0u64, 0);
    while let Some(what) = choices.byte() {
        let [at, len, lie, wait] = [0; 4].map(|_| choices.small());
        let id = what & 7;
        let whole = datagram(id);
        let (at, len) = (at as usize * 8 % whole.len(), (len as usize & 15) * 8 + 8);
        let end = (at + len).min(whole.len());
        let mut bytes = whole[at..end].to_vec();
        let (mut offset, mut more) = (at as u16, end < whole.len());
        match lie {
            0..=7 => more = !more,
            8..=15 => offset = offset.wrapping_add((lie as u16) << 11),
            16..=23 => bytes[0] ^= 1,
            24..=31 => bytes.truncate(lie as usize - 24),
            _ => {}
        }
        honest[usize::from(id)] &= lie >= 32;
        // Mostly at once, sometimes after the patience for one of them.
        now += if wait >= 250 {
            Fragments::PATIENCE / 2
        } else {
            wait
        };
        let address = IpAddr::V4(Ipv4Addr::new(239, 0, 0, what >> 3 & 1));
        let fragment = Fragment {
            src: address,
            dst: address,
            protocol: 17,
            id: id.into(),
            offset,
            more,
            bytes: &bytes,
        };
        given += 1;
        if let Some(made) = fragments.add(&fragment, UnixNanos(now)) {
            assert_eq!(made.missing, 0);
            if honest[usize::from(id)] {
                assert_eq!(made.payload, &whole[8..]);
            }
        }
    }
    account(&fragments, given);
}

/// Frames behind each other, each after a byte for its link type and one for its length.
pub fn fragment_frames(data: &[u8]) {
    let mut choices = Choices(data);
    let (mut fragments, mut given) = (Fragments::new(), 0);
    while let Some(link) = choices.byte() {
        let link = LinkType::ALL[usize::from(link) % LinkType::ALL.len()];
        let len = choices.small() as usize;
        if let Ok(Contents::Fragment(fragment)) = contents(choices.bytes(len), link) {
            given += 1;
            if let Some(made) = fragments.add(&fragment, UnixNanos(given)) {
                assert!(made.missing == 0 && made.payload.len() <= Fragments::DATAGRAM_MAX);
            }
        }
    }
    account(&fragments, given);
}

/// Nothing becomes of fragments that were not there.
fn account(fragments: &Fragments, given: u64) {
    let counters = fragments.counters();
    assert!(fragments.incomplete() <= Fragments::DATAGRAMS as u64);
    let ended = counters.completed + counters.lost() + fragments.incomplete();
    assert!(ended <= given, "{ended} datagrams of {given} fragments");
    assert!(counters.duplicates + counters.late <= given);
}

/// A UDP segment of its own for each number.
fn datagram(id: u8) -> Vec<u8> {
    let len = 24 + usize::from(id) * 37;
    let mut segment = vec![0, 1, 0, 2, (len >> 8) as u8, len as u8, 0, 0];
    segment.extend((8..len).map(|i| (i * 7) as u8 ^ id << 5));
    segment
}
