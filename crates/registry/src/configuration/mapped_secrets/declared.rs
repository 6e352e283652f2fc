//! The secrets that the operator declared: what mappings may name. Their values are never shown.

use crate::configuration::Configurations;
use crate::lookup::workspaces;
use crate::{Actor, Error, Result};
use registry_core::permission::Permission;
use registry_core::slug::Reference;

/// A declared secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretDeclaration {
    /// Its name, as mappings say it.
    pub name: String,
    /// Slugs of the workspaces that may use it; `None`: all, and integrations of the organisation.
    pub workspaces: Option<Vec<String>>,
    /// Hosts of MCP servers it may be sent to; empty: any.
    pub hosts: Vec<String>,
}

impl Configurations<'_> {
    /// The declared secrets that the caller may name, by name.
    pub async fn declared_secrets(self, actor: &Actor) -> Result<Vec<SecretDeclaration>> {
        actor.require(Permission::ReadIntegrations)?;
        let own = match actor.workspace() {
            Some(id) => Some(workspaces::find(self.registry.db(), actor, &Reference::Id(id.0)).await?.slug),
            None => None,
        };
        let settings = self.registry.shared_settings();
        let all = settings.secrets.iter().map(|(name, secret)| SecretDeclaration {
            name: name.clone(),
            workspaces: secret.workspaces.clone(),
            hosts: secret.hosts.clone(),
        });
        let may_use = |secret: &SecretDeclaration| match (&own, &secret.workspaces) {
            (Some(own), Some(named)) => named.iter().any(|slug| slug.eq_ignore_ascii_case(own)),
            _ => true,
        };
        Ok(all.filter(may_use).collect())
    }

    /// One of them.
    pub async fn declared_secret(self, actor: &Actor, name: &str) -> Result<SecretDeclaration> {
        let all = self.declared_secrets(actor).await?;
        all.into_iter()
            .find(|secret| secret.name == name)
            .ok_or_else(|| Error::not_found("secret reference", name))
    }

    /// Refuses what only the operator can do, in the configuration file.
    pub fn refuse_declaration(self, actor: &Actor) -> Result<()> {
        actor.require_organisation(Permission::WriteOrganisation)?;
        Err(Error::Conflict {
            code: crate::ConflictCode::Conflict,
            message: "Secrets are declared by the operator in the configuration file (`secrets.<name>`), so that nobody can direct this deployment to other secrets over the API.".to_owned(),
            pointer: None,
        })
    }
}
