//! What a search can lead to: pages by name, and the URLs of objects and configurations.

use crate::http::session::SignedInUser;
use registry::{Setter, Target};
use registry_core::metadata::FIELDS;
use registry_core::permission::Permission;

/// A page of the admin UI that can be found by name.
pub(super) struct PageLink {
    pub(super) name: &'static str,
    pub(super) href: &'static str,
    /// The permission to see it.
    needs: Option<Permission>,
    /// Whether only users of the whole organisation see it.
    whole: bool,
}

const fn page_link(name: &'static str, href: &'static str, needs: Option<Permission>) -> PageLink {
    PageLink { name, href, needs, whole: false }
}

/// A page of the whole organisation.
const fn whole_link(name: &'static str, href: &'static str, needs: Option<Permission>) -> PageLink {
    PageLink { name, href, needs, whole: true }
}

impl PageLink {
    /// Whether this user may see the page.
    pub(super) fn is_for(&self, signed_in: &SignedInUser) -> bool {
        self.needs.is_none_or(|needed| signed_in.actor.can(needed))
            && (!self.whole || signed_in.actor.workspace().is_none())
    }
}

pub(super) const PAGES: &[PageLink] = &[
    page_link("Integrations", "/ui/integrations", None),
    page_link("Add integration", "/ui/integrations/new", Some(Permission::CreateIntegrations)),
    page_link("Registrations", "/ui/registrations", None),
    page_link("Failed registrations", "/ui/registrations?state=failed", None),
    page_link("Orphans", "/ui/orphans", None),
    page_link("Workspaces", "/ui/workspaces", None),
    page_link("Import integrations", "/ui/integrations/new/import", Some(Permission::CreateIntegrations)),
    whole_link("New workspace", "/ui/workspaces/new", Some(Permission::CreateWorkspaces)),
    whole_link("API keys", "/ui/api-keys", Some(Permission::ManageKeys)),
    whole_link("New API key", "/ui/api-keys/new", Some(Permission::ManageKeys)),
    whole_link("Audit log", "/ui/audit", Some(Permission::ReadAudit)),
    whole_link("Settings", "/ui/settings", None),
    whole_link("Users and roles", "/ui/settings/people", Some(Permission::ManagePeople)),
    whole_link("Invite user", "/ui/settings/people/new", Some(Permission::ManagePeople)),
    whole_link("Gateways and callbacks", "/ui/settings/gateways", None),
    whole_link("Outgoing requests", "/ui/settings/outgoing", None),
    page_link("Rollouts", "/ui/rollouts", None),
    whole_link("Organisation configuration", "/ui/settings/organisation", None),
    page_link("API reference", "/docs/", None),
    page_link("Account", "/ui/account", None),
    page_link("Keys", "/ui/keys", None),
];

/// The member that `text` asks about: "who sets logo_uri?", or the name alone.
pub(super) fn asked_member(text: &str) -> Option<&'static str> {
    let text = text.trim().trim_end_matches('?').trim().to_lowercase();
    let name = text.strip_prefix("who sets ").unwrap_or(&text).trim();
    let field = FIELDS.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
    Some(field.alias_of.unwrap_or(field.name))
}

/// The level of a configuration, its URL, and what it belongs to.
pub(super) fn setter(setter: &Setter) -> (&'static str, String, String) {
    match setter {
        Setter::Organisation => {
            ("organisation", "/ui/settings/organisation".to_owned(), "Organisation layer".to_owned())
        }
        Setter::Integration(slug) => {
            ("integration", format!("/ui/integrations/{slug}/config"), format!("Integration {slug}"))
        }
        Setter::Access { workspace, integration } => (
            "workspace",
            format!("/ui/workspaces/{workspace}/integrations/{integration}/config"),
            format!("Workspace {workspace} over {integration}"),
        ),
        Setter::Server { workspace, server } => (
            "server",
            format!("/ui/workspaces/{workspace}/servers/{server}/config"),
            format!("Server {workspace} / {server}"),
        ),
    }
}

/// The URL of a match.
pub(super) fn href(target: &Target) -> String {
    match target {
        Target::Integration(slug) => format!("/ui/integrations/{slug}"),
        Target::Workspace(slug) => format!("/ui/workspaces/{slug}"),
        Target::Server { workspace, server } => format!("/ui/workspaces/{workspace}/servers/{server}"),
        Target::Registration { id, .. } => format!("/ui/registrations/{id}"),
    }
}

/// What distinguishes a match from others of the same name.
pub(super) fn detail(target: &Target) -> String {
    match target {
        Target::Integration(slug) | Target::Workspace(slug) => slug.to_string(),
        Target::Server { workspace, server } | Target::Registration { workspace, server, .. } => {
            format!("{workspace} / {server}")
        }
    }
}

/// The pages whose name contains `text` and that the signed-in user may see.
pub(super) fn places(signed_in: &SignedInUser, text: &str) -> Vec<&'static PageLink> {
    let text = text.to_lowercase();
    PAGES
        .iter()
        .filter(|page_link| !text.is_empty() && page_link.name.to_lowercase().contains(&text))
        .filter(|page_link| page_link.is_for(signed_in))
        .collect()
}
