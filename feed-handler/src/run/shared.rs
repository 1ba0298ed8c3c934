//! A lane's ring in a file that other processes map, and the thread that keeps the table of latest quotes beside it. The
//! lane itself writes as it does into memory of its own, and does not know who reads.

use super::start::{StartError, join};
use crate::config::{LanePlan, Plan, SharedMemoryPlan};
use crate::publish::Table;
use feed_common::event::Record;
use feed_common::latency::summary::{Quantiles, StageTotals};
use feed_common::latency::{Resolution, Stage};
use feed_common::ring::shared::{
    Channel, Hold, Published, Session, SharedError, SharedPlan, Takeover, publish, taken,
};
use feed_common::ring::{Reader, Writer};
use feed_common::time::TickScale;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// How long the thread sleeps when there is nothing to read: quotes are no later than that.
const NAP: Duration = Duration::from_millis(1);

/// Records read at once.
const BATCH: usize = 256;

/// Where the system's groups are.
const GROUPS: &str = "/etc/group";

/// What keeps a lane's file up to date.
pub(super) struct Sharing {
    lane: String,
    table: JoinHandle<Kept>,
    hold: Hold,
}

/// What the table came to.
struct Kept {
    instruments: u32,
    turned_away: u64,
    lost: u64,
}

impl Sharing {
    /// Makes the file of a lane, and starts the thread that reads its ring until the writer is dropped.
    pub(super) fn start(
        shared: &SharedMemoryPlan,
        plan: &Plan,
        lane: &LanePlan,
        session: Session,
        scale: TickScale,
    ) -> Result<(Writer<Record>, Sharing), StartError> {
        folder(&shared.dir)?;
        let group = shared.group.as_deref().map(group).transpose()?;
        let channels = (0..).zip(plan.channels());
        let own = channels.filter(|(_, (index, _))| plan.lanes[*index].name == lane.name);
        let channels = own.map(|(number, (_, channel))| Channel {
            number,
            name: channel.name.clone(),
            protocol: lane.protocol.name().into(),
        });
        let published = publish(&SharedPlan {
            path: shared.file(&lane.name),
            slots: plan.publish_slots,
            instruments: shared.instruments,
            mode: shared.mode,
            group,
            session,
            channels: channels.collect(),
            scale,
        });
        let Published { ring, board, hold } = published.map_err(Box::new)?;
        let (reader, table) = (ring.subscribe(), Table::new(board));
        let thread = Builder::new().name(format!("quotes-{}", lane.name));
        let thread = thread.spawn(move || keep(reader, table));
        let table = thread.map_err(|source| StartError::Thread {
            lane: lane.name.clone(),
            source,
        })?;
        let lane = lane.name.clone();
        Ok((ring, Sharing { lane, table, hold }))
    }

    /// What the run says of the file.
    pub(super) fn fact(&self) -> (String, String) {
        let before = match self.hold.takeover() {
            Takeover::Nobody => String::new(),
            Takeover::Closed => "; an earlier run had the name".into(),
            Takeover::Dead(pid) => format!("; taken over from process {pid}, which had died"),
            Takeover::Unreadable(error) => format!("; there was one that {error}"),
        };
        let (path, epoch) = (self.hold.path().display(), self.hold.epoch());
        let fact = format!("{path}, epoch {epoch}{before}");
        (format!("shared memory {}", self.lane), fact)
    }

    /// Waits for the table, when the lane has ended, and collects what consumers have left; then the name is free.
    pub(super) fn finish(self) -> SharedEnd {
        let Kept {
            instruments,
            turned_away,
            lost,
        } = join(self.table);
        let (path, lane) = (self.hold.path(), &self.lane);
        let fact = format!(
            "{instruments} instruments, {turned_away} announcements without room, {lost} records overwritten before \
             they were read"
        );
        // What cannot be read is nobody's loss: these are figures of others, and they are bounded.
        let consumers = taken::collect(path, self.hold.epoch()).unwrap_or_default();
        let processes = consumers.into_iter().map(|by| {
            let mut totals = StageTotals::new(Resolution::default());
            let cells = by.cells.iter();
            cells.for_each(|cells| totals.add_cells(Stage::Taken, cells));
            ProcessEnd {
                lane: lane.clone(),
                process: by.pid,
                taken: totals.quantiles(Stage::Taken),
                fault: by.fault,
            }
        });
        let processes = processes.collect();
        let _ = taken::clear(path);
        SharedEnd {
            quotes: (format!("latest quotes {lane}"), fact),
            processes,
        }
    }
}

/// What a lane's shared memory came to.
pub(super) struct SharedEnd {
    /// What the run says of the table of quotes.
    pub(super) quotes: (String, String),
    /// Who has read it, as far as they said so.
    pub(super) processes: Vec<ProcessEnd>,
}

/// What a consumer in another process has left.
#[derive(Clone, Debug)]
pub struct ProcessEnd {
    /// The lane whose records it read.
    pub lane: String,
    /// Its number.
    pub process: u32,
    /// From the receive of a record's packet to the record in its hands, in ns.
    pub taken: Quantiles,
    /// Why not all of what it left could be read.
    pub fault: Option<String>,
}

/// How long consumers in other processes have, when the lanes have ended, to leave how long records took to reach them.
pub(super) const LEAVING: Duration = Duration::from_millis(100);

/// Keeps the table until the lane has ended and everything is read.
fn keep(mut reader: Reader<Record>, mut table: Table) -> Kept {
    let mut batch = [Record::default(); BATCH];
    loop {
        // Asked first: what is published before it is closed is read all the same.
        let closed = reader.is_closed();
        match reader.read(&mut batch) {
            Ok(0) => {
                table.settle();
                if closed {
                    break;
                }
                std::thread::sleep(NAP);
            }
            Ok(n) => batch[..n].iter().for_each(|record| table.take(record)),
            Err(overrun) => table.lose(overrun.lost),
        }
    }
    let board = table.board();
    Kept {
        instruments: board.used(),
        turned_away: board.turned_away(),
        lost: reader.lost(),
    }
}

/// Makes the folder where it is not there. Who may read is for the files to say.
fn folder(dir: &Path) -> Result<(), StartError> {
    let made = fs::DirBuilder::new().mode(0o755).create(dir);
    let made = match made {
        // Whatever the process takes away from modes.
        Ok(()) => fs::set_permissions(dir, fs::Permissions::from_mode(0o755)),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(e),
    };
    made.map_err(|error| {
        let path = dir.into();
        StartError::Shared(Box::new(SharedError::Io { path, error }))
    })
}

/// The number of a group.
fn group(name: &str) -> Result<u32, StartError> {
    let unknown = || StartError::Group(name.to_owned());
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let groups = fs::read_to_string(GROUPS).map_err(|_| unknown())?;
    let number = groups.lines().find_map(|line| {
        // Name, password, number, members.
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1))?
    });
    let number = number.ok_or_else(unknown)?;
    number.parse().map_err(|_| unknown())
}
