//! The judges of refusals and risks, in the order of the table, and what judges share. Each says nothing where all is
//! well.

use super::advice::{AdviceInputs, AdviceText};
use crate::egress::names_loopback;
use crate::registration::RegistrationMethod;
use serde_json::Value;
use url::Url;

/// Services that were seen to let only what they know register (user reports), by the domain of
/// their MCP or authorization server.
const ALLOW_LISTS: &[(&str, &str)] = &[
    ("intercom.com", "callbacks of hosts that it has on a list"),
    ("squareup.com", "callbacks of hosts that it has on a list"),
    ("cal.com", "callbacks of hosts that it has on a list"),
    ("canva.com", "callbacks of hosts that it has on a list"),
    ("clickup.com", "callbacks of hosts that it has on a list"),
    ("vercel.com", "callbacks on the user's own machine"),
    ("figma.com", "clients whose `client_name` it has on a list"),
];

/// The members whose pages authorization servers should compare with the callback (RFC 7591 §5).
const PAGES: [&str; 4] = ["client_uri", "logo_uri", "tos_uri", "policy_uri"];

pub(super) const AUTH_METHOD: &str = "token_endpoint_auth_method";

pub(super) fn auth_method_not_offered(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    let effective = &inputs.resolution.effective;
    let method = effective.client_metadata.get(AUTH_METHOD)?.as_str()?;
    let listed = inputs.server().token_endpoint_auth_methods_supported()?;
    if !effective.is_admins(AUTH_METHOD) || listed.iter().any(|one| one == method) {
        return None;
    }
    advice_text(
        &[AUTH_METHOD],
        format!(
            "`{AUTH_METHOD}` is set to `{method}`, but the authorization server lists only {}. It is sent as it is set; if it is refused, set one of these, or remove the member.",
            quoted(&listed)
        ),
    )
}

pub(super) fn secret_of_other_issuer(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    let bound = inputs.secret_bound_to.filter(|bound| *bound != inputs.discovery.issuer)?;
    advice_text(
        &[],
        format!(
            "The stored secret or token was first used with {}, so it is not sent to {}. If the server has moved, enter it again.",
            short(bound),
            short(&inputs.discovery.issuer)
        ),
    )
}

pub(super) fn pkce_not_offered(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    let listed = inputs.server().code_challenge_methods_supported();
    let what = match &listed {
        None => {
            "does not say that it supports PKCE (`code_challenge_methods_supported` is absent)".to_owned()
        }
        Some(methods) if methods.iter().any(|method| method == "S256") => return None,
        Some(methods) => format!("lists only {} for PKCE, not `S256`", quoted(methods)),
    };
    advice_text(
        &[],
        format!(
            "The authorization server {what}, so MCP clients must refuse to sign in there. Ask its owner; if it does support S256, set `code_challenge_methods_supported` to [\"S256\"] in the Advanced Configuration."
        ),
    )
}

pub(super) fn auth_method_needs_secret(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    let credentials = inputs.resolution.effective.credentials.as_ref()?;
    let listed = inputs.server().token_endpoint_auth_methods_supported()?;
    let by_hand = inputs.forecast.method == Some(RegistrationMethod::PreRegistered);
    if !by_hand || credentials.client_secret.is_some() || listed.iter().any(|one| one == "none") {
        return None;
    }
    advice_text(
        &["client_secret"],
        format!(
            "The authorization server lists only {}, all of which need a secret. Enter `client_secret`.",
            quoted(&listed)
        ),
    )
}

pub(super) fn scope_not_listed(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    let listed = inputs.server().scopes_supported()?;
    let scope = inputs.sent()?.get("scope")?.as_str()?;
    let missing: Vec<String> =
        scope.split(' ').filter(|one| !listed.iter().any(|known| known == one)).map(str::to_owned).collect();
    if missing.is_empty() {
        return None;
    }
    let advice = if inputs.is_admins("scope") {
        "If it refuses, remove them from `scope`."
    } else {
        "The MCP server names them. If it refuses, one retry without them is made automatically."
    };
    advice_text(&["scope"], format!("The authorization server does not list {}. {advice}", quoted(&missing)))
}

pub(super) fn grant_type_not_listed(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    let missing = not_listed(inputs, "grant_types", "grant_types_supported", &["refresh_token"])?;
    advice_text(
        &["grant_types"],
        format!(
            "The authorization server does not list {}. Set `grant_types` to what it offers.",
            quoted(&missing)
        ),
    )
}

pub(super) fn response_type_not_listed(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    let missing = not_listed(inputs, "response_types", "response_types_supported", &[])?;
    advice_text(
        &["response_types"],
        format!(
            "The authorization server does not list {}, so sign-in will probably fail.",
            quoted(&missing)
        ),
    )
}

pub(super) fn redirect_allow_list(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    inputs.sent()?;
    let (service, what) = known_allow_list(inputs)?;
    let members = if what.contains("client_name") { "client_name" } else { "redirect_uris" };
    advice_text(
        &[members],
        format!(
            "{service} is known to register only {what}. If it refuses, ask it to allow {}, or register a client there manually and enter its `client_id`.",
            inputs.callbacks().join(" and ")
        ),
    )
}

pub(super) fn loopback_callback(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    let issuer = Url::parse(&inputs.discovery.issuer).ok()?;
    let callback = inputs.callback()?;
    if !is_loopback(&callback) || is_loopback(&issuer) {
        return None;
    }
    advice_text(
        &["redirect_uris"],
        format!(
            "The callback {callback} leads to the machine of the user who signs in. Unless the gateway runs there, set `gateway.urls` to its https address before a client is registered."
        ),
    )
}

pub(super) fn branding_host_differs(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    let callback = inputs.callback().filter(|callback| !is_loopback(callback))?;
    let sent = inputs.sent()?;
    let differs = |value: &Value| {
        let url = value.as_str().and_then(|text| Url::parse(text).ok())?;
        (url.host_str() != callback.host_str() || url.scheme() != callback.scheme()).then_some(url)
    };
    let different: Vec<(String, Url)> = sent
        .iter()
        .filter(|(name, _)| PAGES.contains(&base(name)))
        .filter_map(|(name, value)| Some((name.clone(), differs(value)?)))
        .collect();
    if different.is_empty() {
        return None;
    }
    let mut hosts: Vec<String> = different
        .iter()
        .map(|(_, url)| format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default()))
        .collect();
    hosts.sort();
    hosts.dedup();
    let members = different.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let message = format!(
        "The callback is on {}://{}, these pages are on {}. Authorization servers should compare them (RFC 7591 §5); if one refuses, put them on the callback's host or leave them out.",
        callback.scheme(),
        callback.host_str().unwrap_or_default(),
        hosts.join(", ")
    );
    Some((members, message))
}

pub(super) fn logo_not_https(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    let members = members_where(inputs, |name, value| {
        base(name) == "logo_uri" && value.as_str().is_some_and(|text| !text.starts_with("https:"))
    })?;
    Some((
        members,
        "The logo is not an https URL. Authorization servers refuse it or do not show it; use https."
            .to_owned(),
    ))
}

pub(super) fn logo_not_shown(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    let (url, what) = inputs.broken_logo?;
    let members =
        members_where(inputs, |name, value| base(name) == "logo_uri" && value.as_str() == Some(url))?;
    Some((members, format!("The logo will not be seen: {} {what}", short(url))))
}

pub(super) fn language_variants(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    let members = members_where(inputs, |name, _| name.contains('#'))?;
    Some((
        members,
        "Language variants would be sent. If the authorization server refuses members it does not know (as Keycloak does), remove them for this server.".to_owned(),
    ))
}

pub(super) fn contact_no_email(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    let plain = |contact: &&str| {
        let (name, host) = contact.rsplit_once('@').unwrap_or_default();
        name.is_empty() || !host.contains('.') || contact.contains(char::is_whitespace)
    };
    let odd: Vec<String> = inputs.sent_list("contacts").into_iter().filter(plain).map(short).collect();
    if odd.is_empty() {
        return None;
    }
    advice_text(
        &["contacts"],
        format!(
            "{} is not an e-mail address; strict authorization servers (oidc-provider) refuse that.",
            quoted(&odd)
        ),
    )
}

#[expect(clippy::unnecessary_wraps, reason = "every judge ends with it, and judges may have nothing to say")]
pub(super) fn advice_text(members: &[&str], message: String) -> Option<AdviceText> {
    Some((members.iter().map(|&member| member.to_owned()).collect(), message))
}

/// The members that would be sent and that `fits`; `None`: none.
fn members_where(inputs: &AdviceInputs<'_>, fits: impl Fn(&str, &Value) -> bool) -> Option<Vec<String>> {
    let found: Vec<String> = inputs
        .sent()?
        .iter()
        .filter(|(name, value)| fits(name, value))
        .map(|(name, _)| name.clone())
        .collect();
    (!found.is_empty()).then_some(found)
}

/// What would be sent and is not in a list of the authorization server; `None` also where there is no such list.
fn not_listed(inputs: &AdviceInputs<'_>, member: &str, list: &str, spared: &[&str]) -> Option<Vec<String>> {
    let listed = inputs.discovery.metadata.get(list)?.as_array().filter(|list| !list.is_empty())?;
    let missing: Vec<String> = inputs
        .sent_list(member)
        .into_iter()
        .filter(|one| !spared.contains(one) && !listed.iter().any(|known| known == one))
        .map(str::to_owned)
        .collect();
    (!missing.is_empty()).then_some(missing)
}

/// The service that was seen to keep a list, and of what.
pub(super) fn known_allow_list(inputs: &AdviceInputs<'_>) -> Option<(&'static str, &'static str)> {
    let urls = [&inputs.discovery.issuer, &inputs.discovery.mcp_url];
    let hosts: Vec<String> = urls
        .into_iter()
        .filter_map(|url| Url::parse(url).ok()?.host_str().map(str::to_ascii_lowercase))
        .collect();
    let of = |domain: &str| {
        hosts
            .iter()
            .any(|host| host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')))
    };
    ALLOW_LISTS.iter().find(|(domain, _)| of(domain)).copied()
}

fn is_loopback(url: &Url) -> bool {
    url.host().is_some_and(|host| names_loopback(&host))
}

/// The name of a member without its language.
fn base(name: &str) -> &str {
    name.split('#').next().unwrap_or_default()
}

pub(super) fn quoted(words: &[String]) -> String {
    const MAX_LISTED: usize = 10;
    let mut list =
        words.iter().take(MAX_LISTED).map(|word| format!("`{}`", short(word))).collect::<Vec<_>>().join(", ");
    if words.len() > MAX_LISTED {
        list.push_str(", …");
    }
    list
}

/// Words of others, fit to be shown.
pub(super) fn short(text: &str) -> String {
    crate::oauth::clean(text, 200)
}
