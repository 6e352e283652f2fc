//! What the groups of the identity provider are worth here.

use crate::http::session::SignedInUser;
use crate::view::capital;
use registry::{User, Workspace};
use registry_core::permission::Role;

/// The identity provider as the page about people shows it.
pub(super) struct Provider {
    /// Display name.
    pub(super) label: String,
    /// Which one it is.
    pub(super) issuer: String,
    /// Each group with what it gives.
    pub(super) groups: Vec<Group>,
    /// What whoever is in none of the groups may do.
    pub(super) otherwise: String,
}

/// One group.
pub(super) struct Group {
    /// Its name there.
    pub(super) name: String,
    /// What it gives here.
    pub(super) gives: String,
    /// The slug of the workspace that it leads to, where there is none of this slug.
    pub(super) missing: Option<String>,
}

impl Provider {
    /// The one in the configuration, if there is one.
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

/// The identity provider's name for people, where its groups say at each sign-in what this person may do.
pub(crate) fn decided_by(signed_in: &SignedInUser, user: &User) -> Option<String> {
    let provider = signed_in.registry.settings().provider.as_ref()?;
    (user.from_provider && !provider.groups.is_empty()).then(|| provider.label.clone())
}
