//! Typed ids: UUIDv7 inside, so that an integration's id cannot be used as a server's id.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = Uuid)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )*};
}

ids! {
    /// Of the one organisation of a deployment.
    OrganisationId;
    /// Of a workspace.
    WorkspaceId;
    /// Of an integration.
    IntegrationId;
    /// Of a server.
    ServerId;
    /// Of a configuration revision.
    RevisionId;
    /// Id of a rollout.
    RolloutId;
    /// Of a registration.
    RegistrationId;
    /// Of one generation of an OAuth client (our row, not the `client_id` the authorization server issued).
    OauthClientId;
    /// Of an attempt.
    AttemptId;
    /// Of an entry of the orphan ledger.
    OrphanId;
    /// Of a draft: an integration that a user is about to add.
    DraftId;
    /// Of an API key.
    ApiKeyId;
    /// Of a user.
    UserId;
    /// Of a browser session.
    SessionId;
    /// Of a sealed value; the text marker is `$sealed:<id>`.
    SealedId;
    /// Of an audit event.
    AuditEventId;
}
