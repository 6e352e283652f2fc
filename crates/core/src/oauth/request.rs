//! The body of a registration request (RFC 7591 §3.1): what is wanted, fitted to one authorization server, every
//! difference on record.

use super::discovery::Discovery;
use super::failure::{Failure, FailureClass};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// One difference between the effective metadata and what was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Adjustment {
    /// The member.
    #[schema(example = "scope")]
    pub member: String,
    /// What was wanted; `null`: nothing.
    #[schema(value_type = Object)]
    pub from: Value,
    /// What was sent; `null`: nothing.
    #[schema(value_type = Object)]
    pub to: Value,
    /// Why, a sentence for people.
    pub why: String,
}

/// Whether `scope` is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopePolicy {
    /// The admin's; else what challenge and resource name; else not.
    Auto,
    /// As `Auto`, and if nothing is named what the authorization server lists.
    Always,
    /// Not.
    Never,
}

/// What of the metadata an admin chose, so that it is not for us to change.
#[derive(Clone, Copy, Debug)]
pub struct RequestPolicy {
    /// `token_endpoint_auth_method` is an admin's.
    pub auth_method_is_admins: bool,
    /// `scope` is an admin's.
    pub scope_is_admins: bool,
    /// Whether `scope` is sent.
    pub scope_policy: ScopePolicy,
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
    /// Why it is not the wanted one, if it is not.
    pub why: Option<String>,
}

/// The methods we can use with a secret, best first: OAuth 2.1 §2.4.1 makes `client_secret_post` the mandatory one.
const SECRET_METHODS: [&str; 2] = ["client_secret_post", "client_secret_basic"];

/// Fits the wanted auth method to what the authorization server lists (`standards.md` §1.6). An admin's choice is never
/// changed; a list that is absent means `none` is worth trying.
pub fn negotiate_auth_method(
    wanted: &str,
    is_admins: bool,
    supported: Option<&[String]>,
) -> Result<Negotiated, Failure> {
    let listed = |method: &str| supported.is_none_or(|methods| methods.iter().any(|one| one == method));
    if listed(wanted) {
        return Ok(Negotiated { method: wanted.to_owned(), why: None });
    }
    let offered = supported.unwrap_or_default().join(", ");
    if is_admins {
        return Err(Failure::new(
            FailureClass::Configuration,
            "auth_method_not_supported",
            format!(
                "`token_endpoint_auth_method` is set to `{wanted}`, but the authorization server offers only: {offered}. Choose one of these, or remove the member."
            ),
        ));
    }
    ["none"].into_iter().chain(SECRET_METHODS).find(|method| listed(method)).map_or_else(
        || {
            Err(Failure::new(
                FailureClass::NeedsAdmin,
                "auth_method_not_supported",
                format!("The authorization server offers only auth methods that are not supported here: {offered}."),
            ))
        },
        |method| {
            Ok(Negotiated {
                method: method.to_owned(),
                why: Some(format!("The authorization server does not list `{wanted}`; it offers: {offered}.")),
            })
        },
    )
}

/// The request for `client_metadata` at the authorization server of `discovery`.
pub fn build_request(
    client_metadata: &Map<String, Value>,
    discovery: &Discovery,
    policy: RequestPolicy,
) -> Result<Prepared, Failure> {
    let server = discovery.authorization_server();
    // Empty is no registered way of saying "absent", and some servers refuse it (`standards.md` §1.1).
    let request: Map<String, Value> = client_metadata
        .iter()
        .filter(|(_, value)| !value.is_null() && value.as_str() != Some(""))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut prepared = Prepared { request, adjustments: Vec::new() };
    let wanted = text(&prepared.request, "token_endpoint_auth_method").unwrap_or("none").to_owned();
    let supported = server.token_endpoint_auth_methods_supported();
    let negotiated = negotiate_auth_method(&wanted, policy.auth_method_is_admins, supported.as_deref())?;
    if let Some(why) = negotiated.why {
        prepared.set("token_endpoint_auth_method", Some(json!(negotiated.method)), &why);
    }
    choose_scope(&mut prepared, discovery, policy);
    Ok(prepared)
}

fn choose_scope(prepared: &mut Prepared, discovery: &Discovery, policy: RequestPolicy) {
    let server_scopes = discovery.authorization_server().scopes_supported().unwrap_or_default();
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
    fn set(&mut self, member: &str, to: Option<Value>, why: &str) {
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

/// The one adjusted retry that a cause of refusal may have (`standards.md` §7.2.7); `None`: no retry. What an admin set
/// is never dropped, and no member is adjusted twice.
pub fn adjust_after_refusal(
    request: &Map<String, Value>,
    failure: &Failure,
    policy: RequestPolicy,
    discovery: &Discovery,
    already: &[Adjustment],
) -> Option<Prepared> {
    const RETRY: &str = "Retry after a refusal: ";
    let refusal = matches!(failure.class, FailureClass::NeedsAdmin | FailureClass::Configuration);
    if !refusal || failure.error.is_none() && failure.error_description.is_none() {
        return None;
    }
    if already.iter().any(|adjustment| adjustment.why.starts_with(RETRY)) {
        return None;
    }
    let mut prepared = Prepared { request: request.clone(), adjustments: already.to_vec() };
    let said = failure.error_description.as_deref().or(failure.error.as_deref()).unwrap_or_default();
    let why = |what: &str| format!("{RETRY}{what} (the authorization server said: {said}).");
    let unrecognised = failure.mentions(&[
        "unrecognized field",
        "unknown field",
        "unrecognised",
        "unexpected property",
        "additional propert",
    ]);
    if unrecognised && request.contains_key("application_type") && failure.mentions(&["application_type"]) {
        prepared.set("application_type", None, &why("it does not know `application_type`"));
        return Some(prepared);
    }
    if failure.mentions(&["scope"]) && request.contains_key("scope") && !policy.scope_is_admins {
        prepared.set("scope", None, &why("it refuses the scopes"));
        return Some(prepared);
    }
    if failure.mentions(&["auth_method", "authentication method"]) && !policy.auth_method_is_admins {
        let tried = text(request, "token_endpoint_auth_method").unwrap_or("none");
        let supported = discovery.authorization_server().token_endpoint_auth_methods_supported();
        let listed =
            |method: &str| supported.as_ref().is_none_or(|methods| methods.iter().any(|one| one == method));
        let next = SECRET_METHODS.into_iter().find(|method| *method != tried && listed(method))?;
        prepared.set("token_endpoint_auth_method", Some(json!(next)), &why("it refuses the auth method"));
        return Some(prepared);
    }
    None
}

fn text<'a>(request: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    request.get(name).and_then(Value::as_str)
}
