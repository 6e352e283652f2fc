//! Imports: creates many integrations in one transaction.
//!
//! The slow work is done before the write transaction begins: parsing and validating the text, sealing its secrets. The
//! transaction only checks again what another write may have changed meanwhile (slugs, workspaces) and inserts the rows, many
//! per statement, so that other writes wait for milliseconds.

mod parse;
mod taken;

use crate::integrations::counts::{IntegrationCounts, owners_of};
use crate::integrations::crud::{into_integration, may_use_organisation_secrets, secret_withheld, snapshot};
use crate::integrations::{Integrations, crud};
use crate::lookup::{naming, slugs, workspaces};
use crate::secrets::markers::seal_new;
use crate::secrets::sealed_rows::SealedRow;
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::{integration, revision, workspace};
use crate::storage::logo_queue;
use crate::storage::owner::OwnerKind;
use crate::storage::write::{Event, MAX_ROWS_PER_STATEMENT, Write};
use crate::{Actor, ConflictCode, Error, Integration, Result};
use parse::{Item, items};
use registry_core::finding::{Finding, Findings, Report, echo};
use registry_core::locate::placed;
use registry_core::metadata::{KnownSecrets, Verified, verify};
use registry_core::permission::Permission;
use registry_core::slug::{Reference, Slug};
use sea_orm::{ActiveModelTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, SqlErr};
use serde_json::json;
use taken::TakenSlugs;

/// The result of an import.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The created integrations, in the order of the text.
    pub integrations: Vec<Integration>,
    /// Warnings and notices, with their positions in the text.
    pub findings: Findings,
}

/// Message of the warning about an item with secret mappings.
const NOT_IMPORTED: &str = "Members that come from declared secrets are not imported. Map them again over the API, to secrets that the operator of this deployment declared.";

/// An item that is valid by itself, before it is compared with the rows in the database.
struct ValidatedItem {
    /// JSON Pointer of the item in the text; empty if the text is a single integration.
    pointer: String,
    item: Item,
    slug: Option<Slug>,
    workspace: Option<Reference>,
    configuration: Option<Verified>,
}

/// The rows of one integration.
struct IntegrationRows {
    integration: integration::Model,
    configuration: Option<String>,
    sealed: Vec<SealedRow>,
}

impl Integrations<'_> {
    /// Creates all integrations of `text` (JSON), or none. `text` is an export, a list of integrations, or a single one; each in
    /// the form of the body of `POST /v1/mcp-integrations`.
    ///
    /// Errors: [`Error::Invalid`] with all findings of the text.
    pub async fn import(self, actor: &Actor, text: &str) -> Result<Imported> {
        let (validated, findings) = self.validate_import(actor, text).await?;
        let mut rows = self.import_rows(actor, &validated)?;
        let configurations: Vec<String> = rows.iter().filter_map(|one| one.configuration.clone()).collect();
        let logo_urls = logo_queue::logo_urls_in(self.registry, &configurations);
        let mut write = self.registry.begin_write(actor).await?;
        let mut report = Report::default();
        let slugs = self.resolve_slugs_and_workspaces(&write.txn, actor, &validated, &mut report).await?;
        if report.has_errors() {
            // Another write took a slug or deleted a workspace meanwhile. Positions are computed after the write lock is released.
            drop(write);
            return Err(refused(text, report.into_findings()));
        }
        for (one, (slug, workspace)) in rows.iter_mut().zip(slugs) {
            one.assign(&slug, workspace, write.millis());
        }
        insert_all(&mut write, &mut rows).await?;
        logo_queue::enqueue_logos(&write, logo_urls).await?;
        write.commit().await?;
        let created = rows.into_iter().map(|one| one.integration).collect();
        Ok(Imported { integrations: self.into_integrations(created).await?, findings })
    }

    /// Returns what [`Self::import`] would create. Stores nothing and begins no write transaction.
    ///
    /// Errors: as of [`Self::import`].
    pub async fn dry_run_import(self, actor: &Actor, text: &str) -> Result<Imported> {
        let (validated, findings) = self.validate_import(actor, text).await?;
        let mut rows = self.import_rows(actor, &validated)?;
        // The validation has reported conflicts; one that arose since is for the import to report.
        let slugs = self
            .resolve_slugs_and_workspaces(self.registry.db(), actor, &validated, &mut Report::default())
            .await?;
        for (one, (slug, workspace)) in rows.iter_mut().zip(slugs) {
            one.assign(&slug, workspace, crate::storage::columns::millis(self.registry.now()));
        }
        let created = rows.into_iter().map(|one| one.integration).collect();
        Ok(Imported { integrations: self.into_integrations(created).await?, findings })
    }

    /// Validates `text` against the rules and the present rows. Returns the items, and warnings and notices with their positions.
    ///
    /// Errors: [`Error::Invalid`] with all findings if one of them is an error.
    async fn validate_import(self, actor: &Actor, text: &str) -> Result<(Vec<ValidatedItem>, Findings)> {
        actor.require(Permission::CreateIntegrations)?;
        let (prefix, items) = items(text).map_err(Error::Invalid)?;
        let mut report = Report::default();
        let mut validated = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let pointer = prefix.map(|prefix| format!("{prefix}/{index}")).unwrap_or_default();
            let result = Item::read(item).and_then(|item| self.validate_item(actor, &pointer, item));
            match result {
                Ok((one, findings)) => {
                    report.extend_below(&pointer, findings);
                    validated.push(one);
                }
                Err(findings) => report.extend_below(&pointer, findings),
            }
        }
        self.resolve_slugs_and_workspaces(self.registry.db(), actor, &validated, &mut report).await?;
        if report.has_errors() {
            return Err(refused(text, report.into_findings()));
        }
        if !may_use_organisation_secrets(actor)
            && !self
                .registry
                .configurations()
                .organisation_layer(self.registry.db())
                .await?
                .sealed_ids()
                .is_empty()
        {
            for one in validated.iter().filter(|one| one.workspace.is_none()) {
                report.extend_below(&one.pointer, secret_withheld().into());
            }
        }
        Ok((validated, placed(text, report.into_findings())))
    }

    /// Validates one item at `pointer`, without the database. Returns it with warnings and notices, or all findings as the error;
    /// the pointers of the findings are relative to the item.
    fn validate_item(
        self,
        actor: &Actor,
        pointer: &str,
        mut item: Item,
    ) -> std::result::Result<(ValidatedItem, Findings), Findings> {
        let mut report = Report::default();
        let findings_of = |error: Error| match error {
            Error::Invalid(findings) => findings,
            other => Findings::from(Finding::error("", "invalid_value", other.to_string())),
        };
        let mut add = |findings: Findings| report.extend_below("", findings);
        match naming::name(&item.name, "/name") {
            Ok(name) => item.name = name,
            Err(error) => add(findings_of(error)),
        }
        match naming::description(item.description.take()) {
            Ok(description) => item.description = description,
            Err(error) => add(findings_of(error)),
        }
        match self.valid_url(&item.url) {
            Ok(url) => item.url = url,
            Err(error) => add(findings_of(error)),
        }
        let slug = match item.slug.as_deref().map(slugs::given_integration_slug).transpose() {
            Ok(slug) => slug,
            Err(error) => {
                add(findings_of(error));
                None
            }
        };
        let configuration = item.configurations.take().map(|text| verify(&text, &KnownSecrets::default()));
        if let Some(verified) = &configuration {
            report.extend_below("/configurations", verified.findings.clone());
        }
        let workspace = match (&item.workspace, actor.workspace()) {
            (Some(named), _) => Some(Reference::parse(named)),
            (None, own) => own.map(Into::into),
        };
        if item.global_access && workspace.is_some() {
            let message = "An integration that belongs to one workspace cannot be opened to others.";
            report.push(Finding::error("/global_workspace_access", "integration_of_workspace", message));
        }
        if item.mapped {
            report.push(Finding::warning("/secret_mappings", "not_imported", NOT_IMPORTED));
        }
        let has_errors = report.has_errors();
        let findings = report.into_findings();
        if has_errors {
            return Err(findings);
        }
        Ok((ValidatedItem { pointer: pointer.to_owned(), item, slug, workspace, configuration }, findings))
    }

    /// Finds the workspace of each item in `db` and chooses its slug. Returns both in the order of the items (no workspace:
    /// organisation-wide). A missing workspace and a taken slug go into `report`.
    async fn resolve_slugs_and_workspaces(
        self,
        db: &impl ConnectionTrait,
        actor: &Actor,
        validated: &[ValidatedItem],
        report: &mut Report,
    ) -> Result<Vec<(Slug, Option<workspace::Model>)>> {
        let named: Vec<&Reference> = validated.iter().filter_map(|one| one.workspace.as_ref()).collect();
        let workspaces = workspaces::find_all(db, actor, &named).await?;
        let wanted =
            validated.iter().map(|one| one.slug.clone().unwrap_or_else(|| Slug::from_name(&one.item.name)));
        let mut taken = TakenSlugs::of(db, wanted).await?;
        let mut resolved = Vec::with_capacity(validated.len());
        for one in validated {
            let workspace = match &one.workspace {
                None => None,
                Some(reference) => {
                    let found = workspaces.get(reference).cloned();
                    if found.is_none() {
                        let shown = echo(&slugs::show(reference));
                        let message = format!("There is no workspace `{shown}`.");
                        let pointer = format!("{}/workspace", one.pointer);
                        report.push(Finding::error(pointer, "not_found", message));
                    }
                    found
                }
            };
            let slug = if let Some(slug) = &one.slug {
                if taken.has(slug) {
                    self.registry.limits().count_taken_slug(actor)?;
                    let message = format!("The slug `{slug}` is taken. Choose another one.");
                    report.push(Finding::error(format!("{}/slug", one.pointer), "slug_taken", message));
                }
                slug.clone()
            } else {
                let base = Slug::from_name(&one.item.name);
                if taken.has(&base) {
                    if !taken.is_numbered(&base) {
                        self.registry.limits().count_taken_slug(actor)?;
                    }
                    taken.next_free(db, &base).await?
                } else {
                    base
                }
            };
            taken.take(&slug);
            resolved.push((slug, workspace));
        }
        Ok(resolved)
    }

    /// Builds the rows of each item, with sealed secrets. [`IntegrationRows::assign`] sets slug, workspace and times later.
    fn import_rows(self, actor: &Actor, validated: &[ValidatedItem]) -> Result<Vec<IntegrationRows>> {
        validated
            .iter()
            .map(|one| {
                let id = self.registry.new_id();
                let sealed = one
                    .configuration
                    .as_ref()
                    .map(|text| seal_new(self.registry, OwnerKind::Integration.with_id(id), text));
                let (configuration, sealed) = sealed.transpose()?.unzip();
                let item = &one.item;
                let mut model = integration::Model {
                    id,
                    workspace_id: None,
                    slug: String::new(),
                    slug_key: String::new(),
                    name: item.name.clone(),
                    description: item.description.clone(),
                    url: item.url.clone(),
                    auth_type: item.auth_type.as_str().to_owned(),
                    transport: item.transport.as_str().to_owned(),
                    global_access: item.global_access,
                    configuration_revision: i64::from(configuration.is_some()),
                    configuration: None,
                    version: 1,
                    created_at: 0,
                    updated_at: 0,
                    created_by: actor.name.clone(),
                    updated_by: actor.name.clone(),
                    deleted_at: None,
                    enabled: item.enabled,
                    custom_metadata: false,
                    pre_registered: false,
                    unreachable: false,
                    last_test: None,
                    address_by_admin: may_use_organisation_secrets(actor),
                };
                model.set_configuration(configuration.clone());
                Ok(IntegrationRows { integration: model, configuration, sealed: sealed.unwrap_or_default() })
            })
            .collect()
    }

    /// The views of rows that were just created.
    async fn into_integrations(self, created: Vec<integration::Model>) -> Result<Vec<Integration>> {
        let owners = owners_of(self.registry.db(), &created).await?;
        created
            .into_iter()
            .map(|model| {
                let owner = model.workspace_id.and_then(|id| owners.get(&id).cloned());
                // A new integration has no servers and no access yet.
                into_integration(model, owner, IntegrationCounts::default(), Vec::new())
            })
            .collect()
    }
}

impl IntegrationRows {
    /// Sets what only the write transaction knows; `now` in epoch milliseconds.
    fn assign(&mut self, slug: &Slug, workspace: Option<workspace::Model>, now: i64) {
        self.integration.slug = slug.to_string();
        self.integration.slug_key = slug.key();
        self.integration.workspace_id = workspace.map(|workspace| workspace.id);
        self.integration.created_at = now;
        self.integration.updated_at = now;
    }
}

/// Inserts all rows, sealed values and first revisions, and adds the audit events.
async fn insert_all(write: &mut Write<'_>, rows: &mut [IntegrationRows]) -> Result<()> {
    let now = write.millis();
    let mut sealed = Vec::new();
    let mut revisions = Vec::new();
    for one in rows.iter_mut() {
        let model = &one.integration;
        sealed.append(&mut one.sealed);
        if one.configuration.is_some() {
            let row = revision::Model {
                id: write.registry.new_id(),
                subject_kind: OwnerKind::Integration.as_str().to_owned(),
                subject_id: model.id,
                number: 1,
                text: one.configuration.clone(),
                actor: write.actor_name(),
                door: write.actor().origin.door.as_str().to_owned(),
                note: None,
                restored_from: None,
                created_at: now,
            };
            revisions.push(row.into_active_model().reset_all());
        }
        write.audit(crud::event(AuditAction::IntegrationCreated, model).after(snapshot(model)));
        if model.global_access {
            let event =
                Event::new(AuditAction::IntegrationGlobalAccess, "integration", model.id).named(&model.slug);
            write.audit(event.before(json!(false)).after(json!(true)));
        }
    }
    for chunk in rows.chunks(MAX_ROWS_PER_STATEMENT) {
        let models = chunk.iter().map(|one| one.integration.clone().into_active_model().reset_all());
        let inserted = integration::Entity::insert_many(models).exec_without_returning(&write.txn).await;
        inserted.map_err(insert_error)?;
    }
    write.insert_sealed(sealed).await?;
    for chunk in revisions.chunks(MAX_ROWS_PER_STATEMENT) {
        revision::Entity::insert_many(chunk.iter().cloned()).exec_without_returning(&write.txn).await?;
    }
    Ok(())
}

/// The error of an insert. Interactive writes are serialised and slugs were checked in this transaction, so that only a write
/// outside of this order can have taken a slug.
fn insert_error(error: DbErr) -> Error {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => Error::Conflict {
            code: ConflictCode::SlugTaken,
            message: "One of the slugs was taken a moment ago. Import again to see which.".to_owned(),
            pointer: None,
        },
        _ => error.into(),
    }
}

/// The findings as an error, with their positions in `text`.
fn refused(text: &str, findings: Findings) -> Error {
    Error::Invalid(placed(text, findings))
}
