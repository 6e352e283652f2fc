//! Random numbers that come back: the same seed gives the same sequence, and a failed test says its seed.

use crate::database::optional_variable;
use std::hash::{BuildHasher, RandomState};

/// SplitMix64 (Steele, Lea, Flood 2014): good enough for tests, and without a dependency.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// `MCP_REGISTRY_TEST_SEED`, else a new seed each time.
    pub fn seed() -> u64 {
        optional_variable("MCP_REGISTRY_TEST_SEED").map_or_else(
            || RandomState::new().hash_one(0),
            |text| text.parse().expect("MCP_REGISTRY_TEST_SEED is a number"),
        )
    }

    /// Another sequence that begins here, so that two users of one seed do not disturb each other.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(self.number())
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number in `from..to`.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.number() % (to - from)
    }

    /// True with a chance of `percent` in a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.between(0, 100) < percent
    }

    /// One of `things`.
    pub fn pick<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        let count = u64::try_from(things.len()).expect("a length");
        &things[usize::try_from(self.between(0, count)).expect("an index")]
    }
}
