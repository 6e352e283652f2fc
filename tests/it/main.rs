//! Every test over the whole house, in one binary.

#![expect(clippy::unwrap_used, reason = "tests")]

mod architecture;
mod documents;
mod registry;
