//! Advanced Configurations that the documentation shows (`docs/examples`): the pages offer them, the OpenAPI document
//! quotes one, the demo saves one, and the tests check that they behave as documented.

/// A configuration of an organisation: names and links of its company.
pub const ORGANISATION: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/organisation.json"))
        .trim_ascii_end();

/// Branding, contacts and legal links, as a compliance department asks for them.
pub const ENTERPRISE_COMPLIANCE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/enterprise-compliance.json"))
        .trim_ascii_end();

/// A client that the authorization server knows by its `software_id`.
pub const PRE_REGISTERED_CLIENT: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/pre-registered-client.json"))
        .trim_ascii_end();

/// Scopes of one's own.
pub const CUSTOM_SCOPES: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/custom-scopes.json"))
        .trim_ascii_end();
