//! What the log does not say of its subjects: their names now, and the versions of configurations that were saved.

use crate::Result;
use crate::audit::Audit;
use crate::audit::events::AuditEvent;
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::millis;
use crate::storage::entity::{access, integration, revision, server, workspace};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use std::collections::HashMap;
use uuid::Uuid;

/// What is known of the subject of an event beside what the event says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditSubject {
    /// Its name now; `None`: it is of another kind, or no longer there.
    pub name: Option<String>,
    /// Of an integration's layer in a workspace: the id of the integration, and the slug of the workspace.
    pub access: Option<(Uuid, String)>,
    /// The version that a save of a configuration made.
    pub version: Option<i64>,
}

impl Audit<'_> {
    /// The subjects of `events`, in their order, with at most five queries. The events were read by the caller, who may read
    /// the log.
    pub async fn subjects(self, events: &[AuditEvent]) -> Result<Vec<AuditSubject>> {
        let access = self.accesses(&ids(events, "access")).await?;
        let mut integrations = ids(events, "integration");
        integrations.extend(access.values().map(|(integration, _)| *integration));
        let mut workspaces = ids(events, "workspace");
        workspaces.extend(access.values().map(|(_, workspace)| *workspace));
        let (id, name) = (integration::Column::Id, integration::Column::Name);
        let integrations = self.names::<integration::Entity>(id, name, &integrations).await?;
        let workspaces = self.workspaces(&workspaces).await?;
        let (id, name) = (server::Column::Id, server::Column::Name);
        let servers = self.names::<server::Entity>(id, name, &ids(events, "server")).await?;
        let versions = self.versions(events).await?;
        let subject = |event: &AuditEvent| {
            let id = subject_id(event)?;
            let version = versions.get(&(id, millis(event.at))).copied();
            let (name, of) = match event.subject_kind.as_str() {
                "integration" => (integrations.get(&id).cloned(), None),
                "server" => (servers.get(&id).cloned(), None),
                "workspace" => (workspaces.get(&id).map(|(name, _)| name.clone()), None),
                "access" => {
                    let (integration, workspace) = access.get(&id)?;
                    let name = integrations.get(integration)?;
                    let (workspace, slug) = workspaces.get(workspace)?;
                    (Some(format!("{name} in {workspace}")), Some((*integration, slug.clone())))
                }
                _ => (None, None),
            };
            Some(AuditSubject { name, access: of, version: version.filter(|_| is_save(event)) })
        };
        Ok(events.iter().map(|event| subject(event).unwrap_or_default()).collect())
    }

    /// Integration and workspace of layers.
    async fn accesses(self, ids: &[Uuid]) -> Result<HashMap<Uuid, (Uuid, Uuid)>> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let select = access::Entity::find().filter(access::Column::Id.is_in(ids.iter().copied()));
        let rows = select.all(self.registry.db()).await?;
        Ok(rows.into_iter().map(|row| (row.id, (row.integration_id, row.workspace_id))).collect())
    }

    /// The names of rows, by id.
    async fn names<E: EntityTrait>(
        self,
        id: E::Column,
        name: E::Column,
        ids: &[Uuid],
    ) -> Result<HashMap<Uuid, String>> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let select = E::find().select_only().columns([id, name]).filter(id.is_in(ids.iter().copied()));
        let rows: Vec<(Uuid, String)> = select.into_tuple().all(self.registry.db()).await?;
        Ok(rows.into_iter().collect())
    }

    /// Names and slugs.
    async fn workspaces(self, ids: &[Uuid]) -> Result<HashMap<Uuid, (String, String)>> {
        use workspace::Column as C;
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let select = workspace::Entity::find().select_only().columns([C::Id, C::Name, C::Slug]);
        let select = select.filter(C::Id.is_in(ids.iter().copied()));
        let rows: Vec<(Uuid, String, String)> = select.into_tuple().all(self.registry.db()).await?;
        Ok(rows.into_iter().map(|(id, name, slug)| (id, (name, slug))).collect())
    }

    /// The versions that the saves among `events` made, by owner and time: an event and its version have one timestamp.
    async fn versions(self, events: &[AuditEvent]) -> Result<HashMap<(Uuid, i64), i64>> {
        use revision::Column as C;
        let saves: Vec<_> = events.iter().filter(|event| is_save(event)).collect();
        if saves.is_empty() {
            return Ok(HashMap::new());
        }
        let select = revision::Entity::find()
            .select_only()
            .columns([C::SubjectId, C::CreatedAt, C::Number])
            .filter(C::SubjectId.is_in(saves.iter().filter_map(|event| subject_id(event))))
            .filter(C::CreatedAt.is_in(saves.iter().map(|event| millis(event.at))));
        let rows: Vec<(Uuid, i64, i64)> = select.into_tuple().all(self.registry.db()).await?;
        Ok(rows.into_iter().map(|(owner, at, number)| ((owner, at), number)).collect())
    }
}

fn is_save(event: &AuditEvent) -> bool {
    event.action == AuditAction::ConfigurationSaved.as_str()
}

fn subject_id(event: &AuditEvent) -> Option<Uuid> {
    Uuid::try_parse(event.subject_id.as_deref()?).ok()
}

/// The ids of the subjects of this kind.
fn ids(events: &[AuditEvent], kind: &str) -> Vec<Uuid> {
    events.iter().filter(|event| event.subject_kind == kind).filter_map(subject_id).collect()
}
