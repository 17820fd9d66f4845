//! Switchback: policy-as-code remediation for fleets of servers.
//!
//! ```text
//! scanner reports, inventory ──intake──▶ Finding, Host ──policy──▶ Decision ──plan──▶ Plan + PlanReport
//!       ──run──▶ Record (durable journal) and Event (for eyes) ──report──▶ terminal, HTML, JSON; ──notify──▶ people
//! ```
//!
//! Data flows one way. A room may use the rooms to its left, never the reverse
//! (`tests/architecture.rs` holds this):
//!
//! `model, diagnostic < yaml < intake < policy, playbook < plan < engine < store, transport < provider,
//! switch, evidence < run, sim, lab < report, notify < cli`
//!
//! - [`model`]: the nouns; no IO, no clock
//! - [`diagnostic`]: problems in input files, collected and shown with their source
//! - [`yaml`]: the only room that names the YAML crate
//! - [`intake`]: bytes become findings and hosts
//! - [`policy`]: findings and hosts become decisions
//! - [`playbook`]: how a kind of fix is done, rendered to commands
//! - [`plan`]: synchronous and pure; decisions become an immutable plan, judged by an independent checker
//! - [`engine`]: the pure machines: (state, input, now) becomes records and effects
//! - [`store`]: the durable journal
//! - [`transport`]: how a command reaches a host, and the detached jobs that survive its loss
//! - [`provider`]: backups, restores and clones
//! - [`switch`](mod@switch): traffic
//! - [`evidence`]: what others can verify without us
//! - [`run`]: the only async core; performs what the engine asks for
//! - [`sim`]: a simulated fleet behind the same seam
//! - [`lab`]: a real fleet on one machine
//! - [`report`]: consumers of plans, records and events
//! - [`notify`]: tells people what a campaign does, and never holds it up
//! - [`cli`]: arguments, exit codes, one file a subcommand
//! - [`env`](mod@env): the only reader of clock, randomness and environment
#![forbid(unsafe_code)]

pub mod cli;
pub mod diagnostic;
pub mod engine;
pub mod env;
pub mod evidence;
pub mod intake;
pub mod lab;
pub mod model;
pub mod notify;
pub mod plan;
pub mod playbook;
pub mod policy;
pub mod provider;
pub mod report;
pub mod run;
pub mod sim;
pub mod store;
pub mod switch;
pub mod transport;
pub mod yaml;
