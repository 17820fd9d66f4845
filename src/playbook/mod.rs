//! How a kind of fix is done on a kind of host: raw -> check -> render.

mod check;
mod output;
mod payload;
mod quote;
mod raw;
mod render;
mod shell;
mod shipped;
mod template;
mod types;

pub use check::*;
pub use output::*;
pub use payload::*;
pub use quote::*;
pub use shipped::*;
pub use template::*;
pub use types::*;
