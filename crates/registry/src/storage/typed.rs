//! Columns that store a word of an enum, read as that enum. An accessor instead of a typed column: an unknown word then is
//! [`crate::Error::corrupt`], which names table, column and row, and only where the value is used.

use crate::Result;
use crate::storage::columns::word;
use crate::storage::entity::{
    api_key, attempt, draft, integration, membership, oauth_client, registration, rollout,
};
use registry_core::permission::Role;
use registry_core::registration::{
    AttemptOutcome, AttemptStep, AuthType, ClientStatus, RegistrationMethod, State, Transport,
};
use registry_core::rollout::{RolloutKind, RolloutState};

macro_rules! typed {
    ($($table:ident.$column:ident: $type:ident, of row $id:ident;)*) => {$(
        impl $table::Model {
            #[doc = concat!("`", stringify!($column), "` as its enum.")]
            pub(crate) fn $column(&self) -> Result<$type> {
                word($type::parse, &self.$column, stringify!($table), stringify!($column), self.$id)
            }
        }
    )*};
}

typed! {
    api_key.role: Role, of row id;
    attempt.outcome: AttemptOutcome, of row id;
    attempt.step: AttemptStep, of row id;
    draft.transport: Transport, of row id;
    integration.auth_type: AuthType, of row id;
    integration.transport: Transport, of row id;
    membership.role: Role, of row user_id;
    oauth_client.method: RegistrationMethod, of row id;
    oauth_client.status: ClientStatus, of row id;
    registration.state: State, of row id;
    rollout.kind: RolloutKind, of row id;
    rollout.state: RolloutState, of row id;
}
