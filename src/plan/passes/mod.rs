//! The passes of the planner, one a file; their order is in `planner.rs`.

pub(super) mod approvals;
pub(super) mod backup;
pub(super) mod budgets;
pub(super) mod cohorts;
pub(super) mod decide;
pub(super) mod drilled;
pub(super) mod durations;
pub(super) mod emergency;
pub(super) mod limits;
pub(super) mod machines;
pub(super) mod merge;
pub(super) mod order;
pub(super) mod playbook;
pub(super) mod pools;
pub(super) mod quarantine;
pub(super) mod render;
pub(super) mod steps;
pub(super) mod waves;
pub(super) mod windows;
