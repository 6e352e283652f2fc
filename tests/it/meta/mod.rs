//! Tests of the repository itself: which crate may use which, pages made from tables in code, what fuzzers found.

mod architecture;
mod documents;
mod fuzzed;
mod rooms;
