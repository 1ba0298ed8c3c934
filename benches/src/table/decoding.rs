//! ITCH decode, every field; and what bad messages cost.

use super::{Effort, Made, Row, Target};
use crate::itch::malformed::Spoilt;
use crate::itch::{mix, peers, plain, product, session, told_of_mix, walk};
use crate::measure::{Way, of, take_turns};

/// Messages of a round. Many short rounds are steadier than few long ones where others are at work.
const MESSAGES: u64 = 60_000;

/// The rows.
pub fn rows(effort: Effort) -> Result<Vec<Made>, String> {
    let mut rows = vec![every_field(effort)];
    rows.extend(bad_messages(effort));
    Ok(rows)
}

fn every_field(effort: Effort) -> Made {
    let file = mix(MESSAGES as usize);
    let mut decoder = told_of_mix();
    let mut ways = vec![
        Way::new("ours", MESSAGES, || product(&file, &mut decoder)),
        Way::new("lengths", MESSAGES, || walk(&file)),
        Way::new("plain loop", MESSAGES, || plain(&file)),
        Way::new("itch5", MESSAGES, || peers::itch5(&file)),
        Way::new("itchy", MESSAGES, || peers::itchy(&file)),
    ];
    #[cfg(feature = "lunary")]
    ways.push(Way::new("lunary", MESSAGES, || peers::lunary(&file)));
    let figures = take_turns(effort.pick(401, 41), &mut ways);
    let median = |name| of(&figures, name).median();
    let row = Row::time("ITCH decode, every field", "ns a message", median("ours"))
        .beside([("itch5", median("itch5")), ("itchy", median("itchy"))])
        .limit("plain loop", median("plain loop"))
        .target(Target::OfPeer(1.0));
    #[cfg(feature = "lunary")]
    let row = row.beside([("lunary", median("lunary"))]);
    row.into()
}

/// Bad messages between the good ones of a session, one in twenty, through a whole lane. What they cost is a small
/// difference of two large figures, so the best of many rounds are compared: what others do to a round only adds.
fn bad_messages(effort: Effort) -> Vec<Made> {
    let spoilt = Spoilt::new(session(100_000, 100));
    let rounds = effort.pick(31, 9);
    let row = |(what, books): (&str, bool)| {
        let figures = take_turns(
            rounds,
            &mut [
                Way::timing("good", 1, || spoilt.through_lane(&spoilt.good, books)),
                Way::timing("both", 1, || spoilt.through_lane(&spoilt.spoilt, books)),
            ],
        );
        let [good, both] = [0, 1].map(|i: usize| figures[i].least());
        Row::time(what, "ns", (both - good) / spoilt.bad as f64)
            .limit("a good one", good / spoilt.messages as f64)
            .target(Target::OfLimit(2.0))
            .into()
    };
    [
        ("a bad message of 5 %, lane without books", false),
        ("a bad message of 5 %, lane with books", true),
    ]
    .map(row)
    .into()
}
