//! What a lane shows of itself while it runs: counters that a cold thread may read at any time.

use super::depth::Depth;
use crate::pipeline::{Channel, Drops, Lane};
use crate::protocol::Protocol;
use crate::publish::Outlet;
use crate::sequence::Lines;
use crate::series::Counts;
use feed_common::latency::Probe;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Written by the lane with plain stores, read by anyone; each counter is exact, together they are a glimpse.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Gauge {
    packets: AtomicU64,
    messages: AtomicU64,
    published: AtomicU64,
    lost: AtomicU64,
    dropped: AtomicU64,
    holes: AtomicU64,
    open: AtomicU64,
    channels: Box<[ChannelGauge]>,
    /// In the order of [`Drops::by_cause`].
    drops: Box<[AtomicU64]>,
    /// One book, when somebody asks.
    depth: Depth,
}

/// A channel of it.
#[derive(Debug)]
struct ChannelGauge {
    figures: Figures<{ ChannelReading::WORDS }>,
    lines: Box<[Figures<{ LineReading::WORDS }>]>,
}

/// Figures that are shown together.
#[derive(Debug)]
struct Figures<const N: usize>([AtomicU64; N]);

impl<const N: usize> Default for Figures<N> {
    fn default() -> Figures<N> {
        Figures([const { AtomicU64::new(0) }; N])
    }
}

impl<const N: usize> Figures<N> {
    fn show(&self, figures: [u64; N]) {
        let places = self.0.iter().zip(figures);
        places.for_each(|(place, figure)| place.store(figure, Relaxed));
    }

    fn read(&self) -> [u64; N] {
        std::array::from_fn(|i| self.0[i].load(Relaxed))
    }
}

/// Figures by name, and the same as words in the order of the names.
macro_rules! reading {
    ($(#[$about:meta])* $name:ident { $($(#[$of:meta])* $figure:ident,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub(super) struct $name {
            $($(#[$of])* pub $figure: u64,)*
        }

        impl $name {
            const WORDS: usize = [$(stringify!($figure)),*].len();

            fn words(self) -> [u64; Self::WORDS] {
                [$(self.$figure),*]
            }

            fn of(words: [u64; Self::WORDS]) -> Self {
                let [$($figure),*] = words;
                Self { $($figure),* }
            }
        }
    };
}

reading! {
    /// A reading of one channel, as of the last interval.
    ChannelReading {
        /// Of `Trust`, its number.
        trust,
        gaps,
        lost,
        duplicates,
        recovered,
        restarts,
        silences,
        holes,
        open,
        filtered,
    }
}

reading! {
    /// Of one line.
    LineReading {
        packets,
        messages,
        first,
        lost,
        lost_alone,
        duplicates,
        /// When it was last heard, in the lane's nanoseconds; 0 before its first packet.
        heard,
    }
}

/// A reading of a [`Gauge`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Reading {
    pub packets: u64,
    pub messages: u64,
    pub published: u64,
    /// Messages in holes given up.
    pub lost: u64,
    /// Packets, frames and messages not delivered for another reason, the socket's drops left out.
    pub dropped: u64,
    /// Holes so far.
    pub holes: u64,
    /// Those that are open.
    pub open: u64,
}

impl Reading {
    /// What of it the series of a run are made of.
    pub fn counts(&self) -> Counts {
        Counts {
            packets: self.packets,
            messages: self.messages,
            lost: self.lost,
        }
    }
}

impl Gauge {
    /// Of a lane whose channels have so many lines each.
    pub fn new(lines: impl IntoIterator<Item = usize>) -> Gauge {
        let channel = |lines| ChannelGauge {
            figures: Figures::default(),
            lines: (0..lines).map(|_| Figures::default()).collect(),
        };
        let causes = Drops::default().by_cause().count();
        Gauge {
            channels: lines.into_iter().map(channel).collect(),
            drops: (0..causes).map(|_| AtomicU64::new(0)).collect(),
            ..Gauge::default()
        }
    }

    /// Shows the lane's totals.
    #[inline]
    pub fn show<P: Protocol, H: Outlet, R: Probe>(&self, lane: &Lane<P, H, R>) {
        self.packets.store(lane.packets(), Relaxed);
        self.messages.store(lane.messages(), Relaxed);
        self.published.store(lane.outlet().published(), Relaxed);
        let lost = lane.channels().iter().map(|c| c.sequence().lost);
        let lost = lost.fold(0, u64::saturating_add);
        self.lost.store(lost, Relaxed);
        self.dropped.store(lane.drops().total(), Relaxed);
        let holes = lane.channels().iter().map(|c| c.holes());
        let (holes, open) = holes.fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
        self.holes.store(holes, Relaxed);
        self.open.store(open, Relaxed);
    }

    /// Shows what each channel and line has come to: once an interval.
    #[cold]
    pub fn show_parts<P: Protocol, H: Outlet, R: Probe>(&self, lane: &Lane<P, H, R>) {
        for (place, channel) in self.channels.iter().zip(lane.channels()) {
            place.show(channel);
        }
        for (place, (_, n)) in self.drops.iter().zip(lane.drops().by_cause()) {
            place.store(n, Relaxed);
        }
        self.depth.show(lane.outlet());
    }

    /// Of one book, for who asks.
    pub(super) fn depth(&self) -> &Depth {
        &self.depth
    }

    /// The totals last shown.
    pub fn read(&self) -> Reading {
        Reading {
            packets: self.packets.load(Relaxed),
            messages: self.messages.load(Relaxed),
            published: self.published.load(Relaxed),
            lost: self.lost.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            holes: self.holes.load(Relaxed),
            open: self.open.load(Relaxed),
        }
    }

    /// What each channel and its lines last showed.
    pub(super) fn channels(&self) -> impl Iterator<Item = (ChannelReading, Vec<LineReading>)> {
        self.channels.iter().map(ChannelGauge::read)
    }

    /// What was not delivered, by cause.
    pub(super) fn drops(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let causes: Vec<_> = Drops::default()
            .by_cause()
            .map(|(cause, _)| cause)
            .collect();
        let counts = self.drops.iter().map(|n| n.load(Relaxed));
        causes.into_iter().zip(counts)
    }
}

impl ChannelGauge {
    fn show<P: Protocol>(&self, channel: &Channel<P>) {
        let sequence = channel.sequence();
        let (holes, open) = channel.holes();
        let reading = ChannelReading {
            trust: channel.trust().0.into(),
            gaps: sequence.gaps,
            lost: sequence.lost,
            duplicates: sequence.duplicates,
            recovered: sequence.recovered,
            restarts: sequence.restarts,
            silences: channel.silences(),
            holes,
            open,
            filtered: channel.filtered(),
        };
        self.figures.show(reading.words());
        for (number, line) in self.lines.iter().enumerate() {
            line.show(reading_of(channel.lines(), number).words());
        }
    }

    fn read(&self) -> (ChannelReading, Vec<LineReading>) {
        let lines = self.lines.iter().map(|line| LineReading::of(line.read()));
        (ChannelReading::of(self.figures.read()), lines.collect())
    }
}

fn reading_of(lines: &Lines, number: usize) -> LineReading {
    let Some(line) = lines.get(number) else {
        return LineReading::default();
    };
    LineReading {
        packets: line.packets,
        messages: line.messages,
        first: line.first,
        lost: line.lost(),
        lost_alone: line.lost_alone(),
        duplicates: line.duplicates,
        heard: line.heard().last().unwrap_or(0),
    }
}

impl std::ops::AddAssign for Reading {
    fn add_assign(&mut self, other: Reading) {
        self.packets += other.packets;
        self.messages += other.messages;
        self.published += other.published;
        self.lost = self.lost.saturating_add(other.lost);
        self.dropped += other.dropped;
        self.holes += other.holes;
        self.open += other.open;
    }
}
