//! A simulated fleet, with its provider, switch, network and faults, behind the same seam as the real one.

mod act;
mod aim;
mod approve;
mod blame;
mod campaign;
mod coverage;
mod driver;
mod effect;
mod executor;
mod fault;
mod fleet;
mod host;
mod journal;
mod monitor;
mod provider;
mod rehearse;
mod rng;
mod sample;
mod scenario;
mod search;
mod shape;
mod shrink;
mod switch;
mod world;

#[cfg(test)]
mod planted;

pub use campaign::*;
pub use coverage::*;
pub use executor::*;
pub use fault::*;
pub use fleet::*;
pub use host::*;
pub use journal::{bytes_of, read_tail};
pub use monitor::{Invariant, Violation};
pub use rehearse::*;
pub use rng::*;
pub use sample::{sample, start};
pub use scenario::*;
pub use shape::*;
pub use shrink::*;
pub use world::*;
