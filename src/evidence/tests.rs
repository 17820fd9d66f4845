//! Approvals with real keys: what counts, and the attacks that do not.
