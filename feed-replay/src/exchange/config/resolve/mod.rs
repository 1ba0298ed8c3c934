//! From the file as written to a plan: defaults, and every rule that a type cannot say.

use super::file::{self, File};
use crate::exchange::{Numbering, Plan, Shape, Source, Timing};
use crate::fault::FaultError;
use crate::schedule::Speed;
use crate::synth::{Protocol, Spec};
use feed_common::config::TimeSpan;
use feed_common::wire::ProtocolName;
use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;
use toml::Spanned;

mod ends;

type Problems = Vec<(Range<usize>, String)>;

const MS: u64 = 1_000_000;
const MINUTE: u64 = 60_000 * MS;
/// Names are for reports.
const NAME_BYTES_MAX: usize = 64;
/// The seed when none is given.
const SEED: u64 = 1;
/// Messages of a made session when nothing is said.
const MESSAGES: u64 = 100_000;

/// The plan, or everything that is wrong with the file by its place in the text.
pub(super) fn resolve(file: &File) -> Result<Plan, Problems> {
    let mut r = Resolver::default();
    let plan = r.plan(file);
    match plan {
        Some(plan) if r.problems.is_empty() => Ok(plan),
        _ => Err(r.problems),
    }
}

#[derive(Default)]
struct Resolver {
    problems: Problems,
}

impl Resolver {
    /// `None` only where a problem was noted.
    fn plan(&mut self, file: &File) -> Option<Plan> {
        let seed = file.seed.unwrap_or(SEED);
        let session = file.session.get_ref();
        let source = self.source(&file.session, seed);
        let shape = Shape {
            lead: self.time("lead", &session.lead, 0, 0..=60 * MINUTE),
            speed: self.speed(&session.speed),
            faults: self.faults(&session.faults),
        };
        let usual = Timing::default();
        let timing = Timing {
            heartbeat: self.time(
                "heartbeat",
                &session.heartbeat,
                usual.heartbeat,
                MS..=MINUTE,
            ),
            grace: self.time("grace", &session.grace, usual.grace, 0..=60 * MINUTE),
        };
        let lines = self.lines(&file.lines);
        let loops = self.loops(&file.loops);
        let servers = self.servers(&file.servers);
        let source = source?;
        self.framing(session, &source, &shape, file);
        Some(Plan {
            seed,
            source,
            shape,
            timing,
            lines,
            loops,
            servers,
        })
    }

    fn source(&mut self, session: &Spanned<file::Session>, seed: u64) -> Option<Source> {
        let place = session.span();
        let session = session.get_ref();
        match (&session.protocol, &session.capture) {
            (Some(_), Some(capture)) => {
                self.wrong(capture, "`capture` beside `protocol`: expected one of them");
                None
            }
            (None, None) => {
                let what = "[session] has neither `protocol` nor `capture`: expected one of them";
                self.note(place, what.into());
                None
            }
            (None, Some(capture)) => {
                let made = [
                    ("feed", session.feed.as_ref().map(Spanned::span)),
                    ("messages", session.messages.as_ref().map(Spanned::span)),
                    ("rate", session.rate.as_ref().map(Spanned::span)),
                    ("symbols", session.symbols.as_ref().map(Spanned::span)),
                    ("seed", session.seed.as_ref().map(Spanned::span)),
                ];
                for (key, place) in made {
                    self.out_of_place(key, place, "a capture is not made");
                }
                Some(Source::Capture {
                    path: capture.get_ref().clone(),
                    group: self.captured_group(&session.group),
                })
            }
            (Some(protocol), None) => {
                let here = [
                    ("group", session.group.as_ref().map(Spanned::span)),
                    ("speed", session.speed.as_ref().map(Spanned::span)),
                ];
                for (key, place) in here {
                    self.out_of_place(
                        key,
                        place,
                        "it is about captures; a made session has a `rate`",
                    );
                }
                self.spec(protocol, session, seed).map(Source::Made)
            }
        }
    }

    fn spec(
        &mut self,
        protocol: &Spanned<String>,
        session: &file::Session,
        seed: u64,
    ) -> Option<Spec> {
        let Some(name) = ProtocolName::of(protocol.get_ref()) else {
            let names = ProtocolName::NAMES.join(", ");
            self.wrong(
                protocol,
                format!("unknown protocol: expected one of {names}"),
            );
            return None;
        };
        let feed = session.feed.as_ref();
        let made = match Protocol::of(name, feed.map(|feed| feed.get_ref().as_str())) {
            Ok(made) => made,
            Err(reason) => {
                self.wrong(feed.unwrap_or(protocol), reason);
                return None;
            }
        };
        let value = |number: &Option<Spanned<u64>>| number.as_ref().map(|n| *n.get_ref());
        let messages = value(&session.messages).unwrap_or(MESSAGES);
        let usual = Spec::new(made, messages, value(&session.seed).unwrap_or(seed));
        let spec = Spec {
            rate: value(&session.rate).unwrap_or(usual.rate),
            symbols: session
                .symbols
                .as_ref()
                .map_or(usual.symbols, |n| *n.get_ref()),
            ..usual
        };
        if let Err(reason) = spec.check() {
            let place = [
                session.rate.as_ref().map(Spanned::span),
                session.symbols.as_ref().map(Spanned::span),
            ];
            let place = place.into_iter().flatten().next();
            self.note(place.unwrap_or(protocol.span()), reason.to_string());
        }
        Some(spec)
    }

    /// What only some framings can do, where it is known already which one the session is in.
    fn framing(&mut self, session: &file::Session, source: &Source, shape: &Shape, file: &File) {
        let Source::Made(spec) = source else { return };
        let name = spec.protocol.name();
        if name != ProtocolName::Mdp3 {
            for each in &file.loops {
                self.wrong(
                    &each.name,
                    format!("{name} has no loop of snapshots: mdp3 has"),
                );
            }
        }
        let numbering = Numbering::of(name);
        if let Some(faults) = &session.faults
            && !shape.faults.restarts.is_empty()
            && numbering != Numbering::MoldUdp64
        {
            self.wrong(
                faults,
                format!("{name} sessions cannot restart here: only those in MoldUDP64 can"),
            );
        }
        for server in &file.servers {
            let (needs, framing) = match server.kind.get_ref() {
                file::Kind::Pillar => (Numbering::Pillar, "Pillar"),
                _ => (Numbering::MoldUdp64, "MoldUDP64"),
            };
            if numbering != needs {
                self.wrong(
                    &server.kind,
                    format!("{name} sessions are not in {framing}"),
                );
            }
        }
    }

    fn name<'n>(
        &mut self,
        what: &str,
        name: &Spanned<String>,
        mut taken: impl Iterator<Item = &'n String>,
    ) -> String {
        let text = name.get_ref();
        let letters = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
        if text.is_empty() || text.len() > NAME_BYTES_MAX || !text.bytes().all(letters) {
            self.wrong(
                name,
                format!("{what} name {text:?}: expected 1 to {NAME_BYTES_MAX} letters, digits, `_`, `.` or `-`"),
            );
        } else if taken.any(|other| other == text) {
            self.wrong(
                name,
                format!("{what} `{text}` already exists: expected another name"),
            );
        }
        text.clone()
    }

    fn captured_group(&mut self, text: &Option<Spanned<String>>) -> Option<SocketAddr> {
        let text = text.as_ref()?;
        let group = text.get_ref().parse().ok();
        if group.is_none() {
            self.wrong(
                text,
                "expected a group of the capture such as \"233.54.12.1:26477\"",
            );
        }
        group
    }

    fn speed(&mut self, text: &Option<Spanned<String>>) -> Speed {
        let Some(text) = text else {
            return Speed::ORIGINAL;
        };
        match text.get_ref().parse() {
            Ok(Speed::Max) => self.wrong(
                text,
                "an exchange keeps time: expected a number such as \"10\"",
            ),
            Ok(speed) => return speed,
            Err(reason) => self.wrong(text, reason),
        }
        Speed::ORIGINAL
    }

    /// Faults in their grammar. An error points into the string, unless that has escapes or several lines.
    fn faults<F: FromStr<Err = FaultError> + Default>(
        &mut self,
        text: &Option<Spanned<String>>,
    ) -> F {
        let Some(text) = text else {
            return F::default();
        };
        match text.get_ref().parse() {
            Ok(faults) => faults,
            Err(FaultError { at, message }) => {
                let span = text.span();
                let plain = span.len() == text.get_ref().len() + 2;
                let at = if plain {
                    span.start + 1 + at
                } else {
                    span.start
                };
                self.note(at..span.end, message);
                F::default()
            }
        }
    }

    fn time(
        &mut self,
        key: &str,
        value: &Option<Spanned<TimeSpan>>,
        usual: u64,
        range: RangeInclusive<u64>,
    ) -> u64 {
        let Some(value) = value else { return usual };
        let nanos = value.get_ref().0;
        if !range.contains(&nanos) {
            let (low, high) = (TimeSpan(*range.start()), TimeSpan(*range.end()));
            self.wrong(
                value,
                format!("`{key}` is {}: expected {low} to {high}", value.get_ref()),
            );
        }
        nanos
    }

    fn within(
        &mut self,
        key: &str,
        value: &Option<Spanned<u64>>,
        usual: u64,
        range: RangeInclusive<u64>,
    ) -> u64 {
        let Some(value) = value else { return usual };
        let n = *value.get_ref();
        if !range.contains(&n) {
            let (low, high) = (range.start(), range.end());
            self.wrong(value, format!("`{key}` is {n}: expected {low} to {high}"));
        }
        n
    }

    fn out_of_place(&mut self, key: &str, place: Option<Range<usize>>, why: &str) {
        if let Some(place) = place {
            self.note(place, format!("no place for `{key}`: {why}"));
        }
    }

    fn wrong<T>(&mut self, at: &Spanned<T>, message: impl ToString) {
        self.note(at.span(), message.to_string());
    }

    fn note(&mut self, at: Range<usize>, message: String) {
        self.problems.push((at, message));
    }
}
