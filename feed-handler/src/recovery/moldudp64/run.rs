//! One run of missing messages, and the requests under way for it.

use super::RequestLimits;
use crate::recovery::{Handed, Missing, Net, RecoverySink};
use crate::sequence::SeqSpan;
use feed_common::wire::moldudp64::Request;
use zerocopy::IntoBytes;

/// The shortest wait for another packet of an answer.
const REST_NANOS: u64 = 200_000;

/// What all runs of a client share.
#[derive(Debug)]
pub(super) struct Asking {
    pub limits: RequestLimits,
    pub counts: Counts,
    servers: usize,
    /// The server that brought something last.
    prefer: usize,
    size: AnswerSize,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub requests: u64,
    pub answers: u64,
    pub unanswered: u64,
    pub failed: u64,
    pub unasked: u64,
    pub garbage: u64,
}

/// A run of messages that is wanted.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// What has not been asked for yet of it, which may be nothing.
    pub missing: Missing,
    /// What has been asked for, and is still missing, in the order of its numbers. It lies before the rest.
    pieces: Vec<Piece>,
    /// When something last came that was missing.
    brought: Option<u64>,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// What is still missing of it; never empty.
    span: SeqSpan,
    /// Requests since something of it came.
    attempts: u32,
    /// When the first of these was sent.
    since: u64,
    /// How many messages the last request asked for, and how many of them have come.
    asked: u64,
    came: u64,
    /// When it was sent, and until when a packet is waited for.
    at: u64,
    until: u64,
    /// Something has come.
    answered: bool,
}

/// How many messages answers have, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
struct AnswerSize {
    /// `None` before the first answer that did not have all that was asked for, or all that can be.
    messages: Option<u64>,
    /// Answers of that size, one after another.
    full: u32,
}

impl Asking {
    pub fn new(servers: usize, limits: RequestLimits) -> Asking {
        Asking {
            limits,
            counts: Counts::default(),
            servers: servers.max(1),
            prefer: 0,
            size: AnswerSize::default(),
        }
    }

    /// How many messages the next request asks for at most.
    fn size(&self) -> u64 {
        let most = u64::from(self.limits.messages);
        self.size.messages.map_or(most, |size| size.min(most))
    }

    /// How many requests for a run can be under way.
    fn in_flight(&self) -> usize {
        match self.size.messages {
            Some(_) => self.limits.in_flight.max(1),
            None => 1,
        }
    }
}

impl Run {
    pub fn new(missing: Missing) -> Run {
        Run {
            missing,
            pieces: Vec::new(),
            brought: None,
        }
    }

    /// Whether anything of it is still missing.
    pub fn is_wanted(&self) -> bool {
        !self.pieces.is_empty() || self.missing.span.count > 0
    }

    /// When something is due.
    pub fn due(&self) -> Option<u64> {
        self.pieces.iter().map(|piece| piece.until).min()
    }

    /// Nothing before `next` is wanted any more.
    pub fn settle(&mut self, next: u64) {
        self.missing.span = behind(self.missing.span, next);
        for piece in &mut self.pieces {
            piece.span = behind(piece.span, next);
        }
        self.pieces.retain(|piece| piece.span.count > 0);
    }

    /// Takes note of a packet with these messages; whether a request of this run asked for them.
    pub fn bring(
        &mut self,
        brought: SeqSpan,
        server: usize,
        now: u64,
        asking: &mut Asking,
    ) -> bool {
        let end = brought.end();
        let asked = |piece: &Piece| piece.span.first < end && end <= piece.span.end();
        let Some(place) = self.pieces.iter().position(asked) else {
            return false;
        };
        let piece = &mut self.pieces[place];
        // Packets of one answer come in order; what one of them left out is asked for again.
        if brought.first <= piece.span.first {
            piece.came += end - piece.span.first;
            piece.span = behind(piece.span, end);
            piece.attempts = 0;
            self.brought = Some(now);
            asking.prefer = server;
        }
        if piece.span.count == 0 {
            asking.size.full(piece.asked, asking.limits.messages);
            self.pieces.remove(place);
        } else {
            let took = now.saturating_sub(piece.at).max(REST_NANOS);
            piece.until = now + took.min(asking.limits.answer_nanos);
            piece.answered = true;
        }
        true
    }

    /// Asks for what is due, and gives up what cannot be had; whether anything is still wanted.
    pub fn poll(
        &mut self,
        now: u64,
        asking: &mut Asking,
        net: &mut dyn Net,
        out: &mut dyn RecoverySink,
    ) -> bool {
        let mut place = 0;
        while let Some(piece) = self.pieces.get_mut(place) {
            if now < piece.until {
                place += 1;
                continue;
            }
            match piece.answered {
                true => asking.size.short(piece.came),
                false => asking.counts.unanswered += 1,
            }
            if piece.attempts == asking.limits.attempts {
                if !self.give_up(place, asking, out) {
                    return false;
                }
            } else if piece.attempts == 0 && piece.span.end() == self.missing.span.first {
                // It is asked for with what comes after it.
                self.missing.span = SeqSpan::between(piece.span.first, self.missing.span.end());
                self.pieces.remove(place);
            } else {
                piece.ask(self.missing, now, asking, net);
                place += 1;
            }
        }
        while self.missing.span.count > 0 && self.pieces.len() < asking.in_flight() {
            let rest = self.missing.span;
            let next = rest.first.saturating_add(rest.count.min(asking.size()));
            let mut piece = Piece::new(SeqSpan::between(rest.first, next));
            self.missing.span = SeqSpan::between(next, rest.end());
            piece.ask(self.missing, now, asking, net);
            self.pieces.push(piece);
        }
        self.is_wanted()
    }

    /// Gives up a piece, and with it the run, unless others of it have come meanwhile; whether anything is still wanted.
    fn give_up(&mut self, place: usize, asking: &mut Asking, out: &mut dyn RecoverySink) -> bool {
        let piece = self.pieces.remove(place);
        let alone = self.brought.is_some_and(|at| at >= piece.since);
        let first = self.pieces.first().map_or(piece.span, |first| first.span);
        let span = match alone {
            true => piece.span,
            false => SeqSpan::between(
                first.first.min(piece.span.first),
                self.missing.span.end().max(piece.span.end()),
            ),
        };
        asking.counts.failed += 1;
        let failed = Missing {
            span,
            ..self.missing
        };
        out.hand(failed.channel, Handed::Failed(failed));
        alone
    }
}

impl Piece {
    fn new(span: SeqSpan) -> Piece {
        Piece {
            span,
            attempts: 0,
            since: 0,
            asked: 0,
            came: 0,
            at: 0,
            until: 0,
            answered: false,
        }
    }

    /// Asks for what is missing of it.
    fn ask(&mut self, of: Missing, now: u64, asking: &mut Asking, net: &mut dyn Net) {
        let request = Request {
            session: of.session,
            sequence: self.span.first.into(),
            // No piece is longer than a request can be.
            requested_count: (self.span.count as u16).into(),
        };
        let server = (asking.prefer + self.attempts as usize) % asking.servers;
        net.send(server, request.as_bytes());
        asking.counts.requests += 1;
        if self.attempts == 0 {
            self.since = now;
        }
        self.attempts += 1;
        (self.asked, self.came) = (self.span.count, 0);
        (self.at, self.until) = (now, now + asking.limits.answer_nanos);
        self.answered = false;
    }
}

impl AnswerSize {
    /// So many answers of a size are followed by a longer request.
    const FULL: u32 = 16;

    /// An answer had no more than `came`. A single one does not say much once a size is known.
    fn short(&mut self, came: u64) {
        if came > 0 {
            let least = self.messages.map_or(came, |size| size - size / 4);
            self.messages = Some(came.max(least));
            self.full = 0;
        }
    }

    /// An answer had all that was `asked` for, which can be `most`.
    fn full(&mut self, asked: u64, most: u16) {
        let most = u64::from(most);
        match self.messages {
            None if asked == most => self.messages = Some(most),
            Some(size) if asked >= size => {
                self.full += 1;
                if self.full == Self::FULL {
                    self.messages = Some((size + size / 8 + 1).min(most));
                    self.full = 0;
                }
            }
            _ => {}
        }
    }
}

/// What of a span lies from `next` on.
fn behind(span: SeqSpan, next: u64) -> SeqSpan {
    match next > span.first {
        true => SeqSpan::between(next, span.end()),
        false => span,
    }
}
