//! Products with an MCP server of their own that registers clients, or reads their documents.

use super::{Clients, KnownServer, Note, Place, Preset};

const LISTED_CALLBACKS: &str = "Dynamic registration accepts only callbacks of hosts on a list. Ask the server's owner to add the host of your gateway's callback.";

const LOOPBACK_REPORTED: &str = "Users report that only loopback callbacks are accepted (not confirmed by its owner). If the callback of your gateway is refused, ask the server's owner to add it.";

const fn note(text: &'static str, sources: &'static [&'static str]) -> Note {
    Note { text, sources }
}

/// All of them.
pub(super) const PRODUCTS: &[KnownServer] = &[
    KnownServer {
        key: "atlassian-v1",
        name: "Atlassian (Rovo MCP server, `/v1/mcp`)",
        mcp: &[Place::path("mcp.atlassian.com", "/v1/mcp"), Place::path("mcp.atlassian.com", "/v1/sse")],
        issuers: &[Place::host("cf.mcp.atlassian.com")],
        clients: Clients::Dynamic,
        notes: &[
            note(
                "The metadata name the issuer `https://cf.mcp.atlassian.com`, which is another host than the one they are published at. Accept that issuer.",
                &["atlassian/atlassian-mcp-server#205", "atlassian/atlassian-mcp-server#148"],
            ),
            note(
                "An organisation admin at Atlassian keeps a list of domains. A callback on a domain that is not listed is blocked when users consent, although the registration works.",
                &["atlassian/atlassian-mcp-server#254"],
            ),
        ],
        preset: Some(Preset::oauth(
            r#"{"registration": {"trusted_issuer": "https://cf.mcp.atlassian.com"}}"#,
        )),
    },
    KnownServer {
        key: "atlassian",
        name: "Atlassian (Rovo MCP server)",
        mcp: &[Place::host("mcp.atlassian.com")],
        issuers: &[Place::host("auth.atlassian.com")],
        clients: Clients::Dynamic,
        notes: &[
            note(
                "The protected resource names an issuer with a path, its metadata name `https://auth.atlassian.com` without the path. Accept that issuer.",
                &["atlassian/atlassian-mcp-server#205", "anomalyco/opencode#39332"],
            ),
            note(
                "An organisation admin at Atlassian keeps a list of domains. A callback on a domain that is not listed is blocked when users consent, although the registration works.",
                &["atlassian/atlassian-mcp-server#254"],
            ),
        ],
        preset: Some(Preset::oauth(r#"{"registration": {"trusted_issuer": "https://auth.atlassian.com"}}"#)),
    },
    KnownServer {
        key: "figma",
        name: "Figma",
        mcp: &[Place::host("mcp.figma.com")],
        issuers: &[Place::host("api.figma.com")],
        clients: Clients::Conditional,
        notes: &[
            note(
                "Figma registers only clients whose `client_name` is exactly one of a list, and answers 403 `Forbidden` to all others. Ask Figma to list your gateway. The name of another product is not yours to use.",
                &["docker/sbx-releases#435", "punkpeye/mcp-remote#186", "github/copilot-cli#4906"],
            ),
            note(
                "The response contains a secret and the method `none`. The token endpoint then demands the secret, unless `client_secret_post` was asked for.",
                &["NousResearch/hermes-agent#73141"],
            ),
        ],
        preset: Some(Preset::oauth(
            r#"{"oauth_client_metadata": {
                "client_name": "<client_name>", "scope": "mcp:connect", "token_endpoint_auth_method": "client_secret_post"
            }}"#,
        )),
    },
    KnownServer {
        key: "calendly",
        name: "Calendly",
        mcp: &[Place::host("mcp.calendly.com")],
        issuers: &[Place::host("calendly.com")],
        clients: Clients::Conditional,
        notes: &[note(
            "A `client_name` may contain only letters, digits, hyphens and spaces. The default name contains parentheses; without a setting it is reduced to these characters after the first refusal. Use the name of your company.",
            &["anthropics/claude-code#94630", "PostHog/posthog#89998"],
        )],
        preset: Some(Preset::oauth(r#"{"oauth_client_metadata": {"client_name": "MCP Gateway"}}"#)),
    },
    KnownServer {
        key: "miro",
        name: "Miro",
        mcp: &[Place::host("mcp.miro.com")],
        issuers: &[],
        clients: Clients::Dynamic,
        notes: &[note(
            "A registration that names a scope which Miro does not know is refused. Without `scope` it is accepted.",
            &["giantswarm/muster#1086"],
        )],
        preset: Some(Preset::oauth(r#"{"registration": {"scope": "never"}}"#)),
    },
    KnownServer {
        key: "tableau",
        name: "Tableau",
        mcp: &[Place::host("mcp.tableau.com")],
        issuers: &[Place::host("sso.online.tableau.com")],
        clients: Clients::Document,
        notes: &[note(
            "Tableau takes no registrations. It reads Client ID Metadata Documents of public clients, so the operator must have set `cimd.public_url`.",
            &["tableau/tableau-mcp#442"],
        )],
        preset: Some(Preset::oauth(r#"{"registration": {"method": "cimd"}}"#)),
    },
    KnownServer {
        key: "gitlab",
        name: "GitLab",
        mcp: &[Place::path("*", "/api/v4/mcp")],
        issuers: &[Place::host("gitlab.com")],
        clients: Clients::Conditional,
        notes: &[
            note(
                "The server expects clients to ask for the scope `mcp`. Clients that are registered dynamically can get no other scope.",
                &["https://gitlab.com/gitlab-org/gitlab/-/issues/570482", "zereight/gitlab-mcp#359"],
            ),
            note(
                "On a self-managed instance, an admin must have turned on the MCP server and dynamic registration.",
                &["https://gitlab.com/gitlab-org/gitlab/-/merge_requests/198566"],
            ),
        ],
        preset: Some(Preset::oauth(r#"{"oauth_client_metadata": {"scope": "mcp"}}"#)),
    },
    KnownServer {
        key: "vercel",
        name: "Vercel",
        mcp: &[Place::host("mcp.vercel.com")],
        issuers: &[Place::host("vercel.com")],
        clients: Clients::Conditional,
        notes: &[note(
            "Dynamic registration accepts loopback callbacks only; the callback of a gateway is refused (`invalid_redirect_uri`). Ask Vercel to review your gateway as a client.",
            &["UsefulSoftwareCo/executor#1121", "tellahq/opensession#173"],
        )],
        preset: None,
    },
    KnownServer {
        key: "supabase",
        name: "Supabase",
        mcp: &[Place::host("mcp.supabase.com")],
        issuers: &[Place::host("api.supabase.com")],
        clients: Clients::Dynamic,
        notes: &[
            note(
                "Only scopes of a fixed list are accepted; `openid`, `email` and `profile` are refused.",
                &["supabase/mcp#183"],
            ),
            note(
                "Clients are removed after some time. Sign-in then shows 422 `Unrecognized client_id`: re-register.",
                &["supabase/mcp#355", "anthropics/claude-code#84614"],
            ),
        ],
        preset: None,
    },
    KnownServer {
        key: "notion",
        name: "Notion",
        mcp: &[Place::host("mcp.notion.com")],
        issuers: &[],
        clients: Clients::Dynamic,
        notes: &[note(
            "A registration without auth method makes a client with a secret; this registry always names one. The token endpoint refuses a `client_id` in the body beside HTTP Basic.",
            &["modelcontextprotocol/python-sdk#3138", "onyx-dot-app/onyx#12874"],
        )],
        preset: None,
    },
    KnownServer {
        key: "linear",
        name: "Linear",
        mcp: &[Place::host("mcp.linear.app")],
        issuers: &[],
        clients: Clients::Dynamic,
        notes: &[note(
            "The response may contain a management address without a host. It cannot be used, so clients are listed as orphans when they are no longer needed.",
            &["twentyhq/twenty#19858"],
        )],
        preset: None,
    },
    KnownServer {
        key: "sentry",
        name: "Sentry",
        mcp: &[Place::host("mcp.sentry.dev")],
        issuers: &[],
        clients: Clients::Dynamic,
        notes: &[note(
            "The server is built with Cloudflare's library `workers-oauth-provider`, which removes clients 90 days after the registration unless it is configured otherwise. Re-register when sign-in no longer works.",
            &[
                "https://github.com/cloudflare/workers-oauth-provider",
                "cloudflare/workers-oauth-provider#201",
            ],
        )],
        preset: None,
    },
    KnownServer {
        key: "intercom",
        name: "Intercom",
        mcp: &[Place::host("mcp.intercom.com")],
        issuers: &[],
        clients: Clients::Conditional,
        notes: &[note(LISTED_CALLBACKS, &["modelcontextprotocol/servers#2444"])],
        preset: None,
    },
    KnownServer {
        key: "square",
        name: "Square",
        mcp: &[Place::host("mcp.squareup.com")],
        issuers: &[],
        clients: Clients::Conditional,
        notes: &[note(LISTED_CALLBACKS, &["square/square-mcp-server#29"])],
        preset: None,
    },
    KnownServer {
        key: "cal-com",
        name: "Cal.com",
        mcp: &[Place::host("mcp.cal.com")],
        issuers: &[],
        clients: Clients::Conditional,
        notes: &[note(LISTED_CALLBACKS, &["calcom/companion#175", "calcom/companion#120"])],
        preset: None,
    },
    KnownServer {
        key: "canva",
        name: "Canva",
        mcp: &[Place::host("mcp.canva.com")],
        issuers: &[],
        clients: Clients::Conditional,
        notes: &[note(LISTED_CALLBACKS, &["PostHog/code#1496"])],
        preset: None,
    },
    KnownServer {
        key: "clickup",
        name: "ClickUp",
        mcp: &[Place::host("mcp.clickup.com")],
        issuers: &[],
        clients: Clients::Conditional,
        notes: &[note(LISTED_CALLBACKS, &["appstrate/appstrate#602"])],
        preset: None,
    },
    KnownServer {
        key: "datadog",
        name: "Datadog",
        mcp: &[
            Place::host("mcp.datadoghq.com"),
            Place::host("mcp.*.datadoghq.com"),
            Place::host("mcp.datadoghq.eu"),
        ],
        issuers: &[],
        clients: Clients::Conditional,
        notes: &[note(LOOPBACK_REPORTED, &["https://github.com/datadog-labs/mcp-server/discussions/8"])],
        preset: None,
    },
];
