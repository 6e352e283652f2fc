//! Products with an MCP server of their own.

use super::{Clients, KnownServer, Note, Place, Preset};

/// A client that was registered by hand, with a secret.
const WITH_SECRET: &str =
    r#"{"oauth_client_metadata": {"client_id": "<client_id>", "client_secret": "<client_secret>"}}"#;

const LISTED_CALLBACKS: &str = "Dynamic registration accepts only callbacks of hosts on a list. Ask the server's owner to add the host of your gateway's callback.";

const LOOPBACK_REPORTED: &str = "Users report that only loopback callbacks are accepted (not confirmed by its owner). If the callback of your gateway is refused, ask the server's owner to add it.";

const fn note(text: &'static str, sources: &'static [&'static str]) -> Note {
    Note { text, sources }
}

/// All products.
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
        key: "slack",
        name: "Slack",
        mcp: &[Place::host("mcp.slack.com")],
        issuers: &[Place::host("mcp.slack.com"), Place::host("slack.com")],
        clients: Clients::ByHand,
        notes: &[
            note(
                "Slack takes no registrations. Create a Slack app (internal, or published in the directory), turn on MCP in it, and add the callback URL.",
                &["slackapi/slack-skills-plugin#7", "https://docs.litellm.ai/docs/mcp_servers/slack"],
            ),
            note(
                "The MCP server uses user tokens: add the scopes as user token scopes of the app, and set the same ones here, separated by spaces. Slack refuses a sign-in without scopes.",
                &["open-legal-products/mike#292", "anthropics/claude-code#52354"],
            ),
            note(
                "The metadata name the issuer `https://slack.com` at times, although they belong to `https://mcp.slack.com`. Accept that issuer.",
                &["librefang/librefang#4665", "NousResearch/hermes-agent#111964"],
            ),
        ],
        preset: Some(Preset::oauth(
            r#"{
                "oauth_client_metadata": {"client_id": "<client_id>", "client_secret": "<client_secret>", "scope": "<scopes>"},
                "registration": {"trusted_issuer": "https://slack.com"}
            }"#,
        )),
    },
    KnownServer {
        key: "github",
        name: "GitHub",
        mcp: &[Place::host("api.githubcopilot.com"), Place::host("*.githubcopilot.com")],
        issuers: &[Place::path("github.com", "/login/oauth")],
        clients: Clients::ByHand,
        notes: &[
            note(
                "GitHub takes no registrations. Create an OAuth app or a GitHub app with the callback URL, and enter its id and secret.",
                &["github/github-mcp-server#1404", "github/github-mcp-server#2532"],
            ),
            note(
                "The metadata are at `https://github.com/.well-known/oauth-authorization-server/login/oauth` only.",
                &["github/github-mcp-server#2901"],
            ),
        ],
        preset: Some(Preset::oauth(WITH_SECRET)),
    },
    KnownServer {
        key: "google",
        name: "Google",
        mcp: &[Place::host("*.googleapis.com")],
        issuers: &[Place::host("accounts.google.com")],
        clients: Clients::ByHand,
        notes: &[
            note(
                "Google takes no registrations. Create an OAuth client of the type “Web application” with the callback URL. Its secret is needed although PKCE is used.",
                &["BuilderIO/agent-native#3601", "openai/codex#40783"],
            ),
            note(
                "Google issues a refresh token only when users sign in with `access_type=offline` and `prompt=consent`. Without one, users sign in again every hour.",
                &["nicobailon/pi-mcp-adapter#238", "home-assistant/core#180546"],
            ),
            note(
                "The protected resource spells the issuer with a slash at the end, its metadata spell it without. This needs no setting.",
                &["github/copilot-cli#4606"],
            ),
        ],
        preset: Some(Preset::oauth(
            r#"{"oauth_client_metadata": {
                "client_id": "<client_id>", "client_secret": "<client_secret>",
                "authorization_params": {"access_type": "offline", "prompt": "consent"}
            }}"#,
        )),
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
            "A `client_name` may contain only letters, digits, hyphens and spaces. The default name contains parentheses and is refused. Use the name of your company.",
            &["anthropics/claude-code#94630", "PostHog/posthog#89998"],
        )],
        preset: Some(Preset::oauth(r#"{"oauth_client_metadata": {"client_name": "MCP Gateway"}}"#)),
    },
    KnownServer {
        key: "miro",
        name: "Miro",
        mcp: &[Place::host("mcp.miro.com")],
        issuers: &[Place::host("mcp.miro.com")],
        clients: Clients::Dynamic,
        notes: &[note(
            "A registration that names a scope which Miro does not know is refused. Without `scope` it is accepted.",
            &["giantswarm/muster#1086"],
        )],
        preset: Some(Preset::oauth(r#"{"registration": {"scope": "never"}}"#)),
    },
    KnownServer {
        key: "asana",
        name: "Asana",
        mcp: &[Place::host("mcp.asana.com")],
        issuers: &[Place::path("app.asana.com", "/-/oauth_authorize")],
        clients: Clients::ByHand,
        notes: &[
            note(
                "The server at `/v2/mcp` takes no registrations. Create an app of the type “MCP app” in Asana's developer console, add the callback URL, and choose its workspaces.",
                &["https://developers.asana.com/docs/integrating-with-asanas-mcp-server"],
            ),
            note(
                "The older address `/sse` was shut down on 2026-08-05.",
                &["https://developers.asana.com/docs/integrating-with-asanas-mcp-server.md"],
            ),
        ],
        preset: Some(Preset::oauth(WITH_SECRET)),
    },
    KnownServer {
        key: "hubspot",
        name: "HubSpot",
        mcp: &[Place::host("mcp.hubspot.com")],
        issuers: &[Place::host("mcp.hubspot.com")],
        clients: Clients::ByHand,
        notes: &[note(
            "HubSpot takes no registrations. Create an MCP auth app under Development in HubSpot. If it has several redirect URLs, the callback must be the first.",
            &[
                "https://developers.hubspot.com/docs/apps/developer-platform/build-apps/integrate-with-hubspot-mcp-server",
                "https://www.speakeasy.com/docs/ai-control-plane/guides/hubspot",
            ],
        )],
        preset: Some(Preset::oauth(WITH_SECRET)),
    },
    KnownServer {
        key: "box",
        name: "Box",
        mcp: &[Place::host("mcp.box.com")],
        issuers: &[],
        clients: Clients::ByHand,
        notes: &[note(
            "Box takes no registrations. Enable the Box MCP server in the Admin Console, or create an OAuth app in the Developer Console, and enter its id and secret.",
            &["https://github.com/box/mcp-server-box-remote/", "anthropics/claude-code#67258"],
        )],
        preset: Some(Preset::oauth(WITH_SECRET)),
    },
    KnownServer {
        key: "salesforce",
        name: "Salesforce",
        mcp: &[Place::path("api.salesforce.com", "/platform/mcp/v1/*/*"), Place::host("api.salesforce.com")],
        issuers: &[
            Place::host("login.salesforce.com"),
            Place::host("test.salesforce.com"),
            Place::host("*.my.salesforce.com"),
        ],
        clients: Clients::ByHand,
        notes: &[
            note(
                "Salesforce takes no registrations. Create an External Client App (a Connected App does not work) with PKCE and “JWT-based access tokens for named users”. If the app requires its secret, enter `client_secret` too.",
                &["agentic-community/mcp-gateway-registry#1605", "anthropics/claude-ai-mcp#184"],
            ),
            note(
                "The scope is `mcp_api`; `api` is not enough. Each MCP server must be activated in Setup first.",
                &["anthropics/claude-ai-mcp#171", "anthropics/claude-ai-mcp#184"],
            ),
        ],
        preset: Some(Preset::oauth(
            r#"{"oauth_client_metadata": {"client_id": "<client_id>", "scope": "mcp_api refresh_token"}}"#,
        )),
    },
    KnownServer {
        key: "servicenow",
        name: "ServiceNow",
        mcp: &[Place::host("*.service-now.com")],
        issuers: &[Place::host("*.service-now.com")],
        clients: Clients::ByHand,
        notes: &[note(
            "Create an OAuth inbound integration (authorization code grant) with the callback URL in the Machine Identity Console, one for each gateway.",
            &[
                "https://www.servicenow.com/docs/r/intelligent-experiences/create-oauth-inbound-integration-mcp-client.html",
            ],
        )],
        preset: Some(Preset::oauth(WITH_SECRET)),
    },
    KnownServer {
        key: "snowflake",
        name: "Snowflake",
        mcp: &[Place::host("*.snowflakecomputing.com")],
        issuers: &[Place::host("*.snowflakecomputing.com")],
        clients: Clients::ByHand,
        notes: &[
            note(
                "Snowflake takes no registrations. Create an OAuth security integration with the callback URL, and enter its id and secret.",
                &["https://www.speakeasy.com/docs/ai-control-plane/guides/snowflake.md"],
            ),
            note(
                "An account can name your own identity provider instead (`OAUTH_AUTHORIZATION_SERVER`). Then the client is one of that provider.",
                &["https://docs.snowflake.com/release-notes/2026/other/2026-07-22-mcp-external-oauth"],
            ),
        ],
        preset: Some(Preset::oauth(WITH_SECRET)),
    },
    KnownServer {
        key: "databricks",
        name: "Databricks",
        mcp: &[
            Place::host("*.cloud.databricks.com"),
            Place::host("*.azuredatabricks.net"),
            Place::host("*.gcp.databricks.com"),
        ],
        issuers: &[
            Place::host("*.cloud.databricks.com"),
            Place::host("*.azuredatabricks.net"),
            Place::host("*.gcp.databricks.com"),
        ],
        clients: Clients::ByHand,
        notes: &[note(
            "An account admin creates an OAuth app connection with the callback URL. If it has a secret, enter `client_secret` too. Where the workspace has an IP access list, the addresses of the gateway and of this registry must be on it.",
            &["https://learn.microsoft.com/azure/databricks/generative-ai/mcp/connect-external-services"],
        )],
        preset: Some(Preset::oauth(r#"{"oauth_client_metadata": {"client_id": "<client_id>"}}"#)),
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
        mcp: &[Place::host("gitlab.com"), Place::path("*", "/api/v4/mcp")],
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
        issuers: &[Place::host("mcp.notion.com")],
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
        issuers: &[Place::host("mcp.linear.app")],
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
        issuers: &[Place::host("mcp.sentry.dev")],
        clients: Clients::Dynamic,
        notes: &[note(
            "The server is built with Cloudflare's library `workers-oauth-provider`, which removes clients 90 days after the registration unless it is configured otherwise. Re-register when sign-in no longer works.",
            &["cloudflare/workers-oauth-provider#163", "cloudflare/workers-oauth-provider#201"],
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
