//! A capture gone through frame by frame, each with the channel and the line it came on.

use super::appearance::Appearance;
use super::directory::{Belongs, Directory};
use super::{Dissect, View};
use feed_common::capture::Lend;
use feed_common::time::UnixNanos;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The datagram that a frame is of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Came {
    pub(super) channel: usize,
    /// `None`: beside the lines.
    pub(super) line: Option<usize>,
    /// Number of the frame in the file.
    pub(super) number: u64,
    /// When it was captured; unknown in a BinaryFILE.
    pub(super) time: UnixNanos,
    pub(super) src: Option<SocketAddr>,
}

/// What is done with the frames of a capture.
pub(super) trait Visit {
    /// A datagram of a channel.
    fn datagram(&mut self, _came: &Came) {}

    /// A good frame in it.
    fn frame(&mut self, came: &Came, protocol: &'static dyn Dissect, frame: &View<'_>);

    /// The datagram has no more good frames. False when enough has been seen.
    fn end(&mut self, came: &Came) -> bool;
}

/// Takes every datagram of the channels to `visit`; what was malformed, by name.
pub(super) fn walk(
    datagrams: &mut impl Lend,
    directory: &Directory,
    visit: &mut impl Visit,
) -> BTreeMap<&'static str, u64> {
    let mut appearance = Appearance::default();
    let mut routes: Vec<Option<Belongs>> = Vec::new();
    let mut errors = BTreeMap::new();
    while let Some(d) = datagrams.lend() {
        let stream = appearance.number(d.dst);
        if stream == routes.len() {
            routes.push(directory.at(d.dst));
        }
        let Some(Belongs { channel, line }) = routes[stream] else {
            continue;
        };
        let protocol = directory.channels[channel].protocol;
        let came = Came {
            channel,
            line,
            number: d.number,
            time: d.time,
            src: d.src,
        };
        visit.datagram(&came);
        let mut rest = d.payload;
        // Every frame has a header, so the rest gets shorter.
        loop {
            match protocol.open(rest, d.number) {
                Ok(frame) => {
                    visit.frame(&came, protocol, &frame);
                    rest = frame.rest;
                }
                Err(e) => {
                    *errors.entry(e.name()).or_default() += 1;
                    break;
                }
            }
            if rest.is_empty() {
                break;
            }
        }
        if !visit.end(&came) {
            break;
        }
    }
    errors
}
