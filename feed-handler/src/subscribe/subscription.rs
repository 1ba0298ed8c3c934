//! The filter of a run, and the lanes that are to know of its changes.

use super::{Changes, Filter, Glob, TooManyRules};
use std::sync::{Arc, Mutex, PoisonError};

/// What a run wants. For cold threads.
#[derive(Debug)]
pub struct Subscription {
    filter: Mutex<Filter>,
    lanes: Vec<Arc<Changes>>,
}

impl Subscription {
    /// What the lanes begin with; they have it already.
    pub fn new(filter: Filter, lanes: Vec<Arc<Changes>>) -> Subscription {
        Subscription {
            filter: Mutex::new(filter),
            lanes,
        }
    }

    /// Wants the symbols of some patterns from now on, or does not want them any more. All of them or, with an error,
    /// none.
    pub fn change(&self, symbols: &[Glob], wanted: bool) -> Result<Filter, TooManyRules> {
        let mut filter = self.lock();
        let mut changed = filter.clone();
        for glob in symbols {
            changed.add(glob.clone(), wanted)?;
        }
        *filter = changed.clone();
        // Under the lock, so that lanes hear of changes in the order in which they were made.
        self.lanes.iter().for_each(|lane| lane.post(&changed));
        Ok(changed)
    }

    /// What is wanted.
    pub fn filter(&self) -> Filter {
        self.lock().clone()
    }

    /// Where each lane hears of changes.
    pub fn lanes(&self) -> &[Arc<Changes>] {
        &self.lanes
    }

    /// Frees what lanes have handed back; to be called now and then.
    pub fn collect(&self) {
        self.lanes.iter().for_each(|lane| lane.collect());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Filter> {
        // A filter is replaced whole: a panic elsewhere leaves a good one.
        self.filter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
