//! One side of a comparison.

use super::{VerifyError, rerun};
use crate::config::{self, Plan};
use crate::trail::{DIGESTS, PLAN, Totals, Trail};
use feed_common::capture::CaptureFile;
use serde::Serialize;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A run or a capture.
pub(super) struct Side {
    /// As it was named.
    pub name: String,
    pub trail: Trail,
    /// What it was handled under.
    pub plan: Plan,
    /// Where its capture was cut short.
    pub cut: Option<String>,
    /// The capture it is, was of, or kept of what it received, where that is there.
    pub capture: Option<Arc<CaptureFile>>,
}

/// A side in facts.
#[derive(Clone, Debug, Serialize)]
pub struct SideFacts {
    /// As it was named.
    pub name: String,
    /// The capture it was of; null for a live run.
    pub input: Option<PathBuf>,
    /// Sequence numbers from digest to digest.
    pub every: u64,
    /// What it came to; null when it was ended before it could say so.
    pub totals: Option<Totals>,
}

impl Side {
    /// What a run left in its folder.
    pub fn of_run(dir: &Path) -> Result<Side, VerifyError> {
        let no_run = |reason: String| VerifyError::NoRun {
            path: dir.to_owned(),
            reason,
        };
        if !dir.is_dir() {
            return Err(no_run("it is no folder".to_owned()));
        }
        let path = dir.join(DIGESTS);
        let file = File::open(&path).map_err(|e| no_run(format!("{DIGESTS}: {e}")))?;
        let trail = Trail::read(BufReader::new(file));
        let trail = trail.map_err(|source| VerifyError::Trail { path, source })?;
        let plan = config::load(&dir.join(PLAN))?;
        // A pipe was there once; and a capture that has gone makes the answer less exact, and not wrong.
        let origin = [&trail.origin.recording, &trail.origin.input];
        let kept = origin.into_iter().flatten().find(|path| path.is_file());
        Ok(Side {
            name: dir.display().to_string(),
            capture: kept
                .and_then(|path| CaptureFile::open(path).ok())
                .map(Arc::new),
            plan,
            cut: None,
            trail,
        })
    }

    /// A capture, handled under a run's plan.
    pub fn of_capture(path: &Path, plan: &Plan) -> Result<Side, VerifyError> {
        let file = Arc::new(CaptureFile::open(path)?);
        let (trail, outcome) = rerun::whole(plan, &file)?;
        let mut lanes = outcome.lanes.into_iter();
        let (mut packets, mut foreign, mut cut) = (0, 0, None);
        for lane in &mut lanes {
            packets += lane.packets;
            foreign += lane.source.foreign;
            cut = cut.or(lane.source.cut);
            if let Some(source) = lane.source.error {
                let path = path.to_owned();
                return Err(VerifyError::Read { path, source });
            }
        }
        if packets == 0 && foreign > 0 {
            return Err(VerifyError::Foreign(path.to_owned()));
        }
        Ok(Side {
            name: path.display().to_string(),
            trail,
            plan: plan.clone(),
            cut: cut.map(|cut| cut.to_string()),
            capture: Some(file),
        })
    }

    pub fn facts(&self) -> SideFacts {
        SideFacts {
            name: self.name.clone(),
            input: self.trail.origin.input.clone(),
            every: self.trail.every,
            totals: self.trail.totals.clone(),
        }
    }
}
