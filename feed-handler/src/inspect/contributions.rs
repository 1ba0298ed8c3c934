//! What the lines of a capture contributed: `lines`.
//!
//! The same facts as a run keeps of its lines ([`sequence::Lines`](crate::sequence::Lines)), with no limit on reordering.

use super::directory::{CaptureChannel, Directory};
use super::gaps::SessionName;
use super::intervals::Arrived;
use super::lines::Lines;
use super::numberings::Numberings;
use super::walk::{Came, Visit, walk};
use super::{Dissect, Streams, View};
use crate::report;
use crate::sequence::{Heard, LEAD_RESOLUTION, Lead, Leads};
use crate::transport::FrameKind;
use feed_common::capture::Lend;
use feed_common::latency::Spread;
use feed_common::time::UnixNanos;
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::Range;

/// Lines whose leads are measured at most, and channels: more than any capture needs, and a bound on memory.
const MEASURED_MAX: usize = 1_024;

/// The facts of `lines`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Contributions {
    /// In the order in which they appear.
    pub channels: Vec<ChannelLines>,
    /// What was malformed, by name.
    pub errors: BTreeMap<&'static str, u64>,
}

/// A channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChannelLines {
    /// Its number, from 0.
    pub channel: usize,
    /// What it speaks.
    pub protocol: &'static str,
    /// Its last session; empty where the feed names none.
    pub session: String,
    /// Sessions after the first, and numberings that began anew.
    pub restarts: u64,
    /// Messages, each once.
    pub messages: u64,
    /// By line.
    pub lines: Vec<LineFacts>,
    /// Numbers that no line brought: messages, or packets where packets are numbered.
    pub lost_by_all: u64,
    /// Packets from a server, beside the lines.
    pub retransmission_packets: u64,
}

/// A line of a channel. What is lost is counted in numbers: of messages, or of packets where packets are numbered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LineFacts {
    /// `A`, `B`, ...
    pub line: String,
    /// Group and port; empty for a BinaryFILE.
    pub group: String,
    /// Datagrams that came in on it.
    pub packets: u64,
    /// Messages in them, new or not.
    pub messages: u64,
    /// Messages it brought before any other line.
    pub first: u64,
    /// By how much its packets were earlier than on the line that came second.
    pub lead_ns: report::Lead,
    /// Numbers between its first and its last that it never brought.
    pub lost: u64,
    /// Those of them that another line brought.
    pub lost_alone: u64,
    /// Numbers that others brought before its first and behind its last.
    pub absent: u64,
    /// Data packets that brought nothing new.
    pub duplicates: u64,
    /// When its first packet was captured, since the Unix epoch.
    pub first_packet_ns: Option<u64>,
    /// When its last one was.
    pub last_packet_ns: Option<u64>,
    /// The longest time without a packet while the channel had some.
    pub longest_silence_ns: u64,
    /// The time of the packet before that; none where the line had not begun.
    pub longest_silence_since_ns: Option<u64>,
}

/// Goes through a capture whose streams are known; `pass` begins one reading of it, and the last one is handed back when
/// it has come to its end.
pub fn contributions<D: Lend>(
    pass: impl Fn() -> D,
    streams: &Streams,
    lines: &Lines,
) -> (Contributions, D) {
    let directory = Directory::new(&pass, streams, lines);
    let channels = directory.channels.iter().enumerate();
    let mut count = Count {
        channels: channels.map(|(n, known)| Channel::new(n, known)).collect(),
        measurable: MEASURED_MAX,
        new: Vec::new(),
        had_data: false,
        had_new: false,
    };
    let mut datagrams = pass();
    let errors = walk(&mut datagrams, &directory, &mut count);
    let channels = directory.channels.iter().zip(count.channels).enumerate();
    let channels = channels.map(|(number, (known, channel))| channel.finish(number, known));
    let contributions = Contributions {
        channels: channels.collect(),
        errors,
    };
    (contributions, datagrams)
}

struct Count {
    channels: Vec<Channel>,
    /// Lines that may still be measured.
    measurable: usize,
    /// What the frame at hand brings; kept for its memory.
    new: Vec<Range<u64>>,
    /// Of the datagram at hand.
    had_data: bool,
    had_new: bool,
}

struct Channel {
    numberings: Numberings<Numbers>,
    session: SessionName,
    messages: u64,
    lines: Vec<Line>,
    leads: Leads,
    aside: u64,
}

#[derive(Default)]
struct Line {
    packets: u64,
    messages: u64,
    first: u64,
    duplicates: u64,
    lead: Option<Spread>,
    heard: Heard,
}

/// What came of one numbering.
#[derive(Default)]
struct Numbers {
    /// Its place among those of the channel.
    place: usize,
    all: Arrived,
    lines: BTreeMap<usize, Arrived>,
}

impl Visit for Count {
    fn datagram(&mut self, came: &Came) {
        (self.had_data, self.had_new) = (false, false);
        let channel = &mut self.channels[came.channel];
        let Some(line) = came.line else {
            channel.aside += 1;
            return;
        };
        let line = &mut channel.lines[line];
        line.packets += 1;
        if came.time.is_known() {
            line.heard.packet(came.time.0, came.time);
        }
    }

    fn frame(&mut self, came: &Came, protocol: &'static dyn Dissect, frame: &View<'_>) {
        let channel = &mut self.channels[came.channel];
        let Some(number) = came.line else { return };
        let messages = match frame.packets {
            true => {
                let mut n = 0;
                protocol.messages(frame, &mut |_| {
                    n += 1;
                    true
                });
                n
            }
            false => frame.span.count,
        };
        let line = &mut channel.lines[number];
        line.messages += messages;
        self.had_data |= frame.span.count > 0;
        if frame.kind == FrameKind::Unsequenced {
            self.had_new = true;
            line.first += messages;
            channel.messages += messages;
            return;
        }
        channel.session = SessionName::of(frame);
        let next = channel.numberings.len();
        let (numbers, began) = channel.numberings.of(frame);
        if began.is_some() {
            numbers.place = next;
        }
        numbers.all.add(frame.span, &mut self.new);
        let new = match frame.packets {
            true if self.new.is_empty() => 0,
            true => messages,
            false => self.new.iter().map(|part| part.end - part.start).sum(),
        };
        line.first += new;
        channel.messages += new;
        self.had_new |= !self.new.is_empty();
        let is_new = self.new.first().map(|part| part.start) == Some(frame.span.first);
        let place = numbers.place;
        let own = numbers.lines.entry(number).or_default();
        own.add(frame.span, &mut self.new);
        if frame.span.count > 0
            && let Some(lead) = channel.compare(number, place, frame.span.first, is_new, came.time)
        {
            channel.lines[lead.line].lead(lead.nanos, &mut self.measurable);
        }
    }

    fn end(&mut self, came: &Came) -> bool {
        if let Some(line) = came.line {
            let line = &mut self.channels[came.channel].lines[line];
            line.duplicates += u64::from(self.had_data && !self.had_new);
        }
        true
    }
}

impl Channel {
    fn new(number: usize, known: &CaptureChannel) -> Channel {
        let is_measured = number < MEASURED_MAX;
        Channel {
            numberings: Numberings::default(),
            session: SessionName::default(),
            messages: 0,
            lines: known.lines.iter().map(|_| Line::default()).collect(),
            leads: Leads::new(if is_measured { known.lines.len() } else { 0 }),
            aside: 0,
        }
    }

    /// Of a packet from number `first` on.
    fn compare(
        &mut self,
        line: usize,
        place: usize,
        first: u64,
        is_new: bool,
        at: UnixNanos,
    ) -> Option<Lead> {
        if is_new {
            self.leads.first(line, place, first, at.0);
            return None;
        }
        self.leads.again(line, place, first, at.0)
    }

    fn finish(self, channel: usize, known: &CaptureChannel) -> ChannelLines {
        let restarts = self.numberings.restarts();
        let heard: Vec<Heard> = self.lines.iter().map(|line| line.heard).collect();
        let lines = self.lines.into_iter().enumerate();
        let mut lines: Vec<LineFacts> = lines
            .map(|(number, line)| line.finish(number, known, &heard))
            .collect();
        let mut lost_by_all = 0u64;
        for numbers in self.numberings.into_all() {
            // The sums over sessions of hostile numbers could leave the range.
            lost_by_all = lost_by_all.saturating_add(numbers.all.holes().1);
            for (number, line) in lines.iter_mut().enumerate() {
                let [lost, alone, absent] = numbers.of(number);
                line.lost = line.lost.saturating_add(lost);
                line.lost_alone = line.lost_alone.saturating_add(alone);
                line.absent = line.absent.saturating_add(absent);
            }
        }
        ChannelLines {
            channel,
            protocol: known.protocol.name(),
            session: self.session.to_string(),
            restarts,
            messages: self.messages,
            lines,
            lost_by_all,
            retransmission_packets: self.aside,
        }
    }
}

impl Numbers {
    /// What a line lost, what it lost alone, and what there was while it had not begun or had ended.
    fn of(&self, line: usize) -> [u64; 3] {
        let all = self.all.count(0..u64::MAX);
        let line = self.lines.get(&line);
        let Some((line, (start, end))) = line.and_then(|line| Some((line, line.bounds()?))) else {
            return [0, 0, all];
        };
        let within = self.all.count(start..end);
        let lost = line.holes().1;
        // What was before the first of the channel was never awaited.
        let awaited = self
            .all
            .bounds()
            .map_or(start, |(first, _)| start.max(first))..end;
        let alone = self.all.count(awaited.clone()) - line.count(awaited);
        [lost, alone, all.saturating_sub(within)]
    }
}

impl Line {
    /// Counts a lead, if there is room to count it.
    fn lead(&mut self, nanos: u64, measurable: &mut usize) {
        if self.lead.is_none() && *measurable > 0 {
            *measurable -= 1;
            self.lead = Some(Spread::new(LEAD_RESOLUTION));
        }
        if let Some(spread) = &mut self.lead {
            spread.record(nanos);
        }
    }

    fn finish(self, number: usize, known: &CaptureChannel, all: &[Heard]) -> LineFacts {
        let nanos = |time: UnixNanos| time.is_known().then_some(time.0);
        let (first, last) = self.heard.stamps();
        let silence = self.heard.silence(all);
        let lead = self.lead.as_ref().map(Spread::quantiles);
        LineFacts {
            line: CaptureChannel::line_name(number),
            group: known.group(number),
            packets: self.packets,
            messages: self.messages,
            first: self.first,
            lead_ns: lead.unwrap_or_default().into(),
            duplicates: self.duplicates,
            first_packet_ns: nanos(first),
            last_packet_ns: nanos(last),
            longest_silence_ns: silence.nanos,
            longest_silence_since_ns: nanos(silence.since),
            ..LineFacts::default()
        }
    }
}

#[cfg(test)]
mod tests;
