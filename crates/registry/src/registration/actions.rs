//! What users can do about a registration: retry, replace, keep, deregister, set the credentials of a client.

use crate::configuration::layers::ServerScope;
use crate::registration::Registrations;
use crate::registration::list::Registration;
use crate::storage::audit_action::AuditAction;
use crate::storage::columns::{set_some_word, set_word};
use crate::storage::entity::{oauth_client, registration};
use crate::storage::write::{Event, Write};
use crate::{Actor, ConfigurationScope, ConflictCode, Error, Result};
use registry_core::id::{RegistrationId, ServerId};
use registry_core::metadata::{ALIAS_WRAPPER, CANONICAL_WRAPPER};
use registry_core::permission::Permission;
use registry_core::registration::{Request, State};
use registry_core::secret::Secret;
use registry_core::slug::Reference;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use serde_json::{Map, Value, json};

/// A client that was registered by hand.
#[derive(Debug)]
pub struct ClientCredentials {
    /// Its id.
    pub client_id: String,
    /// Its secret, for a confidential client.
    pub client_secret: Option<Secret>,
    /// How it authenticates (RFC 7591 §2); absent: as the layers below say.
    pub token_endpoint_auth_method: Option<String>,
}

/// What a user asks of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Retry,
    Reregister,
    Approve,
    Skip,
    Withdraw,
}

impl Ask {
    fn action(self) -> AuditAction {
        match self {
            Self::Retry => AuditAction::RegistrationRetryAsked,
            Self::Reregister => AuditAction::RegistrationReregisterAsked,
            Self::Approve => AuditAction::RegistrationApproved,
            Self::Skip => AuditAction::RegistrationSkipped,
            Self::Withdraw => AuditAction::RegistrationWithdrawalAsked,
        }
    }
}

impl Registrations<'_> {
    /// Tries again now, whatever was planned, beginning with the authorization server's metadata.
    pub async fn retry(self, actor: &Actor, id: RegistrationId) -> Result<Registration> {
        self.operate(actor, id, Ask::Retry).await
    }

    /// Makes a new client although there is one; users who signed in through the old one must sign in again.
    pub async fn reregister(self, actor: &Actor, id: RegistrationId) -> Result<Registration> {
        self.operate(actor, id, Ask::Reregister).await
    }

    /// Agrees that an outdated client is replaced.
    pub async fn approve(self, actor: &Actor, id: RegistrationId) -> Result<Registration> {
        self.operate(actor, id, Ask::Approve).await
    }

    /// Keeps an outdated client: what is wanted now is not sent. The next change asks again.
    pub async fn skip(self, actor: &Actor, id: RegistrationId) -> Result<Registration> {
        self.operate(actor, id, Ask::Skip).await
    }

    /// Deregisters the client although the server stays; nothing is registered again until a user asks for it.
    pub async fn deregister(self, actor: &Actor, id: RegistrationId) -> Result<Registration> {
        self.operate(actor, id, Ask::Withdraw).await
    }

    /// Enters a client that was registered by hand: the same as setting it in the server's Advanced Configuration, with the
    /// findings that has.
    pub async fn set_client_credentials(
        self,
        actor: &Actor,
        id: RegistrationId,
        client: ClientCredentials,
    ) -> Result<Registration> {
        let note = "client entered by hand";
        self.edit_server_layer(actor, id, note, |members| {
            let wrapper = if members.contains_key(ALIAS_WRAPPER) { ALIAS_WRAPPER } else { CANONICAL_WRAPPER };
            let Some(members) = object_in(members, wrapper) else { return };
            members.insert("client_id".to_owned(), json!(client.client_id));
            members.remove("client_secret");
            if let Some(secret) = &client.client_secret {
                members.insert("client_secret".to_owned(), json!(secret.expose()));
            }
            if let Some(method) = client.token_endpoint_auth_method {
                members.insert("token_endpoint_auth_method".to_owned(), json!(method));
            }
        })
        .await?;
        self.retry(actor, id).await
    }

    /// Sets the token that an authorization server requires for registrations (RFC 7591 §3), in the server's Advanced
    /// Configuration, where it is kept sealed; then tries again.
    pub async fn set_initial_access_token(
        self,
        actor: &Actor,
        id: RegistrationId,
        token: Secret,
    ) -> Result<Registration> {
        self.edit_server_layer(actor, id, "initial access token entered", |members| {
            if let Some(members) = object_in(members, "registration") {
                members.insert("initial_access_token".to_owned(), json!(token.expose()));
            }
        })
        .await?;
        self.retry(actor, id).await
    }

    /// Changes the Advanced Configuration of a registration's server as `edit` says, with the findings that has.
    async fn edit_server_layer(
        self,
        actor: &Actor,
        id: RegistrationId,
        note: &str,
        edit: impl FnOnce(&mut Map<String, Value>),
    ) -> Result<()> {
        actor.require(Permission::OperateRegistrations)?;
        let before = self.find(self.registry.db(), actor, id).await?;
        if before.server_deleted {
            return Err(gone());
        }
        let subject = ConfigurationScope::Server(crate::ServerRef {
            server: Reference::Id(before.server.0),
            workspace: None,
        });
        let current = self.registry.configurations().get(actor, &subject).await?;
        let mut text: Value = match &current.text {
            Some(text) => serde_json::from_str(text)?,
            None => json!({}),
        };
        let members =
            text.as_object_mut().ok_or_else(|| Error::corrupt("server", "configuration", before.server.0))?;
        edit(members);
        let text = serde_json::to_string_pretty(&text)?;
        self.registry
            .configurations()
            .set(actor, &subject, Some(text), Some(note.to_owned()), Some(current.version))
            .await?;
        Ok(())
    }

    /// One change to a registration by a user, who then waits for its outcome.
    async fn operate(self, actor: &Actor, id: RegistrationId, what: Ask) -> Result<Registration> {
        actor.require(Permission::OperateRegistrations)?;
        let mut write = self.registry.begin_write(actor).await?;
        let before = self.find(&write.txn, actor, id).await?;
        self.ask(&mut write, &before, what).await?;
        let after = self.find(&write.txn, actor, id).await?;
        write.commit().await?;
        Ok(after)
    }

    /// The same inside a write, of a registration that its actor may operate.
    pub(crate) async fn ask(self, write: &mut Write<'_>, before: &Registration, what: Ask) -> Result<()> {
        let id = before.id;
        let row = registration::Entity::find_by_id(id.0)
            .lock_exclusive()
            .one(&write.txn)
            .await?
            .ok_or_else(|| Error::not_found("registration", id))?;
        if before.server_deleted {
            return Err(gone());
        }
        let now = write.millis();
        let mut changed = registration::ActiveModel {
            id: Set(id.0),
            wanted: Set(row.wanted + 1),
            wanted_because: Set(Some(format!("{} asked", write.actor_name()))),
            due_at: Set(now),
            // Whatever is asked for, it is asked of a client that is wanted, unless it is to be withdrawn.
            stopped_at: Set(None),
            state: set_word(State::Queued),
            updated_at: Set(now),
            ..Default::default()
        };
        match what {
            Ask::Retry => {
                changed.request = set_some_word(Request::Retry);
                changed.rediscover_at = Set(Some(now));
            }
            Ask::Reregister => changed.request = set_some_word(Request::Reregister),
            Ask::Approve => {
                outdated(before)?;
                changed.request = set_some_word(Request::Reregister);
            }
            Ask::Skip => {
                outdated(before)?;
                changed.skipped = Set(Some(self.inputs_of(write, &row).await?.ok_or_else(gone)?));
            }
            Ask::Withdraw => {
                changed.stopped_at = Set(Some(now));
                changed.request = set_some_word(Request::Retry);
            }
        }
        if what != Ask::Skip {
            // It does not wait for what failed before.
            changed.failures = Set(0);
        }
        changed.update(&write.txn).await?;
        // Deletions that wait for their next try are tried at once, too.
        oauth_client::Entity::update_many()
            .col_expr(oauth_client::Column::WithdrawNotBefore, Expr::value(None::<i64>))
            .filter(oauth_client::Column::RegistrationId.eq(id.0))
            .exec(&write.txn)
            .await?;
        write.audit(
            Event::new(what.action(), "registration", id)
                .named(format!("{}/{}", before.workspace.slug, before.server_slug))
                .in_workspace(Some(before.workspace.id)),
        );
        write.server_changed(before.workspace.id, before.server);
        Ok(())
    }

    /// What is wanted for a registration's server now, as its inputs; `None` when the server is gone.
    async fn inputs_of(self, write: &Write<'_>, row: &registration::Model) -> Result<Option<String>> {
        let layers = self
            .registry
            .configurations()
            .load(&write.txn, ServerScope::Server(ServerId(row.server_id)), false)
            .await?
            .pop();
        layers
            .map(|layers| Ok(self.registry.configurations().desired(&layers, Some(row))?.inputs()))
            .transpose()
    }
}

/// The object under `name`, made when it is not there; `None` where something else stands, which the check then names.
fn object_in<'a>(members: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Map<String, Value>> {
    members.entry(name).or_insert_with(|| Value::Object(Map::new())).as_object_mut()
}

fn gone() -> Error {
    Error::Conflict {
        code: ConflictCode::RegistrationWithdrawn,
        message: "The server of this registration is gone; there is nothing to register.".to_owned(),
        pointer: None,
    }
}

fn outdated(registration: &Registration) -> Result<()> {
    if registration.state == State::Outdated {
        return Ok(());
    }
    Err(Error::Conflict {
        code: ConflictCode::RegistrationNotOutdated,
        message: "Nothing waits for an agreement here: the client is not outdated.".to_owned(),
        pointer: None,
    })
}
