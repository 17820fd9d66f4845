//! The only room that names the YAML crate; every error has `file:line:column`.

mod parse;

pub use parse::*;
