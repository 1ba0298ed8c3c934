//! Which instruments are wanted.

mod glob;

pub use glob::{GLOB_BYTES_MAX, Glob, GlobError};
