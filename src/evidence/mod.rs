//! What others can verify without us: signatures, and the approvals that they make.

mod folder;
mod judge;
mod ssh_sig;
mod statement;

pub use folder::*;
pub use judge::*;
pub use ssh_sig::*;
pub use statement::*;
