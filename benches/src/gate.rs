//! The gate: instructions of hot functions, counted by callgrind and held against a committed baseline.
//!
//! Instructions do not depend on the machine's mood, so a few per cent can be told apart where a clock tells 30 apart. They
//! are not time: what waits for memory costs none more. They say that code became heavier, and where.

pub mod baseline;
pub mod counted;
pub mod valgrind;

pub use baseline::{Baseline, Line, Verdict, compare};

/// What a function may be heavier by, as a share. The counts themselves repeat to a thousandth.
pub const TOLERANCE: f64 = 0.03;

/// The same where the baseline is of another compiler, which moves counts by a few per cent either way.
pub const TOLERANCE_OTHER_COMPILER: f64 = 0.10;

/// The compiler that built this.
pub const RUSTC: &str = env!("BENCHES_RUSTC");

/// A function's figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Count {
    /// The function.
    pub name: String,
    /// What it was divided by.
    pub per: String,
    /// Instructions for each of these.
    pub instructions: f64,
}
