//! The nouns of the domain: no IO, no async, no clock.

mod asset;
mod command;
mod cvss;
mod decision;
mod digest;
mod finding;
mod fix;
mod ids;
mod score;
mod time;
mod version;

pub use asset::*;
pub use command::*;
pub use cvss::*;
pub use decision::*;
pub use digest::*;
pub use finding::*;
pub use fix::*;
pub use ids::*;
pub use score::*;
pub use time::*;
pub use version::*;
