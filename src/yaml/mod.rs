//! The only room that names the YAML crate; every error has `file:line:column`.

mod de;
mod outline;
mod parse;
mod scalar;
mod schema;
mod spanned;
#[cfg(test)]
mod tests;
mod tree;

pub use outline::*;
pub use parse::*;
pub use schema::*;
pub use spanned::*;
