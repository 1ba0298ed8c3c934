//! Lanes: their threads, their ring, and the channels that name them.

use super::channels::Unplaced;
use super::{Resolver, Taken, number};
use crate::config::defaults::*;
use crate::config::file::{self, File, Layout};
use crate::config::plan::{LanePlan, LaneThreads};
use feed_common::wire::ProtocolName;
use std::collections::HashMap;
use std::ops::Range;
use toml::Spanned;

impl Resolver<'_> {
    pub(super) fn lanes(
        &mut self,
        lanes: &[file::Lane],
        channels: &[Unplaced<'_>],
    ) -> Vec<LanePlan> {
        if let Some(beyond) = lanes.get(CHANNELS_MAX) {
            self.wrong(&beyond.name, format!("more than {CHANNELS_MAX} lanes"));
        }
        let (mut names, mut cores) = (Taken::new(), HashMap::new());
        let mut all = Vec::with_capacity(lanes.len());
        for lane in lanes {
            let name = self.name("lane", &lane.name, &mut names);
            let own = channels
                .iter()
                .filter(|c| c.file.lane.get_ref() == lane.name.get_ref());
            all.push(self.lane(name, lane, own.collect(), &mut cores));
        }
        all
    }

    fn lane(
        &mut self,
        name: String,
        lane: &file::Lane,
        channels: Vec<&Unplaced<'_>>,
        cores: &mut HashMap<usize, Range<usize>>,
    ) -> LanePlan {
        let protocol = match channels.first() {
            Some(first) => first.file.protocol.get_ref().0,
            None => {
                self.wrong(&lane.name, format!("lane `{name}` has no channel"));
                ProtocolName::Native
            }
        };
        for other in channels
            .iter()
            .filter(|c| c.file.protocol.get_ref().0 != protocol)
        {
            let message = format!(
                "lane `{name}` already has channels of protocol `{}`: expected the same, or another lane",
                protocol.name()
            );
            self.wrong(&other.file.protocol, message);
        }
        self.repeated_groups(&channels);
        let ring_slots =
            self.power_of_two("slots", &lane.ring.slots, RING_SLOTS, 2..=RING_SLOTS_MAX);
        let slot_bytes = self.slot_bytes(&lane.ring, ring_slots);
        LanePlan {
            threads: self.threads(lane, cores),
            priority: lane
                .priority
                .as_ref()
                .map(|p| self.within("priority", number(&Some(p.clone()), 0), 1..=99) as u8),
            batch: self.batch(lane, ring_slots),
            socket_buffer: self.socket_buffer(lane),
            timestamps: lane.timestamps,
            ring_slots,
            slot_bytes,
            ..LanePlan::new(
                &name,
                protocol,
                channels.iter().map(|c| c.plan.clone()).collect(),
            )
        }
    }

    fn threads(
        &mut self,
        lane: &file::Lane,
        cores: &mut HashMap<usize, Range<usize>>,
    ) -> LaneThreads {
        let (unfit, layout) = match lane.layout {
            Layout::OneThread => (
                [
                    ("receive_core", &lane.receive_core),
                    ("decode_core", &lane.decode_core),
                ]
                .to_vec(),
                "`layout = \"two-threads\"`, or `core` instead",
            ),
            Layout::TwoThreads => (
                [("core", &lane.core)].to_vec(),
                "`layout = \"one-thread\"`, or `receive_core` and `decode_core` instead",
            ),
        };
        for (key, value) in unfit {
            if let Some(value) = value {
                self.wrong(
                    value,
                    format!("`{key}` does not fit the lane's layout: expected {layout}"),
                );
            }
        }
        match lane.layout {
            Layout::OneThread => LaneThreads::One {
                core: self.core("core", &lane.core, cores),
            },
            Layout::TwoThreads => LaneThreads::Two {
                receive_core: self.core("receive_core", &lane.receive_core, cores),
                decode_core: self.core("decode_core", &lane.decode_core, cores),
            },
        }
    }

    fn core(
        &mut self,
        key: &str,
        value: &Option<Spanned<u64>>,
        cores: &mut HashMap<usize, Range<usize>>,
    ) -> Option<usize> {
        let value = value.as_ref()?;
        let core = self.within(key, number(&Some(value.clone()), 0), 0..=CORES_MAX - 1);
        if let Some(first) = cores.get(&core) {
            let at = self.line_of(first.clone());
            let why = "two threads that spin would starve each other: expected a core of its own";
            self.wrong(
                value,
                format!("core {core} is already taken (line {at}); {why}"),
            );
        }
        cores.entry(core).or_insert(value.span());
        Some(core)
    }

    fn slot_bytes(&mut self, ring: &file::Ring, slots: usize) -> usize {
        let range = 2 * SLOT_HEADER_BYTES..=SLOT_BYTES_MAX;
        let bytes = self.within("slot_bytes", number(&ring.slot_bytes, SLOT_BYTES), range);
        let Some(text) = &ring.slot_bytes else {
            return bytes;
        };
        if !bytes.is_multiple_of(SLOT_HEADER_BYTES) {
            self.wrong(
                text,
                format!("`slot_bytes` is {bytes}: expected a multiple of 64, the cache line"),
            );
        }
        if slots * bytes > RING_BYTES_MAX {
            self.wrong(
                text,
                format!("a ring of {slots} slots of {bytes} bytes is over the limit of 4GiB"),
            );
        }
        bytes
    }

    fn batch(&mut self, lane: &file::Lane, ring_slots: usize) -> usize {
        let batch = self.within("batch", number(&lane.batch, BATCH), 1..=BATCH_MAX);
        if batch > ring_slots {
            let text = lane.batch.as_ref().or(lane.ring.slots.as_ref());
            let at = text.map_or(0..0, |t| t.span());
            self.note(
                at,
                format!("a batch of {batch} does not fit a ring of {ring_slots} slots"),
            );
        }
        batch
    }

    fn socket_buffer(&mut self, lane: &file::Lane) -> usize {
        let Some(text) = &lane.socket_buffer else {
            return SOCKET_BUFFER_BYTES;
        };
        let limits = SOCKET_BUFFER_BYTES_MIN as u64..=SOCKET_BUFFER_BYTES_MAX as u64;
        let bytes = text.get_ref().0;
        if !limits.contains(&bytes) {
            self.wrong(
                text,
                "`socket_buffer` is out of range: expected 4KiB to 512MiB",
            );
            return SOCKET_BUFFER_BYTES;
        }
        bytes as usize
    }

    pub(super) fn lane_references(&mut self, file: &File) {
        for channel in &file.channels {
            self.lane_index(&channel.lane, &file.lanes);
        }
    }

    pub(super) fn lane_index(
        &mut self,
        name: &Spanned<String>,
        lanes: &[file::Lane],
    ) -> Option<usize> {
        let found = lanes
            .iter()
            .position(|l| l.name.get_ref() == name.get_ref());
        if found.is_none() {
            let names: Vec<_> = lanes
                .iter()
                .map(|l| format!("`{}`", l.name.get_ref()))
                .collect();
            let expected = match names.as_slice() {
                [] => "expected a [[lane]] of that name".to_owned(),
                names => format!("expected {}", names.join(" or ")),
            };
            self.wrong(
                name,
                format!("unknown lane `{}`, {expected}", name.get_ref()),
            );
        }
        found
    }
}
