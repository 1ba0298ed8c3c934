//! Who stamps the packets of a line before user space sees them: what is asked for against what its interface can do.

use super::sys::ethtool::{Ethtool, StampSources};
use super::sys::phc::CardClock;
use serde::{Deserialize, Serialize};
use std::{fmt, io};

/// Who is to stamp packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Timestamps {
    /// The card and the kernel where the card stamps every packet and its clock can be read, else the kernel.
    #[default]
    Auto,
    /// The card and the kernel (`SO_TIMESTAMPING`); where the card does not, the line does not start.
    Hardware,
    /// The kernel (`SO_TIMESTAMPNS`), at 0.2 to 0.35 µs a packet.
    Kernel,
    /// Nobody: the receive call's return is the first that is known of a packet.
    #[serde(alias = "none")]
    User,
}

impl Timestamps {
    /// As in a configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Timestamps::Auto => "auto",
            Timestamps::Hardware => "hardware",
            Timestamps::Kernel => "kernel",
            Timestamps::User => "user",
        }
    }

    /// Whether the kernel is to stamp packets, alone or beside the card.
    pub const fn by_kernel(self) -> bool {
        !matches!(self, Timestamps::User)
    }
}

/// Who stamps the packets of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stamper {
    /// Its card, in the time of that clock (`/dev/ptpN`), and the kernel.
    Card {
        /// The interface.
        interface: String,
        /// Number of the clock.
        clock: u32,
    },
    /// The kernel, and why not the card, where that was not said by the configuration.
    Kernel {
        /// What the card lacks.
        without: Option<Lack>,
    },
    /// Nobody.
    Nobody,
}

impl fmt::Display for Stamper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stamper::Card { interface, clock } => write!(
                f,
                "the card of {interface}, by its own clock /dev/ptp{clock}, and the kernel"
            ),
            Stamper::Kernel { without: None } => f.write_str("the kernel"),
            Stamper::Kernel {
                without: Some(lack),
            } => write!(f, "the kernel, not the card: {lack}"),
            Stamper::Nobody => f.write_str("nobody, so there are no figures of receive"),
        }
    }
}

/// Why a card does not stamp packets, and what could be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The reason.
    pub reason: String,
    /// The command that mends it, where there is one.
    pub fix: Option<String>,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        match &self.fix {
            Some(fix) => write!(f, "; `{fix}` mends that"),
            None => Ok(()),
        }
    }
}

/// What an interface's driver says of stamps, and whether its clock can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardStamps {
    /// Who can stamp its packets.
    pub sources: Result<StampSources, String>,
    /// Whether the card has been told to stamp every packet.
    pub on: Result<bool, String>,
    /// Whether the card's clock can be read.
    pub clock: Result<(), String>,
}

impl CardStamps {
    /// Asks the driver of an interface; nothing is changed.
    pub fn read(ethtool: &Ethtool, interface: &str) -> CardStamps {
        let sources = ethtool.stamps(interface).map_err(say);
        let clock = sources.as_ref().ok().and_then(|s| s.clock);
        CardStamps {
            on: ethtool.stamps_every_packet(interface).map_err(say),
            clock: match clock {
                Some(number) => CardClock::open(number).map(drop).map_err(say),
                None => Err("there is none".to_owned()),
            },
            sources,
        }
    }

    /// The number of the clock by which the card stamps every packet, or why it does not.
    pub fn by_card(&self, interface: &str) -> Result<u32, Lack> {
        let lack = |reason: String| {
            Err(Lack {
                reason: format!("{interface}: {reason}"),
                fix: None,
            })
        };
        let sources = match &self.sources {
            Err(why) => return lack(format!("who can stamp packets is not known: {why}")),
            Ok(sources) => sources,
        };
        if !sources.hardware {
            return lack("the card can stamp no received packets".to_owned());
        }
        if !sources.every_packet {
            return lack("the card can stamp received packets of PTP only".to_owned());
        }
        let Some(clock) = sources.clock else {
            return lack(
                "the card's clock has no device, so its stamps compare with nothing".to_owned(),
            );
        };
        match &self.on {
            Err(why) => return lack(format!("whether the card stamps is not known: {why}")),
            Ok(true) => {}
            Ok(false) => {
                return Err(Lack {
                    reason: format!("{interface}: the card is not told to stamp every packet"),
                    fix: Some(format!("hwstamp_ctl -i {interface} -r 1")),
                });
            }
        }
        match &self.clock {
            Ok(()) => Ok(clock),
            Err(why) => Err(Lack {
                reason: format!(
                    "{interface}: the card's clock /dev/ptp{clock} cannot be read: {why}"
                ),
                fix: Some(format!("chmod a+r /dev/ptp{clock}")),
            }),
        }
    }
}

/// A refusal in words.
fn say(e: io::Error) -> String {
    match e.raw_os_error() {
        Some(libc::EOPNOTSUPP) => "the driver has no answer".to_owned(),
        _ => e.to_string(),
    }
}

/// Who stamps the packets that come in on an interface; an error when it was to be the card and is not.
pub(super) fn stamper(asked: Timestamps, interface: Option<&str>) -> Result<Stamper, Lack> {
    match asked {
        Timestamps::User => return Ok(Stamper::Nobody),
        Timestamps::Kernel => return Ok(Stamper::Kernel { without: None }),
        Timestamps::Auto | Timestamps::Hardware => {}
    }
    let by_card = match (interface, Ethtool::new()) {
        (Some(name), Ok(ethtool)) => CardStamps::read(&ethtool, name).by_card(name),
        (None, _) => Err(Lack {
            reason: "no interface has the line's address".to_owned(),
            fix: None,
        }),
        (_, Err(e)) => Err(Lack {
            reason: format!("drivers cannot be asked: {e}"),
            fix: None,
        }),
    };
    match (by_card, interface) {
        (Ok(clock), Some(interface)) => Ok(Stamper::Card {
            interface: interface.to_owned(),
            clock,
        }),
        (Err(lack), _) if asked == Timestamps::Hardware => Err(lack),
        (by_card, _) => Ok(Stamper::Kernel {
            without: by_card.err(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn able() -> CardStamps {
        CardStamps {
            sources: Ok(StampSources {
                hardware: true,
                every_packet: true,
                software: true,
                clock: Some(2),
            }),
            on: Ok(true),
            clock: Ok(()),
        }
    }

    #[test]
    fn a_card_that_stamps_everything_is_taken() {
        assert_eq!(able().by_card("eth0"), Ok(2));
    }

    #[test]
    fn whatever_it_lacks_is_said_with_what_mends_it() {
        let lacks = |change: fn(&mut CardStamps), reason: &str, fix: Option<&str>| {
            let mut card = able();
            change(&mut card);
            let lack = card.by_card("eth0").unwrap_err();
            assert_eq!(lack.reason, format!("eth0: {reason}"));
            assert_eq!(lack.fix.as_deref(), fix);
            let mends = |fix: &str| format!("; `{fix}` mends that");
            let mends = fix.map_or_else(String::new, mends);
            assert_eq!(lack.to_string(), format!("eth0: {reason}{mends}"));
        };
        lacks(
            |c| c.sources = Err("the driver has no answer".into()),
            "who can stamp packets is not known: the driver has no answer",
            None,
        );
        lacks(
            |c| c.sources = Ok(StampSources::default()),
            "the card can stamp no received packets",
            None,
        );
        lacks(
            |c| c.sources.as_mut().unwrap().every_packet = false,
            "the card can stamp received packets of PTP only",
            None,
        );
        lacks(
            |c| c.sources.as_mut().unwrap().clock = None,
            "the card's clock has no device, so its stamps compare with nothing",
            None,
        );
        lacks(
            |c| c.on = Err("the driver has no answer".into()),
            "whether the card stamps is not known: the driver has no answer",
            None,
        );
        lacks(
            |c| c.on = Ok(false),
            "the card is not told to stamp every packet",
            Some("hwstamp_ctl -i eth0 -r 1"),
        );
        lacks(
            |c| c.clock = Err("Permission denied".into()),
            "the card's clock /dev/ptp2 cannot be read: Permission denied",
            Some("chmod a+r /dev/ptp2"),
        );
    }

    #[test]
    fn loopback_has_no_card() {
        let none = "lo: the card can stamp no received packets";
        let lack = stamper(Timestamps::Hardware, Some("lo")).unwrap_err();
        assert_eq!(lack.to_string(), none);
        let auto = stamper(Timestamps::Auto, Some("lo")).unwrap();
        assert_eq!(
            auto,
            Stamper::Kernel {
                without: Some(lack)
            }
        );
        assert_eq!(
            auto.to_string(),
            format!("the kernel, not the card: {none}")
        );
        let kernel = stamper(Timestamps::Kernel, None).unwrap();
        assert_eq!(kernel, Stamper::Kernel { without: None });
        assert_eq!(stamper(Timestamps::User, None).unwrap(), Stamper::Nobody);
        let nowhere = stamper(Timestamps::Hardware, None).unwrap_err();
        assert!(nowhere.reason.contains("no interface"));
    }
}
