//! REST over Registry.
