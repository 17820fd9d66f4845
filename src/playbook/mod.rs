//! How a kind of fix is done on a kind of host: raw -> check -> render.

mod ansible;
mod check;
mod output;
mod payload;
mod quote;
mod raw;
mod render;
mod schema;
mod shell;
mod shipped;
mod template;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests;
mod types;

pub use check::LEFT_OUT;
pub use check::*;
pub use output::*;
pub use payload::*;
pub use quote::*;
pub use render::Reach;
pub use schema::*;
pub use shipped::*;
pub use template::*;
pub use types::*;
