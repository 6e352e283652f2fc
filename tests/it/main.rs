//! Every test over the whole house, in one binary.

mod registry;
