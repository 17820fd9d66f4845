//! Feeds as files: what is known of vulnerabilities everywhere, beside what scanners found here.

mod epss;
mod kev;
mod kind;
mod set;
mod ssvc;
#[cfg(test)]
mod tests;

pub use epss::EpssScores;
pub use kev::{KevCatalogue, KevEntry};
pub use set::{Exploitation, Feeds};
pub use ssvc::{DecisionError, DecisionPoint, DecisionTable};
