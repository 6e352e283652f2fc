//! Sign-in with the identity provider of the organisation: `OpenID` Connect Core 1.0 §3.1 (authorization code) with
//! PKCE (RFC 7636) and the issuer in the authorization response (RFC 9207).

use crate::identity::Login;
use crate::identity::api_keys::format::random_base62;
use crate::identity::bearer::verifier::TokenVerifier;
use crate::identity::login::sign_in::actor_for;
use crate::ports::trusted_http::{Body, HttpRequest};
use crate::settings::{KeySource, ProviderSettings};
use crate::storage::audit_action::AuditAction;
use crate::{Error, RequestContext, Result, SignedIn};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use registry_core::secret::Secret;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex, PoisonError};
use url::Url;

/// Age at which the metadata of the provider are fetched again, in milliseconds.
const METADATA_TTL: i64 = 3_600_000;

/// Time between two fetches while the provider is unreachable, in milliseconds: logins in between do not wait for it.
const RETRY_INTERVAL: i64 = 5_000;

/// The authorization request that begins a login (OpenID Connect Core §3.1.2.1).
#[derive(Clone)]
pub struct AuthorizationRequest {
    /// Where the browser is redirected to.
    pub url: String,
    /// State, nonce and PKCE verifier, for a cookie. A secret: it binds the callback to this browser.
    pub login_state: String,
}

impl std::fmt::Debug for AuthorizationRequest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("AuthorizationRequest")
    }
}

/// The authorization response that the browser brings back (OpenID Connect Core §3.1.2.5).
#[derive(Clone, Default, Deserialize)]
pub struct AuthorizationCallback {
    /// The authorization code.
    pub code: Option<String>,
    /// The `state` of the request.
    pub state: Option<String>,
    /// The issuer that answers (RFC 9207).
    pub iss: Option<String>,
    /// The error code, if there is no code.
    pub error: Option<String>,
}

impl std::fmt::Debug for AuthorizationCallback {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("AuthorizationCallback")
    }
}

/// The metadata of the provider (OpenID Connect Discovery 1.0 §3), as far as they are used.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// Cache of the metadata of the provider.
#[derive(Default)]
pub(crate) struct Provider(Mutex<Held>);

#[derive(Clone, Default)]
struct Held {
    known: Option<Arc<Known>>,
    /// When it was fetched last (epoch milliseconds), and after how many milliseconds it is fetched again.
    asked: Option<(i64, i64)>,
}

struct Known {
    metadata: Metadata,
    token_verifier: Arc<TokenVerifier>,
}

/// Refusals. They contain nothing that the provider or the browser sent: that is in the log.
const UNREACHABLE: &str =
    "The identity provider cannot be used now. Try again shortly; the log of this deployment says why.";

const FAILED: &str =
    "Signing in with the identity provider did not work. Try again; the log of this deployment says why.";

const DENIED: &str = "The identity provider did not let you in, or you cancelled there. Try again, or ask its administrator for access.";

const STALE: &str = "This sign-in was begun in another browser or too long ago. Try again.";

impl Login<'_> {
    /// Begins a login: the authorization request.
    pub async fn begin_login(self) -> Result<AuthorizationRequest> {
        let settings = self.provider_settings()?;
        let known = self.provider(settings).await?;
        let (state, nonce, verifier) = (random_base62(32)?, random_base62(32)?, random_base62(64)?);
        let mut url = Url::parse(&known.metadata.authorization_endpoint).map_err(|error| {
            tracing::warn!(%error, "the provider's authorization endpoint is no URL");
            Error::Unavailable(UNREACHABLE.to_owned())
        })?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &settings.client_id)
            .append_pair("redirect_uri", &settings.redirect_uri)
            .append_pair("scope", &settings.scopes.join(" "))
            .append_pair("state", &state)
            .append_pair("nonce", &nonce)
            .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())))
            .append_pair("code_challenge_method", "S256");
        Ok(AuthorizationRequest { url: url.into(), login_state: format!("{state}.{nonce}.{verifier}") })
    }

    /// Completes a login with the callback and the `login_state` of the cookie.
    pub async fn complete_login(
        self,
        login_state: Option<&str>,
        callback: &AuthorizationCallback,
        origin: RequestContext,
    ) -> Result<SignedIn> {
        let settings = self.provider_settings()?;
        let mut parts = login_state.unwrap_or_default().splitn(3, '.');
        let (Some(state), Some(nonce), Some(verifier)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Error::Unauthenticated(STALE));
        };
        if state.is_empty() || callback.state.as_deref() != Some(state) {
            return Err(Error::Unauthenticated(STALE));
        }
        // Only a login that this browser began is counted: any page may redirect users to this URL.
        self.registry.inner.sign_in_limits.admit(origin.address.as_deref())?;
        let failed = |why: &str| {
            tracing::warn!(issuer = settings.issuer, why, "a login with the identity provider failed");
            Error::Unauthenticated(FAILED)
        };
        let known = self.provider(settings).await?;
        let told_issuer = callback.iss.as_deref();
        if told_issuer.is_some_and(|issuer| issuer != settings.issuer)
            || known.metadata.authorization_response_iss_parameter_supported && told_issuer.is_none()
        {
            return Err(failed("the answer is of another issuer (RFC 9207)"));
        }
        if let Some(error) = &callback.error {
            if error == "access_denied" {
                tracing::info!(issuer = settings.issuer, "the identity provider denied a login");
                return Err(Error::Unauthenticated(DENIED));
            }
            // Error codes are letters and `_` (RFC 6749 §4.1.2.1); no other text of the browser gets into the log.
            let word = error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            return Err(failed(if word && error.len() < 64 { error } else { "an error of an odd name" }));
        }
        let code = callback.code.clone().ok_or_else(|| failed("the answer holds no code"))?;
        let (id_token, access_token) =
            self.redeem(settings, &known.metadata, code, verifier).await.map_err(|why| failed(&why))?;
        let mut claims = known
            .token_verifier
            .claims(self.registry, &id_token)
            .await
            .map_err(|why| failed(&why.to_string()))?;
        check(&claims, settings, nonce).map_err(failed)?;
        if let (Some(endpoint), Some(token)) = (&known.metadata.userinfo_endpoint, access_token)
            && ["email", &settings.groups_claim].iter().any(|claim| !claims.contains_key(*claim))
        {
            let more = self.userinfo(endpoint, &token).await.map_err(|why| failed(&why))?;
            // OpenID Connect Core §5.3.2: otherwise it may be about another user.
            if more.get("sub") != claims.get("sub") {
                return Err(failed("the userinfo is about another user"));
            }
            // `email_verified` counts only in the document that contains the address.
            let told = claims.contains_key("email");
            if !told {
                claims.remove("email_verified");
            }
            for (name, value) in more.into_iter().filter(|(name, _)| !told || name != "email_verified") {
                claims.entry(name).or_insert(value);
            }
        }
        if claims.values().any(registry_core::nul::is_within) {
            return Err(failed("a claim contains the character NUL, which cannot be stored"));
        }
        let user = self.provision_user(settings, &claims, &origin).await?;
        let actor = actor_for(&user, origin);
        let write = self.registry.begin_write(&actor).await?;
        self.open_session(write, user, AuditAction::UserSignedInByProvider).await
    }

    fn provider_settings(&self) -> Result<&ProviderSettings> {
        self.registry.settings().provider.as_ref().ok_or_else(|| Error::not_found("identity provider", ""))
    }

    /// The metadata of the provider; the known ones stay in use while it is unreachable.
    async fn provider(self, settings: &ProviderSettings) -> Result<Arc<Known>> {
        let now = self.registry.now().timestamp_millis();
        let lock = || self.registry.inner.provider.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Held { mut known, asked } = lock().clone();
        if asked.is_none_or(|(at, enough)| (now - at).abs() >= enough) {
            let (found, enough) = match self.discover_provider(settings, known.as_deref()).await {
                Ok(found) => (Some(Arc::new(found)), METADATA_TTL),
                Err(why) => {
                    tracing::warn!(
                        issuer = settings.issuer,
                        why,
                        "the metadata of the identity provider could not be fetched"
                    );
                    (None, RETRY_INTERVAL)
                }
            };
            let mut held = lock();
            held.asked = Some((now, enough));
            held.known = found.or(held.known.take());
            known = held.known.clone();
        }
        known.ok_or_else(|| Error::Unavailable(UNREACHABLE.to_owned()))
    }

    async fn discover_provider(
        self,
        settings: &ProviderSettings,
        before: Option<&Known>,
    ) -> std::result::Result<Known, String> {
        let url = format!("{}/.well-known/openid-configuration", settings.issuer.trim_end_matches('/'));
        let answer = self.registry.trusted_http().ask(HttpRequest::get(&url)).await?;
        if answer.status != 200 {
            return Err(format!("{url} answered {}", answer.status));
        }
        let metadata: Metadata =
            serde_json::from_str(answer.body.expose()).map_err(|error| format!("{url}: {error}"))?;
        if metadata.issuer != settings.issuer {
            return Err(format!("{url} is of the issuer {}", metadata.issuer));
        }
        // The JWKS cache is kept, so that known keys survive an outage.
        if let Some(before) = before.filter(|before| before.metadata.jwks_uri == metadata.jwks_uri) {
            return Ok(Known { metadata, token_verifier: before.token_verifier.clone() });
        }
        let audience = [settings.client_id.clone()];
        let keys = KeySource::Url(metadata.jwks_uri.clone());
        let token_verifier =
            TokenVerifier::new(&settings.issuer, &audience, &settings.algorithms, &keys, settings.leeway)?;
        Ok(Known { metadata, token_verifier: Arc::new(token_verifier) })
    }

    /// Exchanges the code for ID token and access token (OpenID Connect Core §3.1.3).
    async fn redeem(
        self,
        settings: &ProviderSettings,
        metadata: &Metadata,
        code: String,
        verifier: &str,
    ) -> std::result::Result<(String, Option<Secret>), String> {
        #[derive(Deserialize)]
        struct Tokens {
            id_token: String,
            access_token: Option<String>,
        }
        let plain = |text: &str| Secret::new(text.to_owned());
        let mut form = vec![
            ("grant_type", plain("authorization_code")),
            ("code", Secret::new(code)),
            ("redirect_uri", plain(&settings.redirect_uri)),
            ("code_verifier", plain(verifier)),
        ];
        let mut headers = Vec::new();
        // OpenID Connect Core §9: `client_secret_basic` unless the metadata say otherwise.
        let offered = metadata.token_endpoint_auth_methods_supported.as_deref();
        let basic = offered.is_none_or(|methods| methods.iter().any(|one| one == "client_secret_basic"));
        match &settings.client_secret {
            Some(secret) if basic => {
                // RFC 6749 §2.3.1: both are form-encoded first.
                let encoded =
                    |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", encoded(&settings.client_id), encoded(secret.expose()));
                headers.push(("authorization", Secret::new(format!("Basic {}", STANDARD.encode(pair)))));
            }
            Some(secret) => {
                form.push(("client_id", plain(&settings.client_id)));
                form.push(("client_secret", secret.clone()));
            }
            None => form.push(("client_id", plain(&settings.client_id))),
        }
        let request = HttpRequest { url: &metadata.token_endpoint, headers, body: Some(Body::Form(form)) };
        let answer = self.registry.trusted_http().ask(request).await?;
        if answer.status != 200 {
            return Err(format!("the token endpoint answered {}", answer.status));
        }
        let tokens: Tokens = serde_json::from_str(answer.body.expose())
            .map_err(|_| "the token endpoint answered without an ID token".to_owned())?;
        Ok((tokens.id_token, tokens.access_token.map(Secret::new)))
    }

    async fn userinfo(
        self,
        endpoint: &str,
        token: &Secret,
    ) -> std::result::Result<Map<String, Value>, String> {
        let bearer = Secret::new(format!("Bearer {}", token.expose()));
        let request = HttpRequest { url: endpoint, headers: vec![("authorization", bearer)], body: None };
        let answer = self.registry.trusted_http().ask(request).await?;
        if answer.status != 200 {
            return Err(format!("the userinfo endpoint answered {}", answer.status));
        }
        serde_json::from_str(answer.body.expose()).map_err(|_| "the userinfo is no JSON object".to_owned())
    }
}

/// Checks of the ID token beyond its signature (OpenID Connect Core §3.1.3.7).
fn check(
    claims: &Map<String, Value>,
    settings: &ProviderSettings,
    nonce: &str,
) -> std::result::Result<(), &'static str> {
    if claims.get("nonce").and_then(Value::as_str) != Some(nonce) {
        return Err("the ID token was made for another sign-in (nonce)");
    }
    let several = claims.get("aud").and_then(Value::as_array).is_some_and(|audience| audience.len() > 1);
    let presented = claims.get("azp").and_then(Value::as_str);
    if several && presented.is_none() || presented.is_some_and(|azp| azp != settings.client_id) {
        return Err("the ID token was made for another client (azp)");
    }
    if claims.get("sub").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err("the ID token names no user (sub)");
    }
    Ok(())
}
