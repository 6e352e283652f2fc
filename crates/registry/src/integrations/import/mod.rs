//! Imports: creates many integrations in one transaction.
//!
//! Everything that takes time is done before the write begins: parsing and validating the text, sealing its secrets. The
//! write only looks at what others may have changed meanwhile (slugs, workspaces) and puts the rows in, many with one
//! statement, so that it holds other writes for milliseconds.

mod parse;

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
use crate::storage::write::{Event, Write};
use crate::{Actor, ConflictCode, Error, Integration, Result};
use parse::{Item, items};
use registry_core::finding::{Finding, Findings, Report, echo};
use registry_core::locate::placed;
use registry_core::metadata::{KnownSecrets, Verified, verify};
use registry_core::permission::Permission;
use registry_core::slug::{Reference, Slug};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter,
    QuerySelect, SqlErr,
};
use serde_json::json;
use std::collections::{HashMap, HashSet};

/// What an import made.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The integrations, in the order of the text.
    pub integrations: Vec<Integration>,
    /// Warnings and notices, with their positions in the text.
    pub findings: Findings,
}

/// Rows per INSERT statement: `SQLite` allows 32,766 parameters.
const ROWS: usize = 1_000;

/// What is said of mappings in an import.
const NOT_IMPORTED: &str = "Members that come from declared secrets are not imported. Map them again over the API, to secrets that the operator of this deployment declared.";

/// An item that is valid by itself, before it is compared with the rows in the database.
struct ValidatedItem {
    /// Its pointer in the text.
    place: String,
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
    /// Creates the integrations that `text` names, all of them or none. `text` is what an export gives, a list of
    /// integrations, or one; each as `POST /v1/mcp-integrations` takes it.
    pub async fn import(self, actor: &Actor, text: &str) -> Result<Imported> {
        let (validated, findings) = self.validate_import(actor, text).await?;
        let mut rows = self.import_rows(actor, &validated)?;
        let logos: Vec<String> = rows.iter().filter_map(|one| one.configuration.clone()).collect();
        let logos = logo_queue::logo_urls_in(self.registry, &logos);
        let mut write = self.registry.begin_write(actor).await?;
        let mut report = Report::default();
        let slugs = self.resolve_slugs(&write.txn, actor, &validated, &mut report).await?;
        if report.has_errors() {
            // Another write took a slug or deleted a workspace meanwhile. Positions are computed after the write lock is released.
            drop(write);
            return Err(refused(text, report.into_findings()));
        }
        for (one, (slug, workspace)) in rows.iter_mut().zip(slugs) {
            one.place(&slug, workspace, write.millis());
        }
        insert_all(&mut write, &mut rows).await?;
        logo_queue::enqueue_logos(&write, logos).await?;
        write.commit().await?;
        let made = rows.into_iter().map(|one| one.integration).collect();
        Ok(Imported { integrations: self.show_made(made).await?, findings })
    }

    /// What an import would make; nothing is kept, and no write begins.
    pub async fn dry_run_import(self, actor: &Actor, text: &str) -> Result<Imported> {
        let (validated, findings) = self.validate_import(actor, text).await?;
        let mut rows = self.import_rows(actor, &validated)?;
        let slugs = self.resolve_slugs(self.registry.db(), actor, &validated, &mut Report::default()).await?;
        for (one, (slug, workspace)) in rows.iter_mut().zip(slugs) {
            one.place(&slug, workspace, crate::storage::columns::millis(self.registry.now()));
        }
        let made = rows.into_iter().map(|one| one.integration).collect();
        Ok(Imported { integrations: self.show_made(made).await?, findings })
    }

    /// Validates a whole text, with what can be read now; `Err` with every mistake. The findings have their positions.
    async fn validate_import(self, actor: &Actor, text: &str) -> Result<(Vec<ValidatedItem>, Findings)> {
        actor.require(Permission::CreateIntegrations)?;
        let (prefix, items) = items(text).map_err(Error::Invalid)?;
        let mut report = Report::default();
        let mut validated = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let place = prefix.map(|prefix| format!("{prefix}/{index}")).unwrap_or_default();
            let read = Item::read(item).and_then(|item| self.validate_item(actor, &place, item));
            match read {
                Ok((one, findings)) => {
                    report.extend_below(&place, findings);
                    validated.push(one);
                }
                Err(findings) => report.extend_below(&place, findings),
            }
        }
        self.resolve_slugs(self.registry.db(), actor, &validated, &mut report).await?;
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
                report.extend_below(&one.place, secret_withheld().into());
            }
        }
        Ok((validated, placed(text, report.into_findings())))
    }

    /// Validates one integration by itself.
    fn validate_item(
        self,
        actor: &Actor,
        place: &str,
        mut item: Item,
    ) -> std::result::Result<(ValidatedItem, Findings), Findings> {
        let mut report = Report::default();
        let refusal = |error: Error| match error {
            Error::Invalid(findings) => findings,
            other => Findings::from(Finding::error("", "invalid_value", other.to_string())),
        };
        let mut take = |findings: Findings| report.extend_below("", findings);
        match naming::name(&item.name, "/name") {
            Ok(name) => item.name = name,
            Err(error) => take(refusal(error)),
        }
        match naming::description(item.description.take()) {
            Ok(description) => item.description = description,
            Err(error) => take(refusal(error)),
        }
        if let Err(error) = self.validate_url(&item.url) {
            take(refusal(error));
        }
        let slug = match item.slug.as_deref().map(slugs::given_slug).transpose() {
            Ok(slug) => slug,
            Err(error) => {
                take(refusal(error));
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
        Ok((ValidatedItem { place: place.to_owned(), item, slug, workspace, configuration }, findings))
    }

    /// Slug and workspace of each item, as the rows in `db` are now; conflicts go into `report`.
    async fn resolve_slugs(
        self,
        db: &impl ConnectionTrait,
        actor: &Actor,
        validated: &[ValidatedItem],
        report: &mut Report,
    ) -> Result<Vec<(Slug, Option<workspace::Model>)>> {
        let named: Vec<&Reference> = validated.iter().filter_map(|one| one.workspace.as_ref()).collect();
        let workspaces = workspaces::find_all(db, actor, &named).await?;
        let mut taken: HashSet<String> = integration::Entity::find()
            .select_only()
            .column(integration::Column::SlugKey)
            .filter(integration::Column::DeletedAt.is_null())
            .into_tuple()
            .all(db)
            .await?
            .into_iter()
            .collect();
        // The highest suffix per base slug, so that many items of one name need one pass.
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let mut slugs = Vec::with_capacity(validated.len());
        for one in validated {
            let workspace = match &one.workspace {
                None => None,
                Some(reference) => {
                    let found = workspaces.get(reference).cloned();
                    if found.is_none() {
                        let shown = echo(&crate::lookup::slugs::show(reference));
                        let message = format!("There is no workspace `{shown}`.");
                        let pointer = format!("{}/workspace", one.place);
                        report.push(Finding::error(pointer, "not_found", message));
                    }
                    found
                }
            };
            let slug = if let Some(slug) = &one.slug {
                if taken.contains(&slug.key()) {
                    self.registry.limits().count_taken_slug(actor)?;
                    let message = format!("The slug `{slug}` is taken. Choose another one.");
                    report.push(Finding::error(format!("{}/slug", one.place), "slug_taken", message));
                }
                slug.clone()
            } else {
                let base = Slug::from_name(&one.item.name);
                let number = numbers.entry(base.key()).or_insert(1);
                let mut slug = base.clone();
                if *number == 1 && taken.contains(&slug.key()) {
                    self.registry.limits().count_taken_slug(actor)?;
                }
                while *number > 1 || taken.contains(&slug.key()) {
                    *number = (*number).max(1) + 1;
                    slug = base.numbered(*number);
                    if !taken.contains(&slug.key()) {
                        break;
                    }
                }
                slug
            };
            taken.insert(slug.key());
            slugs.push((slug, workspace));
        }
        Ok(slugs)
    }

    /// The rows, secrets sealed; slugs, workspaces and times are set when the write has begun.
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

    async fn show_made(self, made: Vec<integration::Model>) -> Result<Vec<Integration>> {
        let owners = owners_of(self.registry.db(), &made).await?;
        made.into_iter()
            .map(|model| {
                let owner = model.workspace_id.and_then(|id| owners.get(&id).cloned());
                // Nobody uses them yet.
                into_integration(model, owner, IntegrationCounts::default(), Vec::new())
            })
            .collect()
    }
}

impl IntegrationRows {
    fn place(&mut self, slug: &Slug, workspace: Option<workspace::Model>, now: i64) {
        self.integration.slug = slug.to_string();
        self.integration.slug_key = slug.key();
        self.integration.workspace_id = workspace.map(|workspace| workspace.id);
        self.integration.created_at = now;
        self.integration.updated_at = now;
    }
}

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
    for chunk in rows.chunks(ROWS) {
        let models = chunk.iter().map(|one| one.integration.clone().into_active_model().reset_all());
        let inserted = integration::Entity::insert_many(models).exec_without_returning(&write.txn).await;
        inserted.map_err(insert_error)?;
    }
    write.insert_sealed(sealed).await?;
    for chunk in revisions.chunks(ROWS) {
        revision::Entity::insert_many(chunk.iter().cloned()).exec_without_returning(&write.txn).await?;
    }
    Ok(())
}

/// People's writes come one after the other, so that only something beside them can have taken a slug meanwhile.
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

fn refused(text: &str, findings: Findings) -> Error {
    Error::Invalid(placed(text, findings))
}
