//! Advanced Configurations that the documentation shows (`docs/examples`), each a JSON text. The pages offer all but
//! [`ORGANISATION`], the OpenAPI document and the demo use [`ENTERPRISE_COMPLIANCE`], and tests check that all behave as
//! documented.

/// For the organisation layer: name, links, contacts and scopes of a company.
pub const ORGANISATION: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/organisation.json"))
        .trim_ascii_end();

/// Name, links, scopes, contacts and legal links, as a compliance department wants them to be shown.
pub const ENTERPRISE_COMPLIANCE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/enterprise-compliance.json"))
        .trim_ascii_end();

/// A `software_id` that the authorization server already knows. It has no `client_id`, so this is not what the glossary calls a
/// pre-registered client.
pub const PRE_REGISTERED_CLIENT: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/pre-registered-client.json"))
        .trim_ascii_end();

/// Only `scope`, with scopes of an issue tracker.
pub const CUSTOM_SCOPES: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/custom-scopes.json"))
        .trim_ascii_end();
