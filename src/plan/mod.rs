//! Decisions become an immutable plan; synchronous, deterministic and pure.

mod chain;
mod check;
mod diff;
mod draft;
mod drill;
mod experience;
mod explain;
mod file;
mod forecast;
mod graph;
mod input;
mod manual;
mod passes;
mod planner;
mod reserve;
mod sub_plan;
mod summary;
mod types;
mod unused;
mod what_if;

pub use chain::*;
pub use check::*;
pub use diff::*;
pub use drill::*;
pub use experience::*;
pub use explain::*;
pub use file::*;
pub use forecast::*;
pub use graph::*;
pub use input::*;
pub use planner::*;
pub use sub_plan::*;
pub use summary::*;
pub use types::*;
pub use unused::*;
pub use what_if::*;
