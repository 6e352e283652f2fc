//! Which configurations set a member of client metadata.
//!
//! The answer comes from the configurations that were saved last, at most [`MAX_REVISIONS`]: they are read by the primary
//! key of the revisions (UUIDv7, so in the order of saving), and the cost does not grow with the number of servers.

use crate::dashboard::Dashboard;
use crate::integrations::list::visible;
use crate::lookup::servers::is_live;
use crate::lookup::slugs::stored_slug;
use crate::storage::columns::contains;
use crate::storage::entity::{access, integration, organisation, revision, server, workspace};
use crate::storage::owner::OwnerKind;
use crate::{Actor, Result};
use registry_core::metadata::{FIELDS, read_members};
use registry_core::permission::Permission;
use registry_core::slug::Slug;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Saved configurations that are looked through, at most: those saved last.
pub const MAX_REVISIONS: u64 = 500;
/// Configurations that are named, at most.
const MAX_SETTERS: usize = 20;

/// A configuration that sets the member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setter {
    /// The organisation's layer.
    Organisation,
    /// The layer of an integration.
    Integration(Slug),
    /// The layer of a workspace over an integration.
    Access {
        /// Slug of the workspace.
        workspace: Slug,
        /// Slug of the integration.
        integration: Slug,
    },
    /// The layer of a server.
    Server {
        /// Slug of its workspace.
        workspace: Slug,
        /// Slug of the server.
        server: Slug,
    },
}

/// The configurations that set a member, those saved last first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setters {
    /// The configurations, at most 20.
    pub found: Vec<Setter>,
    /// Whether older configurations were not looked through, or more were found.
    pub more: bool,
}

impl Dashboard<'_> {
    /// The configurations that set `member` (a name of the field table), as far as the actor may see them.
    pub async fn setters(self, actor: &Actor, member: &str) -> Result<Setters> {
        let db = self.registry.db();
        let names: Vec<&str> = FIELDS
            .iter()
            .filter(|field| field.name == member || field.alias_of == Some(member))
            .map(|field| field.name)
            .collect();
        if names.is_empty() || !actor.can(Permission::ReadIntegrations) {
            return Ok(Setters::default());
        }
        let oldest: Option<Uuid> = revision::Entity::find()
            .select_only()
            .column(revision::Column::Id)
            .order_by_desc(revision::Column::Id)
            .offset(MAX_REVISIONS)
            .limit(1)
            .into_tuple()
            .one(db)
            .await?;
        let mut select = revision::Entity::find();
        if let Some(oldest) = oldest {
            select = select.filter(revision::Column::Id.gt(oldest));
        }
        let any = names.iter().fold(sea_orm::Condition::any(), |any, name| {
            any.add(contains(revision::Column::Text, &format!("\"{name}\"")))
        });
        let rows = select.filter(any).order_by_desc(revision::Column::Id).all(db).await?;
        let mut found = Setters { more: oldest.is_some(), ..Setters::default() };
        for row in rows {
            if found.found.len() == MAX_SETTERS {
                found.more = true;
                break;
            }
            let members = row.text.as_deref().and_then(read_members).unwrap_or_default();
            if sets(&members, &names) {
                found.found.extend(self.setter(actor, &row).await?);
            }
        }
        Ok(found)
    }

    /// The object of a revision, if it is the newest one and the actor may see the object.
    async fn setter(self, actor: &Actor, row: &revision::Model) -> Result<Option<Setter>> {
        let (db, id, number) = (self.registry.db(), row.subject_id, row.number);
        let own = actor.workspace();
        let is = |kind: OwnerKind| row.subject_kind == kind.as_str();
        if is(OwnerKind::Organisation) {
            let may = own.is_none() && actor.can(Permission::ReadOrganisation);
            let current = organisation::Entity::find_by_id(id).one(db).await?;
            let is_current = current.is_some_and(|one| one.configuration_revision == number);
            return Ok((may && is_current).then_some(Setter::Organisation));
        }
        if is(OwnerKind::Integration) {
            let current = visible(actor)
                .filter(integration::Column::Id.eq(id))
                .filter(integration::Column::ConfigurationRevision.eq(number))
                .one(db)
                .await?;
            return current
                .map(|one| Ok(Setter::Integration(stored_slug(&one.slug, "integration", id)?)))
                .transpose();
        }
        if is(OwnerKind::Access) {
            let mut select = access::Entity::find_by_id(id)
                .filter(access::Column::ConfigurationRevision.eq(number))
                .find_also_related(workspace::Entity)
                .filter(workspace::Column::DeletedAt.is_null());
            if let Some(own) = own {
                select = select.filter(access::Column::WorkspaceId.eq(own.0));
            }
            let Some((current, Some(team))) = select.one(db).await? else { return Ok(None) };
            let of =
                visible(actor).filter(integration::Column::Id.eq(current.integration_id)).one(db).await?;
            let Some(of) = of else { return Ok(None) };
            return Ok(Some(Setter::Access {
                workspace: stored_slug(&team.slug, "workspace", team.id)?,
                integration: stored_slug(&of.slug, "integration", of.id)?,
            }));
        }
        if !actor.can(Permission::ReadServers) {
            return Ok(None);
        }
        let mut select = server::Entity::find_by_id(id)
            .filter(server::Column::ConfigurationRevision.eq(number))
            .filter(is_live())
            .find_also_related(workspace::Entity);
        if let Some(own) = own {
            select = select.filter(server::Column::WorkspaceId.eq(own.0));
        }
        let Some((current, Some(team))) = select.one(db).await? else { return Ok(None) };
        Ok(Some(Setter::Server {
            workspace: stored_slug(&team.slug, "workspace", team.id)?,
            server: stored_slug(&current.slug, "server", id)?,
        }))
    }
}

/// Whether any object of the text has a member of one of these names.
fn sets(object: &Map<String, Value>, names: &[&str]) -> bool {
    object.iter().any(|(name, value)| {
        names.contains(&name.as_str()) || value.as_object().is_some_and(|inner| sets(inner, names))
    })
}
