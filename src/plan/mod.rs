//! Decisions become an immutable plan; synchronous, deterministic and pure.

mod check;
mod diff;
mod draft;
mod explain;
mod file;
mod graph;
mod input;
mod passes;
mod planner;
mod reserve;
mod types;
mod unused;

pub use check::*;
pub use diff::*;
pub use explain::*;
pub use file::*;
pub use graph::*;
pub use input::*;
pub use planner::*;
pub use types::*;
pub use unused::*;
