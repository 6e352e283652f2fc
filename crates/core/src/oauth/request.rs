//! The body of a registration request (RFC 7591 §3.1): what is wanted, fitted to one authorization server, every
//! difference on record.

use super::auth_method::{SECRET_METHODS, unusable_setting, usable_auth_method};
use super::clean::clean;
use super::discovery::Discovery;
use super::failure::{Failure, FailureClass};
use crate::metadata::{EffectiveMetadata, ScopePolicy};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// One difference between the effective metadata and what was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Adjustment {
    /// The member.
    #[schema(example = "scope")]
    pub member: String,
    /// What was wanted; `null`: nothing.
    #[schema(value_type = serde_json::Value)]
    pub from: Value,
    /// What was sent; `null`: nothing.
    #[schema(value_type = serde_json::Value)]
    pub to: Value,
    /// Why, a sentence for users.
    pub why: String,
}

/// What of the metadata an admin chose, so that it is not for us to change.
#[derive(Clone, Copy, Debug)]
pub struct RequestPolicy<'a> {
    /// Names of the members (with language variants) that an admin set.
    pub admin_members: &'a BTreeSet<String>,
    /// Names of the members that are not sent.
    pub omit: &'a [String],
    /// Whether `scope` is sent.
    pub scope_policy: ScopePolicy,
}

impl<'a> RequestPolicy<'a> {
    /// What of `effective` an admin chose.
    pub fn of(effective: &'a EffectiveMetadata) -> Self {
        Self {
            admin_members: &effective.admin_members,
            omit: &effective.registration.omit,
            scope_policy: effective.registration.scope,
        }
    }

    /// Whether an admin set `member`.
    pub(super) fn is_admins(&self, member: &str) -> bool {
        self.admin_members.contains(member)
    }

    fn omits(&self, member: &str) -> bool {
        self.omit.iter().any(|name| name == member)
    }
}

/// A request ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The body.
    pub request: Map<String, Value>,
    /// How it differs from what was wanted.
    pub adjustments: Vec<Adjustment>,
}

/// An auth method that both sides can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// The method.
    pub method: String,
    /// Why it is not the wanted one, or is sent although it is not listed.
    pub why: Option<String>,
}

/// What a registration may hold: RFC 7591 §2 and, of OpenID Connect Registration §2, `application_type`, which MCP
/// demands. Never `resource`: it belongs to authorization and token requests (RFC 8707), and Keycloak refuses it here.
const SENT: [&str; 17] = [
    "redirect_uris",
    "token_endpoint_auth_method",
    "grant_types",
    "response_types",
    "client_name",
    "client_uri",
    "logo_uri",
    "scope",
    "contacts",
    "tos_uri",
    "policy_uri",
    "jwks_uri",
    "jwks",
    "software_id",
    "software_version",
    "software_statement",
    "application_type",
];

pub(super) const AUTH_METHOD: &str = "token_endpoint_auth_method";

/// Fits the wanted auth method to what the authorization server lists (INV-23). An admin's choice is never changed: where
/// the list lacks it, it is tried, because lists are often incomplete. An absent list means that `none` is worth trying.
pub fn negotiate_auth_method(
    wanted: &str,
    is_admins: bool,
    supported: Option<&[String]>,
) -> Result<Negotiated, Failure> {
    let listed = |method: &str| supported.is_none_or(|methods| methods.iter().any(|one| one == method));
    let is_usable = usable_auth_method(wanted);
    if listed(wanted) && is_usable {
        return Ok(Negotiated { method: wanted.to_owned(), why: None });
    }
    if is_admins && !is_usable {
        return Err(unusable_setting(wanted));
    }
    let offered = clean(&supported.unwrap_or_default().join(", "), 200);
    let Some(first) = ["none"].into_iter().chain(SECRET_METHODS).find(|method| listed(method)) else {
        return Err(Failure::new(
            FailureClass::NeedsAdmin,
            "auth_method_not_supported",
            format!(
                "The authorization server offers only auth methods that are not supported here: {offered}. If it accepts `none`, `client_secret_post` or `client_secret_basic` all the same, name that one in `token_endpoint_auth_methods_supported`."
            ),
        ));
    };
    Ok(if is_admins {
        Negotiated {
            method: wanted.to_owned(),
            why: Some(format!(
                "`{wanted}` is sent because it is set in the Advanced Configuration, although the authorization server lists only: {offered}."
            )),
        }
    } else {
        Negotiated {
            method: first.to_owned(),
            why: Some(format!("The authorization server does not list `{wanted}`; it offers: {offered}.")),
        }
    })
}

/// The request for `client_metadata` at the authorization server of `discovery`.
pub fn build_request(
    client_metadata: &Map<String, Value>,
    discovery: &Discovery,
    policy: RequestPolicy<'_>,
) -> Result<Prepared, Failure> {
    let server = discovery.authorization_server();
    let mut prepared = Prepared { request: client_metadata.clone(), adjustments: Vec::new() };
    for (name, value) in client_metadata {
        let base = name.split('#').next().unwrap_or_default();
        if !SENT.contains(&base) {
            prepared.set(name, None, "It is not a registration member (RFC 7591 §2), and some authorization servers refuse unknown members.");
        } else if says_nothing(name, value) {
            prepared.set(name, None, "It is empty; what is not set is left out, because some authorization servers refuse empty members.");
        }
    }
    let wanted = text(&prepared.request, "token_endpoint_auth_method").unwrap_or("none").to_owned();
    let supported = server.token_endpoint_auth_methods_supported();
    let negotiated = negotiate_auth_method(&wanted, policy.is_admins(AUTH_METHOD), supported.as_deref())?;
    if policy.omits(AUTH_METHOD) {
        // RFC 7591 §2: what is left out means `client_secret_basic`; the answer says what it became.
    } else if let Some(why) = negotiated.why {
        prepared.set("token_endpoint_auth_method", Some(json!(negotiated.method)), &why);
    } else if !prepared.request.contains_key("token_endpoint_auth_method") {
        prepared.set(
            AUTH_METHOD,
            Some(json!(negotiated.method)),
            "It is always sent: authorization servers differ in what its absence means.",
        );
    }
    choose_scope(&mut prepared, discovery, policy);
    Ok(prepared)
}

fn choose_scope(prepared: &mut Prepared, discovery: &Discovery, policy: RequestPolicy<'_>) {
    let server_scopes = discovery.authorization_server().scopes_supported().unwrap_or_default();
    if policy.omits("scope") {
        return;
    }
    if policy.scope_policy == ScopePolicy::Never {
        if prepared.request.contains_key("scope") {
            prepared.set("scope", None, "`registration.scope` is `never`.");
        }
        return;
    }
    if !prepared.request.contains_key("scope") {
        let named = if discovery.scopes.is_empty() && policy.scope_policy == ScopePolicy::Always {
            server_scopes.clone()
        } else {
            discovery.scopes.clone()
        };
        if named.is_empty() {
            return;
        }
        prepared.set(
            "scope",
            Some(json!(named.join(" "))),
            "No scope is configured; these are the ones the MCP server names.",
        );
    }
    let refreshes = prepared
        .request
        .get("grant_types")
        .and_then(Value::as_array)
        .is_some_and(|grants| grants.iter().any(|grant| grant == "refresh_token"));
    let scope = text(&prepared.request, "scope").unwrap_or_default().to_owned();
    let offered = server_scopes.iter().any(|scope| scope == "offline_access");
    // MCP SDKs ask for it on their own where it is listed; a client registered without would then be refused.
    if refreshes && offered && !scope.split(' ').any(|one| one == "offline_access") {
        let with = format!("{scope} offline_access");
        prepared.set(
            "scope",
            Some(json!(with)),
            "The authorization server lists `offline_access`, and clients that refresh tokens ask for it.",
        );
    }
}

impl Prepared {
    /// Sets or removes `member`, with its reason on record.
    pub(super) fn set(&mut self, member: &str, to: Option<Value>, why: &str) {
        let from = self.request.get(member).cloned().unwrap_or(Value::Null);
        match &to {
            Some(value) => {
                self.request.insert(member.to_owned(), value.clone());
            }
            None => {
                self.request.shift_remove(member);
            }
        }
        self.adjustments.push(Adjustment {
            member: member.to_owned(),
            from,
            to: to.unwrap_or(Value::Null),
            why: why.to_owned(),
        });
    }
}

/// Empty is no registered way of saying "absent" (INV-23); only an empty `response_types` says something:
/// none (RFC 7591 §2.1), where its absence would mean `code`.
fn says_nothing(name: &str, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty() && name != "response_types",
        _ => false,
    }
}

/// The text of a member.
pub(super) fn text<'a>(request: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    request.get(name).and_then(Value::as_str)
}
