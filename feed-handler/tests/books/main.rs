//! The fast books and the plain ones, side by side.
//!
//! `both` runs every operation on the two and compares all that can be asked of them; `itch` says by hand what ITCH
//! means, `properties` searches for a difference at random and prints the shortest list of operations that makes one,
//! `sessions` takes generated sessions through decoder and books.

mod both;
mod itch;
mod properties;
mod sessions;
mod totals;
