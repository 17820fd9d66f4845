//! The planner from outside: what it plans and blocks, that the checker agrees, that files and views tell the truth.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failed assumption must fail the test; figures are shown"
)]

mod care;
mod checker;
mod drills;
mod durations;
mod file;
mod fleet;
mod forecast;
mod html;
mod mutants;
#[path = "../support/page.rs"]
mod page;
mod passes;
mod properties;
mod scale;
mod strategies;
mod views;
