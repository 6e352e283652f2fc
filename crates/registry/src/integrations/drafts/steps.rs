//! The steps of a draft: address, approach, configuration, workspaces.

use super::{DRAFT_TTL, Draft, DraftStep, advance_to, approach, chosen, event, owner, save, show, snapshot};
use crate::configuration::check::Preview;
use crate::configuration::layers::parse_layer;
use crate::configuration::probe_target::EXAMPLE_NAMES;
use crate::integrations::Drafts;
use crate::integrations::crud::may_use_organisation_secrets;
use crate::lookup::naming;
use crate::secrets::markers::{sealed_ids, store};
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::{json, millis};
use crate::storage::entity::{draft, workspace};
use crate::storage::owner::OwnerKind;
use crate::storage::write::Write;
use crate::{Actor, Error, Result};
use registry_core::finding::{Finding, Findings};
use registry_core::id::{DraftId, WorkspaceId};
use registry_core::metadata::{AdvancedConfiguration, Resolution, map_markers, pasted_address};
use registry_core::permission::Permission;
use registry_core::preflight::{Approach, Availability, Entered, Examination};
use registry_core::registration::{AuthType, Transport};
use registry_core::slug::Slug;
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter};
use std::collections::BTreeSet;

/// The first step: where the server is, and what it is called here.
#[derive(Clone, Debug)]
pub struct DraftAddress {
    /// https (http for loopback where the operator allows it), without user, fragment or private literal address.
    pub url: String,
    /// 1 to 255 characters; derived from the address when absent.
    pub name: Option<String>,
    /// Derived from the name when absent.
    pub slug: Option<String>,
    /// The MCP transport.
    pub transport: Transport,
}

/// A draft after a step, with what was found that did not prevent it.
#[derive(Clone, Debug)]
pub struct SavedDraft {
    /// The draft as it is now.
    pub draft: Draft,
    /// Warnings and notices.
    pub findings: Findings,
}

/// What was found in a text that is not saved.
#[derive(Clone, Debug)]
pub struct DraftCheck {
    /// Everything found, with line and column.
    pub findings: Findings,
    /// What would be sent; `None` while the text has errors.
    pub preview: Option<Preview>,
}

impl Drafts<'_> {
    /// A name and a free slug for a server at `url`; `None` if that is no address.
    pub async fn propose_names(self, actor: &Actor, url: &str) -> Result<Option<(String, Slug)>> {
        actor.require(Permission::CreateIntegrations)?;
        let Some(name) = naming::from_address(pasted_address(url)) else { return Ok(None) };
        let slug = self.registry.integrations().free_slug(self.registry.db(), actor, None, &name).await?;
        Ok(Some((name, slug)))
    }

    /// Begins a draft.
    pub async fn create(self, actor: &Actor, mut address: DraftAddress) -> Result<Draft> {
        actor.require(Permission::CreateIntegrations)?;
        let mut write = self.registry.begin_write(actor).await?;
        let (name, slug) = self.validate_address(&write.txn, actor, &mut address).await?;
        let (kind, owner) = owner(actor);
        let own = actor.workspace().map(|own| own.0);
        let row = draft::Model {
            id: self.registry.new_id(),
            owner_kind: kind.to_owned(),
            owner_id: owner.to_owned(),
            owner_name: write.actor_name(),
            workspace_id: own,
            url: address.url,
            name,
            slug: slug.to_string(),
            transport: address.transport.as_str().to_owned(),
            approach: None,
            configuration: None,
            // A caller bound to a workspace adds the integration for it.
            workspaces: serde_json::to_string(&own.as_slice())?,
            every_new: false,
            examination: None,
            examined_at: None,
            step: DraftStep::Check.as_str().to_owned(),
            integration_id: None,
            created_at: write.millis(),
            updated_at: write.millis(),
            expires_at: millis(write.now + DRAFT_TTL),
        };
        row.clone().into_active_model().reset_all().insert(&write.txn).await?;
        write.audit(event(AuditAction::DraftCreated, &row).after(snapshot(&row)));
        let shown = show(&write.txn, actor, row).await?;
        write.commit().await?;
        Ok(shown)
    }

    /// Changes the first step. Another address ends what was found at the old one, and the secrets that would be sent to
    /// it: a warning names each.
    pub async fn set_address(
        self,
        actor: &Actor,
        id: DraftId,
        mut address: DraftAddress,
    ) -> Result<SavedDraft> {
        actor.require(Permission::CreateIntegrations)?;
        let mut write = self.registry.begin_write(actor).await?;
        let before = self.open(&write, actor, id).await?;
        let (name, slug) = self.validate_address(&write.txn, actor, &mut address).await?;
        let mut after = before.clone();
        after.name = name;
        after.slug = slug.to_string();
        address.transport.as_str().clone_into(&mut after.transport);
        let mut findings = Findings::default();
        if after.url != address.url {
            after.url = address.url;
            (after.examination, after.examined_at) = (None, None);
            findings = drop_secrets(&mut write, &mut after).await?;
        }
        self.save_step(write, actor, &before, after, findings).await
    }

    /// Says how gateways will identify themselves. Only what the last check left open can be chosen.
    pub async fn choose_approach(
        self,
        actor: &Actor,
        id: DraftId,
        chosen: Approach,
        entered: Entered,
    ) -> Result<SavedDraft> {
        actor.require(Permission::CreateIntegrations)?;
        let mut write = self.registry.begin_write(actor).await?;
        let before = self.open(&write, actor, id).await?;
        validate_approach(&before, chosen, &entered)?;
        let old = before.configuration.as_deref().unwrap_or_default();
        let publishes = self.registry.shared_settings().cimd_public_url.is_some();
        let text = chosen.apply(old, approach(&before)?, entered, publishes).ok_or_else(|| {
            Error::invalid(Finding::error(
                "/approach",
                "wrong_type",
                "The client metadata hold a value that is not an object where this must be written. Fix the client metadata first.",
            ))
        })?;
        let mut after = before.clone();
        after.approach = Some(chosen.as_str().to_owned());
        advance_to(&mut after, DraftStep::Metadata);
        let findings = if text == old {
            Findings::default()
        } else {
            set_text(&mut write, &mut after, Some(text.as_str()).filter(|text| !text.is_empty())).await?
        };
        self.save_step(write, actor, &before, after, findings).await
    }

    /// Saves (or with `None` clears) the Advanced Configuration. Pointers of findings are relative to the text.
    pub async fn set_configuration(
        self,
        actor: &Actor,
        id: DraftId,
        text: Option<&str>,
    ) -> Result<SavedDraft> {
        actor.require(Permission::CreateIntegrations)?;
        let mut write = self.registry.begin_write(actor).await?;
        let before = self.open(&write, actor, id).await?;
        let mut after = before.clone();
        adopt_approach(&mut after, text)?;
        advance_to(&mut after, DraftStep::Workspaces);
        let findings = set_text(&mut write, &mut after, text).await?;
        self.save_step(write, actor, &before, after, findings).await
    }

    /// Validates a text as the draft's configuration (`None`: the one it has) and shows what it would send for the first
    /// chosen workspace. Saves nothing.
    pub async fn check(self, actor: &Actor, id: DraftId, text: Option<&str>) -> Result<DraftCheck> {
        actor.require(Permission::CreateIntegrations)?;
        let row = self.find(self.registry.db(), actor, id).await?;
        let stored = row.configuration.as_deref();
        let (mut findings, layer) =
            self.registry.configurations().parse_unsaved(text.or(stored).unwrap_or_default(), stored)?;
        let Some(layer) = layer else {
            return Ok(DraftCheck { findings, preview: None });
        };
        let (names, resolution) = self.resolve(actor, &row, &layer).await?;
        findings.extend_below("", resolution.findings.clone());
        let digest = resolution.effective.digest();
        let preview = Preview { workspace: names.0, server: names.1, integration: None, resolution, digest };
        Ok(DraftCheck { findings, preview: Some(preview) })
    }

    /// Says who can use it: where a server is made, and whether every workspace made later may.
    pub async fn set_workspaces(
        self,
        actor: &Actor,
        id: DraftId,
        workspaces: &[WorkspaceId],
        every_new: bool,
    ) -> Result<SavedDraft> {
        actor.require(Permission::CreateIntegrations)?;
        let write = self.registry.begin_write(actor).await?;
        let before = self.open(&write, actor, id).await?;
        if every_new && before.workspace_id.is_some() {
            return Err(Error::invalid(Finding::error(
                "/every_new",
                "integration_of_workspace",
                "This integration belongs to one workspace and cannot be opened to others.",
            )));
        }
        // Deleted workspaces, and those that the caller may not see, are ignored.
        let wanted: BTreeSet<_> = workspace::Entity::find()
            .filter(workspace::Column::Id.is_in(workspaces.iter().map(|id| id.0)))
            .filter(workspace::Column::DeletedAt.is_null())
            .all(&write.txn)
            .await?
            .into_iter()
            .map(|row| row.id)
            .filter(|id| actor.sees(WorkspaceId(*id)) && before.workspace_id.is_none_or(|own| own == *id))
            .collect();
        let mut after = before.clone();
        after.workspaces = serde_json::to_string(&wanted)?;
        after.every_new = every_new;
        advance_to(&mut after, DraftStep::Register);
        self.save_step(write, actor, &before, after, Findings::default()).await
    }

    async fn save_step(
        self,
        mut write: Write<'_>,
        actor: &Actor,
        before: &draft::Model,
        after: draft::Model,
        findings: Findings,
    ) -> Result<SavedDraft> {
        let after = save(&mut write, before, after, AuditAction::DraftUpdated).await?;
        let draft = show(&write.txn, actor, after).await?;
        write.commit().await?;
        Ok(SavedDraft { draft, findings })
    }

    /// Address, name and slug, validated as they would be when an integration is made of them.
    async fn validate_address(
        self,
        db: &impl ConnectionTrait,
        actor: &Actor,
        address: &mut DraftAddress,
    ) -> Result<(String, Slug)> {
        address.url = self.registry.integrations().valid_url(&address.url)?;
        let name = address.name.clone().filter(|name| !name.trim().is_empty());
        let name =
            naming::name(&name.or_else(|| naming::from_address(&address.url)).unwrap_or_default(), "/name")?;
        let given = address.slug.as_deref().filter(|slug| !slug.is_empty());
        let slug = self.registry.integrations().free_slug(db, actor, given, &name).await?;
        Ok((name, slug))
    }

    /// What a configuration gives for the first chosen workspace, or for an example; with the names it is given for.
    pub(super) async fn resolve(
        self,
        actor: &Actor,
        row: &draft::Model,
        layer: &AdvancedConfiguration,
    ) -> Result<((String, String), Resolution)> {
        let first = workspace::Entity::find()
            .filter(workspace::Column::Id.is_in(chosen(row)?))
            .filter(workspace::Column::DeletedAt.is_null())
            .all(self.registry.db())
            .await?
            .into_iter()
            .map(|workspace| workspace.slug)
            .min();
        let names = (first.unwrap_or_else(|| EXAMPLE_NAMES.0.to_owned()), row.slug.clone());
        let organisation = self.registry.configurations().organisation_layer(self.registry.db()).await?;
        let nothing = AdvancedConfiguration::empty();
        let layers = [&organisation, layer, &nothing, &nothing];
        let resolution = self.registry.configurations().resolve(
            layers,
            (&names.0, &names.1),
            row.workspace_id.is_some() || !may_use_organisation_secrets(actor),
            None,
        );
        Ok((names, resolution))
    }

    /// The configuration that a draft has.
    pub(super) fn layer(row: &draft::Model) -> Result<AdvancedConfiguration> {
        parse_layer(row.configuration.as_deref(), "draft", row.id)
    }
}

/// A text that decides how clients are obtained is a choice of an approach too, the latest one. It does not turn headers
/// or no authentication into OAuth.
fn adopt_approach(row: &mut draft::Model, text: Option<&str>) -> Result<()> {
    let is_oauth = approach(row)?.is_none_or(|chosen| chosen.auth_type() == AuthType::OauthAuto);
    if let Some(named) = text.and_then(Approach::named_by).filter(|_| is_oauth) {
        row.approach = Some(named.as_str().to_owned());
    }
    Ok(())
}

async fn set_text(write: &mut Write<'_>, row: &mut draft::Model, text: Option<&str>) -> Result<Findings> {
    let stored =
        store(write, OwnerKind::Draft.with_id(row.id), "", text, row.configuration.as_deref(), false).await?;
    row.configuration = stored.text;
    Ok(stored.findings)
}

/// Secrets belong to the address they were entered for.
async fn drop_secrets(write: &mut Write<'_>, row: &mut draft::Model) -> Result<Findings> {
    let held = sealed_ids(row.configuration.as_deref());
    let mut findings = Findings::default();
    if held.is_empty() {
        return Ok(findings);
    }
    let text = row.configuration.as_deref().and_then(|text| map_markers(text, |_, _| None));
    row.configuration = Some(text.ok_or_else(|| Error::corrupt("draft", "configuration", row.id))?);
    for pointer in held.keys() {
        findings.push(Finding::warning(
            pointer,
            "secret_reentry_required",
            "The address changed, and with it who this secret is sent to. It was forgotten; enter it again.",
        ));
    }
    write.delete_sealed(held.into_values()).await?;
    Ok(findings)
}

fn validate_approach(row: &draft::Model, chosen: Approach, entered: &Entered) -> Result<()> {
    let examination: Option<Examination> =
        row.examination.as_ref().map(|text| json(text, "draft", "examination", row.id)).transpose()?;
    let refuse = |pointer: &'static str, code: &'static str, message: &str| {
        Err(Error::invalid(Finding::error(pointer, code, message.to_owned())))
    };
    if let Some(Availability::Closed(why)) = examination.as_ref().map(|one| one.availability(chosen)) {
        return refuse("/approach", "not_offered", why);
    }
    match chosen {
        Approach::ByHand if entered.client_id.trim().is_empty() => refuse(
            "/client_id",
            "missing_member",
            "Enter the `client_id` of the client you registered, or choose another way.",
        ),
        Approach::Headers if entered.headers.is_empty() => refuse(
            "/headers",
            "missing_member",
            "Enter at least one header with its value, or choose another way.",
        ),
        _ => Ok(()),
    }
}
