//! The durable journal: where campaigns are kept, and the only room that touches its files.

mod experience;
mod history;
mod journal;
mod manual;
mod memory;
mod notes;
mod signals;
mod sqlite;
#[cfg(test)]
mod tests;
mod writer;

pub use experience::*;
pub use history::history;
pub use journal::*;
pub use memory::*;
pub use notes::*;
pub use signals::*;
pub use sqlite::*;
pub use writer::*;
