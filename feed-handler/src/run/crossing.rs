//! Which clocks a run has compared, by name, for its report.

use super::handler::Outcome;
use crate::report::{ClockLine, Clocks, Crossing};
use feed_common::latency::summary::StageTotals;
use feed_common::latency::{MEASURED, Stage};
use feed_common::time::FitQuality;

/// What the packets' senders stamp with.
const EXCHANGE: &str = "exchange, in the packet";
/// What the kernel stamps with.
const KERNEL: &str = "kernel, UTC of this machine";
/// Ticks of the receive by the line to the wall clock.
const AS_UTC: &str = "counter, as UTC of this machine";
/// By the line to the card's clock.
const AS_CARD: &str = "counter, as the card's clock";
/// Whoever made a file.
const CAPTURE: &str = "capture's stamp";

/// The stages with their ends, and the lines by which ticks were compared.
pub(super) fn clocks(live: bool, totals: &StageTotals, outcome: &Outcome) -> Clocks {
    let of_cards: Vec<&str> = outcome.cards.iter().map(|c| c.name.as_str()).collect();
    let ends = |stage| match (stage, live) {
        (Stage::Exchange, true) => Some((EXCHANGE.to_owned(), AS_UTC)),
        (Stage::Exchange, false) => Some((EXCHANGE.to_owned(), CAPTURE)),
        (Stage::Card, _) => Some((format!("card, {}", of_cards.join(", ")), AS_CARD)),
        (Stage::Receive, _) => Some((KERNEL.to_owned(), AS_UTC)),
        _ => None,
    };
    let crossing = |stage: Stage| {
        let (from, to) = ends(stage)?;
        let backwards = totals.backwards(stage);
        let seen = totals.quantiles(stage).count > 0 || backwards > 0;
        seen.then(|| {
            let to = to.to_owned();
            let crossing = Crossing {
                from,
                to,
                backwards,
            };
            (stage.name(), crossing)
        })
    };
    let cards = outcome.cards.iter();
    let cards = cards.map(|card| line(format!("clock of the card, {}", card.name), &card.quality));
    let wall = live.then(|| line("UTC of this machine".to_owned(), &outcome.clocks));
    Clocks {
        stages: MEASURED.into_iter().filter_map(crossing).collect(),
        lines: wall.into_iter().chain(cards).collect(),
    }
}

/// To the digits that mean something, so that what is written is what is read back.
fn line(clock: String, fit: &FitQuality) -> ClockLine {
    let rounded = |value: f64, places: f64| (value * places).round() / places;
    ClockLine {
        clock,
        offset_ns: fit.offset.0,
        drift_ppm: rounded(fit.drift_ppm, 1e3),
        residual_rms_ns: rounded(fit.residual_rms, 10.0),
        residual_max_ns: rounded(fit.residual_max, 10.0),
        uncertainty_ns: rounded(fit.uncertainty, 10.0),
        pairs: fit.pairs as u64,
        steps: fit.steps,
    }
}
