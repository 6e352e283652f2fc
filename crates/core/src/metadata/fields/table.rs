//! The one table: every member of the Advanced Configuration that is known.
//!
//! Client metadata as in the tables of docs/client-metadata.md; the keys for gateways as the
//! hosted product's gateway reads them; `registration` is ours.

use super::field::{Field, Kind, Rule, Section, Usage};
use std::collections::HashMap;
use std::sync::LazyLock;

const TOP: Section = Section::TopLevel;
const CM: Section = Section::ClientMetadata;
const REG: Section = Section::Registration;
const UIF: Section = Section::UserIdentityForwarding;
const JWT: Section = Section::JwtValidation;
const EXT: Section = Section::ExternalAuthConfig;

const NOT_YET: &str = "it is not yet supported";
const CALLBACK: &str = "the callback is always the gateway's own, so that tokens reach only the gateway";

/// The largest whole number every JSON reader keeps exactly (RFC 8259 §6).
const MAX_INTEGER: i64 = 9_007_199_254_740_991;

/// Parameters of the authorization request that the gateway alone sets.
pub const RESERVED_PARAMETERS: &[&str] = &[
    "response_type",
    "client_id",
    "client_secret",
    "code_challenge",
    "code_challenge_method",
    "redirect_uri",
    "state",
    "scope",
    "resource",
];

/// Grant types with a registered name that may be asked for (RFC 7591 §2); others by absolute URI.
pub(crate) const GRANT_TYPES: &[&str] = &[
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "urn:ietf:params:oauth:grant-type:saml2-bearer",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:token-exchange",
];

const ALGORITHMS: &[&str] = &[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256",
    "HS384", "HS512",
];

/// The row of `name` in `section`.
pub fn find(section: Section, name: &str) -> Option<&'static Field> {
    static ROWS: LazyLock<HashMap<(Section, &'static str), &'static Field>> =
        LazyLock::new(|| FIELDS.iter().rev().map(|field| ((field.section, field.name), field)).collect());
    ROWS.get(&(section, name)).copied()
}

/// All rows of `section`, in the order of the table.
pub fn in_section(section: Section) -> impl Iterator<Item = &'static Field> {
    FIELDS.iter().filter(move |field| field.section == section)
}

/// The names that `registration.omit` may hold: every member that a request can have, but the callbacks.
pub(crate) fn omittable() -> impl Iterator<Item = &'static Field> {
    in_section(CM).filter(|field| field.usage == Usage::Sent)
}

/// Every known member.
pub static FIELDS: &[Field] = &[
    // ---- the Advanced Configuration itself
    Field::new(TOP, "oauth_client_metadata", "Client metadata", Kind::Nested(CM), Usage::Container).describe(
        "How the gateway introduces itself to the authorization server: RFC 7591 client metadata, a client that was registered beforehand, and corrections to discovery.",
        r#"{"client_name":"Acme Corp MCP Gateway"}"#,
    ),
    Field::new(TOP, "oauth_metadata", "Client metadata (other spelling)", Kind::Nested(CM), Usage::Container)
        .alias_of("oauth_client_metadata")
        .describe("Another spelling of `oauth_client_metadata`. Use one of the two, never both.", r#"{"client_name":"Acme Corp MCP Gateway"}"#),
    Field::new(TOP, "registration", "Registration", Kind::Nested(REG), Usage::Container)
        .describe("How the control plane obtains and replaces the OAuth client.", r#"{"method":"auto"}"#),
    Field::new(TOP, "headers", "Headers", Kind::StringMap, Usage::Gateway).rule(Rule::HeaderMap).secret().describe(
        "Headers the gateway sends to the MCP server, unless the server uses OAuth. Values are kept sealed.",
        r#"{"X-Api-Key":"the key"}"#,
    ),
    Field::new(TOP, "custom_headers", "Headers (other spelling)", Kind::StringMap, Usage::Gateway)
        .rule(Rule::HeaderMap).secret().alias_of("headers")
        .describe("Another spelling of `headers`. Use one of the two, never both.", r#"{"X-Api-Key":"the key"}"#),
    Field::new(TOP, "passthrough_headers", "Passthrough headers", Kind::StringMap, Usage::Gateway)
        .rule(Rule::HeaderMap).secret()
        .describe("Headers the gateway adds to every request to the MCP server, for every auth type; they take precedence over `headers`. Values are kept sealed.", r#"{"X-Tenant":"acme"}"#),
    Field::new(TOP, "passthrough_header", "Passthrough headers (other spelling)", Kind::StringMap, Usage::Gateway)
        .rule(Rule::HeaderMap).secret().alias_of("passthrough_headers")
        .describe("Another spelling of `passthrough_headers`. Use one of the two, never both.", r#"{"X-Tenant":"acme"}"#),
    Field::new(TOP, "forward_headers", "Forwarded headers", Kind::ForwardHeaders, Usage::Gateway).rule(Rule::HeaderName).describe(
        "Which headers of the MCP client the gateway forwards: a list of names (or of `{from, to}`), or an object with `mode` and `headers`.",
        r#"["X-Request-Id"]"#,
    ),
    Field::new(TOP, "user_identity_forwarding", "User identity forwarding", Kind::Nested(UIF), Usage::Gateway)
        .describe("How the gateway tells the MCP server who is calling.", r#"{"method":"claims_header"}"#),
    Field::new(TOP, "jwt_validation", "JWT validation", Kind::Nested(JWT), Usage::Gateway)
        .describe("How the gateway checks the tokens MCP clients bring.", r#"{"jwksUri":"https://login.acme.com/jwks.json"}"#),
    Field::new(TOP, "external_auth_config", "External login", Kind::Nested(EXT), Usage::Gateway).describe(
        "An authorization server of yours that MCP clients sign in at, in place of the gateway's own.",
        r#"{"authorization_endpoint":"https://login.acme.com/authorize","token_endpoint":"https://login.acme.com/token"}"#,
    ),
    Field::new(TOP, "tools", "Tools", Kind::Nested(Section::Tools), Usage::Gateway)
        .describe("Which tools the gateway allows, and their rate limit.", r#"{"allowed":["search"]}"#),
    Field::new(TOP, "transport", "Transport", Kind::Nested(Section::Transport), Usage::Gateway)
        .describe("Which MCP transport the gateway tries first.", r#"{"preferred":"http","allowFallback":true}"#),
    // ---- oauth_client_metadata: the twelve customisable fields
    Field::new(CM, "client_name", "Client name", Kind::String, Usage::Sent).rule(Rule::Text(255)).localised()
        .default(r#""Portkey ({workspace}/{server})""#)
        .describe("Name shown during OAuth consent.", r#""Acme Corp MCP Gateway""#),
    Field::new(CM, "client_uri", "Home page", Kind::String, Usage::Sent).rule(Rule::Link).localised()
        .default(r#""https://portkey.ai""#)
        .describe("Organization's homepage URL.", r#""https://acme.com""#),
    Field::new(CM, "logo_uri", "Logo", Kind::String, Usage::Sent).rule(Rule::Logo).localised()
        .default(r#""https://cfassets.portkey.ai/logo%2Fdew-color.png""#)
        .describe("Logo shown during consent (should be HTTPS).", r#""https://acme.com/assets/logo.png""#),
    Field::new(CM, "software_id", "Software ID", Kind::String, Usage::Sent).rule(Rule::Text(255))
        .default(r#""ai.portkey.mcp""#)
        .describe("Unique client identifier (useful for pre-registered clients). By itself it does not select a registered client: that takes `client_id`.", r#""com.acme.mcp-gateway""#),
    Field::new(CM, "software_version", "Software version", Kind::String, Usage::Sent).rule(Rule::Text(255))
        .describe("Client software version.", r#""1.0.0""#),
    Field::new(CM, "scope", "Scope", Kind::String, Usage::Sent).rule(Rule::Scope)
        .describe("Space-separated OAuth scopes to request.", r#""mcp:read mcp:write""#),
    Field::new(CM, "grant_types", "Grant types", Kind::StringList, Usage::Sent).rule(Rule::GrantType).not_empty()
        .default(r#"["authorization_code","refresh_token"]"#)
        .describe("OAuth grant types. `authorization_code` goes together with the response type `code`.", r#"["authorization_code","refresh_token"]"#),
    Field::new(CM, "response_types", "Response types", Kind::StringList, Usage::Sent)
        .rule(Rule::OneOf(&["code"], "unsupported_response_type"))
        .default(r#"["code"]"#)
        .describe("OAuth response types: `code`, or an empty list where `authorization_code` is not among the grant types.", r#"["code"]"#),
    Field::new(CM, "token_endpoint_auth_method", "Token endpoint auth method", Kind::String, Usage::Sent)
        .rule(Rule::OneOf(&["none", "client_secret_post", "client_secret_basic"], "unsupported_auth_method"))
        .default(r#""none""#)
        .describe("Token endpoint auth method: how the client proves who it is. The default may be changed to what the authorization server offers, a value set here is not.", r#""client_secret_basic""#),
    Field::new(CM, "contacts", "Contacts", Kind::StringList, Usage::Sent).rule(Rule::Contact)
        .describe("Contact email addresses.", r#"["security@acme.com","legal@acme.com"]"#),
    Field::new(CM, "tos_uri", "Terms of service", Kind::String, Usage::Sent).rule(Rule::Link).localised()
        .describe("Terms of Service URL.", r#""https://acme.com/legal/terms""#),
    Field::new(CM, "policy_uri", "Privacy policy", Kind::String, Usage::Sent).rule(Rule::Link).localised()
        .describe("Privacy policy URL.", r#""https://acme.com/legal/privacy""#),
    Field::new(CM, "application_type", "Application type", Kind::String, Usage::Sent)
        .rule(Rule::OneOf(&["web", "native"], "invalid_value"))
        .describe("`web` or `native`. Computed from the gateway's callback when not set: https gives `web`, loopback gives `native`.", r#""web""#),
    // ---- oauth_client_metadata: never sent
    Field::new(CM, "redirect_uris", "Redirect URIs", Kind::Any, Usage::Ignored { reason: CALLBACK })
        .describe("Always `<gateway-url>/oauth/upstream-callback`.", "null"),
    Field::new(CM, "redirect_uri", "Redirect URI", Kind::Any, Usage::Ignored { reason: CALLBACK })
        .describe("Always `<gateway-url>/oauth/upstream-callback`.", "null"),
    Field::new(CM, "jwks_uri", "Key set URL", Kind::Any, Usage::Ignored { reason: NOT_YET }).describe("Not yet supported.", "null"),
    Field::new(CM, "jwks", "Key set", Kind::Any, Usage::Ignored { reason: NOT_YET }).describe("Not yet supported.", "null"),
    Field::new(CM, "software_statement", "Software statement", Kind::Any, Usage::Ignored { reason: NOT_YET })
        .describe("Not yet supported.", "null"),
    // ---- oauth_client_metadata: a client registered beforehand
    Field::new(CM, "client_id", "Client ID", Kind::String, Usage::Credential).rule(Rule::Ascii(8192))
        .describe("The id of a client that was registered at the authorization server beforehand. No registration request is made then.", r#""0oa1b2c3d4""#),
    Field::new(CM, "client_secret", "Client secret", Kind::String, Usage::Credential).rule(Rule::Ascii(4096)).secret()
        .describe("The secret of that client. Kept sealed; needs `client_id` beside it.", r#""the secret""#),
    // ---- oauth_client_metadata: corrections to discovery (RFC 8414 §2)
    Field::new(CM, "issuer", "Issuer", Kind::String, Usage::AuthorizationServer).rule(Rule::Issuer)
        .describe("The authorization server's issuer identifier, where discovery does not find it.", r#""https://login.example.com""#),
    Field::new(CM, "authorization_endpoint", "Authorization endpoint", Kind::String, Usage::AuthorizationServer).rule(Rule::Endpoint)
        .describe("Replaces the discovered authorization endpoint. Give `token_endpoint` and `issuer` too.", r#""https://login.example.com/authorize""#),
    Field::new(CM, "token_endpoint", "Token endpoint", Kind::String, Usage::AuthorizationServer).rule(Rule::Endpoint)
        .describe("Replaces the discovered token endpoint. Give `authorization_endpoint` and `issuer` too.", r#""https://login.example.com/token""#),
    Field::new(CM, "registration_endpoint", "Registration endpoint", Kind::String, Usage::AuthorizationServer).rule(Rule::Endpoint)
        .describe("Replaces the discovered registration endpoint.", r#""https://login.example.com/register""#),
    Field::new(CM, "revocation_endpoint", "Revocation endpoint", Kind::String, Usage::AuthorizationServer).rule(Rule::Endpoint)
        .describe("Replaces the discovered revocation endpoint.", r#""https://login.example.com/revoke""#),
    Field::new(CM, "response_types_supported", "Response types offered", Kind::StringList, Usage::AuthorizationServer).rule(Rule::Text(255))
        .describe("Replaces the discovered list.", r#"["code"]"#),
    Field::new(CM, "grant_types_supported", "Grant types offered", Kind::StringList, Usage::AuthorizationServer).rule(Rule::Text(255))
        .describe("Replaces the discovered list.", r#"["authorization_code","refresh_token"]"#),
    Field::new(CM, "token_endpoint_auth_methods_supported", "Token endpoint auth methods offered", Kind::StringList, Usage::AuthorizationServer)
        .rule(Rule::Text(255))
        .describe("Replaces the discovered list.", r#"["client_secret_basic"]"#),
    Field::new(CM, "code_challenge_methods_supported", "PKCE methods offered", Kind::StringList, Usage::AuthorizationServer).rule(Rule::Text(255))
        .describe("Replaces the discovered list.", r#"["S256"]"#),
    Field::new(CM, "scopes_supported", "Scopes offered", Kind::StringList, Usage::AuthorizationServer).rule(Rule::Text(255))
        .describe("Replaces the discovered list.", r#"["mcp:read"]"#),
    // ---- oauth_client_metadata: the authorization request
    Field::new(CM, "authorization_params", "Authorization parameters", Kind::StringMap, Usage::AuthorizationRequest).rule(Rule::ParameterMap)
        .describe("Parameters added to the authorization URL. Google, for one, gives a refresh token only with `access_type=offline`.", r#"{"access_type":"offline","prompt":"consent"}"#),
    // ---- registration
    Field::new(REG, "method", "Method", Kind::String, Usage::Registration)
        .rule(Rule::OneOf(&["auto", "pre_registered", "cimd", "dcr"], "invalid_value")).default(r#""auto""#)
        .describe("How to obtain the client: `auto` tries a pre-registered client, then a client ID metadata document, then dynamic registration.", r#""dcr""#),
    Field::new(REG, "scope", "Scope in the request", Kind::String, Usage::Registration)
        .rule(Rule::OneOf(&["auto", "always", "never"], "invalid_value")).default(r#""auto""#)
        .describe("Whether the registration request carries `scope`.", r#""always""#),
    Field::new(REG, "initial_access_token", "Initial access token", Kind::String, Usage::Registration).rule(Rule::Ascii(8192)).secret()
        .describe("Sent as a bearer token to the registration endpoint (RFC 7591 §3). Kept sealed.", r#""the-token""#),
    Field::new(REG, "trusted_issuer", "Trusted issuer", Kind::String, Usage::AuthorizationServer).rule(Rule::ComparedIssuer(2048))
        .describe("The issuer to believe although the metadata document spells it differently.", r#""https://login.example.com/""#),
    Field::new(REG, "replace", "Replacing a client", Kind::String, Usage::Registration)
        .rule(Rule::OneOf(&["automatic", "ask"], "invalid_value"))
        .describe("What to do when only a new client would do, which costs users their consent. When not set: automatic while no gateway has fetched the client, ask afterwards.", r#""ask""#),
    Field::new(REG, "legacy_discovery", "Servers of the MCP revision 2025-03-26", Kind::Boolean, Usage::Registration).default("false")
        .describe("Whether a server that publishes no protected resource metadata (RFC 9728) is treated as one of the MCP revision 2025-03-26: its authorization server is then searched at the root of its own address.", "true"),
    Field::new(REG, "resource", "Resource", Kind::String, Usage::Registration).rule(Rule::ResourceUri)
        .describe("The resource identifier that gateways send in authorization and token requests (RFC 8707), where it is not the address of the MCP server. An absolute URI without fragment; forms such as `api://…` and `urn:…` are allowed.", r#""api://0f1e2d3c-0000-4000-8000-00000000abcd""#),
    Field::new(REG, "omit", "Members not sent", Kind::StringList, Usage::Registration).rule(Rule::SentMember)
        .describe("Client metadata members that are not sent, for authorization servers that refuse them. A name covers its language variants. `null` as the value of a member does not do this: it means that the member is not set in this layer. `redirect_uris` is always sent.", r#"["software_id","logo_uri"]"#),
    Field::new(REG, "client_name_characters", "Characters of the client name", Kind::String, Usage::Registration)
        .rule(Rule::OneOf(&["any", "plain"], "invalid_value")).default(r#""any""#)
        .describe("`plain` reduces `client_name` to ASCII letters, digits, spaces and hyphens, for authorization servers that accept no other characters. Names in other languages are not changed; `omit` leaves them out.", r#""plain""#),
    // ---- forward_headers
    Field::new(Section::ForwardHeaders, "mode", "Mode", Kind::String, Usage::Gateway)
        .rule(Rule::OneOf(&["allowlist", "all-except"], "invalid_value")).required()
        .describe("Whether `headers` are those forwarded, or those not forwarded.", r#""allowlist""#),
    Field::new(Section::ForwardHeaders, "headers", "Headers", Kind::HeaderList, Usage::Gateway).rule(Rule::HeaderName).required()
        .describe("Names of headers.", r#"["X-Request-Id"]"#),
    Field::new(Section::ForwardedHeader, "from", "From", Kind::String, Usage::Gateway).rule(Rule::HeaderName).required()
        .describe("The header of the MCP client's request.", r#""X-Request-Id""#),
    Field::new(Section::ForwardedHeader, "to", "To", Kind::String, Usage::Gateway).rule(Rule::HeaderName).required()
        .describe("Its name in the request to the MCP server.", r#""X-Upstream-Request-Id""#),
    // ---- user_identity_forwarding
    Field::new(UIF, "method", "Method", Kind::String, Usage::Gateway)
        .rule(Rule::OneOf(&["claims_header", "bearer", "jwt_header"], "invalid_value")).required()
        .describe("As a header with claims, as the bearer token, or as a signed JWT in a header.", r#""claims_header""#),
    Field::new(UIF, "include_claims", "Claims", Kind::StringList, Usage::Gateway).rule(Rule::Text(255))
        .default(r#"["sub","email","username","user_id","workspace_id","organisation_id","scope","client_id"]"#)
        .describe("Which claims to forward.", r#"["sub","email"]"#),
    Field::new(UIF, "header_name", "Header", Kind::String, Usage::Gateway).rule(Rule::HeaderName)
        .describe("The header to use; `X-User-Claims`, `Authorization` or `X-User-JWT` by method when not set.", r#""X-User-Claims""#),
    Field::new(UIF, "jwt_expiry_seconds", "Life of the JWT", Kind::Integer(1, 86_400), Usage::Gateway).default("300")
        .describe("In seconds; for `jwt_header` only.", "300"),
    // ---- jwt_validation
    Field::new(JWT, "jwksUri", "Key set URL", Kind::String, Usage::Gateway).rule(Rule::Endpoint)
        .describe("Where the keys are. One of `jwksUri`, `jwks` and `introspectEndpoint` is needed.", r#""https://login.acme.com/jwks.json""#),
    Field::new(JWT, "jwks", "Key set", Kind::Object, Usage::Gateway)
        .describe("The keys themselves: a JSON Web Key Set of public keys.", r#"{"keys":[]}"#),
    Field::new(JWT, "introspectEndpoint", "Introspection endpoint", Kind::String, Usage::Gateway).rule(Rule::Endpoint)
        .describe("Where to ask whether a token is valid (RFC 7662).", r#""https://login.acme.com/introspect""#),
    Field::new(JWT, "headerKey", "Header", Kind::String, Usage::Gateway).rule(Rule::HeaderName).default(r#""Authorization""#)
        .describe("The header that carries the token.", r#""Authorization""#),
    Field::new(JWT, "algorithms", "Algorithms", Kind::StringList, Usage::Gateway)
        .rule(Rule::OneOf(ALGORITHMS, "invalid_value")).not_empty().default(r#"["RS256"]"#)
        .describe("Signature algorithms that are accepted.", r#"["RS256","ES256"]"#),
    Field::new(JWT, "clockTolerance", "Clock tolerance", Kind::Integer(0, 86_400), Usage::Gateway).default("5")
        .describe("In seconds.", "5"),
    Field::new(JWT, "cacheMaxAge", "Key set cache", Kind::Integer(0, MAX_INTEGER), Usage::Gateway).default("86400")
        .describe("How long keys are kept, in seconds.", "86400"),
    Field::new(JWT, "maxTokenAge", "Oldest token", Kind::String, Usage::Gateway).rule(Rule::Duration)
        .describe("A number and a unit: `30s`, `5m`, `12h`, `1d`.", r#""12h""#),
    Field::new(JWT, "introspectContentType", "Introspection content type", Kind::String, Usage::Gateway)
        .rule(Rule::OneOf(&["application/x-www-form-urlencoded", "application/json"], "invalid_value"))
        .default(r#""application/x-www-form-urlencoded""#)
        .describe("How the introspection request is encoded.", r#""application/json""#),
    Field::new(JWT, "introspectClientId", "Introspection client ID", Kind::String, Usage::Gateway).rule(Rule::Ascii(8192))
        .describe("Who asks at the introspection endpoint; `external_auth_config.client_id` when not set.", r#""gateway""#),
    Field::new(JWT, "introspectClientSecret", "Introspection client secret", Kind::String, Usage::Gateway).rule(Rule::Ascii(4096)).secret()
        .describe("Its secret. Kept sealed.", r#""the secret""#),
    Field::new(JWT, "introspectCacheMaxAge", "Introspection cache", Kind::Integer(0, MAX_INTEGER), Usage::Gateway)
        .describe("How long an answer is kept, in seconds.", "60"),
    Field::new(JWT, "requiredClaims", "Required claims", Kind::StringList, Usage::Gateway).rule(Rule::Text(255))
        .describe("Claims a token must have.", r#"["sub","email"]"#),
    Field::new(JWT, "claimValues", "Claim values", Kind::MapOf(Section::ClaimRule), Usage::Gateway)
        .describe("Claims and their required values.", r#"{"tenant":{"values":"acme"}}"#),
    Field::new(JWT, "headerPayloadMatch", "Header equals payload", Kind::StringList, Usage::Gateway).rule(Rule::Text(255))
        .describe("Members that must be equal in the token's header and payload.", r#"["iss"]"#),
    Field::new(Section::ClaimRule, "values", "Values", Kind::StringOrList, Usage::Gateway).rule(Rule::Text(1024)).required().not_empty()
        .describe("What the claim is compared with.", r#"["acme"]"#),
    Field::new(Section::ClaimRule, "matchType", "Match", Kind::String, Usage::Gateway)
        .rule(Rule::OneOf(&["exact", "contains", "containsAll", "regex"], "invalid_value")).default(r#""exact""#)
        .describe("How it is compared.", r#""exact""#),
    // ---- external_auth_config
    Field::new(EXT, "issuer", "Issuer", Kind::String, Usage::Gateway).rule(Rule::Issuer)
        .describe("The issuer identifier of your authorization server.", r#""https://login.acme.com""#),
    Field::new(EXT, "authorization_endpoint", "Authorization endpoint", Kind::String, Usage::Gateway).rule(Rule::Endpoint).required()
        .describe("Where users sign in.", r#""https://login.acme.com/authorize""#),
    Field::new(EXT, "token_endpoint", "Token endpoint", Kind::String, Usage::Gateway).rule(Rule::Endpoint).required()
        .describe("Where codes are redeemed.", r#""https://login.acme.com/token""#),
    Field::new(EXT, "registration_endpoint", "Registration endpoint", Kind::String, Usage::Gateway).rule(Rule::Endpoint)
        .describe("Where clients register.", r#""https://login.acme.com/register""#),
    Field::new(EXT, "revocation_endpoint", "Revocation endpoint", Kind::String, Usage::Gateway).rule(Rule::Endpoint)
        .describe("Where tokens are revoked.", r#""https://login.acme.com/revoke""#),
    Field::new(EXT, "code_challenge_methods_supported", "PKCE methods", Kind::StringList, Usage::Gateway).rule(Rule::Text(255))
        .default(r#"["S256"]"#).describe("PKCE methods it offers.", r#"["S256"]"#),
    Field::new(EXT, "token_endpoint_auth_methods_supported", "Token endpoint auth methods", Kind::StringList, Usage::Gateway)
        .rule(Rule::Text(255)).describe("Auth methods it offers.", r#"["client_secret_basic"]"#),
    Field::new(EXT, "grant_types_supported", "Grant types", Kind::StringList, Usage::Gateway).rule(Rule::Text(255))
        .default(r#"["authorization_code","refresh_token"]"#).describe("Grant types it offers.", r#"["authorization_code"]"#),
    Field::new(EXT, "scopes_supported", "Scopes", Kind::StringList, Usage::Gateway).rule(Rule::Text(255))
        .describe("Scopes it offers.", r#"["openid","email"]"#),
    Field::new(EXT, "response_types_supported", "Response types", Kind::StringList, Usage::Gateway).rule(Rule::Text(255))
        .default(r#"["code"]"#).describe("Response types it offers.", r#"["code"]"#),
    Field::new(EXT, "client_id", "Client ID", Kind::String, Usage::Gateway).rule(Rule::Ascii(8192))
        .describe("The gateway's client at your authorization server.", r#""gateway""#),
    Field::new(EXT, "client_secret", "Client secret", Kind::String, Usage::Gateway).rule(Rule::Ascii(4096)).secret()
        .describe("Its secret. Kept sealed; needs `client_id` beside it.", r#""the secret""#),
    Field::new(EXT, "scope", "Scope", Kind::String, Usage::Gateway).rule(Rule::Scope)
        .describe("Space-separated scopes to ask for.", r#""openid email""#),
    Field::new(EXT, "authorization_params", "Authorization parameters", Kind::StringMap, Usage::Gateway).rule(Rule::ParameterMap)
        .describe("Parameters added to the authorization URL.", r#"{"prompt":"consent"}"#),
    // ---- tools, transport
    Field::new(Section::Tools, "allowed", "Allowed", Kind::StringList, Usage::Gateway).rule(Rule::Text(255))
        .describe("The only tools that are let through.", r#"["search"]"#),
    Field::new(Section::Tools, "blocked", "Blocked", Kind::StringList, Usage::Gateway).rule(Rule::Text(255))
        .describe("Tools that are not let through.", r#"["delete_everything"]"#),
    Field::new(Section::Tools, "rateLimit", "Rate limit", Kind::Nested(Section::RateLimit), Usage::Gateway)
        .describe("How often tools may be called.", r#"{"requests":60,"window":60}"#),
    Field::new(Section::Tools, "logCalls", "Log calls", Kind::Boolean, Usage::Gateway)
        .describe("Whether the gateway logs each call.", "true"),
    Field::new(Section::RateLimit, "requests", "Requests", Kind::Integer(1, MAX_INTEGER), Usage::Gateway).required()
        .describe("So many calls…", "60"),
    Field::new(Section::RateLimit, "window", "Window", Kind::Integer(1, MAX_INTEGER), Usage::Gateway).required()
        .describe("…in this number of seconds.", "60"),
    Field::new(Section::Transport, "preferred", "Preferred", Kind::String, Usage::Gateway)
        .rule(Rule::OneOf(&["http", "sse"], "invalid_value")).describe("The transport tried first.", r#""http""#),
    Field::new(Section::Transport, "allowFallback", "Allow fallback", Kind::Boolean, Usage::Gateway)
        .describe("Whether the other transport is tried next.", "true"),
];
