//! The table of all reason codes. A reason code says why a registration, an attempt or an entry of the ledger of orphaned
//! clients is as it is; the table adds what happened and what a user can do (INV-14). `docs/registration-failures.md` is
//! made from this table.

/// What happens next to a registration with this reason. Each class is a section of `docs/registration-failures.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryClass {
    /// Retried automatically with exponential backoff.
    Retries,
    /// The response was lost, so an unknown client may exist, or the client's secret and token may have been replaced.
    /// A registration is repeated once, then a user decides; reading and updating a client are repeated with backoff.
    Unconfirmed,
    /// The response is invalid: the request is repeated once, then a user must act.
    RetriesOnce,
    /// A registration was answered with success and yields no usable client: it is not repeated, and the client that may
    /// exist is in the ledger of orphaned clients.
    Unusable,
    /// A user must act: an admin here, or the authorization server's owner.
    NeedsUser,
    /// The registration stopped for safety; a user must act.
    Security,
    /// The client is in use; a user must approve a new one.
    AwaitsApproval,
    /// The registration waits until the rate limit or the pause between clients permits the next request.
    Queued,
    /// The client cannot be managed at its authorization server (RFC 7592), or is unknown there: it is kept or replaced
    /// instead.
    FallsBack,
    /// Why the ledger of orphaned clients has an entry. The registration itself does not wait for this.
    Ledger,
}

impl RetryClass {
    /// All classes, in the order of `docs/registration-failures.md`.
    pub const ALL: [Self; 10] = [
        Self::Retries,
        Self::Unconfirmed,
        Self::RetriesOnce,
        Self::Unusable,
        Self::NeedsUser,
        Self::Security,
        Self::AwaitsApproval,
        Self::Queued,
        Self::FallsBack,
        Self::Ledger,
    ];

    /// Heading of the class in `docs/registration-failures.md`.
    pub fn title(self) -> &'static str {
        match self {
            Self::Retries => "Retried automatically, with growing delays",
            Self::Unconfirmed => "Sent, but the response was lost",
            Self::RetriesOnce => "The response is invalid: tried twice",
            Self::Unusable => "Answered with success, but there is no usable client: not repeated",
            Self::NeedsUser => "Needs a user",
            Self::Security => "Stopped for safety",
            Self::AwaitsApproval => "In use, and waits for approval",
            Self::Queued => "Waits for its turn",
            Self::FallsBack => "Another method is used",
            Self::Ledger => "Why a client is in the list of orphaned clients",
        }
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Reason {
    /// Stable code.
    pub code: &'static str,
    /// What happens next to the registration.
    pub retry_class: RetryClass,
    /// What happened, in sentences for users. Markdown for a table cell: it contains no `|`.
    pub meaning: &'static str,
    /// What a user can do, in the same form as `meaning`.
    pub next: &'static str,
}

const fn reason(
    code: &'static str,
    retry_class: RetryClass,
    meaning: &'static str,
    next: &'static str,
) -> Reason {
    Reason { code, retry_class, meaning, next }
}

use RetryClass as R;

/// All reasons. Inside a class, `docs/registration-failures.md` has the order of this table.
pub static REASONS: &[Reason] = &[
    reason(
        "upstream_unavailable",
        R::Retries,
        "The upstream answered 408, 425 or 5xx.",
        "Nothing; `Retry-After` is honoured.",
    ),
    reason(
        "rate_limited",
        R::Retries,
        "The authorization server answered 429; it is asked half as often for an hour.",
        "Nothing; `Retry-After` is honoured. Lower `worker.issuer_rate` if it happens often.",
    ),
    reason(
        "timeout",
        R::Retries,
        "The upstream did not answer in time.",
        "Nothing, or raise `worker.request_timeout`.",
    ),
    reason(
        "name_not_found",
        R::Retries,
        "The upstream's name cannot be resolved.",
        "Check the URL and this machine's DNS.",
    ),
    reason(
        "connection_failed",
        R::Retries,
        "The upstream cannot be connected to.",
        "Check the URL, the firewall and whether it runs.",
    ),
    reason("connection_lost", R::Retries, "The connection broke before the answer was complete.", "Nothing."),
    reason(
        "certificate_not_trusted",
        R::Retries,
        "The upstream shows a certificate that is not trusted.",
        "For an authority of your own: `egress.ca_file`.",
    ),
    reason(
        "client_failed",
        R::Retries,
        "No connection could be prepared on this machine.",
        "See this process's log.",
    ),
    reason(
        "interrupted",
        R::Retries,
        "A worker stopped in the middle of a step that leaves nothing behind.",
        "Nothing.",
    ),
    reason(
        "cimd_self_check_failed",
        R::Retries,
        "The published Client ID Metadata Document cannot be read through `cimd.public_url`.",
        "Open the `client_id` from outside; fix DNS, proxy or certificate. With `auto`, dynamic registration is used in the meantime where it is offered.",
    ),
    reason(
        "answer_lost",
        R::Unconfirmed,
        "The registration was sent, but its response was lost: an unknown client may exist. It is in the list of orphaned clients.",
        "It is repeated once after a pause. After a second lost response: Retry, or enter the client manually.",
    ),
    reason(
        "management_answer_lost",
        R::Unconfirmed,
        "The client was read or updated (RFC 7592) and the response was lost: its secret and token may have been replaced.",
        "It is asked again after a pause. If the token was replaced, the client can no longer be managed.",
    ),
    reason(
        "answer_not_http",
        R::RetriesOnce,
        "The response is not HTTP.",
        "Check the URL; tell the upstream's owner.",
    ),
    reason(
        "unexpected_status",
        R::RetriesOnce,
        "The status code is not valid for a registration.",
        "Check the registration endpoint; tell the upstream's owner.",
    ),
    reason(
        "redirect_not_allowed",
        R::RetriesOnce,
        "The response is a redirect that is not followed.",
        "Set the integration's URL, or the endpoint that the text names, to that address.",
    ),
    reason(
        "client_id_changed",
        R::RetriesOnce,
        "The response is about another client than the requested one.",
        "Tell the upstream's owner.",
    ),
    reason(
        "answer_not_json",
        R::Unusable,
        "The registration was answered with success, but the body is empty or not one JSON object.",
        "Tell the upstream's owner, then Retry; or enter a client registered manually.",
    ),
    reason(
        "answer_too_large",
        R::Unusable,
        "The response exceeds the size limit.",
        "Tell the upstream's owner, then Retry; or enter a client registered manually.",
    ),
    reason(
        "encoding_not_understood",
        R::Unusable,
        "The response has a content encoding that was not asked for and cannot be decoded.",
        "Tell the upstream's owner, then Retry; or enter a client registered manually.",
    ),
    reason(
        "answer_contradictory",
        R::Unusable,
        "The response holds a `client_id` and an error at once.",
        "Tell the upstream's owner, then Retry; or enter a client registered manually.",
    ),
    reason(
        "client_id_missing",
        R::Unusable,
        "The response contains no usable `client_id`; the text says what it has instead.",
        "Tell the upstream's owner, then Retry; or enter a client registered manually.",
    ),
    reason(
        "client_secret_expired",
        R::Unusable,
        "The authorization server issued a secret that has already expired.",
        "Check this machine's clock and tell the upstream's owner, then Retry; or enter a client registered manually.",
    ),
    reason(
        "secret_missing",
        R::Unusable,
        "The authorization server registered an auth method that needs a secret, but issued none that can be used.",
        "Set `token_endpoint_auth_method` (`none` where it accepts clients without a secret), or tell the upstream's owner and Retry; or enter a client registered manually.",
    ),
    reason(
        "auth_method_not_usable",
        R::Unusable,
        "The authorization server registered an auth method that needs keys or certificates, such as `private_key_jwt`.",
        "Ask its owner to register `none`, `client_secret_basic` or `client_secret_post`, then Retry; or enter a client registered manually.",
    ),
    reason(
        "redirect_uris_not_honoured",
        R::Unusable,
        "The authorization server registered other callbacks than the gateway's.",
        "Ask its owner to allow the callback shown, then Retry; or enter a client registered manually.",
    ),
    reason(
        "authorization_server_not_found",
        R::NeedsUser,
        "The MCP server names no authorization server (RFC 9728).",
        "Choose another authentication, or enter `issuer` and endpoints; for a server of the MCP revision 2025-03-26 set `registration.legacy_discovery`.",
    ),
    reason(
        "metadata_not_found",
        R::NeedsUser,
        "The authorization server publishes no metadata (RFC 8414).",
        "Enter `issuer`, `authorization_endpoint` and `token_endpoint`.",
    ),
    reason(
        "metadata_incomplete",
        R::NeedsUser,
        "The metadata lack a member that is needed: an endpoint, `issuer` or `resource`.",
        "Enter the endpoint, or `issuer` and the endpoints, in the Advanced Configuration.",
    ),
    reason(
        "registration_not_supported",
        R::NeedsUser,
        "The authorization server offers no dynamic registration.",
        "Register a client manually with the callback shown, then enter its `client_id`.",
    ),
    reason(
        "registration_redirected",
        R::NeedsUser,
        "The registration endpoint answered with a redirect, which is not followed: the text names its address.",
        "Set `registration_endpoint` to the address for registrations, as a complete URL.",
    ),
    reason(
        "registration_not_allowed",
        R::NeedsUser,
        "The authorization server refuses this client; its error description says why.",
        "Ask its owner to allow the name or the callback, or enter a client registered manually.",
    ),
    reason(
        "initial_access_token_needed",
        R::NeedsUser,
        "The authorization server requires an initial access token, or does not accept the configured one.",
        "Enter `registration.initial_access_token`.",
    ),
    reason(
        "token_not_sendable",
        R::NeedsUser,
        "The configured token contains characters that are not allowed in an HTTP header.",
        "Enter it again.",
    ),
    reason(
        "invalid_redirect_uri",
        R::NeedsUser,
        "The authorization server does not accept the gateway's callback.",
        "Ask its owner to allow the callback shown.",
    ),
    reason(
        "invalid_client_metadata",
        R::NeedsUser,
        "The authorization server refuses the client metadata; its error description names the member.",
        "Change the Advanced Configuration; the registration is then retried immediately.",
    ),
    reason(
        "auth_method_not_supported",
        R::NeedsUser,
        "The authorization server lists no auth method that can be used here, or the configured one cannot be used here.",
        "Remove `token_endpoint_auth_method` if it is set. If the authorization server accepts `none`, `client_secret_post` or `client_secret_basic` all the same, name it in `token_endpoint_auth_methods_supported`; otherwise enter a client registered manually.",
    ),
    reason(
        "pre_registered_client_missing",
        R::NeedsUser,
        "Only a manually registered client may be used, and none is configured.",
        "Enter `client_id` (and `client_secret`).",
    ),
    reason(
        "cimd_not_available",
        R::NeedsUser,
        "`registration.method` is `cimd`, but this deployment publishes no documents.",
        "The operator sets `cimd.public_url`, or choose another method.",
    ),
    reason(
        "cimd_not_supported",
        R::NeedsUser,
        "`registration.method` is `cimd`, but the authorization server does not read documents.",
        "Choose another method.",
    ),
    reason(
        "cimd_auth_method",
        R::NeedsUser,
        "A public document cannot contain a secret, but the configured auth method needs one.",
        "Remove `token_endpoint_auth_method`, or choose another method.",
    ),
    reason(
        "cimd_document_too_large",
        R::NeedsUser,
        "The document would be larger than authorization servers read.",
        "Shorten the metadata, language variants above all.",
    ),
    reason(
        "invalid_client",
        R::NeedsUser,
        "Gateways report that the client you entered is refused.",
        "Check `client_id` and `client_secret` there, and enter them again.",
    ),
    reason(
        "resource_mismatch",
        R::Security,
        "The metadata are for another resource than this server's address.",
        "Correct the integration's URL; or, if the other resource is right, set `registration.resource` to it.",
    ),
    reason(
        "issuer_mismatch",
        R::Security,
        "The metadata name another issuer than expected (RFC 8414 §3.3).",
        "If that is right, set `registration.trusted_issuer`.",
    ),
    reason(
        "issuer_changed",
        R::Security,
        "The server names another authorization server than the one your client, secret or token was used with.",
        "If that is right, set `issuer`, or enter client, secret or token again. A dynamically registered client is replaced automatically, unless `registration.replace` is `ask`.",
    ),
    reason(
        "endpoint_not_allowed",
        R::Security,
        "An endpoint that is needed is not an https URL.",
        "Enter the endpoint in the Advanced Configuration, or tell the upstream's owner.",
    ),
    reason(
        "address_blocked",
        R::Security,
        "A name resolves to a private or reserved address.",
        "The operator can allow it: [`egress.allow`](egress.md).",
    ),
    reason(
        "metadata_changed",
        R::AwaitsApproval,
        "Metadata changed after the client was registered, and only a new client can carry them.",
        "Approve, or skip this version.",
    ),
    reason(
        "secret_expiring",
        R::AwaitsApproval,
        "The secret expires soon, and only a new client brings a new one.",
        "Approve; when it has expired it is replaced without asking.",
    ),
    reason(
        "waiting_turn",
        R::Queued,
        "The authorization server is asked only so often (`worker.issuer_rate`), and others came first.",
        "Nothing.",
    ),
    reason(
        "cooling_down",
        R::Queued,
        "There is no usable client, and the last one was created recently (`worker.replace_cooldown`, `worker.least_secret_life`).",
        "Nothing, or Retry to have a new one now.",
    ),
    reason(
        "management_token_refused",
        R::FallsBack,
        "The registration access token is not accepted any more, or the client is gone (RFC 7592 §2.1).",
        "Nothing: the client is replaced or kept, by policy.",
    ),
    reason(
        "management_not_allowed",
        R::FallsBack,
        "The client cannot be read or changed there.",
        "Nothing: a change needs a new client, by policy.",
    ),
    reason(
        "client_forgotten",
        R::FallsBack,
        "The authorization server does not know the client any more.",
        "Nothing: it is replaced.",
    ),
    reason(
        "deletion_not_offered",
        R::Ledger,
        "The authorization server gave no address or token to delete the client with.",
        "Ask its owner to delete the client, if that matters; then resolve the entry.",
    ),
    reason(
        "management_elsewhere",
        R::Ledger,
        "The authorization server named a management address on another origin than its registration endpoint, so the registration access token is not sent there.",
        "Ask its owner to delete the client, if that matters; then resolve the entry.",
    ),
    reason(
        "deletion_not_supported",
        R::Ledger,
        "The authorization server answered that it deletes no clients.",
        "Ask its owner to delete the client, if that matters; then resolve the entry.",
    ),
    reason(
        "deletion_refused",
        R::Ledger,
        "The authorization server refused the deletion.",
        "Ask its owner to delete the client, if that matters; then resolve the entry.",
    ),
];
