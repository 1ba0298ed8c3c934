//! Where messages were lost, and who brought them after all: the names that `gaps` and the list of a run share.

use super::{SeqSpan, Side};

/// Where something was lost, by the evidence there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// In the socket's buffer, which had no room: live only.
    SocketBuffer,
    /// Between the interface and the socket: a counter of the machine has grown in the interval. Live only.
    ReceiveQueue,
    /// In this program's packet ring, which had no free slot: live only.
    RingFull,
    /// Something that came in its place was no frame: live only.
    Malformed,
    /// On the way of one line: it alone lacks it.
    OneLine,
    /// On the ways of several lines, but not of all.
    SomeLines,
    /// Before the lines part: all of them, two at least, came past and lack it, and nothing was dropped here.
    Upstream,
    /// Nowhere: the line that showed it brought it later.
    Reordered,
    /// Nowhere: it was sent before any line was first heard.
    LateJoin,
    /// There is one line, or another one had not come as far, or the evidence says several things.
    Unknown,
}

impl Cause {
    /// All of them.
    pub const ALL: [Cause; 10] = [
        Cause::SocketBuffer,
        Cause::ReceiveQueue,
        Cause::RingFull,
        Cause::Malformed,
        Cause::OneLine,
        Cause::SomeLines,
        Cause::Upstream,
        Cause::Reordered,
        Cause::LateJoin,
        Cause::Unknown,
    ];

    /// Its name in facts.
    pub fn name(self) -> &'static str {
        match self {
            Cause::SocketBuffer => "socket_buffer",
            Cause::ReceiveQueue => "receive_queue",
            Cause::RingFull => "ring_full",
            Cause::Malformed => "malformed",
            Cause::OneLine => "one_line",
            Cause::SomeLines => "some_lines",
            Cause::Upstream => "upstream",
            Cause::Reordered => "reordered",
            Cause::LateJoin => "late_join",
            Cause::Unknown => "unknown",
        }
    }

    /// Why numbers are missing that these lines, of so many, came past and lack, each with the cause that is known of it
    /// alone. `brought` says that a line has brought them.
    pub fn of(
        lacking: impl IntoIterator<Item = Option<Cause>>,
        brought: bool,
        lines: usize,
    ) -> Cause {
        let mut lacking = lacking.into_iter();
        let Some(first) = lacking.next() else {
            return Cause::Reordered;
        };
        let (mut count, mut agree) = (1, true);
        for other in lacking {
            count += 1;
            agree &= other == first;
        }
        match first {
            _ if brought && count == 1 => Cause::OneLine,
            _ if brought => Cause::SomeLines,
            Some(cause) if agree => cause,
            None if agree && count == lines && lines > 1 => Cause::Upstream,
            _ => Cause::Unknown,
        }
    }
}

/// Who brought numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// A line.
    Line(usize),
    /// A server that was asked for them; in a capture, a packet from an address that is none of the lines'.
    Retransmission,
    /// Nobody, but a snapshot has replaced what they would have changed. Live only.
    Snapshot,
}

impl By {
    /// Its name in facts; lines have names of their own.
    pub fn name(self, line: impl FnOnce(usize) -> String) -> String {
        match self {
            By::Line(number) => format!("line {}", line(number)),
            By::Retransmission => "retransmission".to_owned(),
            By::Snapshot => "snapshot".to_owned(),
        }
    }
}

/// Lines of a channel that are told apart in what is said of its holes: the first ones.
pub const SIDES: usize = 8;

/// A hole that is no more, and what was known of it then: everything its cause follows from but the machine's counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoleEnd {
    /// Number of the channel.
    pub channel: u16,
    /// What frames call its numbering.
    pub unit: u8,
    /// What was missing when it was noticed.
    pub span: SeqSpan,
    /// When it was noticed, in nanoseconds of the lane's clock.
    pub opened: u64,
    /// When the last of it came or it was given up, by the same clock.
    pub closed: u64,
    /// Who closed it; `None` where all or part of it was given up.
    pub by: Option<By>,
    /// What was given up with it, or a snapshot stands for: the first number, and how many in all.
    pub lost: SeqSpan,
    /// How many lines the channel has, those of retransmissions aside.
    pub lines: usize,
    /// What each line was to it then, or to the part of it that was given up; of the first lines.
    pub sides: [Side; SIDES],
}

/// Why a hole was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Where it was lost.
    pub cause: Cause,
    /// By line: where it was lost on the way of that line, of those that lack it.
    pub lines: [Option<Cause>; SIDES],
}

impl HoleEnd {
    /// Says why it was. `queue` tells whether a counter of the machine says that packets of a line may have been dropped
    /// before its socket, from one moment to another of the lane's clock.
    pub fn verdict(&self, queue: impl Fn(usize, u64, u64) -> bool) -> Verdict {
        let mut lines = [None; SIDES];
        let sides = &self.sides;
        for (number, (line, side)) in lines.iter_mut().zip(sides).enumerate() {
            *line = match *side {
                Side::Behind | Side::Later | Side::Brought => None,
                Side::Forgotten => Some(Some(Cause::Unknown)),
                Side::Lacks(of) => Some(
                    of.dropped
                        .cause()
                        .or_else(|| queue(number, of.from, of.to).then_some(Cause::ReceiveQueue)),
                ),
            };
        }
        let lacking = || lines.iter().copied().flatten();
        let by_line = matches!(self.by, Some(By::Line(_)));
        let brought = by_line || sides.contains(&Side::Brought);
        let cause = match lacking().next() {
            None if brought => Cause::Reordered,
            None if sides.contains(&Side::Later) => Cause::LateJoin,
            None => Cause::Unknown,
            Some(_) => Cause::of(lacking(), brought, self.lines),
        };
        // What one line dropped here had come as far as here.
        let known = |c: Option<Cause>| c.is_some_and(|c| c != Cause::Unknown);
        let came = brought || lacking().any(known);
        let elsewhere = match lacking().filter(Option::is_none).count() {
            _ if cause == Cause::Upstream => Cause::Upstream,
            1 if came => Cause::OneLine,
            _ if came => Cause::SomeLines,
            _ => Cause::Unknown,
        };
        Verdict {
            cause,
            lines: lines.map(|line| line.map(|own| own.unwrap_or(elsewhere))),
        }
    }
}

#[cfg(test)]
#[path = "cause_tests.rs"]
mod tests;
