//! The rules that values must follow, as checks, as a list of finding codes and as a JSON Schema.

mod codes;
mod components;
pub(crate) mod cross;
pub(crate) mod document;
mod fill_in;
pub(crate) mod language;
pub(crate) mod pasted;
pub(crate) mod report;
mod schema;
mod shape;
mod string_rules;
mod unknown;
mod url_rules;

pub use codes::{CODES, Code};
pub use components::{CONFIGURATION_SCHEMA, configuration_schemas, gateway_members};
pub use fill_in::{FILL_INS, FillIn, contains_fill_in};
pub use pasted::pasted_address;
pub use schema::json_schema;
