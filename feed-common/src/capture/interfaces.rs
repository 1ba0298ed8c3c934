//! The interfaces a pcapng section describes: what their frames begin with, and how their clocks count.

use std::collections::HashMap;

use super::faults::Fault;
use super::pcap::ByteOrder;
use super::pcapng_time::TimeScale;
use crate::wire::frame::LinkType;

/// Interfaces of a section that are kept apart; real files have a handful.
const INTERFACES_MAX: usize = 65_536;

const OPTION_END: u16 = 0;
const OPTION_TSRESOL: u16 = 9;
const OPTION_TSOFFSET: u16 = 14;

/// A link type that a file names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkSeen {
    /// Its number in the LINKTYPE registry.
    pub number: u16,
    /// Frames of it so far; those that contradict their block have none.
    pub frames: u64,
}

/// The interfaces of the section at hand, and the link types of all sections.
#[derive(Clone, Debug, Default)]
pub(super) struct Interfaces {
    section: Vec<Interface>,
    described: u64,
    links: Vec<LinkSeen>,
    /// Where among them a link type is.
    places: HashMap<u16, usize>,
}

#[derive(Clone, Debug)]
struct Interface {
    /// `None` when frames of it cannot be read.
    link: Option<LinkType>,
    /// Its place among the link types seen.
    seen: usize,
    snap_length: u32,
    scale: TimeScale,
}

/// What stands for a description that cannot be read: nothing is found behind it.
const UNREADABLE: Interface = Interface {
    link: None,
    seen: usize::MAX,
    snap_length: 0,
    scale: TimeScale::MICROS,
};

/// An interface that a packet names.
pub(super) struct Used<'a> {
    interface: &'a Interface,
    seen: &'a mut LinkSeen,
}

impl Interfaces {
    /// Forgets the interfaces of the section before.
    pub(super) fn begin_section(&mut self) {
        self.section.clear();
    }

    /// Interfaces described in all sections.
    pub(super) fn described(&self) -> u64 {
        self.described
    }

    /// Link types in the order in which they were named.
    pub(super) fn links(&self) -> &[LinkSeen] {
        &self.links
    }

    /// The interface of a number, by order of description.
    #[inline]
    pub(super) fn get_mut(&mut self, number: u32) -> Option<Used<'_>> {
        let interface = self.section.get(number as usize)?;
        let seen = self.links.get_mut(interface.seen)?;
        Some(Used { interface, seen })
    }

    /// Reads a description. One that cannot be read takes its number all the same, so that the others keep theirs.
    pub(super) fn describe(
        &mut self,
        body: &[u8],
        order: ByteOrder,
        fault: &mut impl FnMut(Fault),
    ) {
        self.described += 1;
        if self.section.len() == INTERFACES_MAX {
            return fault(Fault::TooManyInterfaces);
        }
        let Some((fixed, options)) = body.split_first_chunk::<8>() else {
            self.section.push(UNREADABLE);
            return fault(Fault::BadInterface);
        };
        let number = order.read_u16([fixed[0], fixed[1]]);
        let (mut tsresol, mut tsoffset) = (6, 0);
        let whole = each_option(options, order, |code, value| {
            match (code, value) {
                (OPTION_TSRESOL, &[v]) => tsresol = v,
                (OPTION_TSOFFSET, &[a, b, c, d, e, f, g, h]) => {
                    tsoffset = order.read_i64([a, b, c, d, e, f, g, h]);
                }
                (OPTION_TSRESOL | OPTION_TSOFFSET, _) => return false,
                _ => {}
            }
            true
        });
        if !whole {
            fault(Fault::BadOption);
        }
        let interface = Interface {
            link: LinkType::try_from(number).ok(),
            seen: self.place(number),
            snap_length: order.read_u32([fixed[4], fixed[5], fixed[6], fixed[7]]),
            scale: TimeScale::new(tsresol, tsoffset),
        };
        self.section.push(interface);
    }

    /// The place of a link type among those seen.
    fn place(&mut self, number: u16) -> usize {
        *self.places.entry(number).or_insert_with(|| {
            self.links.push(LinkSeen { number, frames: 0 });
            self.links.len() - 1
        })
    }
}

impl Used<'_> {
    /// Counts a frame; what it begins with, if that can be read.
    #[inline]
    pub(super) fn count(&mut self) -> Option<LinkType> {
        self.seen.frames += 1;
        self.interface.link
    }

    /// Most bytes of a frame that are held.
    pub(super) fn snap_length(&self) -> u32 {
        match self.interface.snap_length {
            0 => u32::MAX,
            limit => limit,
        }
    }

    /// How its clock counts.
    #[inline]
    pub(super) fn scale(&self) -> TimeScale {
        self.interface.scale
    }
}

/// Calls `each` with every option; whether all were whole and it said so of each. The mark at the end may be
/// left out.
fn each_option(
    mut options: &[u8],
    order: ByteOrder,
    mut each: impl FnMut(u16, &[u8]) -> bool,
) -> bool {
    let mut all = true;
    while !options.is_empty() {
        let Some((&[a, b, c, d], rest)) = options.split_first_chunk::<4>() else {
            return false;
        };
        let (code, len) = (order.read_u16([a, b]), order.read_u16([c, d]) as usize);
        if code == OPTION_END {
            break;
        }
        let Some(value) = rest.get(..len) else {
            return false;
        };
        all &= each(code, value);
        options = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    all
}
