//! VEX documents become statements: one reader a format.

mod csaf;
mod cyclonedx;
mod openvex;
mod read;
#[cfg(test)]
mod tests;

pub use read::*;
