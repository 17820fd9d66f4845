//! The only async core: performs what the engine asks for, and nothing else.

mod change;
mod dispatcher;
mod embedded;
mod error;
mod executor;
mod held;
mod hub;
mod scan;
mod signals;
mod signer;
mod watches;
mod worker;

pub use change::*;
pub use embedded::*;
pub use error::*;
pub use executor::{ProviderOf, RemoteExecutor, SwitchOf};
pub use held::{HeldItem, Past, Unasked, discard, held};
pub use scan::*;
pub use signals::*;
pub use signer::Signing;
pub use watches::{LeftWatch, left_watches};
