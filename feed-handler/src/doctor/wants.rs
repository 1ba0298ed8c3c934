//! What is wanted of a machine, as plain values.

use super::cores::Cores;
use crate::book::BookLimits;
use crate::config::{BookKeep, BookPlan, ChannelPlan, LanePlan, LaneThreads, Plan, Timestamps};
use crate::net::Interface;
use feed_common::event::Record;
use feed_common::wire::ProtocolName;
use std::collections::BTreeSet;

/// What a configuration asks of the machine; without one, what a lane of the defaults would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wants {
    /// Whether a configuration says so.
    pub configured: bool,
    /// Threads that spin.
    pub threads: Vec<Thread>,
    /// Highest real-time priority asked for.
    pub priority: Option<u8>,
    /// Whether memory is to be kept resident.
    pub lock_memory: bool,
    /// Interfaces on which groups are joined, each once. Without a configuration: empty, for all that there are.
    pub interfaces: Vec<Interface>,
    /// Receive buffers asked for, each size once, in bytes.
    pub buffers: BTreeSet<usize>,
    /// Whether a line joins a multicast group.
    pub multicast: bool,
    /// Whether a line takes one sender's packets only (IGMPv3).
    pub sources: bool,
    /// Whether the kernel is to stamp packets.
    pub stamps: bool,
    /// Whether a lane does not start unless its cards stamp packets.
    pub hardware: bool,
    /// Bytes of each ring, all of which is touched at the start.
    pub rings: Vec<usize>,
    /// Bytes of the stashes.
    pub stashes: usize,
    /// Bytes of the books when they are full, about.
    pub books: usize,
}

/// A thread that spins, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Lane and role, as in `lane equities, receiving`.
    pub name: String,
    /// Its core, where it has one.
    pub core: Option<usize>,
}

impl Wants {
    /// What a configuration asks.
    pub fn of(plan: &Plan) -> Wants {
        let mut wants = Wants {
            configured: true,
            threads: Vec::new(),
            priority: plan.lanes.iter().filter_map(|l| l.priority).max(),
            lock_memory: plan.lock_memory,
            interfaces: Vec::new(),
            buffers: BTreeSet::new(),
            multicast: false,
            sources: false,
            stamps: false,
            hardware: false,
            rings: Vec::new(),
            stashes: 0,
            books: 0,
        };
        for lane in &plan.lanes {
            wants.add(lane, plan.publish_slots, &plan.book);
        }
        wants
    }

    /// What a lane of the defaults with one channel would ask, on any core and interface.
    pub fn machine() -> Wants {
        let lane = LanePlan::new(
            "default",
            ProtocolName::Itch50,
            vec![ChannelPlan::new("default", Vec::new())],
        );
        let mut wants = Wants::of(&Plan::new(vec![lane]));
        wants.configured = false;
        wants.multicast = true;
        wants
    }

    /// Cores that threads are pinned to.
    pub(super) fn cores(&self) -> Cores {
        self.threads.iter().filter_map(|t| t.core).collect()
    }

    /// Bytes that are touched when a run starts.
    pub(super) fn at_start(&self) -> u64 {
        let rings: usize = self.rings.iter().sum();
        (rings + self.stashes) as u64
    }

    /// The same with full books.
    pub(super) fn in_full(&self) -> u64 {
        self.at_start() + self.books as u64
    }

    /// Who asks: for reasons.
    pub(super) fn who(&self) -> &'static str {
        match self.configured {
            true => "the configuration",
            false => "a lane of the defaults",
        }
    }

    fn add(&mut self, lane: &LanePlan, publish_slots: usize, book: &BookPlan) {
        let of = |role: &str, core| Thread {
            name: format!("lane {}{role}", lane.name),
            core,
        };
        match lane.threads {
            LaneThreads::One { core } => self.threads.push(of("", core)),
            LaneThreads::Two {
                receive_core,
                decode_core,
            } => self.threads.extend([
                of(", receiving", receive_core),
                of(", decoding", decode_core),
            ]),
        }
        self.buffers.insert(lane.socket_buffer);
        self.stamps |= lane.timestamps.by_kernel();
        self.hardware |= lane.timestamps == Timestamps::Hardware;
        self.rings.push(lane.ring_slots * lane.slot_bytes);
        self.rings.push(publish_slots * size_of::<Record>());
        for channel in &lane.channels {
            self.stashes += channel.stash_packets * lane.slot_bytes;
            if book.keep == BookKeep::Full {
                self.books += book_bytes(&book.limits);
            }
            let services = [&channel.recovery, &channel.snapshot];
            let services = services.into_iter().flatten();
            for line in services
                .clone()
                .flat_map(|s| &s.lines)
                .chain(&channel.lines)
            {
                self.multicast |= line.address.group.ip().is_multicast();
                self.sources |= line.address.source.is_some();
                self.join(line.address.interface.as_ref());
            }
            services.for_each(|s| self.join(s.interface.as_ref()));
        }
    }

    fn join(&mut self, interface: Option<&Interface>) {
        if let Some(interface) = interface.filter(|i| !self.interfaces.contains(i)) {
            self.interfaces.push(interface.clone());
        }
    }
}

/// Order table, levels, their order by price and the instruments of one channel, to within a few per cent: four places
/// of 32 bytes and a rank an order, 32 bytes a level and an eighth of a 512-byte block, each table a power of two.
fn book_bytes(limits: &BookLimits) -> usize {
    let orders = (4 * limits.orders).next_power_of_two() * (32 + 8);
    let levels = limits.levels.next_power_of_two() * (32 + 64);
    let instruments = limits.instruments.next_power_of_two() * 1024;
    orders + levels + instruments
}
