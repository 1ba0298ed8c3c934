//! Where a journal that was written before goes on.

use super::super::Why;
use super::layout::{HEADER_WORDS, WORD};
use super::segment::{Cursor, Mark, Segment, Step};
use super::{JournalError, folder};
use std::path::Path;
use std::sync::atomic::Ordering;

/// What a writer found when it opened a journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The number of the record that will be written next: how many were committed.
    pub next: u64,
    /// Records, or marks of blocks, that were being written and not committed: 1 after the writer was killed within one.
    /// Cleared away.
    pub partial: u64,
    /// Stretches of the last segment that should be records and are damaged, as a machine that lost power can leave them.
    /// They stay as they are, and nothing is written into their block.
    pub damaged: u64,
}

/// Where writing goes on.
#[derive(Debug)]
pub(super) struct Place {
    pub segment: Segment,
    pub block: usize,
    pub at: usize,
    /// In a block, not before its mark.
    pub inside: bool,
    /// The segment has its end mark: the next is to be begun.
    pub ended: bool,
    /// The segments behind it, which are only prepared: the last first.
    pub prepared: Vec<Segment>,
    pub recovered: Recovered,
}

impl Place {
    /// Of a segment that has nothing.
    pub fn beginning(segment: Segment) -> Place {
        Place {
            segment,
            block: 0,
            at: HEADER_WORDS,
            inside: false,
            ended: false,
            prepared: Vec::new(),
            recovered: Recovered::default(),
        }
    }
}

/// Finds the last committed record of the journal of a folder, and clears what is behind it. `None` when there is no journal.
pub(super) fn recover(folder: &Path) -> Result<Option<Place>, JournalError> {
    let numbers = folder::numbers(folder)?;
    let Some(&last) = numbers.last() else {
        return Ok(None);
    };
    let before = |number: u64| {
        let before = number.checked_sub(1)?;
        numbers.contains(&before).then_some(before)
    };
    let mut segment = folder::open_writable(folder, last)?;
    let mut prepared = Vec::new();
    // What is only prepared may have a reader already, so it is used and not made anew. There can be two: when the end
    // of a segment was marked, the next not begun, and the preparer was faster.
    while let (None, Some(before)) = (segment.begun, before(segment.number)) {
        clear(&segment, HEADER_WORDS);
        prepared.push(segment);
        segment = folder::open_writable(folder, before)?;
    }
    let mut known = None;
    if let Some(before) = before(segment.number) {
        known = end_before(folder, before, &segment);
    }
    if segment.begun.is_none() && segment.number > 0 && known.is_none() {
        // Nobody knows which number comes next.
        let path = folder::path(folder, segment.number);
        let why = Why::Missing;
        return Err(JournalError::Unreadable { path, why });
    }
    Ok(Some(find_end(segment, prepared, known)))
}

/// The number behind the last record of the segment before this one.
fn end_before(folder: &Path, before: u64, segment: &Segment) -> Option<u64> {
    let before = folder::open(folder, before).ok()?;
    match (before.end(), folder::first(segment)) {
        (Mark::At(number), _) => Some(number),
        // Its end is told by the segment behind it, which was begun.
        (_, first) => first,
    }
}

fn find_end(segment: Segment, prepared: Vec<Segment>, known: Option<u64>) -> Place {
    let mut cursor = Cursor::new(known.or((segment.number == 0).then_some(0)));
    let mut damaged = 0;
    let mut after_damage = false;
    let ended = loop {
        match cursor.step(&segment) {
            Step::Record { .. } => after_damage = false,
            Step::Skipped { .. } => (damaged, after_damage) = (damaged + 1, true),
            Step::Wait => break false,
            Step::End => break true,
        }
    };
    if cursor.is_losing() {
        (damaged, after_damage) = (damaged + 1, true);
    }
    // At least one record was in what is damaged or cut away at the end, and its number is not given again. Where records
    // or an end mark follow, the number is known again.
    let next = cursor.number + u64::from(after_damage && (!cursor.known || cursor.is_losing()));
    let partial = match ended {
        true => false,
        false => clear(&segment, cursor.at),
    };
    Place {
        block: cursor.block,
        at: cursor.at,
        inside: cursor.is_inside(),
        ended,
        prepared,
        recovered: Recovered {
            next,
            partial: partial.into(),
            damaged,
        },
        segment,
    }
}

/// Sets what is behind the last commit to zero; whether there was anything else. Nobody has read it: readers stop where
/// the next commit word is zero.
fn clear(segment: &Segment, from: usize) -> bool {
    let cells = &segment.words.cells()[from..segment.shape.length / WORD];
    let mut found = false;
    for cell in cells
        .iter()
        .filter(|cell| cell.load(Ordering::Relaxed) != 0)
    {
        cell.store(0, Ordering::Relaxed);
        found = true;
    }
    found
}
