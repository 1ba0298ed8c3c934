//! Price arrays: wire prices to canonical integers (1e-9) and floating point, by AVX2 where the machine has it.
//!
//! A [`PriceLayout`] says what the wire holds, and a [`PriceDecoder`] is that layout with the code chosen for it and
//! for this machine: AVX2, or a portable loop that gives the same bits for every input. Nothing branches per value and
//! nothing allocates. Arrays at a stride are read by one load a value, never by the gather instruction (which loses to
//! plain loads on every machine measured), and never a byte behind the last value.

mod constants;
mod decoder;
mod floats;
mod kernel;
mod layout;
mod portable;

#[cfg(target_arch = "x86_64")]
mod avx2;

pub use decoder::{PriceDecoder, canonical_to_f64};
pub use floats::{read_f32, write_f32};
pub use layout::{Endian, PriceLayout, PriceLayoutError, PriceRange};

/// Which code runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Path {
    /// Plain Rust, on any machine.
    Portable,
    /// 256-bit vectors, four prices at a time.
    Avx2,
}

impl Path {
    /// The fastest this machine can run.
    pub fn best() -> Path {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            return Path::Avx2;
        }
        Path::Portable
    }

    /// This path where the machine can run it, else [`Path::Portable`].
    pub fn or_portable(self) -> Path {
        if self == Path::best() {
            self
        } else {
            Path::Portable
        }
    }

    /// The name in facts and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Path::Portable => "portable",
            Path::Avx2 => "avx2",
        }
    }
}

#[cfg(all(test, unix))]
mod guard_tests;
