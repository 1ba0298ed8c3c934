//! The packets of a capture, as they are to be sent.

use super::{Outgoing, Route};
use crate::info::Survey;
use feed_common::capture::{CaptureFile, Datagrams};
use std::cell::RefCell;
use std::rc::Rc;

/// The packets of `file` that `route` takes, `passes` times, in file order. `survey` is of the same file.
///
/// Each pass begins one average gap after the last packet of the one before. Payloads are borrowed from a file that is
/// mapped; of any other they are copied to buffers that are used again, so that memory is taken for as many as there are
/// at once.
pub fn captured<'f>(
    file: &'f CaptureFile,
    survey: &Survey,
    route: &'f Route,
    passes: u32,
) -> impl Iterator<Item = Outgoing<Payload<'f>>> {
    let span = survey.total.duration();
    let span = span + span / survey.total.packets.saturating_sub(1).max(1);
    let first = survey.total.first.0;
    let spare = Rc::<Spare>::default();
    (0..u64::from(passes)).flat_map(move |pass| {
        let (mut datagrams, spare) = (Datagrams::new(file), Rc::clone(&spare));
        std::iter::from_fn(move || {
            loop {
                let found = datagrams.locate()?;
                let Some(line) = found.dst.and_then(|dst| route.line(dst)) else {
                    continue;
                };
                let offset = found.time.0.saturating_sub(first);
                return Some(Outgoing {
                    offset: offset.saturating_add(pass.saturating_mul(span)),
                    line,
                    payload: match datagrams.mapped(&found) {
                        Some(payload) => Payload::Mapped(payload),
                        None => Payload::Copied(Copied::of(datagrams.at(&found).payload, &spare)),
                    },
                });
            }
        })
    })
}

/// A payload that lasts until it is dropped.
#[derive(Debug)]
pub enum Payload<'f> {
    /// In a file that is mapped.
    Mapped(&'f [u8]),
    /// In a buffer.
    Copied(Copied),
}

/// A buffer, which its end makes spare.
#[derive(Debug)]
pub struct Copied {
    bytes: Vec<u8>,
    spare: Rc<Spare>,
}

/// Buffers that are used again.
type Spare = RefCell<Vec<Vec<u8>>>;

impl Copied {
    fn of(payload: &[u8], spare: &Rc<Spare>) -> Copied {
        let mut bytes = spare.borrow_mut().pop().unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(payload);
        Copied {
            bytes,
            spare: Rc::clone(spare),
        }
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        self.spare
            .borrow_mut()
            .push(std::mem::take(&mut self.bytes));
    }
}

impl AsRef<[u8]> for Payload<'_> {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        match self {
            Payload::Mapped(bytes) => bytes,
            Payload::Copied(copied) => &copied.bytes,
        }
    }
}
