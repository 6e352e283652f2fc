//! Authorization servers that MCP servers of many owners use.

use super::{Clients, KnownServer, Note, Place, Preset};

const fn note(text: &'static str, sources: &'static [&'static str]) -> Note {
    Note { text, sources }
}

/// All authorization servers.
pub(super) const IDENTITY_PROVIDERS: &[KnownServer] = &[
    KnownServer {
        key: "entra",
        name: "Microsoft Entra ID",
        mcp: &[],
        issuers: &[
            Place::host("login.microsoftonline.com"),
            Place::host("login.microsoftonline.us"),
            Place::host("sts.windows.net"),
        ],
        clients: Clients::ByHand,
        notes: &[
            note(
                "Entra takes no registrations. Create an app registration of the platform “Web” with the callback URL and a secret.",
                &[
                    "anthropics/claude-code#2527",
                    "https://zuplo.com/learn/mcp/compatibility/identity-providers",
                ],
            ),
            note(
                "`scope` must be set, and its scopes must belong to the application that `resource` names, else sign-in ends with `AADSTS9010010`. Application ID URIs often have the form `api://…`.",
                &["anthropics/claude-code#73460", "microsoft/Dataverse-MCP#15"],
            ),
            note(
                "The metadata of `common` and `organizations` name the issuer with the text `{tenantid}`. Name your directory in the issuer instead.",
                &["MicrosoftDocs/azure-docs#38427"],
            ),
        ],
        preset: Some(Preset::oauth(
            r#"{
                "oauth_client_metadata": {
                    "client_id": "<client_id>", "client_secret": "<client_secret>",
                    "scope": "api://<application_id>/<scope> offline_access",
                    "issuer": "https://login.microsoftonline.com/<tenant_id>/v2.0"
                },
                "registration": {"resource": "api://<application_id>"}
            }"#,
        )),
    },
    KnownServer {
        key: "okta",
        name: "Okta",
        mcp: &[],
        issuers: &[
            Place::host("*.okta.com"),
            Place::host("*.oktapreview.com"),
            Place::host("*.okta-emea.com"),
        ],
        clients: Clients::ByHand,
        notes: &[
            note(
                "Okta's registration endpoint demands an API token of an Okta admin (`SSWS …`, or an access token with `okta.clients.register`). Create the client in Okta and enter it. An access token can be set as `registration.initial_access_token`; an `SSWS` token cannot, because it is no bearer token.",
                &[
                    "modelcontextprotocol/modelcontextprotocol#695",
                    "https://www.apollographql.com/docs/apollo-mcp-server/guides/auth-okta",
                ],
            ),
            note(
                "Okta explains a refusal in `errorSummary`. Its metadata are found behind the issuer's path (`…/.well-known/openid-configuration`).",
                &["envoyproxy/ai-gateway#2074", "agentgateway/agentgateway#1831"],
            ),
        ],
        preset: Some(Preset::oauth(
            r#"{"oauth_client_metadata": {"client_id": "<client_id>", "client_secret": "<client_secret>"}}"#,
        )),
    },
    KnownServer {
        key: "auth0",
        name: "Auth0",
        mcp: &[],
        issuers: &[Place::host("*.auth0.com")],
        clients: Clients::Conditional,
        notes: &[
            note(
                "Dynamic registration is off until an admin of the tenant turns it on. A registered client is a third-party application: connections must be promoted to domain level, and the API must allow it.",
                &["https://docs.skybridge.tech/guides/auth-providers"],
            ),
            note(
                "Auth0 reads `audience`, and `resource` only with the “Resource Parameter Compatibility Profile”. Turn the profile on, or send the identifier of the API as `audience`.",
                &["https://auth0.com/ai/docs/mcp/guides/resource-param-compatibility-profile"],
            ),
        ],
        preset: Some(Preset::oauth(
            r#"{"oauth_client_metadata": {"authorization_params": {"audience": "<api_identifier>"}}}"#,
        )),
    },
    KnownServer {
        key: "cognito",
        name: "Amazon Cognito",
        mcp: &[],
        issuers: &[Place::host("cognito-idp.*.amazonaws.com")],
        clients: Clients::ByHand,
        notes: &[
            note(
                "Cognito takes no registrations. Create an app client with the callback URL in the user pool. If it has a secret, enter `client_secret` too.",
                &[
                    "https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-app-idp-settings.html",
                    "anthropics/claude-code#67258",
                ],
            ),
            note(
                "Only the OpenID Connect form of the metadata is published. This needs no setting.",
                &["agentgateway/agentgateway#2016"],
            ),
        ],
        preset: Some(Preset::oauth(r#"{"oauth_client_metadata": {"client_id": "<client_id>"}}"#)),
    },
    KnownServer {
        key: "keycloak",
        name: "Keycloak",
        mcp: &[],
        issuers: &[Place::path("*", "/realms/*")],
        clients: Clients::Conditional,
        notes: &[
            note(
                "Without a token, a realm registers clients only from its trusted hosts, and answers 403 otherwise. Ask an admin of the realm for an initial access token, or to trust the addresses of this registry and the host of the callback.",
                &[
                    "OpenLiberty/open-liberty#35062",
                    "https://docs.redhat.com/ja/documentation/red_hat_build_of_keycloak/24.0/html/securing_applications_and_services_guide/client_registration_policies",
                ],
            ),
            note(
                "A scope that the realm does not allow is refused (`Not permitted to use specified clientScope`), and naming scopes removes the realm's default scopes from the client in versions before 26.8.",
                &["keycloak/keycloak#43654", "keycloak/keycloak#50807", "turnstonelabs/turnstone#1082"],
            ),
            note(
                "Unknown members are refused with 400 `Unrecognized field`. `resource` is ignored: an audience mapper of a client scope takes its place.",
                &["keycloak/keycloak#14946", "https://zuplo.com/learn/mcp/compatibility/identity-providers"],
            ),
            note(
                "With a dynamic back channel the metadata may name an introspection endpoint with http. Gateways do not use it.",
                &["spring-projects/spring-security#18992"],
            ),
        ],
        preset: Some(Preset::oauth(
            r#"{"registration": {"initial_access_token": "<initial_access_token>", "scope": "never"}}"#,
        )),
    },
    KnownServer {
        key: "clerk",
        name: "Clerk",
        mcp: &[],
        issuers: &[Place::host("*.clerk.accounts.dev")],
        clients: Clients::Conditional,
        notes: &[note(
            "Dynamic registration is off until the owner turns it on. A client may later ask only for scopes that its registration named.",
            &["can1357/oh-my-pi#5107", "agentmail-to/agentmail-mcp#39"],
        )],
        preset: Some(Preset::oauth(r#"{"registration": {"scope": "always"}}"#)),
    },
    KnownServer {
        key: "workos",
        name: "WorkOS AuthKit",
        mcp: &[],
        issuers: &[Place::host("*.authkit.app")],
        clients: Clients::Conditional,
        notes: &[note(
            "Dynamic registration, and Client ID Metadata Documents, are turned on by the owner under Connect → Configuration. If neither is offered, ask the owner for that.",
            &["https://github.com/mcp-use/mcp-oauth-workos-template"],
        )],
        preset: None,
    },
    KnownServer {
        key: "descope",
        name: "Descope",
        mcp: &[],
        issuers: &[Place::host("api.descope.com")],
        clients: Clients::Conditional,
        notes: &[note(
            "The owner turns dynamic registration on for each MCP server in the Descope console. If it is not offered, ask the owner for that.",
            &["https://gofastmcp.com/python-sdk/fastmcp-server-auth-providers-descope"],
        )],
        preset: None,
    },
    KnownServer {
        key: "zitadel",
        name: "ZITADEL Cloud",
        mcp: &[],
        issuers: &[Place::host("*.zitadel.cloud")],
        clients: Clients::Conditional,
        notes: &[note(
            "Dynamic registration is off until an instance owner turns it on in the security settings. Clients can then be read, changed and deleted (RFC 7592).",
            &["https://zitadel.com/docs/guides/integrate/dynamic-client-registration"],
        )],
        preset: None,
    },
];
