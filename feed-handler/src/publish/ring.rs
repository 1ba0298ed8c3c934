//! The broadcast ring as a sink.

use super::Publish;
use feed_common::event::Record;
use feed_common::ring::Writer;

impl Publish for Writer<Record> {
    #[inline(always)]
    fn publish(&mut self, record: &Record) {
        self.push(record);
    }

    #[inline]
    fn flush(&mut self) {
        Writer::flush(self);
    }

    #[inline]
    fn prepare(&mut self) {
        Writer::prepare(self);
    }
}
