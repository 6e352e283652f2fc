//! From a draft to an integration with its access and servers: all in one transaction, or nothing.

use super::{approach, chosen, draft, event, snapshot};
use crate::access::changes;
use crate::access::request::AccessChange;
use crate::configuration::costs::Affected;
use crate::integrations::Drafts;
use crate::servers::crud::NewServer;
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::{integration, workspace};
use crate::storage::write::Write;
use crate::{Actor, ConflictCode, Error, NewIntegration, Result};
use registry_core::finding::Finding;
use registry_core::id::{DraftId, IntegrationId};
use registry_core::patch::Patch;
use registry_core::permission::Permission;
use registry_core::slug::Reference;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};
use std::collections::BTreeSet;

/// What a draft became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The integration.
    pub integration: IntegrationId,
    /// What follows for its servers; nothing where the draft was finished before.
    pub affected: Affected,
}

impl Drafts<'_> {
    /// Creates the integration, opens it to the chosen workspaces and makes a server in each, whose registrations are due at
    /// once. Doing it twice does it once.
    pub async fn finish(self, actor: &Actor, id: DraftId) -> Result<Finished> {
        actor.require(Permission::CreateIntegrations)?;
        actor.require(Permission::CreateServers)?;
        let mut write = self.registry.begin_write(actor).await?;
        let before = self.find(&write.txn, actor, id).await?;
        if let Some(integration) = before.integration_id {
            let integration = IntegrationId(integration);
            return Ok(Finished { integration, affected: Affected::default() });
        }
        let chosen_approach = approach(&before)?.ok_or_else(|| {
            Error::invalid(Finding::error(
                "/approach",
                "missing_member",
                "Say how the gateway shall identify itself.",
            ))
        })?;
        let new = NewIntegration {
            name: before.name.clone(),
            slug: Some(before.slug.clone()),
            description: None,
            url: before.url.clone(),
            auth_type: chosen_approach.auth_type(),
            transport: before.transport()?,
            workspace: before.workspace_id.map(Reference::Id),
            configuration: before.configuration.clone(),
            secret_mappings: Vec::new(),
        };
        let sealed = before.configuration.as_deref().map(|text| (before.id, text));
        let (made, _) = self.registry.integrations().create_in(&mut write, actor, new, sealed).await?;
        let affected = self.open_to_workspaces(&mut write, actor, &before, &made).await?;
        let mut after = before.clone();
        after.integration_id = Some(made.id);
        // The integration has it now.
        after.configuration = None;
        after.updated_at = write.millis();
        after.clone().into_active_model().reset_all().update(&write.txn).await?;
        write.audit(
            event(AuditAction::DraftFinished, &after)
                .before(snapshot(&before))
                .after(serde_json::json!({ "integration": made.id })),
        );
        write.commit().await?;
        Ok(Finished { integration: IntegrationId(made.id), affected })
    }

    /// Access for the chosen workspaces, a server in each; with `every_new`, access for all that come later.
    async fn open_to_workspaces(
        self,
        write: &mut Write<'_>,
        actor: &Actor,
        row: &draft::Model,
        made: &integration::Model,
    ) -> Result<Affected> {
        let wanted: BTreeSet<_> = chosen(row)?.into_iter().collect();
        let all = workspace::Entity::find()
            .filter(workspace::Column::DeletedAt.is_null())
            .order_by_asc(workspace::Column::SlugKey)
            .all(&write.txn)
            .await?;
        let mut made = made.clone();
        if row.every_new {
            changes::set_global(write, actor, &made, true, false).await?;
            made.global_access = true;
        }
        if row.workspace_id.is_none() {
            let changes = all.iter().filter_map(|workspace| {
                let enabled = wanted.contains(&workspace.id);
                let workspace = Reference::Id(workspace.id);
                // Those that were looked at and left out stay out, although every new one is let in.
                (enabled || row.every_new).then_some(AccessChange {
                    workspace,
                    enabled: Some(enabled),
                    configuration: Patch::Keep,
                })
            });
            changes::apply_each(write, actor, &made, changes.collect()).await?;
        }
        let mut affected = Affected::default();
        for workspace in all.iter().filter(|workspace| wanted.contains(&workspace.id)) {
            let new = |slug| NewServer {
                integration: Reference::Id(made.id),
                workspace: Some(Reference::Id(workspace.id)),
                name: made.name.clone(),
                slug,
                description: None,
                configuration: None,
                secret_mappings: Vec::new(),
            };
            // Named like the integration, unless that workspace has such a server already.
            let first =
                self.registry.servers().create_in(write, actor, new(Some(made.slug.clone())), None).await;
            let server = match first {
                Err(error) if needs_another_slug(&error) => {
                    self.registry.servers().create_in(write, actor, new(None), None).await?
                }
                other => other?,
            };
            affected.add(server.affected);
        }
        Ok(affected)
    }
}

/// Whether a server cannot have the slug of its integration: it is taken, or, because slugs of integrations may be shorter and
/// longer, it is none for a server. Nothing was written then.
fn needs_another_slug(error: &Error) -> bool {
    match error {
        Error::Conflict { code: ConflictCode::SlugTaken, .. } => true,
        Error::Invalid(findings) => findings.iter().any(|finding| finding.code == "invalid_slug"),
        _ => false,
    }
}
