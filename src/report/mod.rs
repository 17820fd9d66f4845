//! Consumers of plans, records, events and diagnostics: text, JSON and HTML for people and machines.

mod campaign;
mod contract;
mod host_windows;
mod html;
mod impact;
mod live;
mod plan_dot;
mod plan_explain;
mod plan_forecast;
mod plan_graph;
mod plan_html;
mod plan_mermaid;
mod plan_table;
mod plan_text;
mod plan_tree;
mod problems;
mod suite;
mod what_if;

pub use campaign::*;
pub use contract::*;
pub use host_windows::*;
pub use html::*;
pub use impact::*;
pub use live::*;
pub use plan_dot::*;
pub use plan_explain::*;
pub use plan_forecast::forecast_line;
pub use plan_html::plan_html;
pub use plan_mermaid::*;
pub use plan_table::*;
pub(crate) use plan_text::count;
pub use plan_tree::*;
pub use problems::*;
pub use suite::*;
pub use what_if::*;
