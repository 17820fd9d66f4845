//! Problems in input files: collected, never thrown one at a time; prints nothing.

mod types;

pub use types::*;
