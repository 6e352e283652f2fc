//! The adjusted retry after a refusal (INV-23): what the authorization server names as wrong and no admin set is dropped or
//! changed, each member once, with its reason on record.

use super::auth_method::SECRET_METHODS;
use super::discovery::Discovery;
use super::failure::{Failure, FailureClass};
use super::named_members::NamedMembers;
use super::request::{AUTH_METHOD, Adjustment, Prepared, RequestPolicy, text};
use crate::plain_name::plain_name;
use serde_json::{Map, Value, json};

/// Refusals that no other metadata would change, whatever their words name.
const NOT_ABOUT_METADATA: [&str; 5] = [
    "initial_access_token_needed",
    "management_token_refused",
    "management_not_allowed",
    "client_forgotten",
    "registration_redirected",
];
/// How often one step adjusts its request at most, so that a server that names one member after the other is not asked ever
/// again on one permit of the rate limit (INV-8).
pub const MAX_ADJUSTED_RETRIES: usize = 3;
/// How the reason of an adjusted retry begins; by it a member that was adjusted already is known.
const RETRY: &str = "Retry after a refusal: ";

/// Members whose absence changes nothing but what users see; left out together where a server refuses members that it
/// does not name.
const DECORATION: [&str; 8] = [
    "application_type",
    "client_uri",
    "logo_uri",
    "software_id",
    "software_version",
    "contacts",
    "tos_uri",
    "policy_uri",
];

/// The adjusted retry after `failure`; `None`: there is nothing to adjust. What an admin set is never dropped or changed,
/// and no member is adjusted by a second retry, so a chain of them ends. `already`: the adjustments of `request`.
pub fn adjust_after_refusal(
    request: &Map<String, Value>,
    failure: &Failure,
    policy: RequestPolicy<'_>,
    discovery: &Discovery,
    already: &[Adjustment],
) -> Option<Prepared> {
    let refusal = matches!(failure.class, FailureClass::NeedsAdmin | FailureClass::Configuration)
        && !NOT_ABOUT_METADATA.contains(&failure.code);
    if !refusal || failure.error.is_none() && failure.error_description.is_none() {
        return None;
    }
    let words = NamedMembers::of(failure);
    let open = |member: &str| {
        request.contains_key(member)
            && !policy.is_admins(member)
            && !already.iter().any(|one| one.member == member && one.why.starts_with(RETRY))
    };
    let unknown = words.says_unknown_member();
    let mut named = words.members();
    if named.is_empty() && unknown {
        named.extend(DECORATION);
    }
    let said = failure.error_description.as_deref().or(failure.error.as_deref()).unwrap_or_default();
    let mut prepared = Prepared { request: request.clone(), adjustments: already.to_vec() };
    for member in named.into_iter().filter(|member| open(member)) {
        let Some(Change { to, what }) = change(member, request, &words, unknown, discovery) else { continue };
        // Variants in other languages are an admin's, and need the untagged member beside them (RFC 7591 §2.2).
        let variant = format!("{member}#");
        if to.is_some() || !request.keys().any(|name| name.starts_with(&variant)) {
            prepared.set(member, to, &format!("{RETRY}{what} (the authorization server said: {said})."));
        }
    }
    (prepared.adjustments.len() > already.len()).then_some(prepared)
}

struct Change {
    to: Option<Value>,
    what: &'static str,
}

/// What becomes of a refused `member`; `None`: there is nothing better to send.
fn change(
    member: &str,
    request: &Map<String, Value>,
    words: &NamedMembers,
    unknown: bool,
    discovery: &Discovery,
) -> Option<Change> {
    let drop = |what| Some(Change { to: None, what });
    let to = |to: Value, what| Some(Change { to: Some(to), what });
    match member {
        "application_type"
            if unknown || words.has(&["unsupported", "unknown", "unexpected", "unrecognized"]) =>
        {
            drop("it does not know `application_type`")
        }
        "application_type" => {
            let other = if text(request, member) == Some("web") { "native" } else { "web" };
            to(json!(other), "it refuses the `application_type`")
        }
        "scope" => drop("it refuses the scopes"),
        AUTH_METHOD if unknown => drop("it does not know the member"),
        AUTH_METHOD => to(json!(other_method(request, words, discovery)?), "it refuses the auth method"),
        "grant_types" => {
            let grants = request.get(member).and_then(Value::as_array)?;
            let left: Vec<&Value> = grants.iter().filter(|grant| *grant != "refresh_token").collect();
            if unknown {
                drop("it does not know the member")
            } else if left.len() < grants.len() && !left.is_empty() {
                to(
                    json!(left),
                    "it refuses the grant types, and `refresh_token` is the one that can be left out",
                )
            } else {
                None
            }
        }
        // RFC 7591 §2: left out, it means `code`.
        "response_types" => unknown.then_some(Change { to: None, what: "it does not know the member" }),
        "client_name" => {
            let name = text(request, member)?;
            let plain = plain_name(name, words.alphabet());
            if unknown || plain == name {
                drop("it refuses the client name")
            } else {
                to(json!(plain), "it refuses the client name")
            }
        }
        _ => drop("it refuses the member"),
    }
}

/// The auth method to try after the one in `request`: what the words name; else a secret method that is listed; else the
/// opposite of what was tried, even where the metadata do not list it.
fn other_method(
    request: &Map<String, Value>,
    words: &NamedMembers,
    discovery: &Discovery,
) -> Option<&'static str> {
    let tried = text(request, AUTH_METHOD).unwrap_or("none");
    let supported = discovery.authorization_server().token_endpoint_auth_methods_supported();
    let listed =
        |method: &str| supported.as_ref().is_none_or(|methods| methods.iter().any(|one| one == method));
    let others = || ["none"].into_iter().chain(SECRET_METHODS).filter(|method| *method != tried);
    others()
        .find(|method| words.names_method(method) && listed(method))
        .or_else(|| others().find(|method| words.names_method(method)))
        .or_else(|| others().find(|method| *method != "none" && listed(method)))
        .or_else(|| others().next())
}
