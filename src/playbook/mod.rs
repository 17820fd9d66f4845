//! How a kind of fix is done on a kind of host: raw -> check -> render.

mod types;

pub use types::*;
