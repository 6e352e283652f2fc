//! Products with an MCP server of their own, at which a person registers the client.

use super::{Clients, KnownServer, Note, Place, Preset};

/// A client that was registered by hand, with a secret.
const WITH_SECRET: &str =
    r#"{"oauth_client_metadata": {"client_id": "<client_id>", "client_secret": "<client_secret>"}}"#;

const fn note(text: &'static str, sources: &'static [&'static str]) -> Note {
    Note { text, sources }
}

/// All of them.
pub(super) const PRODUCTS_BY_HAND: &[KnownServer] = &[
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
        key: "asana",
        name: "Asana",
        mcp: &[Place::host("mcp.asana.com")],
        issuers: &[],
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
        issuers: &[],
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
        mcp: &[Place::host("api.salesforce.com")],
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
];
