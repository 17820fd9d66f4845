//! A simulated fleet, with its provider, switch, network and faults, behind the same seam as the real one.

mod act;
mod campaign;
mod effect;
mod executor;
mod fault;
mod fleet;
mod host;
mod monitor;
mod provider;
mod rehearse;
mod rng;
mod switch;
mod world;

pub use campaign::*;
pub use executor::*;
pub use fault::*;
pub use fleet::*;
pub use host::*;
pub use monitor::{Invariant, Violation};
pub use rehearse::*;
pub use rng::*;
pub use world::*;
