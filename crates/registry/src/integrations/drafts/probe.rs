//! The check of a draft: real discovery, told in words and kept.

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

/// A check younger than this is not repeated: whoever presses twice asks once.
const FRESH: Duration = Duration::seconds(2);

impl Drafts<'_> {
    /// Asks the upstream, tells what was found, and keeps that. Ends in bounded time; authorization servers are asked
    /// within their budgets.
    pub async fn probe(self, actor: &Actor, id: DraftId) -> Result<Draft> {
        actor.require(Permission::CreateIntegrations)?;
        let row = self.find(self.registry.db(), actor, id).await?;
        let fresh = row.examined_at.is_some_and(|at| at > millis(self.registry.now() - FRESH));
        if fresh || row.integration_id.is_some() {
            return show(self.registry.db(), actor, row).await;
        }
        let (_, resolution) = self.resolve(actor, &row, &Self::layer(&row)?).await?;
        let settings = self.registry.settings();
        let desired = Desired {
            digest: resolution.effective.digest(),
            effective: resolution.effective,
            mcp_url: row.url.clone(),
            // Whether it needs a client is what one wants to know.
            auth_type: AuthType::OauthAuto,
            presence: DesiredPresence::Present,
            publishes_documents: settings.cimd_public_url.is_some(),
            rules: settings.life,
        };
        let found = self.registry.preflight().discover(actor, &desired).await?;
        let examination = examine(&desired, &found.result, &found.trace, found.other_resource.as_deref());
        let mut write = self.registry.begin_write(actor).await?;
        let before = self.open(&write, actor, id).await?;
        // Somebody may have changed the address meanwhile: then this is about another server.
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
