//! The resolved configuration: every default filled in, every reference followed, every rule checked.
//!
//! Channels live inside their lane and the protocol belongs to the lane, so that a channel without a lane or a lane
//! of two protocols cannot be written down. All fields are plain values; what runs is built from them once.

use super::Injection;
use super::defaults;
use crate::book::BookLimits;
use crate::net::{Interface, LineAddress, Timestamps, UdpOptions};
use crate::pipeline::Join;
use crate::subscribe::Glob;
use feed_common::journal::JournalOptions;
use feed_common::time::{CivilDate, Zone};
use feed_common::wire::ProtocolName;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::time::Duration;

/// A whole configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Date and time zone of the exchange's times.
    pub session: SessionPlan,
    /// Whether all memory is kept resident (`mlockall`).
    pub lock_memory: bool,
    /// The lanes, in the order of the file.
    pub lanes: Vec<LanePlan>,
    /// The books of every channel.
    pub book: BookPlan,
    /// Slots of the broadcast ring (a power of two).
    pub publish_slots: usize,
    /// Where other processes can read the records and the latest quotes; `None` when the rings are in this process alone.
    pub shared_memory: Option<SharedMemoryPlan>,
    /// A digest of the records so far is kept every so many sequence numbers (a power of two); 0 for none.
    pub digest_every: u64,
    /// The symbols that are wanted at first; every one when there is no pattern.
    pub symbols: Vec<Glob>,
    /// The socket on which a live run can be told what is wanted; `None` for no such socket.
    pub control: Option<PathBuf>,
    /// Where metrics can be read while it runs, on the loopback interface; `None` for nowhere.
    pub metrics: Option<SocketAddrV4>,
    /// Where what is published is kept; `None` for nowhere.
    pub journal: Option<JournalPlan>,
    /// Consumers that block, in the order of the file.
    pub consumers: Vec<ConsumerPlan>,
    /// How latency is measured.
    pub latency: LatencyPlan,
    /// Folder for results, relative to the working directory; `None` when only the command line may name one.
    pub output_dir: Option<PathBuf>,
    /// Where to keep what is received; only the command line names it.
    pub record: Option<RecordPlan>,
}

impl Plan {
    /// Lanes with everything else at its default.
    pub fn new(lanes: Vec<LanePlan>) -> Plan {
        Plan {
            session: SessionPlan::default(),
            lock_memory: false,
            lanes,
            book: BookPlan::default(),
            publish_slots: defaults::PUBLISH_SLOTS,
            shared_memory: None,
            digest_every: defaults::DIGEST_EVERY,
            symbols: Vec::new(),
            control: None,
            metrics: None,
            journal: None,
            consumers: Vec::new(),
            latency: LatencyPlan::default(),
            output_dir: None,
            record: None,
        }
    }

    /// All channels with their lane's index, lane by lane. A channel's number in records is its place here.
    pub fn channels(&self) -> impl Iterator<Item = (usize, &ChannelPlan)> {
        self.lanes
            .iter()
            .enumerate()
            .flat_map(|(i, lane)| lane.channels.iter().map(move |c| (i, c)))
    }
}

/// The rings in files that other processes map, one a lane, named like it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedMemoryPlan {
    /// Their folder; made when it is not there.
    pub dir: PathBuf,
    /// Instruments of a lane that have a row in its table of latest quotes.
    pub instruments: u32,
    /// Permissions: 0o600, with 0o040 and 0o004 for whom may read.
    pub mode: u32,
    /// Their group, by its name in `/etc/group` or its number; `None` for that of the process.
    pub group: Option<String>,
}

impl SharedMemoryPlan {
    /// In that folder, with everything else at its default.
    pub fn new(dir: impl Into<PathBuf>) -> SharedMemoryPlan {
        SharedMemoryPlan {
            dir: dir.into(),
            instruments: defaults::SHARED_INSTRUMENTS,
            mode: defaults::SHARED_MODE,
            group: None,
        }
    }

    /// The file of a lane.
    pub fn file(&self, lane: &str) -> PathBuf {
        self.dir.join(lane)
    }
}

/// What exchanges that send time since midnight need besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionPlan {
    /// Day of the session; `None` to take it from the first packet.
    pub date: Option<CivilDate>,
    /// Zone of the exchange; `None` for the protocol's own.
    pub zone: Option<Zone>,
}

/// A lane: its threads and the channels they serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanePlan {
    /// Unique name.
    pub name: String,
    /// The protocol of all its channels.
    pub protocol: ProtocolName,
    /// Threads and where they run.
    pub threads: LaneThreads,
    /// `SCHED_FIFO` priority of its threads, 1 to 99; `None` for the ordinary scheduler.
    pub priority: Option<u8>,
    /// Slots of the packet ring, a power of two.
    pub ring_slots: usize,
    /// Bytes of a slot, receive facts included; a multiple of 64.
    pub slot_bytes: usize,
    /// Packets taken by one receive call.
    pub batch: usize,
    /// Receive buffer to ask for each socket, in bytes.
    pub socket_buffer: usize,
    /// Who stamps packets before user space sees them.
    pub timestamps: Timestamps,
    /// Its channels, in the order of the file; never empty.
    pub channels: Vec<ChannelPlan>,
}

impl LanePlan {
    /// A lane of one unpinned thread with everything else at its default.
    pub fn new(name: &str, protocol: ProtocolName, channels: Vec<ChannelPlan>) -> LanePlan {
        LanePlan {
            name: name.to_owned(),
            protocol,
            threads: LaneThreads::One { core: None },
            priority: None,
            ring_slots: defaults::RING_SLOTS,
            slot_bytes: defaults::SLOT_BYTES,
            batch: defaults::BATCH,
            socket_buffer: defaults::SOCKET_BUFFER_BYTES,
            timestamps: Timestamps::default(),
            channels,
        }
    }

    /// All lines with their channel's index within the lane, in polling order. A line's number is its place here.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &LinePlan)> {
        self.channels
            .iter()
            .enumerate()
            .flat_map(|(i, channel)| channel.lines.iter().map(move |l| (i, l)))
    }

    /// What its sockets listen to, in polling order.
    pub fn addresses(&self) -> Vec<LineAddress> {
        self.lines().map(|(_, l)| l.address.clone()).collect()
    }

    /// How its sockets are read.
    pub fn udp_options(&self) -> UdpOptions {
        UdpOptions {
            batch: self.batch,
            socket_buffer: self.socket_buffer,
            timestamps: self.timestamps,
        }
    }
}

/// How a lane's work is put on threads. A core is the kernel's number; `None` leaves the thread unpinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneThreads {
    /// One thread receives and decodes.
    One {
        /// Where it runs.
        core: Option<usize>,
    },
    /// One thread receives into the ring, another decodes from it.
    Two {
        /// Where the receiving thread runs.
        receive_core: Option<usize>,
        /// Where the decoding thread runs.
        decode_core: Option<usize>,
    },
}

impl fmt::Display for LaneThreads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let core = |c: Option<usize>| c.map_or("any core".to_owned(), |c| format!("core {c}"));
        match *self {
            LaneThreads::One { core: c } => write!(f, "one thread on {}", core(c)),
            LaneThreads::Two {
                receive_core,
                decode_core,
            } => write!(
                f,
                "receive on {}, decode on {}",
                core(receive_core),
                core(decode_core)
            ),
        }
    }
}

/// A channel: one sequence of messages, carried by one or more equal lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelPlan {
    /// Unique name.
    pub name: String,
    /// Longest wait for a packet that another line may still bring.
    pub reorder_window: Duration,
    /// How long its lines may be silent before its instruments are said to be stale; `None`: for ever.
    pub stale_after: Option<Duration>,
    /// Packets held back behind a gap at most.
    pub stash_packets: usize,
    /// A capture with the definitions of its instruments, where another stream says them; relative to the working
    /// directory.
    pub definitions: Option<PathBuf>,
    /// What is done about the beginning of a session that is joined late.
    pub join: Join,
    /// Who is asked for messages that no line brought.
    pub recovery: Option<ServicePlan>,
    /// Who is asked for the state of the books.
    pub snapshot: Option<ServicePlan>,
    /// Its lines; never empty.
    pub lines: Vec<LinePlan>,
}

impl ChannelPlan {
    /// A channel with the default reordering.
    pub fn new(name: &str, lines: Vec<LinePlan>) -> ChannelPlan {
        ChannelPlan {
            name: name.to_owned(),
            reorder_window: Duration::from_nanos(defaults::REORDER_WINDOW_NANOS),
            stale_after: Some(Duration::from_nanos(defaults::STALE_AFTER_NANOS)),
            stash_packets: defaults::STASH_PACKETS,
            definitions: None,
            join: Join::default(),
            recovery: None,
            snapshot: None,
            lines,
        }
    }
}

/// A service that gives back what the lines lost, or says what the books are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePlan {
    /// How it is spoken to.
    pub kind: ServiceKind,
    /// Its servers, asked in turn, or the groups that are listened to; never empty.
    pub servers: Vec<SocketAddrV4>,
    /// Groups with the orders of the books, where they are others.
    pub orders: Vec<SocketAddrV4>,
    /// Where groups are joined.
    pub interface: Option<Interface>,
    /// Who logs in, where one has to.
    pub account: Account,
    /// Requests that bring nothing after which it is given up.
    pub attempts: u32,
    /// Longest wait for an answer; where one logs in, for that to the login.
    pub answer: Duration,
    /// Messages of one request at most.
    pub request_messages: u16,
    /// Requests for one run of missing messages that are under way at a time.
    pub requests_in_flight: u16,
    /// How long it may take without getting on.
    pub limit: Duration,
    /// Product and channel as the exchange numbers them, for services of many channels.
    pub feed: FeedId,
    /// Where answers are sent that are for everybody; empty where a server answers whoever asked.
    pub lines: Vec<LinePlan>,
}

/// What an exchange calls a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedId {
    /// Which of its products.
    pub product: u8,
    /// Which of the product's channels.
    pub channel: u8,
}

impl ServicePlan {
    /// A service with the default limits.
    pub fn new(kind: ServiceKind, servers: Vec<SocketAddrV4>) -> ServicePlan {
        ServicePlan {
            kind,
            servers,
            orders: Vec::new(),
            interface: None,
            account: Account::default(),
            attempts: defaults::RECOVERY_ATTEMPTS,
            answer: Duration::from_nanos(kind.answer_nanos()),
            request_messages: defaults::REQUEST_MESSAGES,
            requests_in_flight: defaults::REQUESTS_IN_FLIGHT,
            limit: Duration::from_nanos(kind.limit_nanos()),
            feed: FeedId::default(),
            lines: Vec::new(),
        }
    }
}

/// The services that are spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceKind {
    /// A re-request server of MoldUDP64.
    MoldUdp64,
    /// A replay of sequenced messages over SoupBinTCP.
    SoupBinTcp,
    /// A snapshot of an ITCH book over SoupBinTCP.
    Glimpse,
    /// Groups in which CME repeats what every instrument of a channel is.
    Mdp3,
    /// Retransmissions of NYSE Pillar.
    Pillar,
}

impl ServiceKind {
    /// The protocol of the channels that have it.
    pub const fn protocol(self) -> ProtocolName {
        match self {
            ServiceKind::MoldUdp64 | ServiceKind::SoupBinTcp | ServiceKind::Glimpse => {
                ProtocolName::Itch50
            }
            ServiceKind::Mdp3 => ProtocolName::Mdp3,
            ServiceKind::Pillar => ProtocolName::Pillar,
        }
    }

    /// Longest wait for an answer, where the configuration does not say; where one logs in, for that to the login.
    pub const fn answer_nanos(self) -> u64 {
        match self {
            ServiceKind::MoldUdp64 | ServiceKind::Mdp3 => defaults::RECOVERY_ANSWER_NANOS,
            ServiceKind::Pillar => defaults::RETRANSMISSION_ANSWER_NANOS,
            ServiceKind::SoupBinTcp | ServiceKind::Glimpse => defaults::LOGIN_NANOS,
        }
    }

    /// How long it may take without getting on, where the configuration does not say.
    pub const fn limit_nanos(self) -> u64 {
        match self {
            ServiceKind::MoldUdp64 | ServiceKind::Mdp3 => defaults::RECOVERY_LIMIT_NANOS,
            ServiceKind::SoupBinTcp | ServiceKind::Glimpse | ServiceKind::Pillar => {
                defaults::CONNECTION_LIMIT_NANOS
            }
        }
    }
}

/// A name and what proves it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// At most 6 letters and digits; a source id of NYSE, at most 10.
    pub user: String,
    /// At most 10.
    pub password: String,
}

impl fmt::Debug for Account {
    /// Without the password: plans are printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// One line of a channel: one socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinePlan {
    /// Name within the channel, usually `A` or `B`.
    pub name: String,
    /// What the socket listens to.
    pub address: LineAddress,
    /// It brings only what others had lost: it lacks nothing itself, and says neither what comes next nor that numbers
    /// begin anew.
    pub retransmission: bool,
}

/// Which books are kept, and how much room each channel's have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookPlan {
    /// Whether there are any.
    pub keep: BookKeep,
    /// Room, taken when a run starts. The instruments are also those a channel's decoder gives numbers to.
    pub limits: BookLimits,
    /// Whether a change of the best bid or offer is published as records of its own.
    pub publish_bbo: bool,
}

impl Default for BookPlan {
    fn default() -> Self {
        BookPlan {
            keep: BookKeep::default(),
            limits: BookLimits {
                orders: defaults::BOOK_ORDERS,
                levels: defaults::BOOK_LEVELS,
                instruments: defaults::BOOK_INSTRUMENTS,
            },
            publish_bbo: true,
        }
    }
}

/// How much of a book is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BookKeep {
    /// Everything the feed says.
    #[default]
    Full,
    /// Nothing: records pass as they are.
    None,
}

/// A consumer that blocks on a queue of its own, filled by a bridge thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerPlan {
    /// Unique name.
    pub name: String,
    /// Records its queue holds.
    pub queue: usize,
    /// What happens when a record finds the queue full.
    pub when_full: WhenFull,
    /// Which records it is given.
    pub trust: Believed,
    /// The lanes it hears, as indices into [`Plan::lanes`], ascending.
    pub lanes: Vec<usize>,
}

/// What happens when a record finds a consumer's queue full. All of it is counted and told; the writer never waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenFull {
    /// The newest record is dropped.
    #[default]
    Drop,
    /// Everything in the queue is taken out again: the consumer goes on with the newest.
    Skip,
    /// The newest of each state of an instrument waits for room, in the place of older ones. Single orders are dropped.
    Conflate,
    /// The consumer is told what it lost, and its channel closes: for those who cannot go on with a record missing.
    Stop,
}

/// Which records a consumer is given, by what they say of their instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Believed {
    /// All of them; each says how far it can be believed.
    #[default]
    Any,
    /// Those of instruments of which everything is known, and gaps and clearings. How many were left out is said.
    Valid,
}

/// A recording of what is received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordPlan {
    /// The capture: classic pcap when its name ends in `.pcap`, else pcapng.
    pub file: PathBuf,
    /// Packets that can wait to be written, for each lane.
    pub queue_packets: usize,
}

impl RecordPlan {
    /// Records to `file` with the default queue.
    pub fn new(file: PathBuf) -> RecordPlan {
        RecordPlan {
            file,
            queue_packets: defaults::RECORD_QUEUE,
        }
    }
}

/// A journal of what is published, for each lane in a folder of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalPlan {
    /// The folder of those folders.
    pub dir: PathBuf,
    /// Bytes of a segment, as [`JournalOptions`] counts them.
    pub segment: usize,
    /// Segments that are kept beside the one that is being written; `None`: all.
    pub keep: Option<u64>,
    /// Records that can wait to be written, for each lane; a power of two.
    pub queue: usize,
    /// When the disk is waited for.
    pub sync: JournalSync,
}

impl JournalPlan {
    /// In `dir` with segments of 64 MiB, all of them kept.
    pub fn new(dir: PathBuf) -> JournalPlan {
        JournalPlan {
            dir,
            segment: JournalOptions::new(0).segment,
            keep: None,
            queue: defaults::JOURNAL_QUEUE,
            sync: JournalSync::default(),
        }
    }
}

/// When a journal waits for the disk. Whatever it says, what is committed survives the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum JournalSync {
    /// Never: the system writes as it sees fit.
    #[default]
    Never,
    /// When the run ends.
    End,
}

/// How latency is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatencyPlan {
    /// One message in so many is timed on its own; 0 for none.
    pub sample_messages: u32,
    /// Significant decimal digits of the histograms, 2 or 3.
    pub digits: u8,
    /// A delay on purpose; only of the command line.
    pub inject: Option<Injection>,
}

impl Default for LatencyPlan {
    fn default() -> Self {
        LatencyPlan {
            sample_messages: defaults::SAMPLE_MESSAGES,
            digits: defaults::DIGITS,
            inject: None,
        }
    }
}
