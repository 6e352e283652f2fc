//! Every code a finding of this module can have, in one place; `docs/problems.md` is written from it.

use crate::finding::Severity;
use crate::finding::Severity::{Error, Notice, Warning};

/// One code.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// The code, stable.
    pub code: &'static str,
    /// The severities it comes with.
    pub severities: &'static [Severity],
    /// What it means and what to do, in one or two sentences.
    pub meaning: &'static str,
}

const fn code(code: &'static str, severities: &'static [Severity], meaning: &'static str) -> Code {
    Code { code, severities, meaning }
}

/// All codes: of the text, of its structure, of values, of several members together, of secrets, of the resolved result.
pub static CODES: &[Code] = &[
    code("too_large", &[Error], "The text has more than 256 KiB. Shorten it."),
    code(
        "invalid_json",
        &[Error],
        "The text is not strict JSON (RFC 8259); line and column say where. Comments, trailing commas and single quotes are not JSON.",
    ),
    code("not_an_object", &[Error], "The text is JSON, but not an object. Put { and } around its members."),
    code(
        "duplicate_member",
        &[Error],
        "A member occurs twice in one object; names of headers and language tags are compared without case. Keep one.",
    ),
    code(
        "both_spellings",
        &[Error],
        "Two spellings of one key occur together (`oauth_client_metadata` and `oauth_metadata`). Keep one.",
    ),
    code(
        "missing_wrapper",
        &[Error],
        "Client metadata is at the top level. Put it inside `oauth_client_metadata`.",
    ),
    code("doubled_wrapper", &[Error], "The wrapper is nested in itself. Remove the inner one."),
    code(
        "placeholder_left",
        &[Error],
        "A value still contains a placeholder of prepared settings, such as `<client_id>`. Replace it; the message says by what.",
    ),
    code(
        "unknown_top_level_member",
        &[Warning],
        "An unknown top-level key; it has no effect. The suggestion names the probable intended key.",
    ),
    code(
        "unknown_member",
        &[Warning],
        "An unknown member; it has no effect. The suggestion names the probable intended member.",
    ),
    code(
        "ignored_member",
        &[Notice],
        "The member is kept and never used: `redirect_uris`, `redirect_uri`, `jwks_uri`, `jwks`, `software_statement`.",
    ),
    code("missing_member", &[Error], "The object is useless without the named member. Add it."),
    code("wrong_type", &[Error], "The value has the wrong JSON type. The message says which one is right."),
    code(
        "empty_value",
        &[Error],
        "The value is empty or only spaces. Leave the member out, or set it to null, to not set it here.",
    ),
    code("too_long", &[Error], "The string (or the name of a member) is too long."),
    code("too_many", &[Error], "The list or object has too many entries."),
    code(
        "illegal_character",
        &[Error],
        "The string contains control characters, bidirectional control characters, or non-ASCII where only ASCII is allowed.",
    ),
    code(
        "nul_character",
        &[Error],
        "A string or the name of a member contains the character NUL (`\\u0000`), which cannot be stored. Remove it.",
    ),
    code(
        "trimmed",
        &[Warning],
        "A value was pasted with something that is certainly not meant: blanks or invisible characters at its ends, quotation marks or brackets around it, `Bearer` before a token, line breaks between scopes. It is stored without; check it.",
    ),
    code(
        "pasted_value",
        &[Warning, Error],
        "A value looks as if it was pasted from elsewhere: commas between scopes, the address of a document or an endpoint as `issuer`, a comma at the end of a URL, a token of another scheme. The suggestion says what was probably meant.",
    ),
    code("duplicate_value", &[Warning], "A value occurs twice in a list, or a scope twice in `scope`."),
    code(
        "invalid_value",
        &[Error],
        "The value is not one of those allowed, or out of range. The message lists what is.",
    ),
    code(
        "invalid_url",
        &[Warning, Error],
        "Not an absolute URL of ASCII characters with a host; or an endpoint with a fragment; or an issuer with a query. A `registration.resource` that is a word is a warning.",
    ),
    code(
        "scheme_not_allowed",
        &[Error],
        "The URL's scheme is not https (`javascript:`, `data:`, `ftp:` and others).",
    ),
    code("credentials_in_url", &[Error], "The URL carries a user name or a password."),
    code(
        "insecure_url",
        &[Warning, Error],
        "The URL is http. A warning for pages and logos, an error for endpoints on hosts other than loopback.",
    ),
    code("ip_literal_host", &[Warning], "The logo's host is an address, not a name."),
    code(
        "invalid_scope",
        &[Error],
        "`scope` breaks the grammar of RFC 6749 §3.3: two spaces in a row, spaces at the ends, or illegal characters.",
    ),
    code(
        "set_and_omitted",
        &[Warning],
        "`registration.omit` names a member that the same configuration sets; it is not sent. Remove one of the two.",
    ),
    code("invalid_email", &[Warning], "A contact is not an e-mail address."),
    code(
        "unsupported_grant_type",
        &[Error],
        "`implicit`, `password`, or a name that is neither registered nor an absolute URI.",
    ),
    code("unsupported_response_type", &[Error], "A response type other than `code`."),
    code(
        "unsupported_auth_method",
        &[Error],
        "An auth method other than `none`, `client_secret_post`, `client_secret_basic`.",
    ),
    code(
        "invalid_language_tag",
        &[Error],
        "What follows `#` in the name of a language variant is not a language tag (BCP 47).",
    ),
    code(
        "invalid_header_name",
        &[Error],
        "The name of a header contains characters that are not allowed (RFC 9110 §5.1).",
    ),
    code("reserved_parameter", &[Error], "`authorization_params` names a parameter that the gateway sets."),
    code(
        "grant_response_mismatch",
        &[Error],
        "`grant_types` and `response_types` contradict each other (RFC 7591 §2.1); an omitted list counts as its default.",
    ),
    code("secret_without_id", &[Error], "A `client_secret` is set without the `client_id` it belongs to."),
    code(
        "secret_unused",
        &[Warning],
        "A `client_secret` is set, and `token_endpoint_auth_method` is `none`.",
    ),
    code(
        "incomplete_override",
        &[Warning],
        "An endpoint is set alone: the rest still comes from the published metadata. Together with the other endpoint and the issuer none are needed. Without a grant that uses it, `authorization_endpoint` is not needed (RFC 8414 §2).",
    ),
    code(
        "misplaced_secret",
        &[Error],
        "A member looks like a secret but is not encrypted, so it would stay readable.",
    ),
    code(
        "marker_moved",
        &[Error],
        "The marker of a sealed secret is at the wrong place. Enter the secret itself.",
    ),
    code(
        "unknown_marker",
        &[Error],
        "A marker belongs to no secret of this configuration. Enter the secret itself.",
    ),
    code("more_findings", &[Notice], "There are more findings than are listed: 100 are, errors first."),
    code(
        "unknown_placeholder",
        &[Error],
        "The deployment's `branding.client_name` contains braces other than {workspace} and {server}.",
    ),
    code(
        "language_variant_without_base",
        &[Error],
        "After resolution a language variant has no untagged member.",
    ),
    code(
        "secret_crosses_levels",
        &[Error],
        "A secret of one level would be sent to an authorization server that a higher level chose. Set both on the same level.",
    ),
    code("application_type_mismatch", &[Warning], "`application_type` does not fit the gateway's callback."),
    code(
        "auth_method_needs_secret",
        &[Warning],
        "An auth method with a secret is set for a pre-registered client that has none.",
    ),
    code(
        "grants_contradict_auth_type",
        &[Warning],
        "`grant_types` does not fit the integration's auth type: `oauth_client_credentials` needs `client_credentials`, signing in as a user needs `authorization_code`.",
    ),
    code(
        "method_needs_client",
        &[Warning],
        "The registration method is `pre_registered`, and there is no `client_id`.",
    ),
    code(
        "empty_list",
        &[Notice],
        "An empty list is left out of the request (listed among ignored values, never a finding).",
    ),
    code(
        "omitted",
        &[Notice],
        "`registration.omit` names the member, so it is not sent (listed among ignored values, never a finding).",
    ),
];
