//! Plugs outbound into the registry: what preflight and test reach the outside with.

use crate::secrets::Secrets;
use futures_util::future::BoxFuture;
use registry::{
    Body, Discovered, FetchedLogo, HttpRequest, HttpResponse, Look, ProbeTarget, Probed, SecretStore,
    SecretText, TrustedHttpClient, Upstream,
};
use registry_core::oauth::Exchange;
use registry_core::registration::Desired;
use registry_core::secret::Secret;
use registry_outbound::{
    BeforeRequest, DiscoverTarget, LogoError, LookError, TrustedBody, TrustedClient, UpstreamClient,
};
use reqwest::Method;

/// The guarded client for upstreams, the one for the operator's own parties, and the operator's secrets, as the
/// application knows them.
#[derive(Clone, Debug)]
pub struct ExternalServices(pub UpstreamClient, pub TrustedClient, pub Secrets);

impl SecretStore for ExternalServices {
    fn read_secret<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<SecretText, String>> {
        self.2.read_secret(name)
    }
}

impl TrustedHttpClient for ExternalServices {
    fn ask<'a>(&'a self, request: HttpRequest<'a>) -> BoxFuture<'a, Result<HttpResponse, String>> {
        Box::pin(async move {
            let HttpRequest { url, headers, body } = &request;
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.expose())).collect();
            let body = body.as_ref().map(|body| match body {
                Body::Form(form) => {
                    TrustedBody::Form(form.iter().map(|(name, value)| (*name, value.expose())).collect())
                }
                Body::Json(text) => TrustedBody::Json(text.expose()),
            });
            let method = if body.is_some() { Method::POST } else { Method::GET };
            let answer = self.1.send(method, url, &headers, body).await?;
            let body = String::from_utf8(answer.body)
                .map_err(|_| format!("{url}: the response is not UTF-8 text"))?;
            Ok(HttpResponse { status: answer.status, body: Secret::new(body) })
        })
    }
}

impl Upstream for ExternalServices {
    fn discover<'a>(
        &'a self,
        desired: &'a Desired,
        before_request: &'a BeforeRequest<'a>,
    ) -> BoxFuture<'a, Discovered> {
        Box::pin(async move {
            let target = DiscoverTarget::of(desired, None);
            let found = registry_outbound::discover_through(&self.0, target, before_request).await;
            Discovered { result: found.result, trace: found.trace, other_resource: found.other_resource }
        })
    }

    fn probe(&self, target: ProbeTarget) -> BoxFuture<'_, Probed> {
        Box::pin(async move {
            let ProbeTarget { url, transport, headers } = target;
            let answered = registry_outbound::probe(&self.0, &url, transport, &headers).await;
            Probed { exchange: answered.exchange, speaks: answered.speaks }
        })
    }

    fn look(&self, target: ProbeTarget) -> BoxFuture<'_, Look> {
        Box::pin(async move {
            match registry_outbound::look(&self.0, &target.url, &target.headers).await {
                Ok(seen) => Look::Seen { info: Box::new(seen.info), capabilities: seen.capabilities },
                Err(LookError::NeedsUser) => Look::NeedsUser,
                Err(LookError::Failed(what)) => Look::Failed(what),
                Err(LookError::Unanswered(why)) => Look::Unanswered(why),
            }
        })
    }

    fn fetch_logo<'a>(&'a self, url: &'a str) -> BoxFuture<'a, FetchedLogo> {
        Box::pin(async move {
            match registry_outbound::fetch_logo(&self.0, url).await {
                Ok((picture, bytes)) => FetchedLogo::Picture { picture, bytes },
                Err(LogoError::Answered(problem)) => FetchedLogo::Problem(problem),
                Err(LogoError::Unanswered(failure)) => FetchedLogo::Unanswered(failure.message),
            }
        })
    }

    fn reach<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Exchange> {
        Box::pin(registry_outbound::reach(&self.0, url))
    }
}
