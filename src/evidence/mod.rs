//! What others can verify without us: signatures, and the journal of a campaign in a bundle.

mod audit;
mod bundle;
mod checkpoint;
mod journal;
mod meaning;
mod ssh_sig;

pub use audit::*;
pub use bundle::*;
pub use checkpoint::*;
pub use journal::*;
pub use ssh_sig::*;
