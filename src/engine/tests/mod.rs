//! The machines against tables, random worlds and an independent judge.
#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod approvals;
mod clones;
mod fixture;
mod gates;
mod judge;
mod random;
mod table;
mod world;
