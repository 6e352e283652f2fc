//! The checks of the rules with severity `Note`, in the order of the table `ADVICE`. A check returns `None` if it has nothing
//! to tell; otherwise the members that it is about, and a sentence for users.

use super::advice::{AdviceInputs, AdviceText};
use super::rules::{AUTH_METHOD, advice_text, known_allow_list, quoted, short};
use crate::oauth::{IssuerMatch, ResourceMatch};
use crate::registration::RegistrationMethod;
use url::Url;

pub(super) fn software_id_selects_no_client(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    let sent = inputs.sent()?.contains_key("software_id") && inputs.is_admins("software_id");
    if !sent {
        return None;
    }
    advice_text(
        &["software_id"],
        "`software_id` identifies the software; a new client is still registered. To use an existing one, enter its `client_id`.".to_owned(),
    )
}

pub(super) fn initial_access_token_unknown(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    let registers = inputs.forecast.method == Some(RegistrationMethod::Dcr);
    if !registers || inputs.resolution.effective.registration.initial_access_token.is_some() {
        return None;
    }
    advice_text(
        &["registration.initial_access_token"],
        "Whether this authorization server requires an initial access token is known only after a registration. If it answers 401, enter one.".to_owned(),
    )
}

pub(super) fn redirect_hosts_unknown(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    let registers = inputs.forecast.method == Some(RegistrationMethod::Dcr);
    if !registers || known_allow_list(inputs).is_some() {
        return None;
    }
    advice_text(
        &["redirect_uris"],
        format!(
            "Whether this authorization server accepts callbacks of any host is known only after a registration. If it refuses, ask its owner to allow {}.",
            inputs.callbacks().join(" and ")
        ),
    )
}

pub(super) fn auth_methods_not_listed(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    let method = inputs.sent()?.get(AUTH_METHOD)?.as_str()?;
    if inputs.server().token_endpoint_auth_methods_supported().is_some() {
        return None;
    }
    advice_text(
        &[AUTH_METHOD],
        format!(
            "The authorization server does not list auth methods. `{method}` is requested; the method in its response is used."
        ),
    )
}

pub(super) fn no_scope_sent(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    let listed = inputs.server().scopes_supported().filter(|scopes| !scopes.is_empty())?;
    // Only for dynamic registration. A published document omits `scope` on purpose: a fixed scope would limit which scopes
    // gateways may request later (INV-24).
    let registers = inputs.forecast.method == Some(RegistrationMethod::Dcr);
    if !registers || inputs.sent()?.contains_key("scope") {
        return None;
    }
    advice_text(
        &["scope"],
        format!(
            "No scope would be registered. Some authorization servers then never grant any; if so, set `scope`, or `registration.scope` to `always`. It lists {}.",
            quoted(&listed)
        ),
    )
}

pub(super) fn callback_by_hand(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    if inputs.forecast.method != Some(RegistrationMethod::PreRegistered) {
        return None;
    }
    advice_text(
        &["redirect_uris"],
        format!(
            "Check at the authorization server that the client you entered has exactly these callbacks: {}.",
            inputs.callbacks().join(", ")
        ),
    )
}

pub(super) fn cimd_offered(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    let unused = inputs.forecast.method != Some(RegistrationMethod::Cimd);
    if !unused || !inputs.server().client_id_metadata_document_supported() {
        return None;
    }
    advice_text(
        &[],
        "The authorization server reads Client ID Metadata Documents, for which nothing has to be registered. They are used where the operator has set `cimd.public_url` and `registration.method` allows it.".to_owned(),
    )
}

pub(super) fn document_is_public(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    let published = inputs.forecast.method == Some(RegistrationMethod::Cimd);
    if !published || inputs.is_admins("client_name") {
        return None;
    }
    advice_text(
        &["client_name"],
        "The document is public, and its `client_name` shows workspace and server. Set another one if that is too much.".to_owned(),
    )
}

pub(super) fn document_reachable_unknown(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    if inputs.forecast.method != Some(RegistrationMethod::Cimd) {
        return None;
    }
    advice_text(
        &[],
        "Whether the authorization server can read the document shows only when it is published; it is then read through its public address first.".to_owned(),
    )
}

pub(super) fn endpoint_elsewhere(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    let issuer = Url::parse(&inputs.discovery.issuer).ok()?;
    let elsewhere: Vec<String> = ["authorization_endpoint", "token_endpoint", "registration_endpoint"]
        .into_iter()
        .filter_map(|name| {
            let url = Url::parse(inputs.server().endpoint(name)?).ok()?;
            let host = url.host_str().unwrap_or_default().to_owned();
            (url.host_str() != issuer.host_str()).then(|| format!("`{name}` on {}", short(&host)))
        })
        .collect();
    if elsewhere.is_empty() {
        return None;
    }
    advice_text(
        &[],
        format!(
            "Beside the issuer's host {} there is {}.",
            short(issuer.host_str().unwrap_or_default()),
            elsewhere.join(", ")
        ),
    )
}

pub(super) fn issuer_spelt_differently(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    let why = match inputs.discovery.issuer_match {
        IssuerMatch::Exact => return None,
        IssuerMatch::RootSlash => "only the slash at the end differs, which is tolerated",
        IssuerMatch::Trusted => "it is trusted because of `registration.trusted_issuer`",
        IssuerMatch::Legacy => {
            return advice_text(
                &[],
                format!(
                    "No issuer was named, as usual for servers of the MCP revision 2025-03-26; {} is used instead.",
                    short(&inputs.discovery.issuer)
                ),
            );
        }
    };
    advice_text(
        &[],
        format!(
            "The metadata name the issuer {}, expected was {}: {why}. Gateways compare with the first.",
            short(&inputs.discovery.issuer),
            short(&inputs.discovery.authorization_server_listed)
        ),
    )
}

pub(super) fn resource_wider(inputs: &AdviceInputs<'_>) -> Option<AdviceText> {
    let wider = inputs.discovery.resource_match == Some(ResourceMatch::Prefix);
    if !wider {
        return None;
    }
    advice_text(
        &[],
        format!(
            "Tokens are asked for {}, of which this server's address is a part.",
            short(&inputs.discovery.resource)
        ),
    )
}
