//! Decisions become an immutable plan; synchronous, deterministic and pure.

mod check;
mod draft;
mod explain;
mod file;
mod graph;
mod input;
mod passes;
mod planner;
mod reserve;
mod summary;
mod types;

pub use check::*;
pub use explain::*;
pub use file::*;
pub use graph::*;
pub use input::*;
pub use planner::*;
pub use summary::*;
pub use types::*;
