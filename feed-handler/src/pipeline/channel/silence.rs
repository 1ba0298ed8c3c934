//! A channel whose lines have fallen silent.
//!
//! Feeds send a heartbeat where they have nothing to say, so that silence means that something is broken on the way. It is
//! told once, when it has lasted too long, and its end is told before what ends it: by records of no instrument, which no
//! digest counts, as they depend on when packets came and not on what they held.

use super::{Channel, Core};
use crate::protocol::{Decode, Protocol};
use crate::publish::Outlet;
use crate::transport::FrameKind;
use feed_common::event::{Flags, MsgCtx, NO_INSTRUMENT, NO_SYMBOL, Trust};
use feed_common::latency::Probe;
use feed_common::time::UnixNanos;

/// When a channel was last heard, in its nanoseconds, and how often it was not for too long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Silence {
    /// It may last so long.
    limit: u64,
    /// [`NOTHING_DUE`] before the first frame, behind the last of a session, and when its silence has been told.
    heard: u64,
    told: bool,
    times: u64,
}

/// No silence can follow.
const NOTHING_DUE: u64 = u64::MAX;

impl Default for Silence {
    /// It may last for ever.
    fn default() -> Silence {
        Silence {
            limit: u64::MAX,
            heard: NOTHING_DUE,
            told: false,
            times: 0,
        }
    }
}

impl Silence {
    /// It may last so many nanoseconds.
    pub fn limited(nanos: u64) -> Silence {
        Silence {
            limit: nanos,
            ..Silence::default()
        }
    }

    #[inline]
    pub fn is_due(&self, now: u64) -> bool {
        now.saturating_sub(self.heard) > self.limit
    }
}

impl<P: Protocol> Channel<P> {
    /// A frame came in on one of its lines.
    #[inline]
    pub(super) fn hear<H: Outlet, R: Probe>(
        &mut self,
        at: u64,
        kind: FrameKind,
        core: &mut Core<H, R>,
    ) {
        self.silence.heard = match kind {
            FrameKind::EndOfSession => NOTHING_DUE,
            _ => at,
        };
        if self.silence.told {
            self.end_silence(core);
        }
    }

    #[cold]
    pub(super) fn fall_silent<H: Outlet, R: Probe>(&mut self, core: &mut Core<H, R>) {
        self.silence = Silence {
            heard: NOTHING_DUE,
            told: true,
            times: self.silence.times + 1,
            ..self.silence
        };
        self.tell_trust(Trust::STALE, core);
    }

    #[cold]
    fn end_silence<H: Outlet, R: Probe>(&mut self, core: &mut Core<H, R>) {
        self.silence.told = false;
        let recovering = self.units.iter().any(|u| u.trust == Trust::RECOVERING);
        let trust = match recovering {
            true => Trust::RECOVERING,
            false => Trust::VALID,
        };
        self.tell_trust(trust, core);
    }

    fn tell_trust<H: Outlet, R: Probe>(&self, trust: Trust, core: &mut Core<H, R>) {
        // A channel that has brought nothing with a number has no numbering yet.
        let unit = self.units.first();
        let cx = MsgCtx {
            trust,
            sequence: unit.and_then(|u| u.sequencer.expected()).unwrap_or(0),
            unit: unit.map_or(0, |u| u.key),
            timestamp: UnixNanos::UNKNOWN,
            instrument: NO_INSTRUMENT,
            symbol: NO_SYMBOL,
            // Whatever event is open goes on behind it.
            flags: Flags::END_OF_EVENT.with(Flags::OF_INSTRUMENT),
            ..self.cx
        };
        core.outlet.on_trust(&cx);
    }

    /// How far its instruments can be believed, the worst of them where each has a trust of its own.
    pub fn trust(&self) -> Trust {
        let recovering = self.units.iter().any(|u| u.trust == Trust::RECOVERING);
        match (
            self.silence.told,
            recovering || self.decoder.is_recovering(),
        ) {
            (true, _) => Trust::STALE,
            (false, true) => Trust::RECOVERING,
            (false, false) => Trust::VALID,
        }
    }

    /// How often its lines were silent for longer than they may be.
    pub fn silences(&self) -> u64 {
        self.silence.times
    }

    /// True when they are, and nothing has been heard since.
    pub fn is_silent(&self) -> bool {
        self.silence.told
    }
}
