//! Handling a capture again.

use super::compare::Part;
use crate::config::{LaneThreads, Plan};
use crate::publish::Watch;
use crate::run::{Handler, Input, Outcome, StartError};
use crate::trail::{Origin, Trail};
use feed_common::capture::CaptureFile;
use feed_common::event::Record;
use feed_common::program::Progress;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

/// Most records of a stretch that are looked at one by one.
const RECORDS_MAX: usize = 1 << 20;

/// How often marks are fetched: at the default distance a lane of 20 million messages a second writes five in that time,
/// and 4,096 can wait.
const NAP: Duration = Duration::from_millis(1);

/// The trail of a capture under a run's plan, and what it came to.
pub(super) fn whole(plan: &Plan, file: &Arc<CaptureFile>) -> Result<(Trail, Outcome), StartError> {
    let channels = plan.channels().map(|(_, c)| c.name.clone()).collect();
    let origin = Origin {
        input: Some(file.path().to_owned()),
        recording: None,
    };
    let mut trail = Trail::new(plan.digest_every, channels, origin);
    let handler = Handler::start(&alone(plan), &Input::File(file.clone()))?;
    let mut marks = handler.marks();
    let outcome = wait(handler, file, || {
        let missed = marks.drain(|mark| trail.mark(mark));
        trail.missed += missed;
    });
    trail.done(outcome.lasts(), outcome.totals());
    Ok((trail, outcome))
}

/// The records of the stretch in which a part lies; `None` when they are too many.
pub(super) fn stretch(
    plan: &Plan,
    file: &Arc<CaptureFile>,
    part: &Part,
) -> Result<Option<Vec<Record>>, StartError> {
    let channel = plan
        .channels()
        .position(|(_, c)| c.name == part.place.channel);
    let Some(channel) = channel else {
        return Ok(Some(Vec::new()));
    };
    let (out, records) = mpsc::channel();
    let watch = Watch {
        channel: channel as u16,
        unit: part.place.unit,
        epoch: part.place.epoch,
        from: part.from,
        to: part.to.unwrap_or(u64::MAX),
        out,
    };
    let input = Input::File(file.clone());
    let handler = Handler::start_watched(&alone(plan), &input, Some(watch))?;
    let mut taken = Some((Vec::new(), records));
    wait(handler, file, || {
        let over = taken.as_mut().is_some_and(|(taken, records)| {
            taken.extend(records.try_iter());
            taken.len() > RECORDS_MAX
        });
        if over {
            // Nobody hears the lane from here on.
            taken = None;
        }
    });
    Ok(taken.map(|(taken, _)| taken))
}

/// Waits for the end, looking at what comes up meanwhile and once more behind it.
fn wait(handler: Handler, file: &CaptureFile, mut look: impl FnMut()) -> Outcome {
    let mut bar = Progress::of_file(file);
    while !handler.is_finished() {
        std::thread::sleep(NAP);
        look();
        if let Some(read) = handler.position() {
            bar.reach(read);
        }
    }
    let outcome = handler.finish();
    look();
    outcome
}

/// The plan without what needs the machine it ran on: records follow from none of it.
fn alone(plan: &Plan) -> Plan {
    let mut plan = Plan {
        lock_memory: false,
        control: None,
        metrics: None,
        journal: None,
        record: None,
        ..plan.clone()
    };
    plan.consumers.clear();
    for lane in &mut plan.lanes {
        lane.threads = LaneThreads::One { core: None };
        lane.priority = None;
    }
    plan
}
