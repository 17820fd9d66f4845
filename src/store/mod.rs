//! The durable journal: where campaigns are kept, and the only room that touches its files.

mod experience;
mod history;
mod journal;
mod ledger;
mod manual;
mod memory;
mod notes;
mod proofs;
mod signals;
mod sqlite;
#[cfg(test)]
mod tests;
mod writer;

pub use history::{Lessons, lessons};
pub use journal::*;
pub use ledger::*;
pub use memory::*;
pub use notes::*;
pub use proofs::*;
pub use signals::*;
pub use sqlite::*;
pub use writer::*;
