//! Advanced Configurations at all their levels: saving, checking, history.

use crate::costs::{Affected, KnownClients};
use crate::entity::{access, integration, organisation, revision, server};
use crate::layers::{Before, Scope};
use crate::page::{self, Page, PageRequest};
use crate::secrets::{store, with_present_secrets};
use crate::servers::ServerRef;
use crate::stored::moment;
use crate::write::{Event, Write};
use crate::{
    Actor, Error, Registry, Result, WorkspaceRef, access as access_rows, integrations, layers, names, servers,
};
use registry_core::clock::Timestamp;
use registry_core::finding::{Finding, Findings};
use registry_core::id::{IntegrationId, RevisionId, SealedId, ServerId, WorkspaceId};
use registry_core::metadata::{
    AdvancedConfiguration, KnownSecrets, Layer, Level, Resolution, ResolveContext, resolve, verify,
};
use registry_core::permission::Permission;
use registry_core::slug::{Reference, Slug};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

/// Which level's configuration is meant.
#[derive(Clone, Debug)]
pub enum Subject {
    /// The organisation's.
    Organisation,
    /// An integration's.
    Integration(Reference),
    /// The workspace layer of an integration: its access row.
    Access {
        /// The integration.
        integration: Reference,
        /// The workspace.
        workspace: Reference,
    },
    /// A server's.
    Server(ServerRef),
}

/// One level's configuration.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// As the user wrote it, secrets replaced by markers; `None` when nothing is set.
    pub text: Option<String>,
    /// Version of the row that carries it, for `If-Match`.
    pub version: i64,
    /// When that row was last changed.
    pub updated_at: Timestamp,
    /// Who changed it.
    pub updated_by: String,
    /// Number of the newest revision; 0 when never saved.
    pub revision: i64,
}

/// A saved thing, with what was found in it that did not prevent saving.
#[derive(Clone, Debug)]
pub struct Saved<T> {
    /// The thing as it is now.
    pub value: T,
    /// Warnings and notices.
    pub findings: Findings,
    /// What follows from the save.
    pub affected: Affected,
}

/// One saved version of a configuration.
#[derive(Clone, Debug)]
pub struct Revision {
    /// Its id.
    pub id: RevisionId,
    /// 1 for the first.
    pub number: i64,
    /// The text, with markers; `None` when the configuration was cleared.
    pub text: Option<String>,
    /// Who saved it.
    pub actor: String,
    /// Through which door: `api`, `web`, `cli`.
    pub door: String,
    /// What the author said of it.
    pub note: Option<String>,
    /// The number it was restored from.
    pub restored_from: Option<i64>,
    /// When it was saved.
    pub created_at: Timestamp,
}

/// Something to judge without saving it.
#[derive(Clone, Debug)]
pub struct Check {
    /// Where it would be saved; `None`: on an integration that does not exist yet.
    pub subject: Option<Subject>,
    /// The JSON text.
    pub text: String,
    /// The server to show; `None`: the first affected one, or an example.
    pub preview: Option<ServerRef>,
}

/// What a check found.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Everything found, with line and column.
    pub findings: Findings,
    /// What would be sent; `None` while the text has errors.
    pub preview: Option<Preview>,
    /// What saving it would reach.
    pub affected: Affected,
}

/// What would be sent for one server.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Workspace slug.
    pub workspace: String,
    /// Server slug.
    pub server: String,
    /// The resolved metadata with their origins.
    pub resolution: Resolution,
    /// Digest of the effective metadata.
    pub digest: String,
}

/// The row that carries a configuration.
pub(crate) enum Carrier {
    Organisation(organisation::Model),
    Integration(integration::Model),
    Access(access::Model),
    Server(server::Model),
}

impl Carrier {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Organisation(_) => "organisation",
            Self::Integration(_) => "integration",
            Self::Access(_) => "access",
            Self::Server(_) => "server",
        }
    }

    pub(crate) fn id(&self) -> Uuid {
        match self {
            Self::Organisation(row) => row.id,
            Self::Integration(row) => row.id,
            Self::Access(row) => row.id,
            Self::Server(row) => row.id,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Organisation(row) => row.configuration.as_deref(),
            Self::Integration(row) => row.configuration.as_deref(),
            Self::Access(row) => row.configuration.as_deref(),
            Self::Server(row) => row.configuration.as_deref(),
        }
    }

    pub(crate) fn version(&self) -> i64 {
        match self {
            Self::Organisation(row) => row.version,
            Self::Integration(row) => row.version,
            Self::Access(row) => row.version,
            Self::Server(row) => row.version,
        }
    }

    fn updated(&self) -> (i64, &str) {
        match self {
            Self::Organisation(row) => (row.updated_at, &row.updated_by),
            Self::Integration(row) => (row.updated_at, &row.updated_by),
            Self::Access(row) => (row.updated_at, &row.updated_by),
            Self::Server(row) => (row.updated_at, &row.updated_by),
        }
    }

    /// The servers this layer lies under.
    pub(crate) fn scope(&self) -> Scope {
        match self {
            Self::Organisation(_) => Scope::All,
            Self::Integration(row) => Scope::Integration(IntegrationId(row.id)),
            Self::Access(row) => {
                Scope::Access(IntegrationId(row.integration_id), WorkspaceId(row.workspace_id))
            }
            Self::Server(row) => Scope::Server(ServerId(row.id)),
        }
    }

    fn workspace(&self) -> Option<WorkspaceId> {
        match self {
            Self::Organisation(_) => None,
            Self::Integration(row) => row.workspace_id.map(WorkspaceId),
            Self::Access(row) => Some(WorkspaceId(row.workspace_id)),
            Self::Server(row) => Some(WorkspaceId(row.workspace_id)),
        }
    }

    async fn save(self, write: &Write<'_>, text: Option<String>) -> Result<Self> {
        macro_rules! save {
            ($row:expr, $variant:ident) => {{
                let mut row = $row;
                row.configuration = text;
                save!(touched row, $variant)
            }};
            (touched $row:ident, $variant:ident) => {{
                let mut row = $row;
                row.version += 1;
                row.updated_at = write.millis();
                row.updated_by = write.actor_name();
                row.clone().into_active_model().reset_all().update(&write.txn).await?;
                Self::$variant(row)
            }};
        }
        Ok(match self {
            Self::Organisation(row) => save!(row, Organisation),
            Self::Integration(mut row) => {
                row.set_configuration(text);
                save!(touched row, Integration)
            }
            Self::Access(row) => save!(row, Access),
            Self::Server(row) => save!(row, Server),
        })
    }
}

impl Registry {
    /// One level's configuration.
    pub async fn configuration(&self, actor: &Actor, subject: &Subject) -> Result<Configuration> {
        let carrier = self.carrier(self.db(), actor, subject, false).await?;
        self.show_configuration(self.db(), &carrier).await
    }

    /// Saves (or with `None` clears) one level's configuration. Pointers of findings are relative to the text.
    pub async fn set_configuration(
        &self,
        actor: &Actor,
        subject: &Subject,
        text: Option<String>,
        note: Option<String>,
        expected_version: Option<i64>,
    ) -> Result<Saved<Configuration>> {
        let mut write = self.begin_write(actor).await?;
        let carrier = self.writable_carrier(&mut write, actor, subject).await?;
        names::expect_version(expected_version, carrier.version())?;
        let saved = self.save_text(&mut write, carrier, text, note, None).await?;
        write.commit().await?;
        Ok(saved)
    }

    /// Saved versions, newest first.
    pub async fn revisions(
        &self,
        actor: &Actor,
        subject: &Subject,
        request: PageRequest,
    ) -> Result<Page<Revision>> {
        let carrier = self.carrier(self.db(), actor, subject, false).await?;
        let select = revision::Entity::find()
            .filter(revision::Column::SubjectKind.eq(carrier.kind()))
            .filter(revision::Column::SubjectId.eq(carrier.id()))
            .order_by_desc(revision::Column::Number);
        page::fetch(self.db(), select, request).await?.try_map(|row| Ok(row.into()))
    }

    /// Makes an earlier version the present one, as a new version. Secrets that were replaced since then stay as they
    /// are now; the findings say which.
    pub async fn revert(
        &self,
        actor: &Actor,
        subject: &Subject,
        number: i64,
        expected_version: Option<i64>,
    ) -> Result<Saved<Configuration>> {
        let mut write = self.begin_write(actor).await?;
        let carrier = self.writable_carrier(&mut write, actor, subject).await?;
        names::expect_version(expected_version, carrier.version())?;
        let row = revision::Entity::find()
            .filter(revision::Column::SubjectKind.eq(carrier.kind()))
            .filter(revision::Column::SubjectId.eq(carrier.id()))
            .filter(revision::Column::Number.eq(number))
            .one(&write.txn)
            .await?
            .ok_or_else(|| Error::not_found("revision", number))?;
        let (text, notices) = match row.text {
            Some(text) => {
                let (text, notices) = with_present_secrets(&text, carrier.text())?;
                (Some(text), notices)
            }
            None => (None, Findings::default()),
        };
        let mut saved = self.save_text(&mut write, carrier, text, None, Some(number)).await?;
        saved.findings.extend_below("", notices);
        write.commit().await?;
        Ok(saved)
    }

    /// Judges a text and shows what it would send. Saves nothing.
    pub async fn check_configuration(&self, actor: &Actor, check: Check) -> Result<Checked> {
        actor.require(Permission::CheckConfiguration)?;
        let carrier = match &check.subject {
            Some(subject) => Some(self.carrier(self.db(), actor, subject, false).await?),
            None => None,
        };
        let stored = carrier.as_ref().and_then(Carrier::text);
        let (mut findings, layer) = self.as_if_saved(&check.text, stored)?;
        let Some(layer) = layer.map(Arc::new) else {
            return Ok(Checked { findings, preview: None, affected: Affected::default() });
        };
        let mut servers = match &carrier {
            Some(carrier) => self.load_layers(self.db(), carrier.scope(), false).await?,
            None => Vec::new(),
        };
        servers.retain(|layers| actor.sees(WorkspaceId(layers.workspace.id)));
        let mut affected = Affected::default();
        let clients = KnownClients::of(self.db(), &servers).await?;
        for layers in &mut servers {
            let before = self.resolve_server(layers);
            match &carrier {
                Some(Carrier::Organisation(_)) => layers.organisation_layer = layer.clone(),
                Some(Carrier::Integration(_)) => layers.integration_layer = layer.clone(),
                Some(Carrier::Access(_)) => layers.workspace_layer = layer.clone(),
                Some(Carrier::Server(_)) => layers.server_layer = layer.clone(),
                None => {}
            }
            let after = self.resolve_server(layers);
            if before.effective != after.effective {
                affected.servers += 1;
                if layers::auth_type(&layers.integration)?.needs_client() {
                    affected.registrations += 1;
                    affected.count(clients.cost(self, layers)?);
                }
            }
            for finding in after.findings.iter().filter(|finding| !before.findings.0.contains(finding)) {
                let mut finding = finding.clone();
                finding.message = format!(
                    "For the server {}/{}: {}",
                    layers.workspace.slug, layers.server.slug, finding.message
                );
                findings.push(finding);
            }
        }
        let preview = self.preview(actor, check.preview.as_ref(), &servers, carrier.as_ref(), &layer).await?;
        Ok(Checked { findings, preview: Some(preview), affected })
    }

    /// What was found in a text, and the layer it would be beside the `stored` one; `None` if it has errors. Nothing is
    /// sealed.
    pub(crate) fn as_if_saved(
        &self,
        text: &str,
        stored: Option<&str>,
    ) -> Result<(Findings, Option<AdvancedConfiguration>)> {
        let verified = verify(text, &stored.map(KnownSecrets::of).unwrap_or_default());
        let findings = verified.findings.clone();
        if verified.has_errors() {
            return Ok((findings, None));
        }
        // Ids of secrets that are not stored yet only need to differ from every stored one.
        let ids: Vec<SealedId> = verified.new_secrets().iter().map(|_| SealedId(self.new_id())).collect();
        let text = verified.sealed_text(&ids).unwrap_or_default();
        let layer =
            AdvancedConfiguration::from_stored(&text).map_err(|_| Error::Internal("verified text".into()))?;
        Ok((findings, Some(layer)))
    }

    /// The servers a level lies under, at most 200, for choosing one to look at.
    pub async fn affected_servers(
        &self,
        actor: &Actor,
        subject: &Subject,
    ) -> Result<Vec<(WorkspaceRef, Slug, ServerId)>> {
        let carrier = self.carrier(self.db(), actor, subject, false).await?;
        let servers = self.load_layers(self.db(), carrier.scope(), false).await?;
        servers
            .iter()
            .filter(|layers| actor.sees(WorkspaceId(layers.workspace.id)))
            .take(200)
            .map(layers::names_of)
            .collect()
    }

    async fn preview(
        &self,
        actor: &Actor,
        wanted: Option<&ServerRef>,
        servers: &[layers::ServerLayers],
        carrier: Option<&Carrier>,
        layer: &AdvancedConfiguration,
    ) -> Result<Preview> {
        let chosen = match wanted {
            Some(reference) => {
                let model = servers::find(self.db(), actor, reference).await?;
                servers.iter().find(|layers| layers.server.id == model.id)
            }
            None => servers.first(),
        };
        let (workspace, server, resolution) = if let Some(layers) = chosen {
            (layers.workspace.slug.clone(), layers.server.slug.clone(), self.resolve_server(layers))
        } else {
            // No server yet: show an example, so that a first configuration can be judged before anything exists.
            let organisation_layer = self.organisation_layer(self.db()).await?;
            let layers = match carrier {
                Some(Carrier::Organisation(_)) => {
                    vec![Layer { level: Level::Organisation, configuration: layer }]
                }
                _ => vec![
                    Layer { level: Level::Organisation, configuration: &organisation_layer },
                    Layer { level: Level::Integration, configuration: layer },
                ],
            };
            let callbacks = self.settings().callbacks();
            let (workspace, server) = ("workspace".to_owned(), "server".to_owned());
            let context = ResolveContext { workspace: &workspace, server: &server, callbacks: &callbacks };
            let resolution = resolve(&self.settings().branding, &layers, &context);
            (workspace, server, resolution)
        };
        let digest = resolution.effective.digest();
        Ok(Preview { workspace, server, resolution, digest })
    }

    async fn show_configuration(
        &self,
        db: &impl ConnectionTrait,
        carrier: &Carrier,
    ) -> Result<Configuration> {
        let (updated_at, updated_by) = carrier.updated();
        Ok(Configuration {
            text: carrier.text().map(str::to_owned),
            version: carrier.version(),
            updated_at: moment(updated_at),
            updated_by: updated_by.to_owned(),
            revision: last_revision(db, carrier.kind(), carrier.id()).await?,
        })
    }

    /// The row behind `subject`, if `actor` may read (or, with `writing`, change) it.
    async fn carrier(
        &self,
        db: &impl ConnectionTrait,
        actor: &Actor,
        subject: &Subject,
        writing: bool,
    ) -> Result<Carrier> {
        match subject {
            Subject::Organisation => {
                if writing {
                    actor.require_organisation(Permission::WriteOrganisation)?;
                } else {
                    actor.require_organisation(Permission::ReadOrganisation)?;
                }
                let row = organisation::Entity::find().one(db).await?;
                Ok(Carrier::Organisation(row.ok_or_else(|| Error::not_found("organisation", ""))?))
            }
            Subject::Integration(reference) => {
                actor.require(if writing {
                    Permission::WriteIntegrations
                } else {
                    Permission::ReadIntegrations
                })?;
                let row = integrations::find(db, actor, reference).await?;
                if writing {
                    integrations::require_owner(actor, &row)?;
                }
                Ok(Carrier::Integration(row))
            }
            Subject::Access { integration, workspace } => {
                actor.require(if writing {
                    Permission::WriteIntegrations
                } else {
                    Permission::ReadIntegrations
                })?;
                Ok(Carrier::Access(access_rows::find(self, db, actor, integration, workspace).await?))
            }
            Subject::Server(reference) => {
                actor.require(if writing { Permission::WriteServers } else { Permission::ReadServers })?;
                Ok(Carrier::Server(servers::find(db, actor, reference).await?))
            }
        }
    }

    /// As [`Self::carrier`] for writing; an access row that does not exist yet is made.
    async fn writable_carrier(
        &self,
        write: &mut Write<'_>,
        actor: &Actor,
        subject: &Subject,
    ) -> Result<Carrier> {
        let carrier = self.carrier(&write.txn, actor, subject, true).await?;
        if let Carrier::Access(row) = &carrier
            && row.version == 0
        {
            // Its version stays 0 until the text is saved, which is what the caller has read.
            let mut row = row.clone();
            row.created_by = write.actor_name();
            row.clone().into_active_model().reset_all().insert(&write.txn).await?;
            return Ok(Carrier::Access(row));
        }
        Ok(carrier)
    }

    async fn save_text(
        &self,
        write: &mut Write<'_>,
        carrier: Carrier,
        text: Option<String>,
        note: Option<String>,
        restored_from: Option<i64>,
    ) -> Result<Saved<Configuration>> {
        let before = Before::take(write, carrier.scope()).await?;
        let stored =
            store(write, (carrier.kind(), carrier.id()), "", text.as_deref(), carrier.text(), false).await?;
        let event = Event::new("configuration.saved", carrier.kind(), carrier.id())
            .in_workspace(carrier.workspace())
            .before(json!(carrier.text()))
            .after(json!(stored.text));
        write.audit(event);
        let owner = (carrier.kind(), carrier.id());
        let carrier = carrier.save(write, stored.text.clone()).await?;
        add_revision(write, owner, stored.text, note, restored_from).await?;
        let affected = before.settle(write, "", "configuration saved").await?;
        let value = self.show_configuration(&write.txn, &carrier).await?;
        Ok(Saved { value, findings: stored.findings, affected })
    }
}

/// Adds the next revision of a configuration.
pub(crate) async fn add_revision(
    write: &Write<'_>,
    owner: (&'static str, Uuid),
    text: Option<String>,
    note: Option<String>,
    restored_from: Option<i64>,
) -> Result<()> {
    let note = note.map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
    if note.as_ref().is_some_and(|note| note.chars().count() > 500) {
        return Err(Error::invalid(Finding::error(
            "/note",
            "too_long",
            "A note has at most 500 characters.",
        )));
    }
    revision::ActiveModel {
        id: Set(write.registry.new_id()),
        subject_kind: Set(owner.0.to_owned()),
        subject_id: Set(owner.1),
        number: Set(last_revision(&write.txn, owner.0, owner.1).await? + 1),
        text: Set(text),
        actor: Set(write.actor_name()),
        door: Set(write.actor().origin.door.as_str().to_owned()),
        note: Set(note),
        restored_from: Set(restored_from),
        created_at: Set(write.millis()),
    }
    .insert(&write.txn)
    .await?;
    Ok(())
}

async fn last_revision(db: &impl ConnectionTrait, kind: &str, id: Uuid) -> Result<i64> {
    let newest: Option<i64> = revision::Entity::find()
        .select_only()
        .column(revision::Column::Number)
        .filter(revision::Column::SubjectKind.eq(kind))
        .filter(revision::Column::SubjectId.eq(id))
        .order_by_desc(revision::Column::Number)
        .limit(1)
        .into_tuple()
        .one(db)
        .await?;
    Ok(newest.unwrap_or(0))
}

impl From<revision::Model> for Revision {
    fn from(row: revision::Model) -> Self {
        Self {
            id: RevisionId(row.id),
            number: row.number,
            text: row.text,
            actor: row.actor,
            door: row.door,
            note: row.note,
            restored_from: row.restored_from,
            created_at: moment(row.created_at),
        }
    }
}
