//! CME MDP 3.0.

mod sheet;
#[cfg(test)]
mod sheet_tests;

pub use sheet::Mdp3Sheet;

use super::DecodeError;
use feed_common::wire::mdp3::MessageError;

impl From<MessageError> for DecodeError {
    /// A message cut off is short; one that holds lengths or counts that cannot be is invalid.
    fn from(e: MessageError) -> DecodeError {
        match e {
            MessageError::Short => DecodeError::Short,
            MessageError::Foreign => DecodeError::UnknownType,
            MessageError::Block | MessageError::Group | MessageError::Entry => DecodeError::Invalid,
        }
    }
}
