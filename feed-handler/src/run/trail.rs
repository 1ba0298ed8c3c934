//! A run's trail: its marks and its configuration, into its folder.

use super::handler::Outcome;
use super::start::Input;
use crate::config::{Account, Plan, ProtocolName};
use crate::protocol::zone;
use crate::publish::MarkReader;
use crate::trail::{DIGESTS, Last, Origin, PLAN, Totals, TrailWriter};
use feed_common::time::UnixNanos;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf, absolute};

/// Writes a run's trail as it goes.
#[derive(Debug)]
pub(super) struct TrailLog(TrailWriter<File>);

impl TrailLog {
    /// Begins the trail in `dir` of a run that was started at `today`. An error comes with the file it is about.
    pub fn begin(
        dir: &Path,
        plan: &Plan,
        input: &Input,
        today: UnixNanos,
    ) -> Result<TrailLog, (&'static str, io::Error)> {
        let text = kept(plan, input, today).to_toml();
        text.map_err(io::Error::other)
            .and_then(|text| fs::write(dir.join(PLAN), text))
            .map_err(|e| (PLAN, e))?;
        let channels = plan.channels().map(|(_, c)| c.name.clone()).collect();
        let origin = Origin {
            input: match input {
                Input::Live => None,
                Input::File(file) => Some(whole(file.path())),
            },
            recording: plan.record.as_ref().map(|record| whole(&record.file)),
        };
        File::create(dir.join(DIGESTS))
            .and_then(|out| TrailWriter::begin(out, plan.digest_every, channels, origin))
            .map(TrailLog)
            .map_err(|e| (DIGESTS, e))
    }

    /// Writes the marks that have come up.
    pub fn take(&mut self, marks: &mut MarkReader) -> io::Result<()> {
        let mut taken = Ok(());
        let missed = marks.drain(|mark| {
            if taken.is_ok() {
                taken = self.0.mark(mark);
            }
        });
        taken?;
        if missed > 0 {
            self.0.missed(missed)?;
        }
        self.0.flush()
    }

    /// Ends it with what the run came to.
    pub fn done(self, outcome: &Outcome) -> io::Result<()> {
        self.0.done(outcome.lasts(), outcome.totals()).map(drop)
    }
}

impl Outcome {
    /// Where each numbering stood at the end.
    pub fn lasts(&self) -> Vec<Last> {
        let channels = self.lanes.iter().flat_map(|l| &l.channels);
        let units = channels.flat_map(|c| c.units.iter().map(|unit| (c.name.clone(), unit)));
        let last = |(channel, &(unit, next)): (String, &(_, u64))| {
            let crate::publish::UnitPrint { unit, epoch, print } = unit;
            Last {
                channel,
                unit,
                epoch,
                next,
                print,
            }
        };
        units.map(last).collect()
    }

    /// What the run came to, as far as another one over the same messages must come to it too.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals {
            record_digest: self.record_digest().to_string(),
            book_digest: self.book_digest().map(|d| d.to_string()),
            ..Totals::default()
        };
        for lane in &self.lanes {
            totals.messages += lane.messages;
            totals.published += lane.published;
            for channel in &lane.channels {
                totals.gaps += channel.sequence.gaps;
                totals.lost += channel.sequence.lost;
                totals.restarts += channel.sequence.restarts;
            }
        }
        totals
    }
}

/// The plan as it is kept: a capture handled under it from anywhere and on any day gives the same records.
fn kept(plan: &Plan, input: &Input, today: UnixNanos) -> Plan {
    let mut kept = Plan {
        // It lies in that folder.
        output_dir: None,
        ..plan.clone()
    };
    for channel in kept.lanes.iter_mut().flat_map(|lane| &mut lane.channels) {
        if let Some(definitions) = &mut channel.definitions {
            *definitions = whole(definitions);
        }
        // Folders of runs are passed around, and nobody logs in to read them.
        let services = [&mut channel.recovery, &mut channel.snapshot];
        for service in services.into_iter().flatten() {
            service.account = Account::default();
        }
    }
    if let (None, Input::Live) = (kept.session.date, input) {
        let date = |protocol: ProtocolName| {
            let zone = kept.session.zone.unwrap_or_else(|| zone(protocol));
            zone.date_of(today)
        };
        let first = kept.lanes.first().map(|lane| date(lane.protocol));
        // Exchanges far apart can have different days, and then a capture's own times have to say them.
        if kept
            .lanes
            .iter()
            .all(|lane| Some(date(lane.protocol)) == first)
        {
            kept.session.date = first;
        }
    }
    kept
}

/// A path that means the same from any folder.
fn whole(path: &Path) -> PathBuf {
    absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ChannelPlan, LanePlan, ServiceKind, ServicePlan};

    #[test]
    fn a_run_does_not_keep_who_logs_in() {
        let mut plan =
            crate::config::parse(include_str!("../../../docs/feed.toml"), Path::new("f"))
                .expect("the documented example");
        let server = "127.0.0.1:1".parse().expect("an address");
        let service = ServicePlan {
            account: Account {
                user: "me".into(),
                password: "secret".into(),
            },
            ..ServicePlan::new(ServiceKind::SoupBinTcp, vec![server])
        };
        let channel = ChannelPlan {
            recovery: Some(service.clone()),
            snapshot: Some(service),
            ..ChannelPlan::new("c", Vec::new())
        };
        plan.lanes = vec![LanePlan::new("l", ProtocolName::Itch50, vec![channel])];
        plan.consumers.clear();
        let kept = kept(&plan, &Input::Live, UnixNanos(1))
            .to_toml()
            .expect("text");
        assert!(
            !kept.contains("secret") && !kept.contains("\"me\""),
            "{kept}"
        );
        assert!(kept.contains("127.0.0.1:1"));
    }
}
