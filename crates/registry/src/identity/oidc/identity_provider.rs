//! Signing in by the organisation's identity provider: `OpenID` Connect Core 1.0 §3.1 (authorization code) with PKCE
//! (RFC 7636) and the issuer in the answer (RFC 9207). What it says of a person's groups is what they may do here.

use crate::identity::api_keys::format::random_base62;
use crate::identity::bearer::verifier::Judge;
use crate::identity::login::sign_in::{known as known_person, visitor};
use crate::identity::memberships::Granted;
use crate::identity::user_admin::{add, checked_email, regrant_by_provider};
use crate::identity::users::email_key;
use crate::identity::{Login, memberships};
use crate::lookup::{naming, workspaces};
use crate::ports::trusted_http::HttpRequest;
use crate::settings::{KeySource, ProviderSettings};
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::user;
use crate::storage::write::{Event, Write};
use crate::{Error, RequestContext, Result, SignedIn};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use registry_core::permission::Role;
use registry_core::secret::Secret;
use registry_core::slug::Reference;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use url::Url;

/// The provider's metadata are read again when they are as old as this, in milliseconds.
const FRESH: i64 = 3_600_000;
/// A provider that could not be asked is asked again after so long, in milliseconds: whoever signs in meanwhile need not
/// wait for it.
const RETRY: i64 = 5_000;

/// What is sent to the provider, and what the browser keeps until it comes back.
#[derive(Clone)]
pub struct Departure {
    /// Where the browser goes.
    pub url: String,
    /// What it brings back. A secret: it binds the answer to this browser.
    pub luggage: String,
}

impl std::fmt::Debug for Departure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Departure")
    }
}

/// What the browser comes back with.
#[derive(Clone, Default, Deserialize)]
pub struct Arrival {
    /// The authorization code.
    pub code: Option<String>,
    /// What we gave along.
    pub state: Option<String>,
    /// Who answers (RFC 9207).
    pub iss: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
}

impl std::fmt::Debug for Arrival {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Arrival")
    }
}

/// The provider's metadata (OpenID Connect Discovery 1.0 §3), as far as they are used.
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

/// What is known of the provider.
#[derive(Default)]
pub(crate) struct Provider(Mutex<Held>);

#[derive(Clone, Default)]
struct Held {
    known: Option<Arc<Known>>,
    /// When it was asked last, and for how long that will do, in milliseconds.
    asked: Option<(i64, i64)>,
}

struct Known {
    metadata: Metadata,
    judge: Arc<Judge>,
}

/// Why somebody is not let in, without what the provider or the browser sent: that is in the log.
const UNREACHABLE: &str =
    "The identity provider cannot be used now. Try again shortly; the log of this deployment says why.";
const FAILED: &str =
    "Signing in with the identity provider did not work. Try again; the log of this deployment says why.";
const DENIED: &str = "The identity provider did not let you in, or you cancelled there. Try again, or ask its administrator for access.";
const STALE: &str = "This sign-in was begun in another browser or too long ago. Try again.";

impl Login<'_> {
    /// Begins a sign-in: where the browser goes, and what it keeps.
    pub async fn begin_login(self) -> Result<Departure> {
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
        Ok(Departure { url: url.into(), luggage: format!("{state}.{nonce}.{verifier}") })
    }

    /// Ends a sign-in with what the browser brought back.
    pub async fn complete_login(
        self,
        luggage: Option<&str>,
        arrival: &Arrival,
        origin: RequestContext,
    ) -> Result<SignedIn> {
        let settings = self.provider_settings()?;
        let mut parts = luggage.unwrap_or_default().splitn(3, '.');
        let (Some(state), Some(nonce), Some(verifier)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Error::Unauthenticated(STALE));
        };
        if state.is_empty() || arrival.state.as_deref() != Some(state) {
            return Err(Error::Unauthenticated(STALE));
        }
        // Only what this browser began counts: any page may send people to this address.
        self.registry.inner.sign_in_limits.admit(origin.address.as_deref())?;
        let failed = |why: &str| {
            tracing::warn!(issuer = settings.issuer, why, "a sign-in by the identity provider failed");
            Error::Unauthenticated(FAILED)
        };
        let known = self.provider(settings).await?;
        let told_issuer = arrival.iss.as_deref();
        if told_issuer.is_some_and(|issuer| issuer != settings.issuer)
            || known.metadata.authorization_response_iss_parameter_supported && told_issuer.is_none()
        {
            return Err(failed("the answer is of another issuer (RFC 9207)"));
        }
        if let Some(error) = &arrival.error {
            if error == "access_denied" {
                tracing::info!(issuer = settings.issuer, "the identity provider denied a sign-in");
                return Err(Error::Unauthenticated(DENIED));
            }
            // Its own codes are letters and `_` (RFC 6749 §4.1.2.1); nothing else of the browser gets into the log.
            let word = error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            return Err(failed(if word && error.len() < 64 { error } else { "an error of an odd name" }));
        }
        let code = arrival.code.clone().ok_or_else(|| failed("the answer holds no code"))?;
        let (id_token, access_token) =
            self.redeem(settings, &known.metadata, code, verifier).await.map_err(|why| failed(&why))?;
        let mut claims =
            known.judge.claims(self.registry, &id_token).await.map_err(|why| failed(&why.to_string()))?;
        check(&claims, settings, nonce).map_err(failed)?;
        if let (Some(endpoint), Some(token)) = (&known.metadata.userinfo_endpoint, access_token)
            && ["email", &settings.groups_claim].iter().any(|claim| !claims.contains_key(*claim))
        {
            let more = self.userinfo(endpoint, &token).await.map_err(|why| failed(&why))?;
            // OpenID Connect Core §5.3.2: else it may speak of somebody else.
            if more.get("sub") != claims.get("sub") {
                return Err(failed("the userinfo is of somebody else"));
            }
            // An address is vouched for by the document that says it.
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
        let person = self.provision_user(settings, &claims, &origin).await?;
        let actor = known_person(&person, origin);
        let write = self.registry.begin_write(&actor).await?;
        self.open_session(write, person, AuditAction::UserSignedInByProvider).await
    }

    fn provider_settings(&self) -> Result<&ProviderSettings> {
        self.registry.settings().provider.as_ref().ok_or_else(|| Error::not_found("identity provider", ""))
    }

    /// The provider's metadata; those known are used on while it cannot be reached.
    async fn provider(self, settings: &ProviderSettings) -> Result<Arc<Known>> {
        let now = self.registry.now().timestamp_millis();
        let lock = || self.registry.inner.provider.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Held { mut known, asked } = lock().clone();
        if asked.is_none_or(|(at, enough)| (now - at).abs() >= enough) {
            let (found, enough) = match self.discover_provider(settings, known.as_deref()).await {
                Ok(found) => (Some(Arc::new(found)), FRESH),
                Err(why) => {
                    tracing::warn!(issuer = settings.issuer, why, "the identity provider could not be asked");
                    (None, RETRY)
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
        // The keys it has are kept through an outage of theirs.
        if let Some(before) = before.filter(|before| before.metadata.jwks_uri == metadata.jwks_uri) {
            return Ok(Known { metadata, judge: before.judge.clone() });
        }
        let audience = [settings.client_id.clone()];
        let keys = KeySource::Url(metadata.jwks_uri.clone());
        let judge = Judge::new(&settings.issuer, &audience, &settings.algorithms, &keys, settings.leeway)?;
        Ok(Known { metadata, judge: Arc::new(judge) })
    }

    /// ID token and access token for the code (OpenID Connect Core §3.1.3).
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
        // OpenID Connect Core §9: `client_secret_basic` unless the provider says otherwise.
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
        let request = HttpRequest { url: &metadata.token_endpoint, headers, form: Some(form) };
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
        let request = HttpRequest { url: endpoint, headers: vec![("authorization", bearer)], form: None };
        let answer = self.registry.trusted_http().ask(request).await?;
        if answer.status != 200 {
            return Err(format!("the userinfo endpoint answered {}", answer.status));
        }
        serde_json::from_str(answer.body.expose()).map_err(|_| "the userinfo is no JSON object".to_owned())
    }

    /// The person these claims are of: known by their subject, else by their e-mail address, else new.
    async fn provision_user(
        self,
        settings: &ProviderSettings,
        claims: &Map<String, Value>,
        origin: &RequestContext,
    ) -> Result<user::Model> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let subject = format!("{} {}", settings.issuer, text("sub").unwrap_or_default());
        let email = text("email").and_then(|email| checked_email(email).ok()).ok_or(Error::Unauthenticated(
            "The identity provider tells no e-mail address of yours. Ask its administrator to send the claim `email`.",
        ))?;
        let vouched = settings.trust_email || claims.get("email_verified") == Some(&Value::Bool(true));
        let mut write = self.registry.begin_write(&visitor(origin.clone())).await?;
        let by_subject = user::Entity::find().filter(user::Column::Subject.eq(&subject));
        let by_email = user::Entity::find().filter(user::Column::EmailKey.eq(email_key(email)));
        let found = match by_subject.one(&write.txn).await? {
            Some(found) => Some(found),
            None => by_email.one(&write.txn).await?,
        };
        let is_known = found.as_ref().is_some_and(|found| found.subject.as_deref() == Some(&subject));
        if !is_known && !vouched {
            return Err(Error::Unauthenticated(
                "The identity provider does not vouch for your e-mail address. Verify it there, then sign in again.",
            ));
        }
        if found.as_ref().is_some_and(|found| !is_known && found.subject.is_some()) {
            return Err(Error::Unauthenticated(
                "Somebody else of the identity provider has your e-mail address here. Ask an administrator.",
            ));
        }
        if found.as_ref().is_some_and(|found| found.deactivated_at.is_some()) {
            return Err(Error::Unauthenticated("You may not come in any more. Ask an administrator."));
        }
        let Some(found) = found else {
            let granted = grant(&write, settings, claims).await?;
            if granted.is_nothing() {
                return Err(Error::Unauthenticated(NO_GROUP));
            }
            let name = text("name").filter(|name| !name.trim().is_empty()).unwrap_or(email);
            let name = naming::name(name, "/name").unwrap_or_else(|_| email.to_owned());
            let row = add(&mut write, email, name, &granted, Some(subject)).await?;
            write.commit().await?;
            return Ok(row);
        };
        let before = memberships::granted(&write.txn, &found).await?;
        // Where no group means anything, administrators say what people may do.
        let granted =
            if settings.groups.is_empty() { before.clone() } else { grant(&write, settings, claims).await? };
        let granted = regrant_by_provider(&mut write, &found, &before, granted).await?;
        if !is_known {
            write.audit(Event::new(AuditAction::UserLinkedToProvider, "user", found.id).named(&found.email));
        }
        let mut changed = found.into_active_model();
        changed.subject = Set(Some(subject));
        changed.role = Set(granted.word().to_owned());
        let row = changed.update(&write.txn).await?;
        write.commit().await?;
        if granted.is_nothing() { Err(Error::Unauthenticated(NO_GROUP)) } else { Ok(row) }
    }
}

const NO_GROUP: &str = "None of your groups at the identity provider gives you a role here. Ask an administrator which one does.";

/// What is beyond the signature (OpenID Connect Core §3.1.3.7).
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
        return Err("the ID token is of nobody (sub)");
    }
    Ok(())
}

/// The strongest role of each place that the person's groups give.
async fn grant(
    write: &Write<'_>,
    settings: &ProviderSettings,
    claims: &Map<String, Value>,
) -> Result<Granted> {
    let groups: Vec<&str> = match claims.get(&settings.groups_claim) {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let mut organisation = settings.default_role;
    let mut places: BTreeMap<&str, Role> = BTreeMap::new();
    for (role, workspace) in groups.iter().filter_map(|group| settings.groups.get(*group)) {
        match workspace {
            None => organisation = organisation.max(Some(*role)),
            Some(workspace) => {
                let place = places.entry(workspace).or_insert(*role);
                *place = (*place).max(*role);
            }
        }
    }
    let mut granted = Granted { organisation, workspaces: Vec::new() };
    for (slug, role) in places {
        if let Some(found) = workspaces::by_reference(&write.txn, &Reference::parse(slug)).await? {
            granted.workspaces.push((found.id, role));
        } else {
            tracing::warn!(
                workspace = slug,
                "a group of the identity provider leads to a workspace that does not exist"
            );
        }
    }
    Ok(granted)
}
