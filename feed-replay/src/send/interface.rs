//! The interface packets leave through.

use super::OpenError;
use crate::sys::{self, InterfaceFacts};
use feed_common::wire::ethernet::Mac;

/// A network interface that exists and is switched on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    name: String,
    facts: InterfaceFacts,
}

impl Interface {
    /// The interface with this name.
    pub fn named(name: &str) -> Result<Interface, OpenError> {
        let facts = sys::interface_facts(name).map_err(|reason| OpenError::Interface {
            name: name.into(),
            reason,
        })?;
        if !facts.up {
            return Err(OpenError::Down(name.into()));
        }
        Ok(Interface {
            name: name.into(),
            facts,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// False when nothing is at its other end; what is sent then is lost.
    pub fn has_carrier(&self) -> bool {
        self.facts.carrier
    }

    /// Its number.
    pub(super) fn index(&self) -> u32 {
        self.facts.index
    }

    /// Bytes of the longest IP packet it takes whole.
    pub(super) fn mtu(&self) -> usize {
        self.facts.mtu
    }

    /// Its station address where it is an Ethernet device.
    pub(super) fn mac(&self) -> Option<Mac> {
        self.facts.mac
    }
}
