//! The table of problem kinds: code, status, title and meaning. The answers, the OpenAPI document and the page
//! `/docs/problems` are made from it.

/// One kind of problem.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Stable code.
    pub(crate) code: &'static str,
    /// HTTP status.
    pub(crate) status: u16,
    /// Title in a few words.
    pub(crate) title: &'static str,
    /// Meaning, and what to do.
    pub(crate) meaning: &'static str,
}

macro_rules! kinds {
    ($($name:ident = $status:literal $code:literal, $title:literal, $meaning:literal;)*) => {
        $(#[doc = $meaning] pub(crate) static $name: Kind =
            Kind { code: $code, status: $status, title: $title, meaning: $meaning };)*
        /// All kinds.
        pub(crate) static KINDS: &[&Kind] = &[$(&$name,)*];
    };
}

kinds! {
    INVALID_JSON = 400 "invalid_json", "Not JSON",
        "The body is not JSON (RFC 8259) in UTF-8. `line` and `column` say where it stops being so.";
    INVALID_PARAMETER = 400 "invalid_parameter", "Bad parameter or header",
        "A parameter of the path or the query, or a header, has a value that is not accepted. The detail names it and says what is.";
    UNAUTHENTICATED = 401 "unauthenticated", "Not signed in",
        "The credential is missing or not valid. Send an API key in `x-portkey-api-key`, or a key or token in `Authorization: Bearer`.";
    FORBIDDEN = 403 "forbidden", "Not allowed",
        "The caller is known, but its role, scopes or workspace do not allow this. The detail says what would.";
    NOT_FOUND = 404 "not_found", "Not found",
        "The resource does not exist, or the caller may not see it. Ids and slugs are both accepted.";
    UNKNOWN_PATH = 404 "unknown_path", "No such path",
        "The API has no operation at this path. See `/openapi.json`.";
    METHOD_NOT_ALLOWED = 405 "method_not_allowed", "Method not allowed",
        "The path exists, but not with this method. The header `Allow` lists those it has.";
    CONFLICT = 409 "conflict", "Conflict",
        "The request conflicts with the present state. The detail says how.";
    SLUG_TAKEN = 409 "slug_taken", "Slug taken",
        "Something of the same kind has this slug (upper and lower case count as equal). Choose another one.";
    EMAIL_TAKEN = 409 "email_taken", "E-mail address taken",
        "There is a user with this e-mail address already.";
    LAST_ADMIN = 409 "last_admin", "Last admin",
        "No other user could administer the organisation. Give another user the role admin, and let that user sign in first.";
    PERSON_DEACTIVATED = 409 "person_deactivated", "User deactivated",
        "This user may not sign in. Reactivate the user first.";
    AMBIGUOUS_SLUG = 409 "ambiguous_slug", "Slug fits several",
        "Several workspaces have a server with this slug. Add `workspace_id`, or use the id.";
    INTEGRATION_OF_WORKSPACE = 409 "integration_of_workspace", "Belongs to a workspace",
        "An integration that belongs to one workspace cannot be opened to others.";
    REGISTRATION_WITHDRAWN = 409 "registration_withdrawn", "Registration withdrawn",
        "The server of this registration was deleted, so there is nothing to register.";
    STALE_VERSION = 412 "stale_version", "Changed in the meantime",
        "The version in `If-Match` is not the present one. Read the resource again and repeat the change.";
    TOO_LARGE = 413 "too_large", "Too large",
        "The body is longer than allowed. The detail names the limit.";
    URI_TOO_LONG = 414 "uri_too_long", "Address too long",
        "Path and query together are longer than the maximum. The detail names the limit.";
    UNSUPPORTED_MEDIA_TYPE = 415 "unsupported_media_type", "Content type is not JSON",
        "Bodies must have the header `Content-Type: application/json`.";
    INVALID_INPUT = 422 "invalid_input", "Cannot be saved",
        "The body is JSON but has values that cannot be saved; nothing was changed. `errors` names each member by its JSON Pointer and says what to do.";
    TOO_SOON = 429 "too_soon", "Upstream rate limit",
        "The request would exceed the rate limit of an authorization server, which all users of this deployment share. Nothing was sent to it. The header `Retry-After` says when to try again.";
    TOO_MANY_REQUESTS = 429 "too_many_requests", "Too many requests",
        "Rate limit: this caller, or this address, sent too many requests; the request was not processed. The header `Retry-After` says when to try again, `RateLimit` how much is left.";
    INTERNAL = 500 "internal", "Internal error",
        "Unexpected server error. The log has the reason under the request id.";
    NOT_IMPLEMENTED = 501 "not_implemented", "Not implemented",
        "The hosted product has this operation; this version does not.";
    OVERLOADED = 503 "overloaded", "Overloaded",
        "The maximum number of concurrent requests is reached; the request was not processed. Try again shortly.";
    TIMED_OUT = 503 "timed_out", "Request timeout",
        "Request timeout. The request may have been completed all the same: read the state before you repeat it.";
    KEY_MISSING = 503 "key_missing", "Sealing key missing",
        "This process does not have the sealing key that stored secrets need, so it saved or read nothing. The detail names the key and says what the operator does.";
    SETTINGS_DIFFER = 503 "settings_differ", "Configuration differs",
        "The configuration of this process differs from that of the deployment, so it changed nothing. Another process can do it; the operator must give all processes the same configuration.";
    UNAVAILABLE = 503 "unavailable", "Not available now",
        "The database, or something else this deployment needs, cannot be used now. Try again shortly.";
}
