//! What lanes' sampled messages took, under the names that people know.

use super::end::LaneEnd;
use crate::config::Plan;
use crate::protocol::message_type;
use crate::report::{MessageType, SLOWEST, Sampled, SlowSymbol};
use std::cmp::Reverse;

/// Of all lanes; `None` where nothing was to be sampled.
pub(super) fn sampled(plan: &Plan, lanes: &[LaneEnd]) -> Option<Sampled> {
    let mut sampled = Sampled {
        one_in: plan.latency.sample_messages,
        ..Sampled::default()
    };
    if sampled.one_in == 0 {
        return None;
    }
    let channels: Vec<&str> = plan.channels().map(|(_, c)| c.name.as_str()).collect();
    for (plan, lane) in plan.lanes.iter().zip(lanes) {
        let Some(end) = &lane.sampled else {
            continue;
        };
        sampled.untyped += end.untyped;
        sampled.unattributed += end.unattributed;
        sampled.types.extend(end.types.iter().map(|(code, q)| {
            let (key, name) = message_type(plan.protocol, *code);
            MessageType {
                lane: plan.name.clone(),
                protocol: plan.protocol.name().to_owned(),
                key,
                name: name.unwrap_or_default().to_owned(),
                count: q.count,
                p50: q.p50,
                p99: q.p99,
                max: q.max,
            }
        }));
        sampled.symbols.extend(end.slowest.iter().map(|i| {
            SlowSymbol {
                channel: channels
                    .get(usize::from(i.channel))
                    .copied()
                    .unwrap_or_default()
                    .to_owned(),
                symbol: String::from_utf8_lossy(i.symbol.trim_ascii_end()).into_owned(),
                count: i.count,
                p50: i.p50,
                p90: i.p90,
                max: i.max,
            }
        }));
    }
    sampled.types.sort_by_key(|t| Reverse(t.count));
    sampled
        .symbols
        .sort_by_key(|s| Reverse((s.p90, s.p50, s.max)));
    sampled.symbols.truncate(SLOWEST);
    Some(sampled)
}
