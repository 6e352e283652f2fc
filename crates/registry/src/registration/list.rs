//! Registrations as users see them.

use crate::lookup::integrations::IntegrationRef;
use crate::lookup::servers::ServerRef;
use crate::lookup::workspaces::WorkspaceRef;
use crate::pagination::{Page, PageRequest};
use crate::registration::Registrations;
use crate::registration::attempt_retention::MAX_SHOWN;
use crate::registration::record::{Attempt, OAuthClient};
use crate::storage::entity::{attempt, oauth_client, registration};
use crate::{Actor, Error, Result};
use registry_core::clock::Timestamp;
use registry_core::id::{RegistrationId, ServerId};
use registry_core::permission::Permission;
use registry_core::registration::{AttemptOutcome, AttemptStep, RegistrationMethod, State};
use registry_core::slug::{Reference, Slug};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

/// The standing effort to have a client for one server.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Its id.
    pub id: RegistrationId,
    /// The server.
    pub server: ServerId,
    /// The server's slug.
    pub server_slug: Slug,
    /// The display name of the server.
    pub server_name: String,
    /// The server's workspace.
    pub workspace: WorkspaceRef,
    /// The integration.
    pub integration: IntegrationRef,
    /// Whether the server was deleted.
    pub server_deleted: bool,
    /// Where the effort stands.
    pub state: State,
    /// Whether there is an active, unexpired client.
    pub usable: bool,
    /// How the active client came to be.
    pub method: Option<RegistrationMethod>,
    /// Stable code of the last failure (`docs/problems.md`).
    pub reason: Option<String>,
    /// What happened and what to do, a sentence for users.
    pub detail: Option<String>,
    /// The authorization server's own error code.
    pub error: Option<String>,
    /// The authorization server's own words, control characters removed.
    pub error_description: Option<String>,
    /// Issuer the active client belongs to.
    pub issuer: Option<String>,
    /// Issuer that was found for it last, while there is no active client.
    pub discovered_issuer: Option<String>,
    /// The active client's id.
    pub client_id: Option<String>,
    /// The active client's generation.
    pub generation: Option<i64>,
    /// Failures in a row.
    pub failures: i64,
    /// Nothing is sent before this time.
    pub not_before: Option<Timestamp>,
    /// When something was last tried.
    pub last_attempt_at: Option<Timestamp>,
    /// What came of that.
    pub last_answer: Option<LastAnswer>,
    /// The version of the integration's configuration that the active client was made or last updated with; 0: none was
    /// saved by then.
    pub metadata_used: Option<i64>,
    /// The newest version of the integration's configuration; 0: none was saved yet.
    pub metadata_newest: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What came of the last attempt, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastAnswer {
    /// What was tried.
    pub step: AttemptStep,
    /// What came of it.
    pub outcome: AttemptOutcome,
    /// HTTP status of its last exchange; `None` when no answer came.
    pub status: Option<u16>,
}

/// Which registrations to list.
#[derive(Clone, Debug, Default)]
pub struct RegistrationFilter {
    /// Only these states; empty: all that are not withdrawn.
    pub states: Vec<State>,
    /// Of this workspace.
    pub workspace: Option<Reference>,
    /// Of this integration.
    pub integration: Option<Reference>,
    /// Of this server.
    pub server: Option<ServerRef>,
    /// Whose active client belongs to this issuer, exactly.
    pub issuer: Option<String>,
    /// Whose active client came to be this way.
    pub method: Option<RegistrationMethod>,
    /// Part of name or slug of server, workspace or integration, of the active client's `client_id`, or of the last error;
    /// `workspace/server` means both.
    pub search: Option<String>,
}

/// A registration with what was tried and what came of it.
#[derive(Clone, Debug)]
pub struct RegistrationDetail {
    /// The registration.
    pub registration: Registration,
    /// Newest first, at most 50.
    pub attempts: Vec<Attempt>,
    /// Newest generation first.
    pub clients: Vec<OAuthClient>,
    /// The gateway callbacks, needed to register a client by hand.
    pub callback_urls: Vec<String>,
}

impl Registrations<'_> {
    /// Registrations, those that changed last first.
    pub async fn list(
        self,
        actor: &Actor,
        filter: RegistrationFilter,
        request: PageRequest,
    ) -> Result<Page<Registration>> {
        actor.require(Permission::ReadRegistrations)?;
        let db = &self.registry.list_db(actor);
        let chosen = self.choose(actor, &filter).await?;
        let mut page = chosen.page(db, request).await?;
        let items = self.show(db, std::mem::take(&mut page.items)).await?;
        Ok(page.with_items(items))
    }

    /// How many registrations are in each state, whatever states the filter names. With a filter by anything but one
    /// workspace or one integration, at most [`MAX_COUNTED`](crate::MAX_COUNTED) registrations are counted.
    pub async fn counts(self, actor: &Actor, mut filter: RegistrationFilter) -> Result<Vec<(State, u64)>> {
        actor.require(Permission::ReadRegistrations)?;
        filter.states = State::ALL.to_vec();
        self.choose(actor, &filter).await?.counts(&self.registry.list_db(actor)).await
    }

    /// One registration with its attempts and clients.
    pub async fn get(self, actor: &Actor, id: RegistrationId) -> Result<RegistrationDetail> {
        actor.require(Permission::ReadRegistrations)?;
        let registration = self.find(self.registry.db(), actor, id).await?;
        let attempts = attempt::Entity::find()
            .filter(attempt::Column::RegistrationId.eq(id.0))
            .order_by_desc(attempt::Column::Number)
            .limit(u64::from(MAX_SHOWN))
            .all(self.registry.db())
            .await?;
        let clients = oauth_client::Entity::find()
            .filter(oauth_client::Column::RegistrationId.eq(id.0))
            .order_by_desc(oauth_client::Column::Generation)
            .all(self.registry.db())
            .await?;
        Ok(RegistrationDetail {
            registration,
            attempts: attempts.into_iter().map(TryInto::try_into).collect::<Result<_>>()?,
            clients: clients.into_iter().map(TryInto::try_into).collect::<Result<_>>()?,
            callback_urls: self.registry.shared_settings().callbacks(),
        })
    }

    pub(crate) async fn find(
        self,
        db: &impl ConnectionTrait,
        actor: &Actor,
        id: RegistrationId,
    ) -> Result<Registration> {
        let missing = || Error::not_found("registration", id);
        let row = registration::Entity::find_by_id(id.0).one(db).await?.ok_or_else(missing)?;
        let shown = self.show(db, vec![row]).await?.pop().ok_or_else(missing)?;
        if actor.sees(shown.workspace.id) { Ok(shown) } else { Err(missing()) }
    }
}
