//! What only system calls tell: receive buffers as granted, interfaces, and what their drivers say.

use super::wants::Wants;
use crate::net::{
    CardStamps, Coalescing, Ethtool, Interface, InterfaceFacts, Offloads, RingSizes,
    granted_buffer, interfaces,
};
use std::io;

/// Most interfaces that are looked at without a configuration.
const INTERFACES_MAX: usize = 32;

/// What was asked of the system, with its refusals in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// Bytes of receive buffer asked for, and what was granted.
    pub buffers: Vec<(usize, Result<usize, String>)>,
    /// The interfaces that matter; or why there is no list of them.
    pub cards: Result<Vec<Card>, String>,
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// As the configuration calls it: by name or by address.
    pub asked: String,
    /// What it is; `None` when this machine has none of the kind.
    pub found: Option<InterfaceFacts>,
    /// Its receive ring.
    pub ring: Result<RingSizes, String>,
    /// When it interrupts.
    pub coalescing: Result<Coalescing, String>,
    /// Whether packets are put together.
    pub offloads: Result<Offloads, String>,
    /// Who can stamp packets, and does.
    pub stamps: CardStamps,
}

impl Probed {
    /// Asks this machine. Sockets are opened and closed; nothing is bound, joined or set but the buffer of such a socket.
    pub fn read(wants: &Wants) -> Probed {
        let granted = |&asked: &usize| (asked, granted_buffer(asked).map_err(say));
        Probed {
            buffers: wants.buffers.iter().map(granted).collect(),
            cards: cards(wants).map_err(say),
        }
    }
}

fn cards(wants: &Wants) -> io::Result<Vec<Card>> {
    let ethtool = Ethtool::new()?;
    let all = interfaces()?;
    if !wants.configured {
        let others = all.into_iter().filter(|i| i.name != "lo" && i.up);
        let cards = others.take(INTERFACES_MAX);
        return Ok(cards
            .map(|i| card(&ethtool, i.name.clone(), Some(i)))
            .collect());
    }
    let mut cards: Vec<Card> = Vec::new();
    for asked in &wants.interfaces {
        let found = all.iter().find(|i| match asked {
            Interface::Name(name) => i.name == *name,
            Interface::Address(address) => i.addresses.contains(address),
        });
        // One interface can be asked for by name and by address.
        if found.is_none() || cards.iter().all(|c| c.found.as_ref() != found) {
            cards.push(card(&ethtool, asked.to_string(), found.cloned()));
        }
    }
    Ok(cards)
}

fn card(ethtool: &Ethtool, asked: String, found: Option<InterfaceFacts>) -> Card {
    let name = found.as_ref().map_or("", |i| i.name.as_str());
    Card {
        ring: ethtool.ring(name).map_err(say),
        coalescing: ethtool.coalescing(name).map_err(say),
        offloads: ethtool.offloads(name).map_err(say),
        stamps: CardStamps::read(ethtool, name),
        asked,
        found,
    }
}

/// A refusal in words.
fn say(e: io::Error) -> String {
    match e.raw_os_error() {
        Some(libc::EOPNOTSUPP) => "the driver has no answer".to_owned(),
        _ => e.to_string(),
    }
}
