//! The judges of the table of advice, in its order. Each says nothing where all is well.

use super::advice::{Facts, Said};
use crate::egress::names_loopback;
use crate::oauth::{IssuerMatch, ResourceMatch};
use crate::registration::RegistrationMethod;
use serde_json::Value;
use url::Url;

/// Services that were seen to let only what they know register (user reports, `standards.md` §7.1), by the domain of
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

const AUTH_METHOD: &str = "token_endpoint_auth_method";

pub(super) fn auth_method_not_offered(facts: &Facts<'_>) -> Option<Said> {
    let effective = &facts.resolution.effective;
    let method = effective.client_metadata.get(AUTH_METHOD)?.as_str()?;
    let listed = facts.server().token_endpoint_auth_methods_supported()?;
    if !effective.auth_method_is_admins || listed.iter().any(|one| one == method) {
        return None;
    }
    said(
        &[AUTH_METHOD],
        format!(
            "`{AUTH_METHOD}` is set to `{method}`, but the authorization server lists only {}. Set one of these, or remove the member.",
            quoted(&listed)
        ),
    )
}

pub(super) fn secret_of_other_issuer(facts: &Facts<'_>) -> Option<Said> {
    let bound = facts.secret_bound_to.filter(|bound| *bound != facts.discovery.issuer)?;
    said(
        &[],
        format!(
            "The stored secret or token was first used with {}, so it is not sent to {}. If the server has moved, enter it again.",
            short(bound),
            short(&facts.discovery.issuer)
        ),
    )
}

pub(super) fn pkce_not_offered(facts: &Facts<'_>) -> Option<Said> {
    let listed = facts.server().code_challenge_methods_supported();
    let what = match &listed {
        None => {
            "does not say that it supports PKCE (`code_challenge_methods_supported` is absent)".to_owned()
        }
        Some(methods) if methods.iter().any(|method| method == "S256") => return None,
        Some(methods) => format!("lists only {} for PKCE, not `S256`", quoted(methods)),
    };
    said(
        &[],
        format!(
            "The authorization server {what}, so MCP clients must refuse to sign in there. Ask its owner; if it does support S256, set `code_challenge_methods_supported` to [\"S256\"] in the Advanced Configuration."
        ),
    )
}

pub(super) fn auth_method_needs_secret(facts: &Facts<'_>) -> Option<Said> {
    let credentials = facts.resolution.effective.credentials.as_ref()?;
    let listed = facts.server().token_endpoint_auth_methods_supported()?;
    let by_hand = facts.forecast.method == Some(RegistrationMethod::PreRegistered);
    if !by_hand || credentials.client_secret.is_some() || listed.iter().any(|one| one == "none") {
        return None;
    }
    said(
        &["client_secret"],
        format!(
            "The authorization server lists only {}, all of which need a secret. Enter `client_secret`.",
            quoted(&listed)
        ),
    )
}

pub(super) fn scope_not_listed(facts: &Facts<'_>) -> Option<Said> {
    let listed = facts.server().scopes_supported()?;
    let scope = facts.sent()?.get("scope")?.as_str()?;
    let missing: Vec<String> =
        scope.split(' ').filter(|one| !listed.iter().any(|known| known == one)).map(str::to_owned).collect();
    if missing.is_empty() {
        return None;
    }
    let advice = if facts.is_admins("scope") {
        "If it refuses, take them out of `scope`."
    } else {
        "They are those the MCP server names. If it refuses, they are left out by themselves, once."
    };
    said(&["scope"], format!("The authorization server does not list {}. {advice}", quoted(&missing)))
}

pub(super) fn grant_type_not_listed(facts: &Facts<'_>) -> Option<Said> {
    let missing = not_listed(facts, "grant_types", "grant_types_supported", &["refresh_token"])?;
    said(
        &["grant_types"],
        format!(
            "The authorization server does not list {}. Set `grant_types` to what it offers.",
            quoted(&missing)
        ),
    )
}

pub(super) fn response_type_not_listed(facts: &Facts<'_>) -> Option<Said> {
    let missing = not_listed(facts, "response_types", "response_types_supported", &[])?;
    said(
        &["response_types"],
        format!(
            "The authorization server does not list {}, so that signing in will hardly work.",
            quoted(&missing)
        ),
    )
}

pub(super) fn redirect_allow_list(facts: &Facts<'_>) -> Option<Said> {
    facts.sent()?;
    let (service, what) = known_allow_list(facts)?;
    let members = if what.contains("client_name") { "client_name" } else { "redirect_uris" };
    said(
        &[members],
        format!(
            "{service} was seen to register only {what}. If it refuses, ask it to allow {}, or register a client there by hand and enter its `client_id`.",
            facts.callbacks().join(" and ")
        ),
    )
}

pub(super) fn loopback_callback(facts: &Facts<'_>) -> Option<Said> {
    let issuer = Url::parse(&facts.discovery.issuer).ok()?;
    let callback = facts.callback()?;
    if !is_loopback(&callback) || is_loopback(&issuer) {
        return None;
    }
    said(
        &["redirect_uris"],
        format!(
            "The callback {callback} leads to the machine of whoever signs in. Unless the gateway runs there, set `gateway.urls` to its https address before anybody registers."
        ),
    )
}

pub(super) fn branding_host_differs(facts: &Facts<'_>) -> Option<Said> {
    let callback = facts.callback().filter(|callback| !is_loopback(callback))?;
    let sent = facts.sent()?;
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

pub(super) fn logo_not_https(facts: &Facts<'_>) -> Option<Said> {
    let members = members_where(facts, |name, value| {
        base(name) == "logo_uri" && value.as_str().is_some_and(|text| !text.starts_with("https:"))
    })?;
    Some((
        members,
        "The logo is no https URL. Authorization servers refuse it or do not show it; use https.".to_owned(),
    ))
}

pub(super) fn language_variants(facts: &Facts<'_>) -> Option<Said> {
    let members = members_where(facts, |name, _| name.contains('#'))?;
    Some((
        members,
        "Language variants would be sent. If the authorization server refuses members it does not know (as Keycloak does), take them out for this server.".to_owned(),
    ))
}

pub(super) fn contact_no_email(facts: &Facts<'_>) -> Option<Said> {
    let plain = |contact: &&str| {
        let (name, host) = contact.rsplit_once('@').unwrap_or_default();
        name.is_empty() || !host.contains('.') || contact.contains(char::is_whitespace)
    };
    let odd: Vec<String> = facts.sent_list("contacts").into_iter().filter(plain).map(short).collect();
    if odd.is_empty() {
        return None;
    }
    said(
        &["contacts"],
        format!(
            "{} is no e-mail address; strict authorization servers (oidc-provider) refuse that.",
            quoted(&odd)
        ),
    )
}

pub(super) fn software_id_selects_no_client(facts: &Facts<'_>) -> Option<Said> {
    let sent = facts.sent()?.contains_key("software_id") && facts.is_admins("software_id");
    if !sent {
        return None;
    }
    said(
        &["software_id"],
        "`software_id` tells what the software is; a new client is registered all the same. To use one that exists, enter its `client_id`.".to_owned(),
    )
}

pub(super) fn initial_access_token_unknown(facts: &Facts<'_>) -> Option<Said> {
    let registers = facts.forecast.method == Some(RegistrationMethod::Dcr);
    if !registers || facts.resolution.effective.registration.initial_access_token.is_some() {
        return None;
    }
    said(
        &["registration.initial_access_token"],
        "Whether this authorization server wants an initial access token shows only when a client is registered. If it answers 401, enter one.".to_owned(),
    )
}

pub(super) fn redirect_hosts_unknown(facts: &Facts<'_>) -> Option<Said> {
    let registers = facts.forecast.method == Some(RegistrationMethod::Dcr);
    if !registers || known_allow_list(facts).is_some() {
        return None;
    }
    said(
        &["redirect_uris"],
        format!(
            "Whether this authorization server takes callbacks of any host shows only when a client is registered. If it refuses, ask its owner to allow {}.",
            facts.callbacks().join(" and ")
        ),
    )
}

pub(super) fn auth_methods_not_listed(facts: &Facts<'_>) -> Option<Said> {
    let method = facts.sent()?.get(AUTH_METHOD)?.as_str()?;
    if facts.server().token_endpoint_auth_methods_supported().is_some() {
        return None;
    }
    said(
        &[AUTH_METHOD],
        format!(
            "The authorization server does not list auth methods. `{method}` is asked for; what it answers is used."
        ),
    )
}

pub(super) fn no_scope_sent(facts: &Facts<'_>) -> Option<Said> {
    let listed = facts.server().scopes_supported().filter(|scopes| !scopes.is_empty())?;
    // A document leaves it out on purpose: it would cap what may be asked for later.
    let registers = facts.forecast.method == Some(RegistrationMethod::Dcr);
    if !registers || facts.sent()?.contains_key("scope") {
        return None;
    }
    said(
        &["scope"],
        format!(
            "No scope would be registered. Some authorization servers then never grant any; if so, set `scope`, or `registration.scope` to `always`. It lists {}.",
            quoted(&listed)
        ),
    )
}

pub(super) fn callback_by_hand(facts: &Facts<'_>) -> Option<Said> {
    if facts.forecast.method != Some(RegistrationMethod::PreRegistered) {
        return None;
    }
    said(
        &["redirect_uris"],
        format!(
            "Check at the authorization server that the client you entered has exactly these callbacks: {}.",
            facts.callbacks().join(", ")
        ),
    )
}

pub(super) fn cimd_offered(facts: &Facts<'_>) -> Option<Said> {
    let unused = facts.forecast.method != Some(RegistrationMethod::Cimd);
    if !unused || !facts.server().client_id_metadata_document_supported() {
        return None;
    }
    said(
        &[],
        "The authorization server reads Client ID Metadata Documents, for which nothing has to be registered. They are used where the operator has set `cimd.public_url` and `registration.method` allows it.".to_owned(),
    )
}

pub(super) fn document_is_public(facts: &Facts<'_>) -> Option<Said> {
    let published = facts.forecast.method == Some(RegistrationMethod::Cimd);
    if !published || facts.is_admins("client_name") {
        return None;
    }
    said(
        &["client_name"],
        "The document can be read by everybody, and its `client_name` shows workspace and server. Set another one if that is too much.".to_owned(),
    )
}

pub(super) fn document_reachable_unknown(facts: &Facts<'_>) -> Option<Said> {
    if facts.forecast.method != Some(RegistrationMethod::Cimd) {
        return None;
    }
    said(
        &[],
        "Whether the authorization server can read the document shows only when it is published; it is then read through its public address first.".to_owned(),
    )
}

pub(super) fn endpoint_elsewhere(facts: &Facts<'_>) -> Option<Said> {
    let issuer = Url::parse(&facts.discovery.issuer).ok()?;
    let elsewhere: Vec<String> = ["authorization_endpoint", "token_endpoint", "registration_endpoint"]
        .into_iter()
        .filter_map(|name| {
            let url = Url::parse(facts.server().endpoint(name)?).ok()?;
            let host = url.host_str().unwrap_or_default().to_owned();
            (url.host_str() != issuer.host_str()).then(|| format!("`{name}` on {}", short(&host)))
        })
        .collect();
    if elsewhere.is_empty() {
        return None;
    }
    said(
        &[],
        format!(
            "Beside the issuer's host {} there is {}.",
            short(issuer.host_str().unwrap_or_default()),
            elsewhere.join(", ")
        ),
    )
}

pub(super) fn issuer_spelt_differently(facts: &Facts<'_>) -> Option<Said> {
    let why = match facts.discovery.issuer_match {
        IssuerMatch::Exact => return None,
        IssuerMatch::RootSlash => "only the slash at the end differs, which is tolerated",
        IssuerMatch::Trusted => "it is trusted because of `registration.trusted_issuer`",
        IssuerMatch::Legacy => {
            return said(
                &[],
                format!(
                    "Nobody named an issuer, as servers of the MCP revision 2025-03-26 do; {} stands for one.",
                    short(&facts.discovery.issuer)
                ),
            );
        }
    };
    said(
        &[],
        format!(
            "The metadata name the issuer {}, expected was {}: {why}. Gateways compare with the first.",
            short(&facts.discovery.issuer),
            short(&facts.discovery.authorization_server_listed)
        ),
    )
}

pub(super) fn resource_wider(facts: &Facts<'_>) -> Option<Said> {
    let wider = facts.discovery.resource_match == Some(ResourceMatch::Prefix);
    if !wider {
        return None;
    }
    said(
        &[],
        format!(
            "Tokens are asked for {}, of which this server's address is a part.",
            short(&facts.discovery.resource)
        ),
    )
}

#[expect(clippy::unnecessary_wraps, reason = "every judge ends with it, and judges may have nothing to say")]
fn said(members: &[&str], message: String) -> Option<Said> {
    Some((members.iter().map(|&member| member.to_owned()).collect(), message))
}

/// The members that would be sent and that `fits`; `None`: none.
fn members_where(facts: &Facts<'_>, fits: impl Fn(&str, &Value) -> bool) -> Option<Vec<String>> {
    let found: Vec<String> = facts
        .sent()?
        .iter()
        .filter(|(name, value)| fits(name, value))
        .map(|(name, _)| name.clone())
        .collect();
    (!found.is_empty()).then_some(found)
}

/// What would be sent and is not in a list of the authorization server; `None` also where there is no such list.
fn not_listed(facts: &Facts<'_>, member: &str, list: &str, spared: &[&str]) -> Option<Vec<String>> {
    let listed = facts.discovery.metadata.get(list)?.as_array().filter(|list| !list.is_empty())?;
    let missing: Vec<String> = facts
        .sent_list(member)
        .into_iter()
        .filter(|one| !spared.contains(one) && !listed.iter().any(|known| known == one))
        .map(str::to_owned)
        .collect();
    (!missing.is_empty()).then_some(missing)
}

/// The service that was seen to keep a list, and of what.
fn known_allow_list(facts: &Facts<'_>) -> Option<(&'static str, &'static str)> {
    let urls = [&facts.discovery.issuer, &facts.discovery.mcp_url];
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

fn quoted(words: &[String]) -> String {
    const MOST: usize = 10;
    let mut list =
        words.iter().take(MOST).map(|word| format!("`{}`", short(word))).collect::<Vec<_>>().join(", ");
    if words.len() > MOST {
        list.push_str(", …");
    }
    list
}

/// Words of others, fit to be shown.
fn short(text: &str) -> String {
    crate::oauth::clean(text, 200)
}
