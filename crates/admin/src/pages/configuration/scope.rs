//! The object of a configuration page: the organisation, an integration, a workspace's access, or a server.

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use registry::{ConfigurationScope, MappedSecret, ServerRef};
use registry_core::metadata::Level;
use registry_core::permission::Permission;
use registry_core::slug::Reference;

/// The object of a page.
pub(super) struct PageScope {
    pub(super) subject: ConfigurationScope,
    /// The URL of the form.
    pub(super) action: String,
    /// Its name and the URL of its page.
    pub(super) of: String,
    pub(super) back: String,
    /// The URL shown below the heading.
    pub(super) url: Option<String>,
    /// For whom it is in effect, as the end of a sentence.
    pub(super) level: String,
    pub(super) section: &'static str,
    pub(super) may_save: bool,
    /// Whether it belongs to another owner and is read-only for every role.
    pub(super) owned_elsewhere: bool,
    /// The level.
    pub(super) layer: Level,
    /// The slugs of integration, workspace and server, as far as the path gives them.
    pub(super) integration: Option<String>,
    pub(super) workspace: Option<String>,
    pub(super) server: Option<String>,
    /// Members that come from secrets declared by the operator.
    pub(super) mapped: Vec<MappedSecret>,
}

pub(super) async fn of_integration(signed_in: &SignedInUser, slug: &str) -> Result<PageScope, Failure> {
    let reference = Reference::parse(slug);
    let integration = signed_in.registry.integrations().get(&signed_in.actor, &reference).await?;
    let own = signed_in.actor.workspace();
    let is_owner = own.is_none() || integration.workspace.is_some_and(|owner| Some(owner.id) == own);
    Ok(PageScope {
        subject: ConfigurationScope::Integration(reference),
        action: format!("/ui/integrations/{}/config", integration.slug),
        back: format!("/ui/integrations/{}", integration.slug),
        of: integration.name,
        url: Some(integration.url),
        level: "for all workspaces".to_owned(),
        section: "integrations",
        may_save: is_owner && signed_in.actor.can(Permission::UpdateIntegrations),
        owned_elsewhere: !is_owner,
        layer: Level::Integration,
        integration: Some(integration.slug.to_string()),
        workspace: None,
        server: None,
        mapped: integration.secret_mappings,
    })
}

pub(super) async fn of_access(
    signed_in: &SignedInUser,
    workspace: &str,
    slug: &str,
) -> Result<PageScope, Failure> {
    let (integration, workspace) = (Reference::parse(slug), Reference::parse(workspace));
    let found = signed_in.registry.integrations().get(&signed_in.actor, &integration).await?;
    let team = signed_in.registry.workspaces().get(&signed_in.actor, &workspace).await?;
    Ok(PageScope {
        subject: ConfigurationScope::Access { integration, workspace },
        action: format!("/ui/workspaces/{}/integrations/{}/config", team.slug, found.slug),
        back: format!("/ui/integrations/{}", found.slug),
        of: found.name,
        url: Some(found.url),
        level: format!("for the workspace {}", team.slug),
        section: "integrations",
        may_save: signed_in.actor.can(Permission::UpdateIntegrations),
        owned_elsewhere: false,
        layer: Level::Workspace,
        integration: Some(found.slug.to_string()),
        workspace: Some(team.slug.to_string()),
        server: None,
        mapped: Vec::new(),
    })
}

pub(super) async fn of_server(
    signed_in: &SignedInUser,
    workspace: &str,
    server: &str,
) -> Result<PageScope, Failure> {
    let reference =
        ServerRef { server: Reference::parse(server), workspace: Some(Reference::parse(workspace)) };
    let found = signed_in.registry.servers().get(&signed_in.actor, &reference).await?;
    Ok(PageScope {
        subject: ConfigurationScope::Server(reference),
        action: format!("/ui/workspaces/{}/servers/{}/config", found.workspace.slug, found.slug),
        back: format!("/ui/workspaces/{}", found.workspace.slug),
        level: format!("for the server {} / {}", found.workspace.slug, found.slug),
        of: found.name,
        url: Some(found.integration.url),
        section: "workspaces",
        may_save: signed_in.actor.can(Permission::UpdateServers),
        owned_elsewhere: false,
        layer: Level::Server,
        integration: Some(found.integration.slug.to_string()),
        workspace: Some(found.workspace.slug.to_string()),
        server: Some(found.slug.to_string()),
        mapped: found.secret_mappings,
    })
}

pub(super) fn of_organisation(signed_in: &SignedInUser) -> PageScope {
    PageScope {
        subject: ConfigurationScope::Organisation,
        action: "/ui/settings/organisation".to_owned(),
        back: "/ui/settings/organisation".to_owned(),
        of: "Organisation".to_owned(),
        url: None,
        level: "for every integration of the organisation".to_owned(),
        section: "settings",
        may_save: signed_in.actor.can(Permission::WriteOrganisation),
        owned_elsewhere: false,
        layer: Level::Organisation,
        integration: None,
        workspace: None,
        server: None,
        mapped: Vec::new(),
    }
}

impl PageScope {
    /// Why the signed-in user may not save it; `None` when saving is allowed.
    pub(super) fn why_not(&self) -> &'static str {
        if self.owned_elsewhere {
            "This integration belongs to the whole organisation: a workspace may read and check its configuration, not save it. The workspace level is yours to change."
        } else {
            "Your role may read this and check it, not save it."
        }
    }
}
