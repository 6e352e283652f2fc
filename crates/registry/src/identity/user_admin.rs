//! Inviting people, changing what they may do, ending their access.

use crate::identity::api_keys::format::random_base62;
use crate::identity::login::lockout;
use crate::identity::memberships::{Granted, Roles};
use crate::identity::sessions::token_hash;
use crate::identity::users::{User, email_key};
use crate::identity::{Users, memberships, sessions};
use crate::lookup::naming;
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::{sign_in_link, user};
use crate::storage::write::{Event, Write};
use crate::{Actor, Channel, ConflictCode, Error, RequestContext, Result};
use chrono::Duration;
use registry_core::finding::Finding;
use registry_core::id::UserId;
use registry_core::names::is_invisible;
use registry_core::patch::Patch;
use registry_core::permission::{Permission, Role};
use registry_core::slug::Reference;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, EntityTrait, IntoActiveModel, PaginatorTrait,
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
    /// What they may do, and where; at least one role.
    pub roles: Roles,
}

/// What of a person is to be changed; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct PersonChange {
    /// Their name.
    pub name: Option<String>,
    /// What they may do in the whole organisation; cleared: nothing.
    pub role: Patch<Role>,
    /// What they may do in single workspaces, all of them.
    pub workspaces: Option<Vec<(Reference, Role)>>,
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

impl Users<'_> {
    /// Makes somebody known, with a link that lets them in once, within a day.
    pub async fn invite(self, actor: &Actor, new: NewPerson) -> Result<Invited> {
        actor.require_organisation(Permission::ManagePeople)?;
        require_whole(actor)?;
        let email = checked_email(&new.email)?;
        let name = if new.name.trim().is_empty() { before_at(email) } else { &new.name };
        let name = naming::name(name, "/name")?;
        let mut write = self.registry.begin_write(actor).await?;
        let namesake = user::Entity::find().filter(user::Column::EmailKey.eq(email_key(email)));
        if namesake.one(&write.txn).await?.is_some() {
            return Err(Error::Conflict {
                code: ConflictCode::EmailTaken,
                message: "There is a user with this e-mail address already.".to_owned(),
                pointer: Some("/email"),
            });
        }
        let granted = memberships::check(&write, &new.roles).await?;
        let row = add(&mut write, email, name, &granted, None).await?;
        let token = add_link(&mut write, &row).await?;
        write.commit().await?;
        Ok(Invited { user: self.with_places(row).await?, token })
    }

    /// A new one-time link for somebody who may come in. Earlier links and all sessions of theirs end, and so does a password
    /// that they may have forgotten: they choose another one.
    pub async fn new_sign_in_link(self, actor: &Actor, id: UserId) -> Result<Invited> {
        actor.require_organisation(Permission::ManagePeople)?;
        require_whole(actor)?;
        let mut write = self.registry.begin_write(actor).await?;
        let row = find(&write, id).await?;
        if row.deactivated_at.is_some() {
            return Err(Error::Conflict {
                code: ConflictCode::PersonDeactivated,
                message: "This person may not come in. Reactivate them first.".to_owned(),
                pointer: None,
            });
        }
        if row.password_hash.is_some() {
            // A link may be lost.
            keep_an_admin(&write, &row).await?;
        }
        let row = end_password(&mut write, row).await?;
        let token = add_link(&mut write, &row).await?;
        write.commit().await?;
        Ok(Invited { user: self.with_places(row).await?, token })
    }

    /// Changes somebody's name, or what they may do and where; in force with their next request. The last admin stays
    /// one.
    pub async fn update(self, actor: &Actor, id: UserId, change: PersonChange) -> Result<User> {
        actor.require_organisation(Permission::ManagePeople)?;
        let mut write = self.registry.begin_write(actor).await?;
        let row = find(&write, id).await?;
        let before = memberships::granted(&write.txn, &row).await?;
        let by_id = |(id, role): &(Uuid, Role)| (Reference::Id(*id), *role);
        let roles = Roles {
            organisation: change.role.apply(before.organisation),
            workspaces: change.workspaces.unwrap_or_else(|| before.workspaces.iter().map(by_id).collect()),
        };
        let after = memberships::check(&write, &roles).await?;
        let name = change.name.map_or_else(|| Ok(row.name.clone()), |name| naming::name(&name, "/name"))?;
        if before == after && name == row.name {
            return self.with_places(row).await;
        }
        if before != after {
            require_whole(actor)?;
            regrant(&mut write, &row, &before, &after).await?;
        }
        if name != row.name {
            if after.is_admin() {
                // Whose name others trust is not for a narrowed key to choose.
                require_whole(actor)?;
            }
            let event = Event::new(AuditAction::UserRenamed, "user", row.id).named(&row.email);
            write.audit(event.before(json!({ "name": row.name })).after(json!({ "name": name })));
        }
        let mut changed = row.into_active_model();
        changed.name = Set(name);
        changed.role = Set(after.word().to_owned());
        changed.updated_at = Set(write.millis());
        let row = changed.update(&write.txn).await?;
        write.commit().await?;
        self.with_places(row).await
    }

    /// Ends somebody's access: sessions and links stop working at once. The last admin cannot be deactivated.
    pub async fn deactivate(self, actor: &Actor, id: UserId) -> Result<()> {
        self.set_active(actor, id, false).await
    }

    /// Lets somebody in again, with the password they had.
    pub async fn reactivate(self, actor: &Actor, id: UserId) -> Result<()> {
        self.set_active(actor, id, true).await
    }

    async fn set_active(self, actor: &Actor, id: UserId, active: bool) -> Result<()> {
        actor.require_organisation(Permission::ManagePeople)?;
        if active {
            // Whoever comes in again has the roles of before: that gives them as making somebody known does.
            require_whole(actor)?;
        }
        let mut write = self.registry.begin_write(actor).await?;
        let row = find(&write, id).await?;
        if row.deactivated_at.is_none() == active {
            return Ok(());
        }
        if !active {
            keep_an_admin(&write, &row).await?;
            sessions::end(&write.txn, row.id, None).await?;
            end_links(&write, row.id).await?;
        }
        let action = if active { AuditAction::UserReactivated } else { AuditAction::UserDeactivated };
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
    pub async fn create_sign_in_link(self, email: &str, origin: RequestContext) -> Result<String> {
        self.create_sign_in_link_as(email, None, origin).await
    }

    /// The same, with the role of somebody not known yet. Nobody's role is changed here.
    pub async fn create_sign_in_link_as(
        self,
        email: &str,
        role: Option<Role>,
        origin: RequestContext,
    ) -> Result<String> {
        if origin.door != Channel::Cli {
            return Err(Error::Unauthenticated("Sign-in links are made on the machine itself."));
        }
        let email = checked_email(email)?;
        let first = !self.registry.login().has_users().await?;
        let mut actor = Actor::program("operator", "operator", Channel::Cli);
        actor.origin = origin;
        let mut write = self.registry.begin_write(&actor).await?;
        let found = user::Entity::find().filter(user::Column::EmailKey.eq(email_key(email)));
        let person = match found.one(&write.txn).await? {
            Some(found) if found.deactivated_at.is_some() => {
                return Err(Error::Conflict {
                    code: ConflictCode::PersonDeactivated,
                    message: format!(
                        "{email} may not come in. An admin can reactivate them on the page People; if there is none, make a link for another address with `--role admin`."
                    ),
                    pointer: None,
                });
            }
            Some(found) => {
                let present = memberships::organisation_role(&found)?;
                if role.is_some() && role != present {
                    return Err(Error::Conflict {
                        code: ConflictCode::PersonKnown,
                        message: format!(
                            "{email} is known already, as {}. An admin changes roles on the page People; if there is none left, `mcp-registry user reset` makes one.",
                            present.map_or("somebody without a role in the whole organisation", Role::as_str)
                        ),
                        pointer: None,
                    });
                }
                found
            }
            None => {
                let role = role.unwrap_or(if first { Role::Admin } else { Role::Viewer });
                let granted = memberships::check(&write, &Roles::one(role, None)).await?;
                add(&mut write, email, before_at(email).to_owned(), &granted, None).await?
            }
        };
        let person = end_password(&mut write, person).await?;
        let token = add_link(&mut write, &person).await?;
        write.commit().await?;
        Ok(token)
    }

    /// Break glass, for the operator at the machine only: whoever has this address is an admin of the whole organisation
    /// from now on, may come in, has no password and no session any more, and gets a one-time link.
    pub async fn reset(self, email: &str, origin: RequestContext) -> Result<String> {
        if origin.door != Channel::Cli {
            return Err(Error::Unauthenticated("People are reset on the machine itself."));
        }
        let email = checked_email(email)?;
        let mut actor = self.registry.operator();
        actor.origin = origin;
        let mut write = self.registry.begin_write(&actor).await?;
        let found = user::Entity::find().filter(user::Column::EmailKey.eq(email_key(email)));
        let person = if let Some(found) = found.one(&write.txn).await? {
            let before = memberships::granted(&write.txn, &found).await?;
            let after = Granted { organisation: Some(Role::Admin), workspaces: before.workspaces.clone() };
            sessions::end(&write.txn, found.id, None).await?;
            let event = Event::new(AuditAction::UserReset, "user", found.id).named(&found.email);
            write.audit(event.before(before.shown()).after(after.shown()));
            let mut changed = found.into_active_model();
            changed.role = Set(after.word().to_owned());
            changed.workspace_id = Set(None);
            changed.password_hash = Set(None);
            changed.deactivated_at = Set(None);
            changed.updated_at = Set(write.millis());
            write.identities_changed();
            changed.update(&write.txn).await?
        } else {
            let granted = memberships::check(&write, &Roles::one(Role::Admin, None)).await?;
            add(&mut write, email, before_at(email).to_owned(), &granted, None).await?
        };
        lockout::forget(&write, &person.email_key).await?;
        let token = add_link(&mut write, &person).await?;
        write.commit().await?;
        Ok(token)
    }
}

async fn find(write: &Write<'_>, id: UserId) -> Result<user::Model> {
    let row = user::Entity::find_by_id(id.0).one(&write.txn).await?;
    row.ok_or_else(|| Error::not_found("person", id))
}

/// Grants and takes away, and says so. The last admin stays one.
pub(crate) async fn regrant(
    write: &mut Write<'_>,
    row: &user::Model,
    before: &Granted,
    after: &Granted,
) -> Result<()> {
    if after.organisation != Some(Role::Admin) {
        keep_an_admin(write, row).await?;
    }
    store(write, row, before, after).await
}

/// The same for what the identity provider says. The last admin stays one, and that is on record: else a group that is
/// renamed there would leave nobody who can mend it here.
pub(crate) async fn regrant_by_provider(
    write: &mut Write<'_>,
    row: &user::Model,
    before: &Granted,
    mut after: Granted,
) -> Result<Granted> {
    if after.organisation != Some(Role::Admin) && is_last_admin(write, row).await? {
        after.organisation = Some(Role::Admin);
        tracing::warn!(person = %row.id, "no group makes the last admin one; they stay it");
        write.audit(Event::new(AuditAction::UserLastAdminKept, "user", row.id).named(&row.email));
    }
    if *before != after {
        store(write, row, before, &after).await?;
    }
    Ok(after)
}

async fn store(write: &mut Write<'_>, row: &user::Model, before: &Granted, after: &Granted) -> Result<()> {
    memberships::store(write, row.id, after).await?;
    let event = Event::new(AuditAction::UserRoleChanged, "user", row.id).named(&row.email);
    write.audit(event.before(before.shown()).after(after.shown()));
    write.identities_changed();
    Ok(())
}

pub(crate) async fn add(
    write: &mut Write<'_>,
    email: &str,
    name: String,
    granted: &Granted,
    subject: Option<String>,
) -> Result<user::Model> {
    let row = user::Model {
        id: write.registry.new_id(),
        email: email.to_owned(),
        email_key: email_key(email),
        name,
        role: granted.word().to_owned(),
        workspace_id: None,
        password_hash: None,
        subject,
        created_at: write.millis(),
        updated_at: write.millis(),
        last_sign_in_at: None,
        deactivated_at: None,
    };
    row.clone().into_active_model().reset_all().insert(&write.txn).await?;
    memberships::store(write, row.id, granted).await?;
    write.audit(Event::new(AuditAction::UserCreated, "user", row.id).named(email).after(granted.shown()));
    write.identities_changed();
    Ok(row)
}

/// What somebody can do with a role or a link is everything; scopes say that a key may do less.
fn require_whole(actor: &Actor) -> Result<()> {
    if actor.scopes.is_empty() {
        return Ok(());
    }
    Err(Error::Forbidden {
        needed: Permission::ManagePeople,
        message: "A key or token with scopes neither gives roles, nor gives them back, nor makes sign-in links, nor renames admins: whoever gets them may do more than it may. Use one without scopes.".to_owned(),
    })
}

/// A link takes the place of the password there was, and of the sessions: one that was stolen could choose the next password.
async fn end_password(write: &mut Write<'_>, row: user::Model) -> Result<user::Model> {
    let ended = sessions::end(&write.txn, row.id, None).await?;
    if ended > 0 {
        let event = Event::new(AuditAction::UserSessionsEnded, "user", row.id).named(&row.email);
        write.audit(event.after(json!({ "sessions": ended, "because": "a new sign-in link" })));
        write.identities_changed();
    }
    if row.password_hash.is_none() {
        return Ok(row);
    }
    write.audit(Event::new(AuditAction::UserPasswordEnded, "user", row.id).named(&row.email));
    write.identities_changed();
    let mut changed = row.into_active_model();
    changed.password_hash = Set(None);
    changed.updated_at = Set(write.millis());
    Ok(changed.update(&write.txn).await?)
}

/// Adds a link; the ones before it end.
async fn add_link(write: &mut Write<'_>, person: &user::Model) -> Result<String> {
    end_links(write, person.id).await?;
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
    write.audit(Event::new(AuditAction::UserLinkCreated, "user", person.id).named(&person.email));
    Ok(token)
}

/// Links that were not used yet.
pub(crate) async fn end_links(write: &Write<'_>, person: Uuid) -> Result<()> {
    sign_in_link::Entity::delete_many()
        .filter(sign_in_link::Column::UserId.eq(person))
        .filter(sign_in_link::Column::UsedAt.is_null())
        .exec(&write.txn)
        .await?;
    Ok(())
}

/// Refuses where `row` is the last admin.
async fn keep_an_admin(write: &Write<'_>, row: &user::Model) -> Result<()> {
    if !is_last_admin(write, row).await? {
        return Ok(());
    }
    Err(Error::Conflict {
        code: ConflictCode::LastAdmin,
        message: format!(
            "{} is the last admin who can sign in. Make somebody else an admin and let them sign in and choose a password first.",
            row.name
        ),
        pointer: None,
    })
}

/// Whether `row` is the only admin of the whole organisation who has ever come in (somebody invited may never), or the only
/// one of them who can come in again by themselves.
async fn is_last_admin(write: &Write<'_>, row: &user::Model) -> Result<bool> {
    use user::Column as C;
    let settings = write.registry.settings();
    let seen = user::Entity::find()
        .filter(C::Role.eq(Role::Admin.as_str()))
        .filter(C::DeactivatedAt.is_null())
        .filter(C::LastSignInAt.is_not_null());
    let mut ways = Condition::any();
    if settings.provider.is_some() {
        ways = ways.add(C::Subject.is_not_null());
    }
    if settings.passwords {
        ways = ways.add(C::PasswordHash.is_not_null());
    }
    for admins in [seen.clone(), seen.filter(ways)] {
        let among = admins.clone().filter(C::Id.eq(row.id)).count(&write.txn).await?;
        if among > 0 && admins.count(&write.txn).await? == 1 {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(crate) fn checked_email(email: &str) -> Result<&str> {
    let email = email.trim();
    let odd = email.chars().any(|character| character.is_whitespace() || is_invisible(character));
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
