//! Inviting people, changing what they may do, ending their access.

use crate::entity::{sign_in_link, user};
use crate::key_text::random_base62;
use crate::sessions::{self, token_hash};
use crate::stored::word;
use crate::users::{User, email_key};
use crate::write::{Event, Write};
use crate::{Actor, Door, Error, Origin, Registry, Result, names, workspaces};
use chrono::Duration;
use registry_core::finding::Finding;
use registry_core::id::{UserId, WorkspaceId};
use registry_core::permission::{Permission, Role};
use registry_core::slug::Reference;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter,
};
use serde_json::json;
use uuid::Uuid;

/// How long a one-time link may wait.
const LINK: Duration = Duration::hours(24);

/// Somebody to make known.
#[derive(Clone, Debug)]
pub struct NewPerson {
    /// What they will sign in with.
    pub email: String,
    /// Their name; empty: what stands before the `@`.
    pub name: String,
    /// What they may do: viewer, manager or admin.
    pub role: Role,
    /// The one workspace they are bound to; `None` for the whole organisation.
    pub workspace: Option<Reference>,
}

/// A person and the link that lets them in once.
#[derive(Clone)]
pub struct Invited {
    /// Who.
    pub user: User,
    /// The link's token, shown only now. A secret: whoever has it is signed in.
    pub token: String,
}

impl std::fmt::Debug for Invited {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Invited({:?})", self.user)
    }
}

impl Registry {
    /// Makes somebody known, with a link that lets them in once, within a day.
    pub async fn invite(&self, actor: &Actor, new: NewPerson) -> Result<Invited> {
        actor.require_organisation(Permission::ManagePeople)?;
        let email = checked_email(&new.email)?;
        let name = if new.name.trim().is_empty() { before_at(email) } else { &new.name };
        let name = names::name(name, "/name")?;
        check_role(new.role)?;
        let mut write = self.begin_write(actor).await?;
        let namesake = user::Entity::find().filter(user::Column::EmailKey.eq(email_key(email)));
        if namesake.one(&write.txn).await?.is_some() {
            return Err(Error::Conflict {
                code: "email_taken",
                message: "There is somebody with this e-mail address already.".to_owned(),
                pointer: Some("/email"),
            });
        }
        let workspace = find_workspace(&write, new.workspace.as_ref()).await?;
        let row = add(&mut write, email, name, new.role, workspace).await?;
        let token = add_link(&mut write, &row).await?;
        write.commit().await?;
        Ok(Invited { user: self.with_workspace(row).await?, token })
    }

    /// A new one-time link for somebody who may come in. Earlier links of theirs stop working.
    pub async fn new_sign_in_link(&self, actor: &Actor, id: UserId) -> Result<Invited> {
        actor.require_organisation(Permission::ManagePeople)?;
        let mut write = self.begin_write(actor).await?;
        let row = find(&write, id).await?;
        if row.deactivated_at.is_some() {
            return Err(Error::Conflict {
                code: "person_deactivated",
                message: "This person may not come in. Reactivate them first.".to_owned(),
                pointer: None,
            });
        }
        end_links(&write, row.id).await?;
        let token = add_link(&mut write, &row).await?;
        write.commit().await?;
        Ok(Invited { user: self.with_workspace(row).await?, token })
    }

    /// Changes what somebody may do, and where; in force with their next request. The last admin stays one.
    pub async fn change_person(
        &self,
        actor: &Actor,
        id: UserId,
        role: Role,
        workspace: Option<&Reference>,
    ) -> Result<()> {
        actor.require_organisation(Permission::ManagePeople)?;
        check_role(role)?;
        let mut write = self.begin_write(actor).await?;
        let row = find(&write, id).await?;
        let workspace = find_workspace(&write, workspace).await?;
        if row.role == role.as_str() && row.workspace_id == workspace {
            return Ok(());
        }
        if role != Role::Admin || workspace.is_some() {
            keep_an_admin(&write, &row).await?;
        }
        let event = Event::new("user.role_changed", "user", row.id)
            .named(&row.email)
            .in_workspace(workspace.map(WorkspaceId))
            .before(json!({ "role": row.role, "workspace_id": row.workspace_id }))
            .after(json!({ "role": role.as_str(), "workspace_id": workspace }));
        let mut changed = row.into_active_model();
        changed.role = Set(role.as_str().to_owned());
        changed.workspace_id = Set(workspace);
        changed.updated_at = Set(write.millis());
        changed.update(&write.txn).await?;
        write.audit(event);
        write.identities_changed();
        write.commit().await
    }

    /// Ends somebody's access: sessions and links stop working at once. The last admin cannot be deactivated.
    pub async fn deactivate_person(&self, actor: &Actor, id: UserId) -> Result<()> {
        self.set_active(actor, id, false).await
    }

    /// Lets somebody in again, with the password they had.
    pub async fn reactivate_person(&self, actor: &Actor, id: UserId) -> Result<()> {
        self.set_active(actor, id, true).await
    }

    async fn set_active(&self, actor: &Actor, id: UserId, active: bool) -> Result<()> {
        actor.require_organisation(Permission::ManagePeople)?;
        let mut write = self.begin_write(actor).await?;
        let row = find(&write, id).await?;
        if row.deactivated_at.is_none() == active {
            return Ok(());
        }
        if !active {
            keep_an_admin(&write, &row).await?;
            sessions::end(&write.txn, row.id, None).await?;
            end_links(&write, row.id).await?;
        }
        let action = if active { "user.reactivated" } else { "user.deactivated" };
        write.audit(Event::new(action, "user", row.id).named(&row.email));
        let mut changed = row.into_active_model();
        changed.deactivated_at = Set((!active).then(|| write.millis()));
        changed.updated_at = Set(write.millis());
        changed.update(&write.txn).await?;
        write.identities_changed();
        write.commit().await
    }

    /// A one-time link for `email`, for the operator at the machine only: no door of the network leads here. Somebody
    /// not known yet becomes an admin while nobody can sign in, else a viewer.
    pub async fn create_sign_in_link(&self, email: &str, origin: Origin) -> Result<String> {
        self.create_sign_in_link_as(email, None, origin).await
    }

    /// The same, with the role of somebody not known yet. Nobody's role is changed here.
    pub async fn create_sign_in_link_as(
        &self,
        email: &str,
        role: Option<Role>,
        origin: Origin,
    ) -> Result<String> {
        if origin.door != Door::Cli {
            return Err(Error::Unauthenticated("Sign-in links are made on the machine itself."));
        }
        let email = checked_email(email)?;
        role.map_or(Ok(()), check_role)?;
        let first = !self.has_people().await?;
        let mut actor = Actor::program("operator", "operator", Door::Cli);
        actor.origin = origin;
        let mut write = self.begin_write(&actor).await?;
        let found = user::Entity::find().filter(user::Column::EmailKey.eq(email_key(email)));
        let person = match found.one(&write.txn).await? {
            Some(found) if found.deactivated_at.is_some() => {
                return Err(Error::Conflict {
                    code: "person_deactivated",
                    message: format!(
                        "{email} may not come in. An admin can reactivate them on the page People; if there is none, make a link for another address with `--role admin`."
                    ),
                    pointer: None,
                });
            }
            Some(found) => {
                let present = word(Role::parse, &found.role, "user", "role", found.id)?;
                if role.is_some_and(|role| role != present) {
                    return Err(Error::Conflict {
                        code: "person_known",
                        message: format!(
                            "{email} is known already, as {}. An admin changes roles on the page People.",
                            present.as_str()
                        ),
                        pointer: None,
                    });
                }
                found
            }
            None => {
                let role = role.unwrap_or(if first { Role::Admin } else { Role::Viewer });
                add(&mut write, email, before_at(email).to_owned(), role, None).await?
            }
        };
        let token = add_link(&mut write, &person).await?;
        write.commit().await?;
        Ok(token)
    }
}

async fn find(write: &Write<'_>, id: UserId) -> Result<user::Model> {
    let row = user::Entity::find_by_id(id.0).one(&write.txn).await?;
    row.ok_or_else(|| Error::not_found("person", id))
}

async fn find_workspace(write: &Write<'_>, reference: Option<&Reference>) -> Result<Option<Uuid>> {
    let Some(reference) = reference else { return Ok(None) };
    Ok(Some(workspaces::find(&write.txn, write.actor(), reference).await?.id))
}

async fn add(
    write: &mut Write<'_>,
    email: &str,
    name: String,
    role: Role,
    workspace_id: Option<Uuid>,
) -> Result<user::Model> {
    let row = user::Model {
        id: write.registry.new_id(),
        email: email.to_owned(),
        email_key: email_key(email),
        name,
        role: role.as_str().to_owned(),
        workspace_id,
        password_hash: None,
        created_at: write.millis(),
        updated_at: write.millis(),
        last_sign_in_at: None,
        deactivated_at: None,
    };
    row.clone().into_active_model().reset_all().insert(&write.txn).await?;
    write.audit(
        Event::new("user.created", "user", row.id)
            .named(email)
            .in_workspace(workspace_id.map(WorkspaceId))
            .after(json!({ "role": row.role, "workspace_id": workspace_id })),
    );
    write.identities_changed();
    Ok(row)
}

async fn add_link(write: &mut Write<'_>, person: &user::Model) -> Result<String> {
    let token = random_base62(43)?;
    sign_in_link::ActiveModel {
        id: Set(write.registry.new_id()),
        user_id: Set(person.id),
        token_hash: Set(token_hash(&token)),
        created_at: Set(write.millis()),
        expires_at: Set(write.millis() + LINK.num_milliseconds()),
        used_at: Set(None),
    }
    .insert(&write.txn)
    .await?;
    write.audit(Event::new("user.link_created", "user", person.id).named(&person.email));
    Ok(token)
}

/// Links that were not used yet.
async fn end_links(write: &Write<'_>, person: Uuid) -> Result<()> {
    sign_in_link::Entity::delete_many()
        .filter(sign_in_link::Column::UserId.eq(person))
        .filter(sign_in_link::Column::UsedAt.is_null())
        .exec(&write.txn)
        .await?;
    Ok(())
}

/// Refuses where `row` is the only admin of the whole organisation who has ever come in: somebody invited may never.
async fn keep_an_admin(write: &Write<'_>, row: &user::Model) -> Result<()> {
    let admins = user::Entity::find()
        .filter(user::Column::Role.eq(Role::Admin.as_str()))
        .filter(user::Column::WorkspaceId.is_null())
        .filter(user::Column::DeactivatedAt.is_null())
        .filter(user::Column::LastSignInAt.is_not_null());
    let among = admins.clone().filter(user::Column::Id.eq(row.id)).count(&write.txn).await?;
    if among > 0 && admins.count(&write.txn).await? == 1 {
        return Err(Error::Conflict {
            code: "last_admin",
            message: format!(
                "{} is the last admin who has signed in. Make somebody else an admin and let them sign in first.",
                row.name
            ),
            pointer: None,
        });
    }
    Ok(())
}

/// People are not gateways.
fn check_role(role: Role) -> Result<()> {
    if role == Role::Gateway {
        return Err(Error::invalid(Finding::error(
            "/role",
            "invalid_value",
            "The role `gateway` is for API keys. People are `viewer`, `manager` or `admin`.",
        )));
    }
    Ok(())
}

fn checked_email(email: &str) -> Result<&str> {
    let email = email.trim();
    let odd = email.chars().any(|character| character.is_whitespace() || character.is_control());
    if email.contains('@') && email.len() <= 254 && !odd {
        return Ok(email);
    }
    Err(Error::invalid(Finding::error(
        "/email",
        "invalid_email",
        "Write an e-mail address, such as \"you@example.com\".",
    )))
}

fn before_at(email: &str) -> &str {
    email.split('@').next().filter(|name| !name.is_empty()).unwrap_or(email)
}
