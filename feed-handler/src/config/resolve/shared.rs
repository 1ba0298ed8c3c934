//! `[shared_memory]`.

use super::{Resolver, number};
use crate::config::defaults::{SHARED_INSTRUMENTS, SHARED_MODE};
use crate::config::file;
use crate::config::plan::SharedMemoryPlan;
use feed_common::ring::shared::INSTRUMENTS_MAX;

/// What a mode may be: nobody but the owner writes.
const MODES: [(&str, u32); 4] = [
    ("0600", 0o600),
    ("0640", 0o640),
    ("0604", 0o604),
    ("0644", 0o644),
];

impl Resolver<'_> {
    pub(super) fn shared_memory(
        &mut self,
        shared: Option<&file::SharedMemory>,
    ) -> Option<SharedMemoryPlan> {
        let shared = shared?;
        if shared.dir.get_ref().as_os_str().is_empty() {
            self.wrong(
                &shared.dir,
                "dir: expected a folder, such as \"/dev/shm/feed\"",
            );
        }
        let rows = number(&shared.instruments, SHARED_INSTRUMENTS as usize);
        let rows = self.within("instruments", rows, 1..=INSTRUMENTS_MAX as usize);
        let mode = shared.mode.as_ref().map_or(Some(SHARED_MODE), |text| {
            let known = MODES.iter().find(|(name, _)| name == text.get_ref());
            known.map(|(_, mode)| *mode)
        });
        if let (None, Some(text)) = (mode, &shared.mode) {
            let expected =
                "expected \"0600\", \"0640\", \"0604\" or \"0644\"; nobody else may write";
            self.wrong(text, format!("mode {:?}: {expected}", text.get_ref()));
        }
        if let Some(group) = &shared.group
            && group.get_ref().is_empty()
        {
            self.wrong(group, "group: expected a name of /etc/group or a number");
        }
        Some(SharedMemoryPlan {
            dir: shared.dir.get_ref().clone(),
            instruments: rows as u32,
            mode: mode.unwrap_or(SHARED_MODE),
            group: shared.group.as_ref().map(|g| g.get_ref().clone()),
        })
    }
}
