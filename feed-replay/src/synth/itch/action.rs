//! What can happen while an instrument trades, and how often.

use crate::synth::Mix;
use crate::synth::rng::{Rng, Weighted};

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    AddOrDelete,
    Replace,
    Execute,
    ExecuteAt,
    Cancel,
    Hidden,
}

const ACTIONS: [Action; 6] = [
    Action::AddOrDelete,
    Action::Replace,
    Action::Execute,
    Action::ExecuteAt,
    Action::Cancel,
    Action::Hidden,
];

/// Draws actions by the weights of a mix.
pub struct Actions(Weighted);

impl Actions {
    pub fn new(mix: &Mix) -> Actions {
        let weight = |action| match action {
            Action::AddOrDelete => mix.balance(),
            Action::Replace => mix.replace,
            Action::Execute => mix.execute,
            Action::ExecuteAt => mix.execute_at,
            Action::Cancel => mix.cancel,
            Action::Hidden => mix.hidden,
        };
        Actions(Weighted::new(ACTIONS.map(|action| weight(action).into())))
    }

    #[inline]
    pub fn draw(&self, rng: &mut Rng) -> Action {
        ACTIONS[self.0.draw(rng)]
    }
}
