//! The main job with nothing configured: a session is made, an exchange plays it on two lossy lines and answers for what
//! both lost, it is handled live, and the same session is handled again from its file to show that the records are the
//! same.

use crate::book::BookLimits;
use crate::config::{
    Believed, BookPlan, ChannelPlan, ConsumerPlan, LanePlan, LaneThreads, LatencyPlan, LinePlan,
    Plan, ProtocolName, ServiceKind, ServicePlan, SessionPlan, WhenFull, defaults,
};
use crate::net::{Interface, LineAddress, SocketError};
use crate::record::RecordError;
use crate::run::{Handler, Input, Outcome, Recorded, StartError, Until, supervise};
use feed_common::capture::CaptureFile;
use feed_common::program::Failure;
use feed_common::ring::shared::SharedError;
use feed_common::sys::{AffinityError, PriorityError};
use feed_replay::exchange::{self, Exchange, History, Limits, Numbering, Shape, Timing};
use feed_replay::fault::{LineFaults, ServerFaults};
use feed_replay::output::PcapSink;
use feed_replay::send::{SendError, SenderOptions};
use feed_replay::synth::{PacketSink, Protocol, Recording, Spec};
use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

/// The session's file in the demo's folder.
pub const SESSION: &str = "session.pcap";

/// The configuration that describes the demo's lines, beside it.
pub const CONFIG: &str = "feed.toml";

/// Both lines' port; their groups tell them apart.
const PORT: u16 = 26_477;

/// Groups of line A, which are also those of the session's file, and of line B.
const GROUPS: [Ipv4Addr; 2] = [
    Ipv4Addr::new(239, 192, 50, 1),
    Ipv4Addr::new(239, 192, 50, 2),
];

/// The interface everything stays on.
const INTERFACE: &str = "lo";

/// One message in so many is timed on its own.
const SAMPLE_MESSAGES: u32 = 16;

/// What goes wrong on each line, independently of the other.
pub const FAULTS: &str = "loss=1%";

/// Where messages are sent again.
const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 26_478);

/// Longest wait for what the other line may still bring: whatever takes longer is asked for.
const WINDOW: Duration = Duration::from_millis(2);

/// How long the server may be silent before it is given up. Any other program of the machine can take its core for a
/// while.
const LIMIT: Duration = Duration::from_secs(2);

/// Packets that can wait so long: more than come in that time, bursts included.
const STASH: usize = 65_536;

/// What the exchange says while it has nothing to say, and before and after the session, so that each line shows where
/// it begins and ends.
const TIMING: Timing = Timing {
    heartbeat: 10_000_000,
    grace: 300_000_000,
};
const LEAD_NANOS: u64 = 50_000_000;

/// What the demo does.
#[derive(Clone, Debug)]
pub struct Demo {
    /// Messages of the session.
    pub messages: u64,
    /// Messages per second on average.
    pub rate: u64,
    /// What the session and the losses follow from.
    pub seed: u64,
    /// Hops its packets may go: 0 where it runs in the machine's own network.
    pub ttl: u8,
    /// Whether the lane has a thread for receiving and one for decoding, or one for both.
    pub two_threads: bool,
}

/// A session made for the demo.
pub struct Prepared {
    /// The lines and the lane that handles them.
    pub plan: Plan,
    session: Arc<History>,
    exchange: exchange::Plan,
}

impl Demo {
    /// Makes the session, and writes it and its configuration into `dir`.
    pub fn prepare(&self, dir: &Path) -> Result<Prepared, Failure> {
        let spec = Spec {
            rate: self.rate,
            ..Spec::new(Protocol::Itch50, self.messages, self.seed)
        };
        let (session, _) = Recording::of(&spec).map_err(Failure::usage)?;
        let plan = self.plan(&spec);
        std::fs::create_dir_all(dir).map_err(|e| cannot_write(dir, e))?;
        let path = dir.join(SESSION);
        write_session(&path, &session).map_err(|e| cannot_write(&path, e))?;
        let path = dir.join(CONFIG);
        let text = plan.to_toml().map_err(|e| cannot_write(&path, e))?;
        std::fs::write(&path, text).map_err(|e| cannot_write(&path, e))?;
        let exchange = self.exchange(&spec)?;
        let session = History::of(&session, Numbering::MoldUdp64, &exchange.shape);
        Ok(Prepared {
            session: Arc::new(session.map_err(Failure::usage)?),
            exchange,
            plan,
        })
    }

    /// Both lines and the server.
    fn exchange(&self, spec: &Spec) -> Result<exchange::Plan, Failure> {
        let faults: LineFaults = FAULTS.parse().map_err(Failure::usage)?;
        let line = |(i, name): (usize, &str)| exchange::LinePlan {
            name: name.to_owned(),
            target: group(i),
            interface: INTERFACE.to_owned(),
            options: SenderOptions {
                ttl: self.ttl,
                ..SenderOptions::default()
            },
            faults: faults.clone(),
        };
        let lines = ["A", "B"].into_iter().enumerate().map(line).collect();
        let server = exchange::ServerPlan {
            name: "again".to_owned(),
            address: SERVER,
            interface: None,
            service: exchange::Service::MoldUdp64(Limits::default()),
            faults: ServerFaults::default(),
        };
        Ok(exchange::Plan {
            seed: self.seed,
            source: exchange::Source::Made(spec.clone()),
            shape: Shape {
                lead: LEAD_NANOS,
                ..Shape::default()
            },
            timing: TIMING,
            lines,
            loops: Vec::new(),
            servers: vec![server],
        })
    }

    fn plan(&self, spec: &Spec) -> Plan {
        let line = |(i, name): (usize, &str)| LinePlan {
            name: name.to_owned(),
            address: LineAddress {
                group: group(i),
                interface: Some(Interface::Name(INTERFACE.to_owned())),
                source: None,
            },
            retransmission: false,
        };
        let lines = ["A", "B"].into_iter().enumerate().map(line).collect();
        let channel = ChannelPlan {
            reorder_window: WINDOW,
            stash_packets: STASH,
            recovery: Some(ServicePlan {
                limit: LIMIT,
                ..ServicePlan::new(ServiceKind::MoldUdp64, vec![SERVER])
            }),
            ..ChannelPlan::new("demo", lines)
        };
        // The last core for the lane; the sender and everything cold have the others.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let last = (cores > 1).then(|| cores - 1);
        let threads = match self.two_threads {
            false => LaneThreads::One { core: last },
            true => LaneThreads::Two {
                receive_core: last.map(|_| 0),
                decode_core: last,
            },
        };
        Plan {
            session: SessionPlan {
                date: Some(spec.date),
                zone: None,
            },
            // There cannot be more live orders than messages.
            book: BookPlan {
                limits: BookLimits {
                    orders: (self.messages as usize).clamp(1 << 10, defaults::BOOK_ORDERS),
                    ..BookPlan::default().limits
                },
                ..BookPlan::default()
            },
            consumers: vec![ConsumerPlan {
                name: "printer".to_owned(),
                queue: defaults::CONSUMER_QUEUE,
                when_full: WhenFull::Drop,
                trust: Believed::Any,
                lanes: vec![0],
            }],
            latency: LatencyPlan {
                sample_messages: SAMPLE_MESSAGES,
                ..LatencyPlan::default()
            },
            ..Plan::new(vec![LanePlan {
                threads,
                ..LanePlan::new("demo", ProtocolName::Itch50, vec![channel])
            }])
        }
    }

    /// Handles the session live, as the exchange plays it.
    pub fn live(
        &self,
        prepared: &Prepared,
        recorded: &mut Recorded,
        until: &Until,
    ) -> Result<(Outcome, exchange::Report), Failure> {
        let exchange = Exchange::of(prepared.session.clone(), &prepared.exchange);
        let exchange = exchange.map_err(Failure::running)?;
        let mut playing = None;
        let outcome = supervise(&prepared.plan, &Input::Live, until, recorded, |_| {
            playing = Some(play(exchange, until.flag.clone()));
        });
        until.flag.store(true, Relaxed);
        let outcome = outcome.map_err(failure)?;
        match playing.map(JoinHandle::join) {
            Some(Ok(played)) => Ok((outcome, played.map_err(Failure::running)?)),
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Err(Failure::running("the exchange was not begun")),
        }
    }
}

/// What a file comes to under `plan`, handled in the given layout, unpinned.
pub fn outcome_of(plan: &Plan, file: &Arc<CaptureFile>, two: bool) -> Result<Outcome, Failure> {
    let mut plan = plan.clone();
    plan.consumers.clear();
    plan.journal = None;
    plan.record = None;
    plan.shared_memory = None;
    for lane in &mut plan.lanes {
        lane.threads = match two {
            false => LaneThreads::One { core: None },
            true => LaneThreads::Two {
                receive_core: None,
                decode_core: None,
            },
        };
    }
    let handler = Handler::start(&plan, &Input::File(file.clone())).map_err(failure)?;
    while !handler.is_finished() {
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(handler.finish())
}

/// What an error at the start means for the exit status: the configuration asks for what this machine does not have,
/// or it is right and the system refused.
pub fn failure(e: StartError) -> Failure {
    match e {
        StartError::Socket(
            SocketError::NoInterface { .. }
            | SocketError::UnknownInterface { .. }
            | SocketError::Unstamped { .. },
        )
        | StartError::Pin {
            source: AffinityError::NoSuchCore { .. },
            ..
        }
        | StartError::Priority {
            source: PriorityError::Range { .. },
            ..
        }
        | StartError::Resolution(_)
        | StartError::Record(RecordError::Compressed { .. })
        | StartError::RecordInput
        | StartError::Group(_)
        | StartError::BinaryFileChannels => Failure::usage(e),
        // Of a living writer, of somebody else, or no file of ours.
        StartError::Shared(ref error) if !matches!(**error, SharedError::Io { .. }) => {
            Failure::usage(e)
        }
        _ => Failure::running(e),
    }
}

fn group(line: usize) -> SocketAddrV4 {
    SocketAddrV4::new(GROUPS[line], PORT)
}

fn cannot_write(path: &Path, e: impl Display) -> Failure {
    Failure::running(format_args!("cannot write {}: {e}", path.display()))
}

fn write_session(path: &Path, session: &Recording) -> io::Result<()> {
    let mut sink = PcapSink::new(BufWriter::new(File::create(path)?), group(0))?;
    for packet in session.packets() {
        sink.packet(packet.time, packet.payload)?;
    }
    sink.finish()?.flush()
}

fn play(
    exchange: Exchange,
    stop: Arc<AtomicBool>,
) -> JoinHandle<Result<exchange::Report, SendError>> {
    std::thread::spawn(move || {
        let played = exchange.run(&stop);
        stop.store(true, Relaxed);
        played
    })
}
