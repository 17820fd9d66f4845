//! What others can verify without us: signatures.

mod ssh_sig;

pub use ssh_sig::*;
