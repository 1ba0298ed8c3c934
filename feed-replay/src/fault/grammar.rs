//! The grammar of faults: `NAME=VALUE`, separated by blanks, each name once unless it says otherwise.
//!
//! ```text
//! faults  = [ fault { blank fault } ]
//! fault   = name "=" value | "restart@" span
//! rate    = decimal "%"                     0.05%
//! span    = whole ("ns"|"us"|"ms"|"s"|"min"|"h")
//! spread  = span [ ".." span ]              50us, 10us..200us, 0..200us
//! during  = span "@" span                   2s@10s: two seconds long, ten seconds after the start
//! reorder = whole | rate "x" whole          5, 1%x5
//! ```
//!
//! In a spread the first span may leave out its unit: it has that of the second. Which names there are depends on what
//! is to have the faults: [`LineFaults`](super::LineFaults), [`ServerFaults`](super::ServerFaults) and
//! [`SessionFaults`](super::SessionFaults) say theirs.

use super::rate::Rate;
use super::spec::{Reorder, Silence, Spread};
use std::ops::Range;
use winnow::ascii::{alpha1, digit1, multispace0};
use winnow::combinator::{alt, cut_err, opt, preceded, repeat, terminated};
use winnow::error::{AddContext, ContextError, ErrMode, StrContext, StrContextValue};
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Stream};
use winnow::token::{take_till, take_while};

/// What is wrong with a text of faults, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {}: {message}", at + 1)]
pub struct FaultError {
    /// The place: bytes before it. Everything that can stand before an error is ASCII, so it counts characters too.
    pub at: usize,
    /// What is wrong and what was expected.
    pub message: String,
}

/// A fault as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Burst(u64),
    Close(Rate),
    Corrupt(Rate),
    Delay(Spread),
    Dup(Rate),
    Late(Spread),
    Loss(Rate),
    Refuse(Rate),
    Reorder(Reorder),
    Restart(u64),
    Silence(Silence),
    Skew(u64),
    Trickle(u64),
    Wrong(Rate),
}

/// A kind of faults: the names it knows, and what becomes of them.
pub(super) trait Faults: Default {
    /// What has them, in words.
    const OF: &'static str;
    /// Names that may be given, in the order in which they are printed.
    const NAMES: &'static [&'static str];
    /// Names among them that may be given more than once.
    const REPEATED: &'static [&'static str];

    /// Takes a fault of one of the names; what is wrong with it, if anything.
    fn set(&mut self, item: Item) -> Result<(), String>;

    /// What is wrong with the faults together: the name to point at, and why.
    fn check(&self) -> Result<(), (&'static str, String)>;
}

/// Reads a text of faults.
pub(super) fn read<F: Faults>(text: &str) -> Result<F, FaultError> {
    let parsed = items(F::NAMES).parse(LocatingSlice::new(text));
    let items = parsed.map_err(|e| {
        let found = text[e.offset()..].split_whitespace().next();
        let found = found.map_or("the end".into(), |found| format!("{found:?}"));
        FaultError {
            at: e.offset(),
            message: format!("found {found}, {}", expected::<F>(e.inner())),
        }
    })?;
    let mut faults = F::default();
    let mut seen: Vec<(&str, usize)> = Vec::new();
    for (name, item, span) in items {
        let wrong = |message| FaultError {
            at: span.start,
            message,
        };
        if seen.iter().any(|&(other, _)| other == name) && !F::REPEATED.contains(&name) {
            return Err(wrong(format!("`{name}` is said twice: expected it once")));
        }
        seen.push((name, span.start));
        faults.set(item).map_err(wrong)?;
    }
    faults.check().map_err(|(name, message)| FaultError {
        at: seen.iter().find(|(n, _)| *n == name).map_or(0, |s| s.1),
        message,
    })?;
    Ok(faults)
}

/// What the parser wanted; a name where it does not say.
fn expected<F: Faults>(e: &ContextError) -> String {
    let mut wanted = e.context().filter_map(|context| match context {
        StrContext::Expected(what) => Some(what.to_string()),
        _ => None,
    });
    wanted.next().map_or_else(
        || format!("expected a fault of {}: {}", F::OF, F::NAMES.join(", ")),
        |what| format!("expected {what}"),
    )
}

type Input<'a> = LocatingSlice<&'a str>;
type Found<'a> = (&'a str, Item, Range<usize>);
type Names = &'static [&'static str];

fn items<'a>(names: Names) -> impl ModalParser<Input<'a>, Vec<Found<'a>>, ContextError> {
    let spaced = terminated(fault(names), multispace0);
    preceded(multispace0, repeat(0.., spaced))
}

/// A fault: none where no name begins, and wrong if the rest does not follow. Errors stay at the name or the value.
fn fault<'a>(names: Names) -> impl ModalParser<Input<'a>, Found<'a>, ContextError> {
    move |input: &mut Input<'a>| {
        let begin = input.checkpoint();
        let letters = ('a'..='z', 'A'..='Z', '_', '-');
        let name = take_while(1.., letters).parse_next(input)?;
        if !names.contains(&name) {
            input.reset(&begin);
            return Err(ErrMode::Cut(ContextError::new()));
        }
        match name {
            "restart" => cut_err('@'.context(want("`@` and a time"))).parse_next(input)?,
            _ => cut_err('='.context(want("`=` and a value"))).parse_next(input)?,
        };
        let begin = input.checkpoint();
        let (word, span) = take_till(0.., char::is_whitespace)
            .with_span()
            .parse_next(input)?;
        let parsed = (|word: &mut &str| value(name, word)).parse(word);
        let item = parsed.map_err(|_| {
            input.reset(&begin);
            let error = ContextError::new();
            ErrMode::Cut(error.add_context(input, &begin, want(wanted(name))))
        })?;
        Ok((name, item, span))
    }
}

/// The value of a fault, a whole word.
fn value(name: &str, word: &mut &str) -> ModalResult<Item> {
    match name {
        "burst" => whole.map(Item::Burst).parse_next(word),
        "close" => rate.map(Item::Close).parse_next(word),
        "corrupt" => rate.map(Item::Corrupt).parse_next(word),
        "delay" => spread.map(Item::Delay).parse_next(word),
        "dup" => rate.map(Item::Dup).parse_next(word),
        "late" => spread.map(Item::Late).parse_next(word),
        "loss" => rate.map(Item::Loss).parse_next(word),
        "refuse" => rate.map(Item::Refuse).parse_next(word),
        "reorder" => reorder.map(Item::Reorder).parse_next(word),
        "restart" => span.map(Item::Restart).parse_next(word),
        "silence" => silence.map(Item::Silence).parse_next(word),
        "skew" => span.map(Item::Skew).parse_next(word),
        "trickle" => span.map(Item::Trickle).parse_next(word),
        "wrong" => rate.map(Item::Wrong).parse_next(word),
        _ => Err(ErrMode::Cut(ContextError::new())),
    }
}

/// What a value should look like.
fn wanted(name: &str) -> &'static str {
    match name {
        "burst" => "a number of packets such as 3",
        "delay" | "late" => "a time such as 50us, or from one to a longer one such as 0..200us",
        "reorder" => "a number of packets such as 5, or how many of them by how far such as 1%x5",
        "restart" | "skew" | "trickle" => "a time such as 200us (units: ns us ms s min h)",
        "silence" => "how long and after what time, such as 2s@10s",
        _ => "a rate from 0% to 100% such as 1% or 0.05%",
    }
}

/// A percentage from 0 to 100, exact to 10^-7.
fn rate(input: &mut &str) -> ModalResult<Rate> {
    (digit1, opt(preceded('.', digit1)), '%')
        .verify_map(|(whole, places, _): (&str, Option<&str>, char)| {
            let places = places.unwrap_or("");
            let zeros = Rate::PLACES.checked_sub(places.len())?;
            let fraction: u32 = format!("{places}{}", "0".repeat(zeros)).parse().ok()?;
            let whole: u32 = whole.parse().ok().filter(|&whole| whole <= 100)?;
            Rate::per_billion(whole * 10_000_000 + fraction)
        })
        .parse_next(input)
}

fn whole(input: &mut &str) -> ModalResult<u64> {
    digit1.parse_to().parse_next(input)
}

/// A span of time in nanoseconds.
fn span(input: &mut &str) -> ModalResult<u64> {
    (whole, unit)
        .verify_map(|(number, unit): (u64, u64)| number.checked_mul(unit))
        .parse_next(input)
}

/// Nanoseconds of a unit.
fn unit(input: &mut &str) -> ModalResult<u64> {
    alpha1
        .verify_map(|unit: &str| match unit {
            "ns" => Some(1),
            "us" => Some(1_000),
            "ms" => Some(1_000_000),
            "s" => Some(1_000_000_000),
            "min" => Some(60_000_000_000),
            "h" => Some(3_600_000_000_000),
            _ => None,
        })
        .parse_next(input)
}

/// One time, or from one to another; the module says where a unit may be left out.
fn spread(input: &mut &str) -> ModalResult<Spread> {
    let range = (whole, opt(unit), "..", whole, unit);
    let range = range.verify_map(|(low, low_unit, _, high, unit)| {
        let low: u64 = low.checked_mul(low_unit.unwrap_or(unit))?;
        let high: u64 = high.checked_mul(unit)?;
        (low <= high).then_some(Spread { low, high })
    });
    alt((range, span.map(|at| Spread { low: at, high: at }))).parse_next(input)
}

fn silence(input: &mut &str) -> ModalResult<Silence> {
    (span, '@', span)
        .map(|(length, _, at)| Silence { at, length })
        .parse_next(input)
}

fn reorder(input: &mut &str) -> ModalResult<Reorder> {
    let some = (rate, 'x', whole).map(|(rate, _, by)| Reorder { rate, by });
    let all = whole.map(|by| Reorder {
        rate: Rate::ALWAYS,
        by,
    });
    alt((some, all)).parse_next(input)
}

fn want(what: &'static str) -> StrContext {
    StrContext::Expected(StrContextValue::Description(what))
}

#[cfg(test)]
#[path = "grammar_tests.rs"]
mod tests;
