//! Real hosts over real SSH: what only a real systemd, apt, sshd and podman can prove.
//!
//! Needs root, podman and mmdebstrap; where they are missing every test says so on stderr and passes, unless
//! `SWITCHBACK_FLEET=required` makes that a failure.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod balancer;
mod campaign;
mod change;
#[path = "../support/contract.rs"]
#[expect(dead_code, reason = "tests of providers use more of it")]
mod contract;
mod controllers;
mod deadman;
mod drills;
mod faults;
mod fleet;
mod lab;
mod nspawn;
mod provider;
mod real_faults;
mod secrets;
mod strategies;
mod told;
