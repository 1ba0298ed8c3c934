//! A delay that is put in front of a stage on purpose, to prove that a slower stage is found.

use feed_common::config::TimeSpan;
use feed_common::latency::Stage;
use std::fmt;
use std::str::FromStr;

/// A share of packets is held up in front of a stage by a busy wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Injection {
    /// One of [`Injection::STAGES`].
    pub stage: Stage,
    /// How long.
    pub delay: TimeSpan,
    /// How many of a million packets.
    pub per_million: u32,
}

impl Injection {
    /// The stages that a lane marks for every packet.
    pub const STAGES: [Stage; 3] = [Stage::Dequeue, Stage::Decoded, Stage::Published];

    /// A lane that waits longer than this loses its sockets.
    const DELAY_MAX: TimeSpan = TimeSpan(1_000_000_000);
}

/// Why a text is no injection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InjectionError(String);

impl FromStr for Injection {
    type Err = InjectionError;

    /// `<stage>=<delay>` or `<stage>=<delay>@<share>%`.
    fn from_str(text: &str) -> Result<Injection, InjectionError> {
        let error = |said: String| Err(InjectionError(said));
        let Some((name, rest)) = text.split_once('=') else {
            return error("expected <stage>=<delay>@<share>%, such as decoded=20us@1%".to_owned());
        };
        let Some(stage) = Injection::STAGES.into_iter().find(|s| s.name() == name) else {
            let stages = Injection::STAGES
                .map(|s| format!("`{}`", s.name()))
                .join(", ");
            return error(format!("unknown stage `{name}`, expected one of {stages}"));
        };
        let (delay, share) = rest.split_once('@').unwrap_or((rest, "100%"));
        let delay: TimeSpan = delay.parse().map_err(|e| InjectionError(format!("{e}")))?;
        if delay > Injection::DELAY_MAX {
            return error(format!(
                "a delay of {delay}, expected at most {}",
                Injection::DELAY_MAX
            ));
        }
        let percent = share.strip_suffix('%').and_then(|p| p.parse::<f64>().ok());
        let per_million = percent.map_or(0, |p| (p * 10_000.0).round() as u32);
        if !(1..=1_000_000).contains(&per_million) {
            return error(format!(
                "`{share}`, expected a share above 0 % and up to 100 %, such as 1%"
            ));
        }
        Ok(Injection {
            stage,
            delay,
            per_million,
        })
    }
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = f64::from(self.per_million) / 10_000.0;
        let (delay, stage) = (self.delay, self.stage.name());
        write!(f, "{delay} in front of {stage}, {share} % of packets")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_written_and_says_what_is_not() {
        let read = |text: &str| text.parse::<Injection>().map(|i| i.to_string());
        assert_eq!(
            read("decoded=20us@1%").unwrap(),
            "20us in front of decoded, 1 % of packets"
        );
        assert_eq!(
            read("published=5ns").unwrap(),
            "5ns in front of published, 100 % of packets"
        );
        assert_eq!(
            read("dequeue=1ms@0.25%").unwrap(),
            "1ms in front of dequeue, 0.25 % of packets"
        );
        for text in [
            "",
            "decoded",
            "taken=1us",
            "decoded=1",
            "decoded=2s",
            "decoded=1us@",
            "decoded=1us@0%",
            "decoded=1us@nan%",
            "decoded=1us@-1%",
            "decoded=1us@5",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
