//! The one table of what can be foreseen before a registration is tried.

use super::advice::{Advice, AdviceInputs, AdviceSeverity, AdviceText};
use super::{notes, rules};

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Stable code.
    pub code: &'static str,
    /// How sure it is.
    pub weight: AdviceSeverity,
    /// What it means, for the documentation.
    pub meaning: &'static str,
    pub(super) check: fn(&AdviceInputs<'_>) -> Option<AdviceText>,
}

/// Every rule; what is sure comes first.
pub static ADVICE: &[Rule] = &[
    Rule {
        code: "secret_of_other_issuer",
        weight: AdviceSeverity::Refusal,
        meaning: "The stored secret or initial access token was first used with another authorization server; it is never sent to this one. Enter it again if the server has moved.",
        check: rules::secret_of_other_issuer,
    },
    Rule {
        code: "pkce_not_offered",
        weight: AdviceSeverity::Refusal,
        meaning: "The authorization server does not list PKCE with S256, without which MCP clients must refuse to sign in (MCP 2025-11-25).",
        check: rules::pkce_not_offered,
    },
    Rule {
        code: "auth_method_needs_secret",
        weight: AdviceSeverity::Refusal,
        meaning: "The client that was entered has no secret, and the authorization server lists no method without one.",
        check: rules::auth_method_needs_secret,
    },
    Rule {
        code: "auth_method_not_offered",
        weight: AdviceSeverity::Risk,
        meaning: "An admin set a `token_endpoint_auth_method` that the authorization server does not list. It is sent all the same, and may be refused.",
        check: rules::auth_method_not_offered,
    },
    Rule {
        code: "scope_not_listed",
        weight: AdviceSeverity::Risk,
        meaning: "A scope that would be registered is not in the authorization server's `scopes_supported`. Strict servers (oidc-provider, Keycloak) refuse it.",
        check: rules::scope_not_listed,
    },
    Rule {
        code: "grant_type_not_listed",
        weight: AdviceSeverity::Risk,
        meaning: "A grant type that would be registered is not in `grant_types_supported`. `refresh_token` is not judged: many servers do not list it.",
        check: rules::grant_type_not_listed,
    },
    Rule {
        code: "response_type_not_listed",
        weight: AdviceSeverity::Risk,
        meaning: "A response type that would be registered is not in `response_types_supported`.",
        check: rules::response_type_not_listed,
    },
    Rule {
        code: "redirect_allow_list",
        weight: AdviceSeverity::Risk,
        meaning: "This service is known to accept only allow-listed callbacks or clients.",
        check: rules::redirect_allow_list,
    },
    Rule {
        code: "loopback_callback",
        weight: AdviceSeverity::Risk,
        meaning: "The callback is on this machine (as shipped), the authorization server is not: only users on the gateway's machine can sign in.",
        check: rules::loopback_callback,
    },
    Rule {
        code: "branding_host_differs",
        weight: AdviceSeverity::Risk,
        meaning: "Name pages or the logo are on another host or scheme than the callback, which authorization servers should treat as suspicious (RFC 7591 §5).",
        check: rules::branding_host_differs,
    },
    Rule {
        code: "logo_not_https",
        weight: AdviceSeverity::Risk,
        meaning: "The logo is an http URL: authorization servers refuse it or do not show it.",
        check: rules::logo_not_https,
    },
    Rule {
        code: "logo_not_shown",
        weight: AdviceSeverity::Risk,
        meaning: "When the logo was last fetched, users would not have seen it: moved, missing, too large, or not an image. Fetch it again on the Advanced configuration page once it is fixed.",
        check: rules::logo_not_shown,
    },
    Rule {
        code: "language_variants",
        weight: AdviceSeverity::Risk,
        meaning: "Language variants (`client_name#fr`) would be sent. Servers that refuse members they do not know (Keycloak) refuse these, too.",
        check: rules::language_variants,
    },
    Rule {
        code: "contact_no_email",
        weight: AdviceSeverity::Risk,
        meaning: "A contact is not an e-mail address; oidc-provider refuses such contacts.",
        check: rules::contact_no_email,
    },
    Rule {
        code: "software_id_selects_no_client",
        weight: AdviceSeverity::Note,
        meaning: "A `software_id` identifies the software. It does not select a registered client; `client_id` does.",
        check: notes::software_id_selects_no_client,
    },
    Rule {
        code: "initial_access_token_unknown",
        weight: AdviceSeverity::Note,
        meaning: "Whether registration needs an initial access token (RFC 7591 §3) is known only after a registration.",
        check: notes::initial_access_token_unknown,
    },
    Rule {
        code: "redirect_hosts_unknown",
        weight: AdviceSeverity::Note,
        meaning: "Whether the authorization server accepts callbacks of any host is known only after a registration.",
        check: notes::redirect_hosts_unknown,
    },
    Rule {
        code: "auth_methods_not_listed",
        weight: AdviceSeverity::Note,
        meaning: "The authorization server does not say how clients may authenticate. What it answers is used.",
        check: notes::auth_methods_not_listed,
    },
    Rule {
        code: "no_scope_sent",
        weight: AdviceSeverity::Note,
        meaning: "No scope would be registered although the authorization server lists some; some servers then never grant any.",
        check: notes::no_scope_sent,
    },
    Rule {
        code: "callback_by_hand",
        weight: AdviceSeverity::Note,
        meaning: "A manually registered client must have exactly our callbacks; only its owner can check that.",
        check: notes::callback_by_hand,
    },
    Rule {
        code: "cimd_offered",
        weight: AdviceSeverity::Note,
        meaning: "The authorization server reads Client ID Metadata Documents, which this integration does not use.",
        check: notes::cimd_offered,
    },
    Rule {
        code: "document_is_public",
        weight: AdviceSeverity::Note,
        meaning: "A Client ID Metadata Document is public, and its name as shipped shows workspace and server.",
        check: notes::document_is_public,
    },
    Rule {
        code: "document_reachable_unknown",
        weight: AdviceSeverity::Note,
        meaning: "Whether the authorization server can read a Client ID Metadata Document shows only when it is published.",
        check: notes::document_reachable_unknown,
    },
    Rule {
        code: "endpoint_elsewhere",
        weight: AdviceSeverity::Note,
        meaning: "An endpoint is on another host than the issuer. That is allowed and worth a look.",
        check: notes::endpoint_elsewhere,
    },
    Rule {
        code: "issuer_spelt_differently",
        weight: AdviceSeverity::Note,
        meaning: "The issuer is not spelt as expected, or none was named. Only the slash of an empty path is tolerated, what `registration.trusted_issuer` names, and a server of the MCP revision 2025-03-26 where `registration.legacy_discovery` allows it.",
        check: notes::issuer_spelt_differently,
    },
    Rule {
        code: "resource_wider",
        weight: AdviceSeverity::Note,
        meaning: "Tokens are asked for a resource that is more than this server's address.",
        check: notes::resource_wider,
    },
];

/// Everything that is foreseen, in the order of the table.
pub fn advise(inputs: &AdviceInputs<'_>) -> Vec<Advice> {
    let advice = |rule: &Rule| {
        (rule.check)(inputs).map(|(members, message)| Advice {
            code: rule.code.to_owned(),
            weight: rule.weight,
            members,
            message,
        })
    };
    ADVICE.iter().filter_map(advice).collect()
}
