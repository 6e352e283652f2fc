//! The kinds of actions that the filter of the audit log offers: every action is of one of them.

/// A kind: the prefix of its actions, and its name.
pub(super) struct Kind {
    pub(super) prefix: &'static str,
    pub(super) name: &'static str,
}

/// Kinds under one heading.
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) kinds: &'static [Kind],
}

const fn kind(prefix: &'static str, name: &'static str) -> Kind {
    Kind { prefix, name }
}

/// Every kind, those that most users look for first.
pub(super) const GROUPS: [Group; 4] = [
    Group {
        name: "Integrations and servers",
        kinds: &[
            kind("configuration.", "Client metadata and configuration"),
            kind("integration.", "Integrations"),
            kind("server.", "Servers"),
            kind("access.", "Workspace access"),
            kind("workspace.", "Workspaces"),
            kind("capabilities.", "Capabilities"),
            kind("draft.", "Drafts of integrations"),
            kind("rollout.", "Rollouts"),
        ],
    },
    Group {
        name: "Registrations",
        kinds: &[
            kind("registration.", "Registrations"),
            kind("orphan.", "Orphaned clients"),
            kind("client_secret.", "Reading of client secrets"),
            kind("secret.", "Secrets of the operator"),
            kind("secret_mappings.", "Secret mappings"),
        ],
    },
    Group {
        name: "Users and API keys",
        kinds: &[
            kind("user.", "Users and sign-ins"),
            kind("user_access.", "User access to servers"),
            kind("api_key.", "API keys"),
        ],
    },
    Group {
        name: "Operation",
        kinds: &[
            kind("deployment.", "Settings and upgrades"),
            kind("database.", "Backup and restore"),
            kind("sealing.", "Sealing keys"),
            kind("audit.", "The audit log itself"),
            kind("clock.", "The clock"),
        ],
    },
];

/// Whether the filter offers this action or prefix.
pub(super) fn offers(action: &str) -> bool {
    GROUPS.iter().flat_map(|group| group.kinds).any(|kind| kind.prefix == action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_of_one_kind() {
        for action in registry::AUDIT_ACTIONS {
            let kinds = GROUPS.iter().flat_map(|group| group.kinds);
            let count = kinds.filter(|kind| action.starts_with(kind.prefix)).count();
            assert_eq!(count, 1, "{action}");
        }
    }
}
