//! What a row of a shared table belongs to: sealed values, revisions and mapped secrets name their owner by kind and id.

use uuid::Uuid;

/// The kind of row that owns another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum OwnerKind {
    /// The organisation.
    Organisation,
    /// An integration.
    Integration,
    /// The access row of a workspace to an integration: it holds the workspace layer.
    Access,
    /// A server.
    Server,
    /// A draft of an integration.
    Draft,
    /// A client at an authorization server.
    OauthClient,
    /// The audit log, which owns its signing key.
    Audit,
}

impl OwnerKind {
    /// Every kind.
    pub(crate) const ALL: [Self; 7] = [
        Self::Organisation,
        Self::Integration,
        Self::Access,
        Self::Server,
        Self::Draft,
        Self::OauthClient,
        Self::Audit,
    ];

    /// The word in the columns `owner_kind` and `subject_kind`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Organisation => "organisation",
            Self::Integration => "integration",
            Self::Access => "access",
            Self::Server => "server",
            Self::Draft => "draft",
            Self::OauthClient => "oauth_client",
            Self::Audit => "audit",
        }
    }

    /// The kind of a stored word.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The owner of this kind with this id.
    pub(crate) const fn with_id(self, id: Uuid) -> Owner {
        Owner { kind: self, id }
    }
}

/// The row that owns another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Owner {
    pub(crate) kind: OwnerKind,
    pub(crate) id: Uuid,
}
