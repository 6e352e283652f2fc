//! The user behind the claims of the identity provider: found or created, with the roles of the groups.

use crate::identity::administration::roles::apply_provider_roles;
use crate::identity::administration::rows::{checked_email, insert_user};
use crate::identity::login::sign_in::anonymous_actor;
use crate::identity::memberships::ResolvedRoles;
use crate::identity::users::email_key;
use crate::identity::{Login, memberships};
use crate::lookup::{naming, workspaces};
use crate::settings::ProviderSettings;
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::user;
use crate::storage::write::{Event, Write};
use crate::{Error, RequestContext, Result};
use registry_core::permission::Role;
use registry_core::slug::Reference;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const NO_GROUP: &str = "None of your groups at the identity provider gives you a role here. Ask an administrator which one does.";

impl Login<'_> {
    /// The user of these claims: found by subject, else by e-mail address, else created.
    pub(crate) async fn provision_user(
        self,
        settings: &ProviderSettings,
        claims: &Map<String, Value>,
        origin: &RequestContext,
    ) -> Result<user::Model> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let subject = format!("{} {}", settings.issuer, text("sub").unwrap_or_default());
        let email = text("email").and_then(|email| checked_email(email).ok()).ok_or(Error::Unauthenticated(
            "The identity provider sent no e-mail address for you. Ask its administrator to send the claim `email`.",
        ))?;
        let vouched = settings.trust_email || claims.get("email_verified") == Some(&Value::Bool(true));
        let mut write = self.registry.begin_write(&anonymous_actor(origin.clone())).await?;
        let by_subject = user::Entity::find().filter(user::Column::Subject.eq(&subject));
        let by_email = user::Entity::find().filter(user::Column::EmailKey.eq(email_key(email)));
        let found = match by_subject.one(&write.txn).await? {
            Some(found) => Some(found),
            None => by_email.one(&write.txn).await?,
        };
        let is_known = found.as_ref().is_some_and(|found| found.subject.as_deref() == Some(&subject));
        if !is_known && !vouched {
            return Err(Error::Unauthenticated(
                "The identity provider does not vouch for your e-mail address. Verify it there, then sign in again.",
            ));
        }
        if found.as_ref().is_some_and(|found| !is_known && found.subject.is_some()) {
            return Err(Error::Unauthenticated(
                "Another user of the identity provider has your e-mail address here. Ask an administrator.",
            ));
        }
        if found.as_ref().is_some_and(|found| found.deactivated_at.is_some()) {
            return Err(Error::Unauthenticated("Your account is deactivated. Ask an administrator."));
        }
        let Some(found) = found else {
            let granted = map_groups(&write, settings, claims).await?;
            if granted.is_nothing() {
                return Err(Error::Unauthenticated(NO_GROUP));
            }
            let name = text("name").filter(|name| !name.trim().is_empty()).unwrap_or(email);
            let name = naming::name(name, "/name").unwrap_or_else(|_| email.to_owned());
            let row = insert_user(&mut write, email, name, &granted, Some(subject)).await?;
            write.commit().await?;
            return Ok(row);
        };
        let before = memberships::granted(&write.txn, &found).await?;
        // Without group mappings, administrators assign the roles.
        let granted = if settings.groups.is_empty() {
            before.clone()
        } else {
            map_groups(&write, settings, claims).await?
        };
        let granted = apply_provider_roles(&mut write, &found, &before, granted).await?;
        if !is_known {
            write.audit(Event::new(AuditAction::UserLinkedToProvider, "user", found.id).named(&found.email));
        }
        let mut changed = found.into_active_model();
        changed.subject = Set(Some(subject));
        changed.role = Set(granted.word().to_owned());
        let row = changed.update(&write.txn).await?;
        write.commit().await?;
        if granted.is_nothing() { Err(Error::Unauthenticated(NO_GROUP)) } else { Ok(row) }
    }
}

/// The strongest role that the groups give, in the organisation and in each workspace.
async fn map_groups(
    write: &Write<'_>,
    settings: &ProviderSettings,
    claims: &Map<String, Value>,
) -> Result<ResolvedRoles> {
    let groups: Vec<&str> = match claims.get(&settings.groups_claim) {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let mut organisation = settings.default_role;
    let mut places: BTreeMap<&str, Role> = BTreeMap::new();
    for (role, workspace) in groups.iter().filter_map(|group| settings.groups.get(*group)) {
        match workspace {
            None => organisation = organisation.max(Some(*role)),
            Some(workspace) => {
                let place = places.entry(workspace).or_insert(*role);
                *place = (*place).max(*role);
            }
        }
    }
    let mut granted = ResolvedRoles { organisation, workspaces: Vec::new() };
    for (slug, role) in places {
        if let Some(found) = workspaces::by_reference(&write.txn, &Reference::parse(slug)).await? {
            granted.workspaces.push((found.id, role));
        } else {
            tracing::warn!(
                workspace = slug,
                "a group of the identity provider is mapped to a workspace that does not exist"
            );
        }
    }
    Ok(granted)
}
