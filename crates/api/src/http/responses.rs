//! The problems each operation may answer with, as the OpenAPI document shows them. The examples are made by the code
//! that answers, so they cannot drift from it.

use crate::http::problem::{self, MEDIA_TYPE, Problem};
use crate::http::problem_kinds::{
    AMBIGUOUS_SLUG, CONFLICT, EMAIL_TAKEN, FORBIDDEN, INTEGRATION_OF_WORKSPACE, INTERNAL, INVALID_INPUT,
    INVALID_JSON, INVALID_PARAMETER, KEY_MISSING, Kind, LAST_ADMIN, NOT_FOUND, NOT_IMPLEMENTED, OVERLOADED,
    PERSON_DEACTIVATED, REGISTRATION_WITHDRAWN, SETTINGS_DIFFER, SLUG_TAKEN, STALE_VERSION, TIMED_OUT,
    TOO_LARGE, TOO_MANY_REQUESTS, TOO_SOON, UNAUTHENTICATED, UNAVAILABLE, UNSUPPORTED_MEDIA_TYPE,
    URI_TOO_LONG,
};
use registry_core::finding::Finding;
use serde_json::json;
use std::collections::BTreeMap;
use utoipa::IntoResponses;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};

/// The responses with these kinds of problems, by status: references to shared ones.
fn references(kinds: &[&'static Kind]) -> BTreeMap<String, RefOr<Response>> {
    by_status(kinds)
        .into_iter()
        .map(|(status, kinds)| (status.to_string(), Ref::from_response_name(component(&kinds)).into()))
        .collect()
}

/// Every response that an operation refers to, by name.
pub(crate) fn components() -> BTreeMap<String, RefOr<Response>> {
    let shared = GROUPS.iter().flat_map(|kinds| by_status(kinds));
    shared.map(|(status, kinds)| (component(&kinds), response(status, &kinds).into())).collect()
}

fn by_status(kinds: &[&'static Kind]) -> BTreeMap<u16, Vec<&'static Kind>> {
    let mut sorted: BTreeMap<u16, Vec<&'static Kind>> = BTreeMap::new();
    for kind in kinds {
        sorted.entry(kind.status).or_default().push(kind);
    }
    sorted
}

/// The name of the response that all these kinds share.
fn component(kinds: &[&Kind]) -> String {
    kinds.iter().map(|kind| kind.code).collect::<Vec<_>>().join(".")
}

fn response(status: u16, kinds: &[&'static Kind]) -> Response {
    let meanings: Vec<_> = kinds.iter().map(|kind| format!("`{}`: {}", kind.code, kind.meaning)).collect();
    let mut content = Content::new(Some(Ref::from_schema_name("Problem")));
    for kind in kinds {
        let example = ExampleBuilder::new().summary(kind.title).value(Some(json!(sample(kind)))).build();
        content.examples.insert(kind.code.to_owned(), example.into());
    }
    let mut response = ResponseBuilder::new().description(meanings.join("\n\n")).content(MEDIA_TYPE, content);
    for (name, description) in headers_of(status) {
        response = response.header(*name, HeaderBuilder::new().description(Some(*description)).build());
    }
    response.build()
}

fn headers_of(status: u16) -> &'static [(&'static str, &'static str)] {
    match status {
        401 => &[("WWW-Authenticate", "Always `Bearer` (RFC 6750 §3).")],
        429 | 503 => &[("Retry-After", "Seconds to wait.")],
        _ => &[],
    }
}

/// An example of a kind, made by the same code that answers.
fn sample(kind: &'static Kind) -> Problem {
    use registry::Error;
    let finding = |pointer: &'static str, code: &'static str, message: &str| {
        Error::Invalid(Finding::error(pointer, code, message).into())
    };
    let error = match kind.code {
        "unauthenticated" => {
            Error::Unauthenticated("This API key is not known, or was revoked. Create a new one.")
        }
        "forbidden" => Error::Forbidden {
            needed: registry_core::permission::Permission::UpdateIntegrations,
            message: "The role `viewer` may not do this; it needs `manager` or `admin`.".to_owned(),
        },
        "not_found" => Error::NotFound { what: "integration", reference: "linaer".to_owned() },
        "slug_taken" => Error::Conflict {
            code: registry::ConflictCode::SlugTaken,
            message: "The slug `linear` is taken. Choose another one.".to_owned(),
            pointer: Some("/slug"),
        },
        "stale_version" => Error::Stale { current: 7 },
        "too_soon" => {
            let now = crate::examples::moment();
            Error::TooSoon { until: now + chrono::Duration::seconds(6), now }
        }
        "too_many_requests" => Error::TooManyRequests { seconds: 2 },
        "overloaded" => Error::Overloaded,
        "timed_out" => Error::TimedOut,
        "too_large" => Error::TooLarge { limit: crate::state::Limits::default().body },
        "not_implemented" => Error::NotImplemented("This version keeps no capabilities of servers."),
        "key_missing" => Error::CannotSeal(
            "The sealing key `k1` of this process is not the one that stored secrets are sealed with, so nothing was saved. Give this process the right key (`sealing`)."
                .to_owned(),
        ),
        "settings_differ" => Error::SettingsDiffer(
            "This process has another `gateway.urls` than the deployment recorded, so it changes nothing. Configure all processes alike, then run `mcp-registry migrate`."
                .to_owned(),
        ),
        "unavailable" => {
            Error::Unavailable("The database cannot be reached now. Try again shortly.".to_owned())
        }
        "internal" => Error::Internal("example".into()),
        "invalid_json" => {
            let mut found =
                Finding::error("", INVALID_JSON.code, "The body is not JSON: expected `,` or `}`.");
            (found.line, found.column) = (Some(3), Some(15));
            Error::Invalid(found.into())
        }
        "invalid_input" => finding(
            "/configurations/oauth_client_metadata/contacts",
            "wrong_type",
            "`contacts` must be a list of strings. Write [\"security@acme.com\"].",
        ),
        _ => {
            let mut problem = Problem::new(kind, kind.meaning.to_owned(), Vec::new());
            problem.request_id = Some(crate::examples::id(9).to_string());
            return problem;
        }
    };
    let mut problem = problem::from_error(&error);
    problem.request_id = Some(crate::examples::id(9).to_string());
    problem
}

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident: $($kind:ident)*;)*) => {
        $(
            $(#[$doc])*
            pub(crate) struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    references(&[$(&$kind,)*])
                }
            }
        )*

        /// The kinds of each group.
        static GROUPS: &[&[&Kind]] = &[$(&[$(&$kind,)*],)*];
    };
}

problems! {
    /// Of listing.
    ListProblems: UNAUTHENTICATED URI_TOO_LONG INVALID_PARAMETER FORBIDDEN NOT_FOUND TOO_MANY_REQUESTS INTERNAL OVERLOADED TIMED_OUT UNAVAILABLE;
    /// Of reading one thing.
    ReadProblems: UNAUTHENTICATED URI_TOO_LONG INVALID_PARAMETER FORBIDDEN NOT_FOUND AMBIGUOUS_SLUG TOO_MANY_REQUESTS INTERNAL OVERLOADED TIMED_OUT UNAVAILABLE;
    /// Of making something.
    CreateProblems: UNAUTHENTICATED URI_TOO_LONG INVALID_PARAMETER INVALID_JSON FORBIDDEN NOT_FOUND SLUG_TAKEN TOO_LARGE UNSUPPORTED_MEDIA_TYPE INVALID_INPUT TOO_MANY_REQUESTS INTERNAL OVERLOADED TIMED_OUT KEY_MISSING SETTINGS_DIFFER UNAVAILABLE;
    /// Of making a server, which may lack access to its integration.
    CreateServerProblems: UNAUTHENTICATED URI_TOO_LONG INVALID_PARAMETER INVALID_JSON FORBIDDEN NOT_FOUND SLUG_TAKEN INTEGRATION_OF_WORKSPACE TOO_LARGE UNSUPPORTED_MEDIA_TYPE INVALID_INPUT TOO_MANY_REQUESTS INTERNAL OVERLOADED TIMED_OUT KEY_MISSING SETTINGS_DIFFER UNAVAILABLE;
    /// Of changing something.
    ChangeProblems: UNAUTHENTICATED URI_TOO_LONG INVALID_JSON INVALID_PARAMETER FORBIDDEN NOT_FOUND AMBIGUOUS_SLUG CONFLICT STALE_VERSION TOO_LARGE UNSUPPORTED_MEDIA_TYPE INVALID_INPUT TOO_MANY_REQUESTS INTERNAL OVERLOADED TIMED_OUT KEY_MISSING SETTINGS_DIFFER UNAVAILABLE;
    /// Of deleting something.
    DeleteProblems: UNAUTHENTICATED URI_TOO_LONG INVALID_PARAMETER FORBIDDEN NOT_FOUND AMBIGUOUS_SLUG STALE_VERSION TOO_MANY_REQUESTS INTERNAL OVERLOADED TIMED_OUT KEY_MISSING SETTINGS_DIFFER UNAVAILABLE;
    /// Of making an earlier version the present one.
    RevertProblems: UNAUTHENTICATED URI_TOO_LONG INVALID_PARAMETER FORBIDDEN NOT_FOUND AMBIGUOUS_SLUG STALE_VERSION INVALID_INPUT TOO_MANY_REQUESTS INTERNAL OVERLOADED TIMED_OUT KEY_MISSING SETTINGS_DIFFER UNAVAILABLE;
    /// Of judging something without saving it.
    CheckProblems: UNAUTHENTICATED URI_TOO_LONG INVALID_PARAMETER INVALID_JSON FORBIDDEN NOT_FOUND AMBIGUOUS_SLUG TOO_LARGE UNSUPPORTED_MEDIA_TYPE INVALID_INPUT TOO_MANY_REQUESTS INTERNAL OVERLOADED TIMED_OUT UNAVAILABLE;
    /// Of looking what a registration of a saved integration would be.
    PreflightProblems: UNAUTHENTICATED URI_TOO_LONG INVALID_PARAMETER INVALID_JSON FORBIDDEN NOT_FOUND TOO_LARGE UNSUPPORTED_MEDIA_TYPE INVALID_INPUT TOO_SOON TOO_MANY_REQUESTS INTERNAL OVERLOADED TIMED_OUT KEY_MISSING SETTINGS_DIFFER UNAVAILABLE;
    /// Of looking what a registration of an integration that is not saved yet would be.
    PreflightNewProblems: UNAUTHENTICATED URI_TOO_LONG INVALID_PARAMETER INVALID_JSON FORBIDDEN NOT_FOUND TOO_LARGE UNSUPPORTED_MEDIA_TYPE INVALID_INPUT TOO_SOON TOO_MANY_REQUESTS INTERNAL OVERLOADED TIMED_OUT KEY_MISSING SETTINGS_DIFFER UNAVAILABLE;
    /// Of a test of the connection.
    TestProblems: UNAUTHENTICATED URI_TOO_LONG INVALID_PARAMETER FORBIDDEN NOT_FOUND AMBIGUOUS_SLUG TOO_MANY_REQUESTS INTERNAL OVERLOADED TIMED_OUT KEY_MISSING UNAVAILABLE;
    /// Of asking a registration for something.
    AskProblems: UNAUTHENTICATED URI_TOO_LONG INVALID_PARAMETER FORBIDDEN NOT_FOUND CONFLICT REGISTRATION_WITHDRAWN TOO_MANY_REQUESTS INTERNAL OVERLOADED TIMED_OUT KEY_MISSING SETTINGS_DIFFER UNAVAILABLE;
    /// Of replacing a key.
    RotateProblems: UNAUTHENTICATED URI_TOO_LONG INVALID_PARAMETER FORBIDDEN NOT_FOUND CONFLICT TOO_MANY_REQUESTS INTERNAL OVERLOADED TIMED_OUT KEY_MISSING SETTINGS_DIFFER UNAVAILABLE;
    /// Of inviting a user.
    InviteProblems: UNAUTHENTICATED URI_TOO_LONG INVALID_PARAMETER INVALID_JSON FORBIDDEN NOT_FOUND EMAIL_TAKEN TOO_LARGE UNSUPPORTED_MEDIA_TYPE INVALID_INPUT TOO_MANY_REQUESTS INTERNAL OVERLOADED TIMED_OUT KEY_MISSING SETTINGS_DIFFER UNAVAILABLE;
    /// Of changing a user.
    UserChangeProblems: UNAUTHENTICATED URI_TOO_LONG INVALID_PARAMETER INVALID_JSON FORBIDDEN NOT_FOUND LAST_ADMIN TOO_LARGE UNSUPPORTED_MEDIA_TYPE INVALID_INPUT TOO_MANY_REQUESTS INTERNAL OVERLOADED TIMED_OUT KEY_MISSING SETTINGS_DIFFER UNAVAILABLE;
    /// Of deactivating and reactivating a user.
    UserStateProblems: UNAUTHENTICATED URI_TOO_LONG INVALID_PARAMETER FORBIDDEN NOT_FOUND LAST_ADMIN PERSON_DEACTIVATED TOO_MANY_REQUESTS INTERNAL OVERLOADED TIMED_OUT KEY_MISSING SETTINGS_DIFFER UNAVAILABLE;
    /// Of what every identity may read.
    CallerProblems: UNAUTHENTICATED URI_TOO_LONG INVALID_PARAMETER TOO_MANY_REQUESTS INTERNAL OVERLOADED TIMED_OUT UNAVAILABLE;
    /// Of a gateway's fetch.
    GatewayProblems: INVALID_PARAMETER UNAUTHENTICATED URI_TOO_LONG FORBIDDEN NOT_FOUND TOO_MANY_REQUESTS INTERNAL TIMED_OUT UNAVAILABLE;
    /// Of what a gateway says back.
    GatewayNeedsProblems: UNAUTHENTICATED URI_TOO_LONG INVALID_PARAMETER INVALID_JSON FORBIDDEN NOT_FOUND TOO_LARGE UNSUPPORTED_MEDIA_TYPE INVALID_INPUT TOO_SOON TOO_MANY_REQUESTS INTERNAL TIMED_OUT KEY_MISSING SETTINGS_DIFFER UNAVAILABLE;
    /// Of a public document.
    DocumentProblems: NOT_FOUND INTERNAL UNAVAILABLE;
    /// Of what is not built yet.
    NotBuiltProblems: UNAUTHENTICATED URI_TOO_LONG INVALID_PARAMETER NOT_IMPLEMENTED TOO_MANY_REQUESTS INTERNAL OVERLOADED TIMED_OUT UNAVAILABLE;
    /// Of the readiness probe, which asks for no credential.
    ProbeProblems: UNAVAILABLE;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::problem_kinds::KINDS;

    #[test]
    fn kinds_are_distinct_and_explained() {
        for (index, kind) in KINDS.iter().enumerate() {
            assert!(KINDS[..index].iter().all(|other| other.code != kind.code), "{}", kind.code);
            assert!(!kind.title.ends_with('.') && kind.meaning.ends_with('.'), "{}", kind.code);
            let sample = sample(kind);
            assert_eq!((sample.status, sample.code.as_str()), (kind.status, kind.code));
            assert!(!sample.detail.is_empty());
        }
    }
}
