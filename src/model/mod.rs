//! The nouns of the domain: no IO, no async, no clock.

mod asset;
mod backend;
mod backend_kinds;
mod command;
mod cvss;
mod decision;
mod digest;
mod finding;
mod fix;
mod history;
mod ids;
mod notify;
mod purl;
mod redact;
mod score;
mod time;
mod version;
mod vex;

pub use asset::*;
pub use backend::*;
pub use backend_kinds::*;
pub use command::*;
pub use cvss::*;
pub use decision::*;
pub use digest::*;
pub use finding::*;
pub use fix::*;
pub use history::*;
pub use ids::*;
pub use notify::*;
pub use purl::*;
pub use redact::*;
pub use score::*;
pub use time::*;
pub use version::*;
pub use vex::*;
