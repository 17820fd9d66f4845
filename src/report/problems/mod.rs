//! Problems in input files for the programs that show them beside a change: SARIF, GitHub, GitLab.

mod github;
mod gitlab;
mod place;
mod sarif;
#[cfg(test)]
mod tests;

pub use github::*;
pub use gitlab::*;
pub use sarif::*;
