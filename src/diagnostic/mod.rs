//! Problems in input files: collected, never thrown one at a time; prints nothing.

mod codes;
mod render;
mod types;

pub use codes::*;
pub use render::*;
pub use types::*;
