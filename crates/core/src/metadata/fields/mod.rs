//! The table of fields: every known member of the Advanced Configuration, with its type, rules and description.

pub(crate) mod display;
pub(crate) mod field;
pub(crate) mod marker;
pub(crate) mod names;
pub(crate) mod suggest;
pub(crate) mod table;

pub use field::{Field, Kind, Rule, Section, Usage};
pub use marker::{marker, parse_marker};
pub use names::{ALIAS_WRAPPER, CANONICAL_WRAPPER, MAX_CONFIGURATION_BYTES};
pub use table::{FIELDS, RESERVED_PARAMETERS, find, in_section};
