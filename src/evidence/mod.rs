//! What others can verify without us: signatures, the approvals that they make, and campaigns.

mod agreed;
mod audit;
mod bundle;
mod checkpoint;
mod folder;
mod journal;
mod judge;
mod meaning;
mod ssh_sig;
mod statement;

pub use audit::*;
pub use bundle::*;
pub use checkpoint::*;
pub use folder::*;
pub use journal::*;
pub use judge::*;
pub use ssh_sig::*;
pub use statement::*;
