//! A capture named on the command line, the protocols of its streams, and what of it could not be read.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use feed_common::capture::{CaptureFile, Datagrams, Format, Skipped};
use feed_common::program::{Failure, Progress, Watched, judge_cut, open_capture, warn};
use feed_common::wire::ProtocolName;
use feed_common::wire::frame::Skip;
use feed_handler::inspect::{DetectError, Streams, dissector};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Input {
    /// The capture: pcap, pcapng or ITCH BinaryFILE, also inside gzip or zstd, told by its bytes; `-` is standard input
    pub file: PathBuf,
    /// What it carries, where the bytes do not say
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(ProtocolName::NAMES).try_map(|name| name.parse::<ProtocolName>()))]
    protocol: Option<ProtocolName>,
    /// Fail when anything is malformed or the capture is cut short, instead of counting it and warning
    #[arg(long)]
    pub strict: bool,
}

impl Input {
    pub fn open(&self) -> Result<CaptureFile, Failure> {
        open_capture(&self.file)
    }

    /// The protocol the user named.
    pub fn protocol_name(&self) -> Option<&'static str> {
        self.protocol.map(|p| p.name())
    }

    /// Each stream's protocol. A capture with nothing in it has none, and that is no failure.
    pub fn streams(&self, file: &CaptureFile) -> Result<Streams, Failure> {
        match self.given(file)? {
            Some(given) => Ok(given),
            None => {
                let pass = Watched::new(file, Progress::of_file(file));
                Streams::detect(pass).map_err(|e| self.undetected(&e))
            }
        }
    }

    /// The protocol of all streams, where the user named it.
    pub fn given(&self, file: &CaptureFile) -> Result<Option<Streams>, Failure> {
        match self.protocol {
            Some(named) if file.format() == Format::BinaryFile && named != ProtocolName::Itch50 => {
                let (path, name) = (self.file.display(), named.name());
                Err(Failure::usage(format_args!(
                    "{path}: an ITCH BinaryFILE is itch50 and not {name}"
                )))
            }
            named => Ok(named.map(|name| Streams::given(dissector(name)))),
        }
    }

    /// Of a file whose bytes do not tell the protocol.
    pub fn undetected(&self, e: &DetectError) -> Failure {
        Failure::usage(format_args!("{}: {e}", self.file.display()))
    }

    /// After the facts are printed: what was `malformed` in the datagrams, broken frames, and a cut, which is a warning.
    /// Under `--strict` each is a failure.
    pub fn judge(&self, malformed: Option<String>, read: &Datagrams<'_>) -> Result<(), Failure> {
        let faults = read.faults();
        let faults = (faults.total() > 0).then(|| format!("pcapng: {faults}"));
        if !self.strict
            && let Some(faults) = &faults
        {
            warn(format_args!("{}: {faults}", self.file.display()));
        }
        if self.strict
            && let Some(what) = malformed.or_else(|| damage(read.skipped())).or(faults)
        {
            return Err(Failure::running(format_args!(
                "{}: malformed: {what}",
                self.file.display()
            )));
        }
        judge_cut(&self.file, read.cut(), self.strict)
    }
}

/// Why frames have no datagram that the sender or the capture is to blame for; the other reasons are other traffic.
pub const DAMAGE: [Skip; 6] = [
    Skip::ShortHeaders,
    Skip::BadIpv4,
    Skip::BadIpv6,
    Skip::BadUdp,
    Skip::Truncated,
    Skip::BadBlock,
];

/// The broken frames among those skipped.
pub fn damage(skipped: &Skipped) -> Option<String> {
    listed(DAMAGE.map(|reason| (reason.name(), skipped.of(reason))))
}

/// The counts that are not zero: `frame_overrun 3, frame_version 1`.
pub fn listed<'a>(counts: impl IntoIterator<Item = (&'a str, u64)>) -> Option<String> {
    let counts = counts.into_iter().filter(|&(_, n)| n > 0);
    let shown: Vec<_> = counts.map(|(name, n)| format!("{name} {n}")).collect();
    (!shown.is_empty()).then(|| shown.join(", "))
}
