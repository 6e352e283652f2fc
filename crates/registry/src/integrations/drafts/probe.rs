//! The check of a draft: discovery at the upstream, whose result is stored with the draft.

use super::{Draft, draft, save, show};
use crate::integrations::Drafts;
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::millis;
use crate::{Actor, Result};
use chrono::Duration;
use registry_core::id::DraftId;
use registry_core::permission::Permission;
use registry_core::preflight::examine;
use registry_core::registration::{AuthType, Desired, DesiredPresence};

/// A younger result is returned again instead of a second probe: a double click sends one.
const PROBE_TTL: Duration = Duration::seconds(2);

impl Drafts<'_> {
    /// Runs discovery at the upstream and stores the result. Ends in bounded time and respects the per-issuer limits.
    pub async fn probe(self, actor: &Actor, id: DraftId) -> Result<Draft> {
        actor.require(Permission::CreateIntegrations)?;
        let row = self.find(self.registry.db(), actor, id).await?;
        let fresh = row.examined_at.is_some_and(|at| at > millis(self.registry.now() - PROBE_TTL));
        if fresh || row.integration_id.is_some() {
            return show(self.registry.db(), actor, row).await;
        }
        let (_, resolution) = self.resolve(actor, &row, &Self::layer(&row)?).await?;
        let settings = self.registry.settings();
        let desired = Desired {
            digest: resolution.effective.digest(),
            effective: resolution.effective,
            mcp_url: row.url.clone(),
            transport: row.transport()?,
            // Discovery finds out whether a client is needed.
            auth_type: AuthType::OauthAuto,
            presence: DesiredPresence::Present,
            publishes_documents: settings.cimd_public_url.is_some(),
            rules: settings.life,
        };
        let found = self.registry.preflight().discover(actor, &desired).await?;
        let examination = examine(&desired, &found.result, &found.trace, found.other_resource.as_deref());
        let mut write = self.registry.begin_write(actor).await?;
        let before = self.open(&write, actor, id).await?;
        // The address may have changed meanwhile; then the result belongs to another server.
        let row = if before.url == desired.mcp_url {
            let mut after = draft::Model::clone(&before);
            after.examination = Some(serde_json::to_string(&examination)?);
            after.examined_at = Some(write.millis());
            save(&mut write, &before, after, AuditAction::DraftChecked).await?
        } else {
            before
        };
        let shown = show(&write.txn, actor, row).await?;
        write.commit().await?;
        Ok(shown)
    }
}
