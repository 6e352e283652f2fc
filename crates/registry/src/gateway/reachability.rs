//! Whether what the world must reach can be reached: the gateways and the published documents.

use crate::gateway::Gateway;
use crate::{Actor, Result};
use registry_core::permission::Permission;

/// An address that was asked once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The setting it comes from: `gateway.urls` or `cimd.public_url`.
    pub setting: &'static str,
    /// The address.
    pub url: String,
    /// HTTP status; `None`: it could not be reached.
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Why it could not be reached, a sentence for users; empty when it answered.
    pub problem: String,
}

impl Gateway<'_> {
    /// Asks every gateway URL and the address of published documents once, through the same guarded way out as
    /// upstreams. Any answer counts: what a gateway says at its root is its own affair.
    pub async fn check_reachability(self, actor: &Actor) -> Result<Vec<Reached>> {
        actor.require_organisation(Permission::WriteOrganisation)?;
        let settings = self.registry.shared_settings();
        let gateways = settings.gateway_urls.iter().map(|url| ("gateway.urls", url.clone()));
        // A document that does not exist: only the way there matters.
        let documents = settings.cimd_public_url.iter();
        let documents = documents.map(|base| {
            ("cimd.public_url", format!("{}/oauth/clients/reachable.json", base.trim_end_matches('/')))
        });
        let mut answers = Vec::new();
        for (setting, url) in gateways.chain(documents) {
            let exchange = self.registry.upstream().reach(&url).await;
            answers.push(Reached {
                setting,
                url,
                status: exchange.status,
                duration_ms: exchange.duration_ms,
                problem: if exchange.status.is_some() { String::new() } else { exchange.note },
            });
        }
        Ok(answers)
    }
}
