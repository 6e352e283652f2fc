//! Integrations: an upstream MCP server's address, its auth type, its Advanced Configuration.

use crate::configurations::Saved;
use crate::costs::Affected;
use crate::entity::{access, integration, oauth_client, registration, server, workspace};
use crate::layers::{Before, Replacements, Scope};
use crate::page::{self, Page, PageRequest};
use crate::revisions::add_revision;
use crate::secrets::{sealed_ids, store};
use crate::stored::{contains, moment, word};
use crate::workspaces::{Deleted, WorkspaceRef, insert_unique, show, stored_slug};
use crate::write::{Event, Write};
use crate::{Actor, Error, Registry, Result, names, names::SlugSpace, workspaces};
use registry_core::clock::Timestamp;
use registry_core::finding::{Finding, Findings};
use registry_core::id::{IntegrationId, WorkspaceId};
use registry_core::permission::Permission;
use registry_core::registration::{AuthType, State, Transport};
use registry_core::slug::{Reference, Slug};
use sea_orm::sea_query::{ExprTrait, Query};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait,
    IntoActiveModel, JoinType, QueryFilter, QueryOrder, QuerySelect, QueryTrait, RelationTrait,
};
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// An integration.
#[derive(Clone, Debug)]
pub struct Integration {
    /// Its id.
    pub id: IntegrationId,
    /// Its name in URLs, unique in the organisation; never changes.
    pub slug: Slug,
    /// Its name for people.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The upstream MCP server's address.
    pub url: String,
    /// How gateways authenticate there.
    pub auth_type: AuthType,
    /// The MCP transport.
    pub transport: Transport,
    /// The workspace it belongs to; `None`: the organisation.
    pub workspace: Option<WorkspaceRef>,
    /// Whether workspaces without an access row of their own may use it.
    pub global_access: bool,
    /// The Advanced Configuration as the user wrote it, secrets replaced by markers.
    pub configuration: Option<String>,
    /// Counts its writes, for `If-Match`.
    pub version: i64,
    /// Who made it.
    pub created_by: String,
    /// Who changed it last.
    pub updated_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// How it is used.
    pub counts: IntegrationCounts,
}

/// How an integration is used, as far as the caller may see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntegrationCounts {
    /// Workspaces with at least one server of it.
    pub workspaces: u64,
    /// Servers.
    pub servers: u64,
    /// Registrations in state `registered`.
    pub registered: u64,
    /// Registrations that need attention: retrying, unconfirmed, outdated or failed.
    pub attention: u64,
}

/// What is needed to make an integration.
#[derive(Clone, Debug)]
pub struct NewIntegration {
    /// 1 to 255 characters.
    pub name: String,
    /// Made from the name when absent.
    pub slug: Option<String>,
    /// At most 500 characters.
    pub description: Option<String>,
    /// https (http for loopback where the operator allows it), without user, fragment or private literal address.
    pub url: String,
    /// How gateways authenticate there.
    pub auth_type: AuthType,
    /// The MCP transport.
    pub transport: Transport,
    /// The workspace it belongs to; `None`: the organisation.
    pub workspace: Option<Reference>,
    /// The Advanced Configuration, JSON text.
    pub configuration: Option<String>,
}

/// What to change; `None` leaves a member as it is.
#[derive(Clone, Debug, Default)]
pub struct IntegrationChange {
    /// 1 to 255 characters.
    pub name: Option<String>,
    /// At most 500 characters; `Some(None)` clears it.
    pub description: Option<Option<String>>,
    /// A new address: stored secrets must then be entered again.
    pub url: Option<String>,
    /// How gateways authenticate there.
    pub auth_type: Option<AuthType>,
    /// The MCP transport.
    pub transport: Option<Transport>,
    /// The whole Advanced Configuration, JSON text; `Some(None)` clears it.
    pub configuration: Option<Option<String>>,
    /// What the author says of this version of the configuration.
    pub note: Option<String>,
    /// What becomes of clients that only a new one can take the place of.
    pub replacements: Replacements,
}

/// Whose integrations to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnerFilter {
    /// Everybody's.
    #[default]
    All,
    /// Those that belong to a workspace.
    Workspace,
    /// Those that belong to the organisation.
    Organisation,
}

/// Which integrations to list.
#[derive(Clone, Debug, Default)]
pub struct IntegrationFilter {
    /// Part of name, slug, URL or of a recorded `client_id`, ignoring case.
    pub search: Option<String>,
    /// Whose.
    pub owner: OwnerFilter,
    /// Those this workspace may use.
    pub workspace: Option<Reference>,
    /// Only this authentication.
    pub auth_type: Option<AuthType>,
    /// Only those with a registration that needs attention.
    pub attention: bool,
    /// Only those with an Advanced Configuration of their own.
    pub custom_metadata: bool,
}

impl Registry {
    /// Makes an integration.
    pub async fn create_integration(&self, actor: &Actor, new: NewIntegration) -> Result<Saved<Integration>> {
        actor.require(Permission::WriteIntegrations)?;
        let mut write = self.begin_write(actor).await?;
        let (model, findings) = self.create_integration_in(&mut write, actor, new, None).await?;
        let value = self.show(&write.txn, actor, model).await?;
        write.commit().await?;
        Ok(Saved { value, findings, affected: Affected::default() })
    }

    /// The same inside a write that does more, whose actor may. `sealed` is the configuration as a draft holds it: its id,
    /// which owns the sealed values, and its text, whose markers then stay good.
    pub(crate) async fn create_integration_in(
        &self,
        write: &mut Write<'_>,
        actor: &Actor,
        new: NewIntegration,
        sealed: Option<(Uuid, &str)>,
    ) -> Result<(integration::Model, Findings)> {
        let name = names::name(&new.name, "/name")?;
        let description = names::description(new.description)?;
        let workspace_id = match (&new.workspace, actor.workspace()) {
            (Some(reference), _) => Some(workspaces::find(&write.txn, actor, reference).await?.id),
            (None, None) => None,
            (None, Some(_)) => {
                return Err(Error::Forbidden {
                    needed: Permission::WriteIntegrations,
                    message: "Your access is bound to one workspace: name it in `workspace_id` to make an integration of that workspace.".to_owned(),
                });
            }
        };
        self.judge_url(&new.url)?;
        let slug = names::slug(&write.txn, SlugSpace::Integrations, new.slug.as_deref(), &name).await?;
        let id = self.new_id();
        if let Some((draft, _)) = sealed {
            write.hand_over(("draft", draft), ("integration", id)).await?;
        }
        let stored = store(
            write,
            ("integration", id),
            "/configurations",
            new.configuration.as_deref(),
            sealed.map(|(_, text)| text),
            false,
        )
        .await?;
        let model = integration::Model {
            id,
            workspace_id,
            slug: slug.to_string(),
            slug_key: slug.key(),
            name,
            description,
            url: new.url,
            auth_type: new.auth_type.as_str().to_owned(),
            transport: new.transport.as_str().to_owned(),
            global_access: false,
            configuration: stored.text.clone(),
            version: 1,
            created_at: write.millis(),
            updated_at: write.millis(),
            created_by: write.actor_name(),
            updated_by: write.actor_name(),
            deleted_at: None,
        };
        insert_unique(model.clone().into_active_model().reset_all().insert(&write.txn).await, &slug)?;
        if stored.text.is_some() {
            add_revision(write, ("integration", id), stored.text, None, None).await?;
        }
        write.audit(event("integration.created", &model).after(snapshot(&model)));
        Ok((model, stored.findings))
    }

    /// One integration.
    pub async fn integration(&self, actor: &Actor, reference: &Reference) -> Result<Integration> {
        actor.require(Permission::ReadIntegrations)?;
        let model = find(self.db(), actor, reference).await?;
        self.show(self.db(), actor, model).await
    }

    /// Integrations by name.
    pub async fn integrations(
        &self,
        actor: &Actor,
        filter: IntegrationFilter,
        request: PageRequest,
    ) -> Result<Page<Integration>> {
        actor.require(Permission::ReadIntegrations)?;
        let mut select = integration::Entity::find().filter(integration::Column::DeletedAt.is_null());
        if let Some(own) = actor.workspace() {
            select = select.filter(usable_in(own));
        }
        if let Some(reference) = &filter.workspace {
            let workspace = workspaces::find(self.db(), actor, reference).await?;
            select = select.filter(usable_in(WorkspaceId(workspace.id)));
        }
        match filter.owner {
            OwnerFilter::All => {}
            OwnerFilter::Workspace => select = select.filter(integration::Column::WorkspaceId.is_not_null()),
            OwnerFilter::Organisation => select = select.filter(integration::Column::WorkspaceId.is_null()),
        }
        if let Some(auth_type) = filter.auth_type {
            select = select.filter(integration::Column::AuthType.eq(auth_type.as_str()));
        }
        if filter.custom_metadata {
            select = select.filter(integration::Column::Configuration.is_not_null());
        }
        if filter.attention {
            let states = ATTENTION.map(State::as_str);
            let sub = Query::select()
                .column((server::Entity, server::Column::IntegrationId))
                .from(server::Entity)
                .inner_join(
                    registration::Entity,
                    sea_orm::sea_query::Expr::col((registration::Entity, registration::Column::ServerId))
                        .equals((server::Entity, server::Column::Id)),
                )
                .and_where(server::Column::DeletedAt.is_null())
                .and_where(registration::Column::State.is_in(states))
                .to_owned();
            select = select.filter(integration::Column::Id.in_subquery(sub));
        }
        if let Some(text) = filter.search.filter(|text| !text.is_empty()) {
            let clients = oauth_client::Entity::find()
                .select_only()
                .column(server::Column::IntegrationId)
                .join(JoinType::InnerJoin, oauth_client::Relation::Registration.def())
                .join(JoinType::InnerJoin, registration::Relation::Server.def())
                .filter(oauth_client::Column::ClientId.eq(text.trim()))
                .into_query();
            select = select.filter(
                Condition::any()
                    .add(contains(integration::Column::Name, &text))
                    .add(contains(integration::Column::Slug, &text))
                    .add(contains(integration::Column::Url, &text))
                    .add(integration::Column::Id.in_subquery(clients)),
            );
        }
        let select = select.order_by_asc(integration::Column::SlugKey);
        let found = page::fetch(self.db(), select, request).await?;
        let counts = counts_of(self.db(), actor, found.items.iter().map(|model| model.id)).await?;
        let owners = owners_of(self.db(), &found.items).await?;
        found.try_map(|model| {
            let counts = counts.get(&model.id).copied().unwrap_or_default();
            let owner = model.workspace_id.and_then(|id| owners.get(&id).cloned());
            into_integration(model, owner, counts)
        })
    }

    /// Changes an integration.
    pub async fn update_integration(
        &self,
        actor: &Actor,
        reference: &Reference,
        change: IntegrationChange,
        expected_version: Option<i64>,
    ) -> Result<Saved<Integration>> {
        actor.require(Permission::WriteIntegrations)?;
        let mut write = self.begin_write(actor).await?;
        let model = find(&write.txn, actor, reference).await?;
        require_owner(actor, &model)?;
        names::expect_version(expected_version, model.version)?;
        let before = Before::take(&write, Scope::Integration(IntegrationId(model.id)))
            .await?
            .with(change.replacements);
        let mut after = model.clone();
        if let Some(name) = change.name {
            after.name = names::name(&name, "/name")?;
        }
        if let Some(description) = change.description {
            after.description = names::description(description)?;
        }
        if let Some(auth_type) = change.auth_type {
            auth_type.as_str().clone_into(&mut after.auth_type);
        }
        if let Some(transport) = change.transport {
            transport.as_str().clone_into(&mut after.transport);
        }
        if let Some(url) = change.url {
            self.judge_url(&url)?;
            after.url = url;
        }
        let url_changed = after.url != model.url;
        if url_changed {
            refuse_inherited_secrets(&write, &model).await?;
        }
        let mut findings = Findings::default();
        // A new address is judged against the kept secrets also where the configuration is not sent along.
        let text = change.configuration.or_else(|| url_changed.then(|| model.configuration.clone()));
        if let Some(text) = text {
            let stored = store(
                &mut write,
                ("integration", model.id),
                "/configurations",
                text.as_deref(),
                model.configuration.as_deref(),
                url_changed,
            )
            .await?;
            findings = stored.findings;
            if stored.text != model.configuration {
                add_revision(&write, ("integration", model.id), stored.text.clone(), change.note, None)
                    .await?;
            }
            after.configuration = stored.text;
        }
        let mut affected = Affected::default();
        if after != model {
            after.version += 1;
            after.updated_at = write.millis();
            after.updated_by = write.actor_name();
            after.clone().into_active_model().reset_all().update(&write.txn).await?;
            write
                .audit(event("integration.updated", &after).before(snapshot(&model)).after(snapshot(&after)));
            affected = before.settle(&mut write, "/configurations", "integration saved").await?;
        }
        let value = self.show(&write.txn, actor, after).await?;
        write.commit().await?;
        Ok(Saved { value, findings, affected })
    }

    /// Deletes an integration with its servers; their clients are withdrawn upstream.
    pub async fn delete_integration(
        &self,
        actor: &Actor,
        reference: &Reference,
        expected_version: Option<i64>,
    ) -> Result<Deleted> {
        actor.require(Permission::WriteIntegrations)?;
        let mut write = self.begin_write(actor).await?;
        let model = find(&write.txn, actor, reference).await?;
        require_owner(actor, &model)?;
        names::expect_version(expected_version, model.version)?;
        let mut deleted = Deleted::default();
        crate::servers::delete_all(&mut write, Scope::Integration(IntegrationId(model.id)), &mut deleted)
            .await?;
        mark_deleted(&mut write, model).await?;
        write.commit().await?;
        Ok(deleted)
    }

    /// Judges an integration's address by its text.
    pub(crate) fn judge_url(&self, url: &str) -> Result<()> {
        self.settings()
            .egress
            .judge_text(url)
            .map(|_| ())
            .map_err(|problem| Error::invalid(Finding::error("/url", problem.code(), problem.to_string())))
    }

    async fn show(
        &self,
        db: &impl ConnectionTrait,
        actor: &Actor,
        model: integration::Model,
    ) -> Result<Integration> {
        let counts = counts_of(db, actor, [model.id]).await?;
        let owners = owners_of(db, std::slice::from_ref(&model)).await?;
        let owner = model.workspace_id.and_then(|id| owners.get(&id).cloned());
        let counts = counts.get(&model.id).copied().unwrap_or_default();
        into_integration(model, owner, counts)
    }
}

/// States a person should look at.
pub(crate) const ATTENTION: [State; 4] =
    [State::Retrying, State::Unconfirmed, State::Outdated, State::Failed];

/// Secrets of lower layers go to the integration's address too: they must not follow it to another one.
async fn refuse_inherited_secrets(write: &Write<'_>, model: &integration::Model) -> Result<()> {
    let mut holders = Vec::new();
    for layers in
        write.registry.load_layers(&write.txn, Scope::Integration(IntegrationId(model.id)), false).await?
    {
        if !sealed_ids(layers.server.configuration.as_deref()).is_empty() {
            holders.push(format!("server {}/{}", layers.workspace.slug, layers.server.slug));
        }
    }
    let rows = access::Entity::find()
        .filter(access::Column::IntegrationId.eq(model.id))
        .find_also_related(workspace::Entity)
        .all(&write.txn)
        .await?;
    for (row, workspace) in rows {
        if !sealed_ids(row.configuration.as_deref()).is_empty() {
            holders
                .push(format!("workspace {}", workspace.map(|workspace| workspace.slug).unwrap_or_default()));
        }
    }
    if holders.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(Finding::error(
        "/url",
        "secret_reentry_required",
        format!(
            "Secrets stored at {} would be sent to the new address. Remove them there first, then enter them again.",
            holders.join(", ")
        ),
    )))
}

/// Marks an integration deleted and forgets its secrets. Its slug is free at once.
pub(crate) async fn mark_deleted(write: &mut Write<'_>, model: integration::Model) -> Result<()> {
    let rows =
        access::Entity::find().filter(access::Column::IntegrationId.eq(model.id)).all(&write.txn).await?;
    let secrets = rows
        .iter()
        .flat_map(|row| sealed_ids(row.configuration.as_deref()))
        .chain(sealed_ids(model.configuration.as_deref()))
        .map(|(_, id)| id);
    write.unseal(secrets).await?;
    let mut gone = model.clone().into_active_model();
    gone.deleted_at = Set(Some(write.millis()));
    gone.version = Set(model.version + 1);
    gone.update(&write.txn).await?;
    write.audit(event("integration.deleted", &model).before(snapshot(&model)));
    Ok(())
}

/// A caller bound to a workspace changes only that workspace's integrations.
pub(crate) fn require_owner(actor: &Actor, model: &integration::Model) -> Result<()> {
    if actor.workspace().is_some() && model.workspace_id != actor.workspace().map(|id| id.0) {
        return Err(Error::Forbidden {
            needed: Permission::WriteIntegrations,
            message: "This integration belongs to the organisation. Change the workspace layer or a server instead, or ask an organisation admin.".to_owned(),
        });
    }
    Ok(())
}

/// The integrations a workspace may use.
pub(crate) fn usable_in(workspace: WorkspaceId) -> Condition {
    let row = |enabled: bool| {
        Query::select()
            .column(access::Column::IntegrationId)
            .from(access::Entity)
            .and_where(access::Column::WorkspaceId.eq(workspace.0))
            .and_where(access::Column::Enabled.eq(enabled))
            .to_owned()
    };
    Condition::any().add(integration::Column::WorkspaceId.eq(workspace.0)).add(
        Condition::all().add(integration::Column::WorkspaceId.is_null()).add(
            Condition::any().add(integration::Column::Id.in_subquery(row(true))).add(
                Condition::all()
                    .add(integration::Column::GlobalAccess.eq(true))
                    .add(integration::Column::Id.not_in_subquery(row(false))),
            ),
        ),
    )
}

pub(crate) async fn by_reference(
    db: &impl ConnectionTrait,
    reference: &Reference,
) -> Result<Option<integration::Model>> {
    let select = integration::Entity::find().filter(integration::Column::DeletedAt.is_null());
    let select = match reference {
        Reference::Id(id) => select.filter(integration::Column::Id.eq(*id)),
        Reference::Slug(key) => select.filter(integration::Column::SlugKey.eq(key)),
    };
    Ok(select.one(db).await?)
}

/// The live integration of this name, if `actor` may know of it.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    actor: &Actor,
    reference: &Reference,
) -> Result<integration::Model> {
    let missing = || Error::not_found("integration", show(reference));
    let model = by_reference(db, reference).await?.ok_or_else(missing)?;
    let Some(own) = actor.workspace() else { return Ok(model) };
    let row = access::Entity::find()
        .filter(access::Column::IntegrationId.eq(model.id))
        .filter(access::Column::WorkspaceId.eq(own.0))
        .one(db)
        .await?;
    if crate::layers::access_enabled(&model, row.as_ref(), own) { Ok(model) } else { Err(missing()) }
}

async fn counts_of(
    db: &impl ConnectionTrait,
    actor: &Actor,
    ids: impl IntoIterator<Item = Uuid>,
) -> Result<HashMap<Uuid, IntegrationCounts>> {
    let mut select = server::Entity::find()
        .select_only()
        .column(server::Column::IntegrationId)
        .column(server::Column::WorkspaceId)
        .column(registration::Column::State)
        .join_rev(JoinType::LeftJoin, registration::Relation::Server.def())
        .filter(server::Column::IntegrationId.is_in(ids))
        .filter(server::Column::DeletedAt.is_null());
    if let Some(own) = actor.workspace() {
        select = select.filter(server::Column::WorkspaceId.eq(own.0));
    }
    let rows: Vec<(Uuid, Uuid, Option<String>)> = select.into_tuple().all(db).await?;
    let mut counts: HashMap<Uuid, (IntegrationCounts, BTreeSet<Uuid>)> = HashMap::new();
    for (integration, workspace, state) in rows {
        let (counted, workspaces) = counts.entry(integration).or_default();
        workspaces.insert(workspace);
        counted.workspaces = workspaces.len() as u64;
        counted.servers += 1;
        let state = state.as_deref().and_then(State::parse);
        counted.registered += u64::from(state == Some(State::Registered));
        counted.attention += u64::from(state.is_some_and(|state| ATTENTION.contains(&state)));
    }
    Ok(counts.into_iter().map(|(id, (counted, _))| (id, counted)).collect())
}

async fn owners_of(
    db: &impl ConnectionTrait,
    models: &[integration::Model],
) -> Result<HashMap<Uuid, WorkspaceRef>> {
    let ids: BTreeSet<_> = models.iter().filter_map(|model| model.workspace_id).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    workspace::Entity::find()
        .filter(workspace::Column::Id.is_in(ids))
        .all(db)
        .await?
        .iter()
        .map(|model| Ok((model.id, workspaces::as_ref(model)?)))
        .collect()
}

fn into_integration(
    model: integration::Model,
    workspace: Option<WorkspaceRef>,
    counts: IntegrationCounts,
) -> Result<Integration> {
    Ok(Integration {
        id: IntegrationId(model.id),
        slug: stored_slug(&model.slug, "integration", model.id)?,
        auth_type: crate::layers::auth_type(&model)?,
        transport: transport(&model)?,
        name: model.name,
        description: model.description,
        url: model.url,
        workspace,
        global_access: model.global_access,
        configuration: model.configuration,
        version: model.version,
        created_by: model.created_by,
        updated_by: model.updated_by,
        created_at: moment(model.created_at),
        updated_at: moment(model.updated_at),
        counts,
    })
}

pub(crate) fn transport(model: &integration::Model) -> Result<Transport> {
    word(Transport::parse, &model.transport, "integration", "transport", model.id)
}

fn event(action: &'static str, model: &integration::Model) -> Event {
    Event::new(action, "integration", model.id)
        .named(&model.slug)
        .in_workspace(model.workspace_id.map(WorkspaceId))
}

fn snapshot(model: &integration::Model) -> serde_json::Value {
    json!({
        "slug": model.slug, "name": model.name, "description": model.description, "url": model.url,
        "auth_type": model.auth_type, "transport": model.transport, "configurations": model.configuration,
    })
}
