//! A protocol taken apart by its framing and its sheet alone.

use super::{Dissect, Fit, Message, View};
use crate::protocol::{DecodeError, Described, ForDescribed, Sheet};
use crate::transport::{FrameError, Framing};
use feed_common::wire::ProtocolName;
use feed_common::wire::message::Value;
use std::marker::PhantomData;

/// The dissection of any described protocol.
struct Taken<P>(PhantomData<fn() -> P>);

impl<P: Described> Dissect for Taken<P> {
    fn protocol(&self) -> ProtocolName {
        P::NAME
    }

    fn open<'a>(&self, bytes: &'a [u8], _number: u64) -> Result<View<'a>, FrameError> {
        let (frame, rest) = P::Framing::default().open(bytes)?;
        Ok(View::of::<P::Framing, _>(&frame, bytes, rest))
    }

    fn messages(&self, frame: &View<'_>, each: &mut dyn FnMut(&dyn Message) -> bool) {
        if let Ok((opened, _)) = P::Framing::default().open(frame.bytes) {
            let mut messages = opened.messages.map(OfSheet::<P::Sheet>::of);
            messages.all(|message| each(&message));
        }
    }

    fn type_key(&self, code: u32) -> String {
        P::Sheet::key(code)
    }

    fn type_name(&self, code: u32) -> Option<&'static str> {
        P::Sheet::name(code)
    }

    fn fit(&self, datagram: &[u8]) -> Fit {
        P::NAME.fit(datagram)
    }
}

/// A message as its sheet describes it.
pub(super) struct OfSheet<'a, S> {
    bytes: &'a [u8],
    sheet: PhantomData<S>,
}

impl<'a, S> OfSheet<'a, S> {
    pub(super) fn of(bytes: &'a [u8]) -> OfSheet<'a, S> {
        OfSheet {
            bytes,
            sheet: PhantomData,
        }
    }
}

impl<S: Sheet> Message for OfSheet<'_, S> {
    fn code(&self) -> u32 {
        S::code(self.bytes)
    }

    fn error(&self) -> Option<DecodeError> {
        S::error(self.bytes)
    }

    fn is_long(&self) -> bool {
        S::is_long(self.bytes)
    }

    fn visit(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        S::visit(self.bytes, visit);
    }
}

/// The dissection of a protocol that is known by its name.
pub(super) struct Taking;

impl ForDescribed for Taking {
    type Out = &'static dyn Dissect;

    fn call<P: Described>(self) -> &'static dyn Dissect {
        const { &Taken::<P>(PhantomData) }
    }
}
