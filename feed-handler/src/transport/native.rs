//! Framing of the native protocol: a batch is one frame and one message, which spans as many sequence numbers as it has
//! records, so that its prices stay an array for the decoder.

use super::{Frame, FrameError, FrameKind, Framing, Opened};
use crate::sequence::SeqSpan;
use feed_common::time::UnixNanos;
use feed_common::wire::native::{Batch, HEADER_LENGTH, Header, NativeError, frame};
use zerocopy::FromBytes;

/// Opens native batches; see [`feed_common::wire::native`] for the format.
#[derive(Clone, Copy, Debug, Default)]
pub struct NativeFraming;

impl Framing for NativeFraming {
    type Messages<'a> = std::option::IntoIter<&'a [u8]>;

    #[inline]
    fn open<'a>(&mut self, datagram: &'a [u8]) -> Opened<'a, Self::Messages<'a>> {
        let (batch, rest) = Batch::parse(datagram)?;
        if !rest.is_empty() && rest.len() < HEADER_LENGTH {
            return Err(FrameError::Trailing);
        }
        let header = batch.header();
        let kind = match header.frame {
            frame::HEARTBEAT => FrameKind::Heartbeat,
            frame::END_OF_SESSION => FrameKind::EndOfSession,
            _ => FrameKind::Data,
        };
        let message = (kind == FrameKind::Data).then_some(batch.bytes());
        let opened = Frame {
            session: header.session,
            span: SeqSpan {
                first: header.sequence.get(),
                count: header.count.get().into(),
            },
            kind,
            sent: UnixNanos(header.sent.get()),
            carries: header.count.get().into(),
            unit: 0,
            begins: false,
            messages: message.into_iter(),
        };
        Ok((opened, rest))
    }

    #[inline]
    fn sequences(message: &[u8]) -> u32 {
        Header::ref_from_prefix(message).map_or(0, |(header, _)| header.count.get().into())
    }
}

impl From<NativeError> for FrameError {
    fn from(e: NativeError) -> FrameError {
        match e {
            NativeError::ShortHeader => FrameError::ShortHeader,
            NativeError::Foreign => FrameError::Foreign,
            NativeError::Version => FrameError::Version,
            NativeError::Overrun => FrameError::Overrun,
            NativeError::Header | NativeError::UnknownRecord => FrameError::Header,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use feed_common::event::MarketData;
    use feed_common::prices::PriceLayout;
    use feed_common::wire::native::{
        BatchInfo, encode_columns, encode_end_of_session, encode_heartbeat, encode_records,
    };

    const INFO: BatchInfo = BatchInfo {
        session: *b"0123456789",
        sequence: 41,
        sent: UnixNanos(99),
    };

    fn records(count: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let records = vec![MarketData::default(); count];
        encode_records(&mut out, &INFO, &PriceLayout::CANONICAL, &records).unwrap();
        out
    }

    #[test]
    fn a_batch_is_one_message_of_many_sequence_numbers() {
        let bytes = records(3);
        let (frame, rest) = NativeFraming.open(&bytes).unwrap();
        assert!(rest.is_empty());
        assert_eq!((frame.session, frame.sent), (INFO.session, INFO.sent));
        let (first, count) = (41, 3);
        assert_eq!(frame.span, SeqSpan { first, count });
        assert_eq!(frame.kind, FrameKind::Data);
        let messages: Vec<_> = frame.messages.collect();
        assert_eq!(messages, [&bytes[..]]);
        assert_eq!(NativeFraming::sequences(messages[0]), 3);
        assert_eq!(NativeFraming::sequences(b""), 0);
    }

    #[test]
    fn frames_without_records_say_what_comes_next() {
        let mut bytes = Vec::new();
        encode_heartbeat(&mut bytes, &INFO);
        encode_end_of_session(&mut bytes, &INFO);
        let (first, rest) = NativeFraming.open(&bytes).unwrap();
        assert_eq!(first.kind, FrameKind::Heartbeat);
        assert_eq!(first.span.end(), 41);
        assert_eq!(first.messages.count(), 0);
        let (second, rest) = NativeFraming.open(rest).unwrap();
        assert_eq!(second.kind, FrameKind::EndOfSession);
        assert_eq!(second.messages.count(), 0);
        assert!(rest.is_empty());
    }

    #[test]
    fn a_datagram_may_hold_several_batches_but_no_crumbs() {
        let mut bytes = records(2);
        let first = bytes.len();
        let one = [MarketData::default()];
        encode_columns(&mut bytes, &INFO, &PriceLayout::CANONICAL, &one).unwrap();
        let (_, rest) = NativeFraming.open(&bytes).unwrap();
        assert_eq!(rest, &bytes[first..]);
        for crumbs in 1..HEADER_LENGTH {
            let opened = NativeFraming.open(&bytes[..first + crumbs]);
            assert_eq!(opened.map(|_| ()), Err(FrameError::Trailing));
        }
    }

    #[test]
    fn errors_keep_their_kind() {
        let whole = records(1);
        let with = |at: usize, value: u8| {
            let mut bytes = whole.clone();
            bytes[at] = value;
            NativeFraming.open(&bytes).map(|_| ()).unwrap_err()
        };
        assert_eq!(with(0, 0), FrameError::Foreign);
        assert_eq!(with(4, 2), FrameError::Version);
        assert_eq!(with(5, 9), FrameError::Header);
        assert_eq!(with(18, 2), FrameError::Overrun);
        let short = NativeFraming.open(&whole[..20]).map(|_| ()).unwrap_err();
        assert_eq!(short, FrameError::ShortHeader);
    }
}
