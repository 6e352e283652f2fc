//! What people can do about a registration: try again, replace, keep, withdraw, enter a client by hand.

use crate::entity::registration;
use crate::layers::Scope;
use crate::registrations::Registration;
use crate::write::{Event, Write};
use crate::{Actor, Error, Registry, Result, Subject};
use registry_core::id::{RegistrationId, ServerId};
use registry_core::metadata::{ALIAS_WRAPPER, CANONICAL_WRAPPER};
use registry_core::permission::Permission;
use registry_core::registration::{Request, State};
use registry_core::secret::Secret;
use registry_core::slug::Reference;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, QuerySelect};
use serde_json::{Map, Value, json};

/// A client that was registered by hand.
#[derive(Debug)]
pub struct EnteredClient {
    /// Its id.
    pub client_id: String,
    /// Its secret, for a confidential client.
    pub client_secret: Option<Secret>,
    /// How it authenticates (RFC 7591 §2); absent: as the layers below say.
    pub token_endpoint_auth_method: Option<String>,
}

impl Registry {
    /// Tries again now, whatever was planned, beginning with the authorization server's metadata.
    pub async fn retry_registration(&self, actor: &Actor, id: RegistrationId) -> Result<Registration> {
        self.operate(actor, id, "registration.retry_asked", |_, _, changed, now| {
            changed.request = Set(Some(Request::Retry.as_str().to_owned()));
            changed.rediscover_at = Set(Some(now));
            Ok(())
        })
        .await
    }

    /// Makes a new client although there is one; people who signed in through the old one must sign in again.
    pub async fn reregister(&self, actor: &Actor, id: RegistrationId) -> Result<Registration> {
        self.operate(actor, id, "registration.reregister_asked", |_, _, changed, _| {
            changed.request = Set(Some(Request::Reregister.as_str().to_owned()));
            Ok(())
        })
        .await
    }

    /// Agrees that an outdated client is replaced.
    pub async fn approve_registration(&self, actor: &Actor, id: RegistrationId) -> Result<Registration> {
        self.operate(actor, id, "registration.approved", |before, _, changed, _| {
            outdated(before)?;
            changed.request = Set(Some(Request::Reregister.as_str().to_owned()));
            Ok(())
        })
        .await
    }

    /// Keeps an outdated client: what is wanted now is not sent. The next change asks again.
    pub async fn skip_registration(&self, actor: &Actor, id: RegistrationId) -> Result<Registration> {
        self.operate(actor, id, "registration.skipped", |before, inputs, changed, _| {
            outdated(before)?;
            changed.skipped = Set(Some(inputs.to_owned()));
            Ok(())
        })
        .await
    }

    /// Withdraws the client although the server stays; nothing is registered again until a person asks for it.
    pub async fn withdraw_registration(&self, actor: &Actor, id: RegistrationId) -> Result<Registration> {
        self.operate(actor, id, "registration.withdrawal_asked", |_, _, changed, now| {
            changed.stopped_at = Set(Some(now));
            changed.request = Set(Some(Request::Retry.as_str().to_owned()));
            Ok(())
        })
        .await
    }

    /// Enters a client that was registered by hand: the same as setting it in the server's Advanced Configuration, with the
    /// findings that has.
    pub async fn enter_client(
        &self,
        actor: &Actor,
        id: RegistrationId,
        client: EnteredClient,
    ) -> Result<Registration> {
        actor.require(Permission::OperateRegistrations)?;
        let before = self.find_registration(self.db(), actor, id).await?;
        let subject =
            Subject::Server(crate::ServerRef { server: Reference::Id(before.server.0), workspace: None });
        let current = self.configuration(actor, &subject).await?;
        let mut text: Value = match &current.text {
            Some(text) => serde_json::from_str(text)?,
            None => json!({}),
        };
        let wrapper = if text.get(ALIAS_WRAPPER).is_some() { ALIAS_WRAPPER } else { CANONICAL_WRAPPER };
        let entered = text
            .as_object_mut()
            .map(|members| members.entry(wrapper).or_insert_with(|| Value::Object(Map::new())));
        let Some(Value::Object(members)) = entered else {
            return Err(Error::corrupt("server", "configuration", before.server.0));
        };
        members.insert("client_id".to_owned(), json!(client.client_id));
        members.remove("client_secret");
        if let Some(secret) = client.client_secret {
            members.insert("client_secret".to_owned(), json!(secret.expose()));
        }
        if let Some(method) = client.token_endpoint_auth_method {
            members.insert("token_endpoint_auth_method".to_owned(), json!(method));
        }
        let text = serde_json::to_string_pretty(&text)?;
        let note = Some("client entered by hand".to_owned());
        self.set_configuration(actor, &subject, Some(text), note, Some(current.version)).await?;
        self.retry_registration(actor, id).await
    }

    /// One change to a registration by a person, who then waits for what becomes of it.
    async fn operate(
        &self,
        actor: &Actor,
        id: RegistrationId,
        action: &'static str,
        change: impl FnOnce(&Registration, &str, &mut registration::ActiveModel, i64) -> Result<()>,
    ) -> Result<Registration> {
        actor.require(Permission::OperateRegistrations)?;
        let mut write = self.begin_write(actor).await?;
        let before = self.find_registration(&write.txn, actor, id).await?;
        let row = registration::Entity::find_by_id(id.0)
            .lock_exclusive()
            .one(&write.txn)
            .await?
            .ok_or_else(|| Error::not_found("registration", id))?;
        let inputs = self.inputs_of(&write, &row).await?;
        let Some(inputs) = inputs else { return Err(gone()) };
        let now = write.millis();
        let mut changed = registration::ActiveModel {
            id: Set(id.0),
            wanted: Set(row.wanted + 1),
            wanted_because: Set(Some(format!("{} asked", actor.name()))),
            due_at: Set(now),
            // Whatever is asked for, it is asked of a client that is wanted, unless it is to be withdrawn.
            stopped_at: Set(None),
            state: Set(State::Queued.as_str().to_owned()),
            updated_at: Set(now),
            ..Default::default()
        };
        change(&before, &inputs, &mut changed, now)?;
        changed.update(&write.txn).await?;
        write.audit(
            Event::new(action, "registration", id)
                .named(format!("{}/{}", before.workspace.slug, before.server_slug))
                .in_workspace(Some(before.workspace.id)),
        );
        write.server_changed(before.workspace.id, before.server);
        let after = self.find_registration(&write.txn, actor, id).await?;
        write.commit().await?;
        Ok(after)
    }

    /// What is wanted for a registration's server now, as its inputs; `None` when the server is gone.
    async fn inputs_of(&self, write: &Write<'_>, row: &registration::Model) -> Result<Option<String>> {
        let layers = self.load_layers(&write.txn, Scope::Server(ServerId(row.server_id)), false).await?.pop();
        layers.map(|layers| Ok(self.desired(&layers, Some(row))?.inputs())).transpose()
    }
}

fn gone() -> Error {
    Error::Conflict {
        code: "registration_withdrawn",
        message: "The server of this registration is gone; there is nothing to register.".to_owned(),
        pointer: None,
    }
}

fn outdated(registration: &Registration) -> Result<()> {
    if registration.state == State::Outdated {
        return Ok(());
    }
    Err(Error::Conflict {
        code: "registration_not_outdated",
        message: "Nothing waits for an agreement here: the client is not outdated.".to_owned(),
        pointer: None,
    })
}
