//! One function per step. Each begins its attempt in the database before anything is sent and records its outcome after.

use registry::{Claim, NewClient, Registry, Result, Situation, StepRecord};
use registry_core::metadata::EffectiveMetadata;
use registry_core::oauth::{
    Adjustment, Discovery, Exchange, Failure, FailureClass, Prepared, RequestPolicy, adjust_after_refusal,
    build_request, negotiate_auth_method,
};
use registry_outbound::{DiscoverOutcome, DiscoverTarget, Guarded};
use serde_json::{Map, Value};

/// A step that reaches out, or records.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Discover,
    Register,
    Adopt,
    Withdraw,
}

/// Executes one step. False when the claim was lost on the way.
pub(crate) async fn execute(
    registry: &Registry,
    guarded: &Guarded,
    claim: &Claim,
    situation: &Situation,
    step: Step,
) -> Result<bool> {
    let going = Going { registry, guarded, claim, situation };
    let done = match step {
        Step::Discover => going.discover().await?,
        Step::Register => going.register().await?,
        Step::Adopt => going.adopt().await?,
        Step::Withdraw => going.withdraw().await?,
    };
    Ok(done.is_some())
}

/// One registration in hand. Methods answer `None` when the claim is lost.
struct Going<'a> {
    registry: &'a Registry,
    guarded: &'a Guarded,
    claim: &'a Claim,
    situation: &'a Situation,
}

impl Going<'_> {
    async fn discover(&self) -> Result<Option<()>> {
        let effective = &self.situation.desired.effective;
        let Some(attempt) = self.registry.begin_attempt(self.claim, "discover", None, &[]).await? else {
            return Ok(None);
        };
        let target = DiscoverTarget {
            mcp_url: self.situation.desired.mcp_url.clone(),
            overrides: effective.authorization_server.endpoints(),
            trusted_issuer: effective.authorization_server.trusted_issuer.clone(),
        };
        // Several requests in a row must not outlive the lease.
        let limit = self.registry.settings().lease * 2 / 3;
        let found = tokio::time::timeout(limit, registry_outbound::discover(self.guarded, target)).await;
        let slow = || {
            let message = "The upstream answers too slowly to be discovered. It is tried again later.";
            DiscoverOutcome {
                result: Err(Failure::new(FailureClass::Transient, "timeout", message)),
                trace: Vec::new(),
            }
        };
        let DiscoverOutcome { result, trace } = found.unwrap_or_else(|_| slow());
        let record = match result {
            Ok(discovery) => StepRecord::Discovered(Box::new(discovery)),
            Err(failure) => StepRecord::Failed(failure),
        };
        self.finish(attempt, record, trace, "discover").await
    }

    async fn register(&self) -> Result<Option<()>> {
        let Some(discovery) = self.discovery() else { return Ok(Some(())) };
        let effective = &self.situation.desired.effective;
        let policy = request_policy(effective);
        let mut prepared = match build_request(&effective.client_metadata, discovery, policy) {
            Ok(prepared) => prepared,
            Err(failure) => return self.refuse("register", failure).await,
        };
        let token = match effective.registration.initial_access_token {
            Some(sealed) => match self.registry.reveal_bound(self.claim, sealed, &discovery.issuer).await? {
                Some(Ok(token)) => Some(token),
                Some(Err(failure)) => return self.refuse("register", failure).await,
                None => return Ok(None),
            },
            None => None,
        };
        let Some(endpoint) = discovery.authorization_server().registration_endpoint().map(str::to_owned)
        else {
            return Ok(Some(()));
        };
        // The second round is the one adjusted retry that a cause may have (`standards.md` §7.2.7).
        loop {
            let Prepared { request, adjustments } = &prepared;
            let Some(attempt) =
                self.registry.begin_attempt(self.claim, "register", Some(request), adjustments).await?
            else {
                return Ok(None);
            };
            let outcome = registry_outbound::register(self.guarded, &endpoint, request, token.as_ref()).await;
            let (record, next) = match outcome.result {
                Ok(issued) => (StepRecord::Client(NewClient::Issued(Box::new(issued))), None),
                Err(failure) => {
                    let next = adjust_after_refusal(request, &failure, policy, discovery, adjustments);
                    (StepRecord::Failed(failure), next)
                }
            };
            if self.finish(attempt, record, vec![outcome.exchange], "register").await?.is_none() {
                return Ok(None);
            }
            match next {
                Some(adjusted) => prepared = adjusted,
                None => return Ok(Some(())),
            }
        }
    }

    async fn adopt(&self) -> Result<Option<()>> {
        let effective = &self.situation.desired.effective;
        let (Some(credentials), Some(discovery)) = (effective.credentials.clone(), self.discovery()) else {
            return Ok(Some(()));
        };
        if let Some(sealed) = credentials.client_secret {
            // A secret belongs to the issuer it was first used with (`domain.md` §5 rule 2).
            match self.registry.reveal_bound(self.claim, sealed, &discovery.issuer).await? {
                Some(Ok(_)) => {}
                Some(Err(failure)) => return self.refuse("adopt", failure).await,
                None => return Ok(None),
            }
        }
        let method = match adopted_auth_method(effective, discovery, credentials.client_secret.is_some()) {
            Ok(method) => method,
            Err(failure) => return self.refuse("adopt", failure).await,
        };
        let Some(attempt) = self.registry.begin_attempt(self.claim, "adopt", None, &[]).await? else {
            return Ok(None);
        };
        let client = NewClient::Entered {
            credentials,
            token_endpoint_auth_method: method,
            metadata: effective.client_metadata.clone(),
        };
        self.finish(attempt, StepRecord::Client(client), Vec::new(), "adopt").await
    }

    async fn withdraw(&self) -> Result<Option<()>> {
        let Some(attempt) = self.registry.begin_attempt(self.claim, "withdraw", None, &[]).await? else {
            return Ok(None);
        };
        let Some((uri, sealed)) = &self.situation.management else {
            let how =
                "The authorization server offers no deletion (RFC 7592); the client may still exist there.";
            return self.finish(attempt, StepRecord::Withdrawn(how.to_owned()), Vec::new(), "withdraw").await;
        };
        let Some(token) = self.registry.reveal(self.claim, *sealed).await? else { return Ok(None) };
        let outcome = registry_outbound::delete(self.guarded, uri, &token).await;
        let record = match outcome.result {
            Ok(()) => StepRecord::Withdrawn("Deleted at the authorization server.".to_owned()),
            Err(failure) if matches!(failure.class, FailureClass::Transient | FailureClass::Ambiguous) => {
                // Deleting twice does no harm, so a lost answer is tried again like any hiccup.
                StepRecord::Failed(Failure { class: FailureClass::Transient, ..failure })
            }
            Err(failure) => StepRecord::Withdrawn(format!(
                "It could not be deleted at the authorization server and may still exist there: {}",
                failure.message
            )),
        };
        self.finish(attempt, record, vec![outcome.exchange], "withdraw").await
    }

    /// Records a step that could not even be sent.
    async fn refuse(&self, step: &'static str, failure: Failure) -> Result<Option<()>> {
        let Some(attempt) = self.registry.begin_attempt(self.claim, step, None, &[] as &[Adjustment]).await?
        else {
            return Ok(None);
        };
        self.finish(attempt, StepRecord::Failed(failure), Vec::new(), step).await
    }

    async fn finish(
        &self,
        attempt: registry_core::id::AttemptId,
        record: StepRecord,
        exchanges: Vec<Exchange>,
        step: &'static str,
    ) -> Result<Option<()>> {
        let outcome = if let StepRecord::Failed(failure) = &record {
            tracing::info!(server = %self.situation.name, step, reason = %failure.code, "step failed");
            failure.code.to_string()
        } else {
            tracing::info!(server = %self.situation.name, step, "step succeeded");
            "succeeded".to_owned()
        };
        let written =
            self.registry.finish_attempt(self.claim, self.situation, attempt, record, exchanges).await?;
        metrics::counter!("mcp_registry_attempts_total", "step" => step, "outcome" => outcome).increment(1);
        Ok(written.then_some(()))
    }

    fn discovery(&self) -> Option<&Discovery> {
        self.situation.observed.discovery.as_ref().map(|(discovery, _)| discovery)
    }
}

fn request_policy(effective: &EffectiveMetadata) -> RequestPolicy {
    use registry_core::metadata::ScopePolicy as Wanted;
    use registry_core::oauth::ScopePolicy;
    RequestPolicy {
        auth_method_is_admins: effective.auth_method_is_admins,
        scope_is_admins: effective.scope_is_admins,
        application_type_is_admins: effective.application_type_is_admins,
        scope_policy: match effective.registration.scope {
            Wanted::Auto => ScopePolicy::Auto,
            Wanted::Always => ScopePolicy::Always,
            Wanted::Never => ScopePolicy::Never,
        },
    }
}

/// How a client that was entered by hand authenticates: as the admin says; else without a secret not at all, and with
/// one in the first way that the authorization server lists.
fn adopted_auth_method(
    effective: &EffectiveMetadata,
    discovery: &Discovery,
    has_secret: bool,
) -> std::result::Result<String, Failure> {
    let configured = method_of(&effective.client_metadata);
    if effective.auth_method_is_admins || !has_secret {
        return Ok(configured);
    }
    let server = discovery.authorization_server();
    let supported = server.token_endpoint_auth_methods_supported();
    // RFC 8414 §2: a list that is absent means `client_secret_basic`.
    let listed = supported.as_deref();
    let post = "client_secret_post";
    if listed.is_some_and(|methods| methods.iter().any(|method| method == post)) {
        return Ok(post.to_owned());
    }
    negotiate_auth_method("client_secret_basic", false, listed).map(|negotiated| negotiated.method)
}

fn method_of(metadata: &Map<String, Value>) -> String {
    metadata.get("token_endpoint_auth_method").and_then(Value::as_str).unwrap_or("none").to_owned()
}
