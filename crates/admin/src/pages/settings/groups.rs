//! The roles of identity provider groups.

use crate::http::session::SignedInUser;
use crate::view::capital;
use registry::{User, Workspace};
use registry_core::permission::Role;

/// The identity provider, for the page of users.
pub(super) struct Provider {
    /// Display name.
    pub(super) label: String,
    /// Its issuer.
    pub(super) issuer: String,
    /// Each mapped group with its role.
    pub(super) groups: Vec<Group>,
    /// The role of users in none of the mapped groups.
    pub(super) otherwise: String,
}

/// One mapped group.
pub(super) struct Group {
    /// Its name at the identity provider.
    pub(super) name: String,
    /// Its role here.
    pub(super) gives: String,
    /// The slug of its workspace, when no workspace has this slug.
    pub(super) missing: Option<String>,
}

impl Provider {
    /// The configured identity provider, if there is one.
    pub(super) fn of(signed_in: &SignedInUser, workspaces: &[Workspace]) -> Option<Self> {
        let provider = signed_in.registry.settings().provider.as_ref()?;
        let group = |(name, (role, slug)): (&String, &(Role, Option<String>))| {
            let found = slug.as_ref().map(|slug| workspaces.iter().find(|one| one.slug.as_str() == slug));
            let role = capital(role.as_str());
            let (gives, missing) = match (found, slug) {
                (Some(Some(workspace)), _) => (format!("{role} in {}", workspace.name), None),
                (Some(None), Some(slug)) => ("Nothing".to_owned(), Some(slug.clone())),
                _ => (format!("{role} in the whole organisation"), None),
            };
            Group { name: name.clone(), gives, missing }
        };
        Some(Self {
            label: provider.label.clone(),
            issuer: provider.issuer.clone(),
            groups: provider.groups.iter().map(group).collect(),
            otherwise: match (provider.default_role, provider.groups.is_empty()) {
                (Some(role), _) => {
                    format!("Users in none of them are {} in the whole organisation.", role.as_str())
                }
                (None, false) => "Users in none of them cannot sign in.".to_owned(),
                (None, true) => "Groups are not mapped to roles: an admin invites users and gives them roles, and the provider authenticates them.".to_owned(),
            },
        })
    }
}

/// The display name of the identity provider, when its groups decide the role of this user at each sign-in.
pub(crate) fn decided_by(signed_in: &SignedInUser, user: &User) -> Option<String> {
    let provider = signed_in.registry.settings().provider.as_ref()?;
    (user.from_provider && !provider.groups.is_empty()).then(|| provider.label.clone())
}
