//! The names of instruments as a dictionary that only grows, so that what was written of it stays right.

use crate::inspect::rows::text;
use arrow_array::StringArray;
use feed_common::event::Name;
use std::collections::HashMap;
use std::sync::Arc;

/// Names that a dictionary holds: more than all venues together have.
pub const NAMES_MAX: usize = 1 << 20;

/// Names that are found without a look at the map.
const RECENT: usize = 1 << 10;

/// The dictionary.
#[derive(Debug)]
pub(super) struct Names {
    keys: HashMap<Name, i32>,
    names: Vec<String>,
    recent: Box<[(Name, i32)]>,
    /// All of them, as they were when somebody asked last.
    array: Arc<StringArray>,
}

impl Names {
    pub(super) fn new() -> Names {
        Names {
            keys: HashMap::new(),
            names: Vec::new(),
            recent: vec![(Name::NONE, 0); RECENT].into(),
            array: Arc::new(StringArray::from(Vec::<String>::new())),
        }
    }

    /// The key of a name, padding or not; `None` when there is no room for a new one.
    #[inline]
    pub(super) fn key(&mut self, symbol: &[u8]) -> Option<i32> {
        let name = Name::new(symbol);
        let mut head = [0; 8];
        let start = name.as_bytes().len().min(8);
        head[..start].copy_from_slice(&name.as_bytes()[..start]);
        let hash = u64::from_le_bytes(head).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let recent = (hash >> (64 - RECENT.ilog2())) as usize;
        let (known, key) = self.recent[recent];
        if known == name && name != Name::NONE {
            return Some(key);
        }
        let key = self.look_up(name)?;
        self.recent[recent] = (name, key);
        Some(key)
    }

    fn look_up(&mut self, name: Name) -> Option<i32> {
        if let Some(&key) = self.keys.get(&name) {
            return Some(key);
        }
        if self.names.len() == NAMES_MAX {
            return None;
        }
        let key = self.names.len() as i32;
        let mut bytes = Vec::new();
        text(name.as_bytes(), &mut bytes);
        // What it is made of is ASCII.
        self.names.push(String::from_utf8_lossy(&bytes).into());
        self.keys.insert(name, key);
        Some(key)
    }

    /// All names, by key.
    pub(super) fn array(&mut self) -> Arc<StringArray> {
        use arrow_array::Array;
        if self.array.len() < self.names.len() {
            self.array = Arc::new(StringArray::from_iter_values(&self.names));
        }
        self.array.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_keys_and_are_text_whatever_they_are() {
        let mut names = Names::new();
        let keys = [
            &b"AAPL    "[..],
            b"MSFT",
            b"AAPL",
            b"A\xff\"B",
            b"",
            b"MSFT    ",
        ]
        .map(|name| names.key(name).unwrap());
        assert_eq!(keys, [0, 1, 0, 2, 3, 1]);
        let first = names.array();
        let texts: Vec<_> = first.iter().flatten().collect();
        assert_eq!(texts, ["AAPL", "MSFT", "A\\u00ff\\\"B", ""]);
        assert!(Arc::ptr_eq(&first, &names.array()), "made once");
        // More than are remembered in front of the map.
        for round in 0..2 {
            for i in 0..3 * RECENT {
                let key = names.key(format!("N{i}").as_bytes()).unwrap();
                assert_eq!(key as usize, 4 + i, "round {round}");
            }
        }
    }
}
