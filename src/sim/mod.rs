//! A simulated fleet, with its provider, switch, network and faults, behind the same seam as the real one.

mod act;
mod effect;
mod fault;
mod host;
mod rng;
mod world;

pub use fault::*;
pub use host::*;
pub use rng::*;
pub use world::*;
