//! The fast books and the plain ones, side by side.
//!
//! `both` runs every operation on the two and compares all that can be asked of them; `itch` says by hand what ITCH
//! means, `modified`, `numbered`, `ranked` and `totals` what other feeds mean, `properties` searches for a difference at random and prints the shortest list of operations that makes one,
//! `sessions` takes generated sessions through decoder and books.

mod both;
mod itch;
mod modified;
mod numbered;
mod properties;
mod ranked;
mod sessions;
mod totals;
