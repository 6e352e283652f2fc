//! Plugs outbound into the registry: what preflight and test reach the outside with.

use registry::{Answering, Discovered, FetchedLogo, Gate, ProbeTarget, Probed, Upstream};
use registry_core::oauth::Exchange;
use registry_core::registration::Desired;
use registry_outbound::{DiscoverTarget, Guarded, Unpictured};

/// The guarded client, as the application knows it.
#[derive(Clone, Debug)]
pub struct Outside(pub Guarded);

impl Upstream for Outside {
    fn discover<'a>(&'a self, desired: &'a Desired, gate: &'a Gate<'a>) -> Answering<'a, Discovered> {
        Box::pin(async move {
            let target = DiscoverTarget::of(desired, None);
            let found = registry_outbound::discover_through(&self.0, target, gate).await;
            Discovered { result: found.result, trace: found.trace, other_resource: found.other_resource }
        })
    }

    fn probe(&self, target: ProbeTarget) -> Answering<'_, Probed> {
        Box::pin(async move {
            let ProbeTarget { url, transport, headers } = target;
            let answered = registry_outbound::probe(&self.0, &url, transport, &headers).await;
            Probed { exchange: answered.exchange, speaks: answered.speaks }
        })
    }
    fn fetch_logo<'a>(&'a self, url: &'a str) -> Answering<'a, FetchedLogo> {
        Box::pin(async move {
            match registry_outbound::fetch_logo(&self.0, url).await {
                Ok((picture, bytes)) => FetchedLogo::Picture { picture, bytes },
                Err(Unpictured::Answered(problem)) => FetchedLogo::Problem(problem),
                Err(Unpictured::Unanswered(failure)) => FetchedLogo::Unanswered(failure.message),
            }
        })
    }

    fn reach<'a>(&'a self, url: &'a str) -> Answering<'a, Exchange> {
        Box::pin(registry_outbound::reach(&self.0, url))
    }
}
