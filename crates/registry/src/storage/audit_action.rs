//! The actions that the audit log records.

macro_rules! actions {
    ($($name:ident $word:literal)*) => {
        /// What was done, as an audit event names it: `subject.verb`. The words are stored and documented; they never change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum AuditAction {
            $($name,)*
        }

        impl AuditAction {
            /// The word in the column `action` and on the wire.
            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }

        /// The words of all actions that the audit log records.
        pub const AUDIT_ACTIONS: &[&str] = &[$($word,)*];
    };
}

actions! {
    ApiKeyCreated "api_key.created"
    ApiKeyRevoked "api_key.revoked"
    ApiKeyRotated "api_key.rotated"
    ApiKeyUpdated "api_key.updated"
    AccessUpdated "access.updated"
    AuditPruned "audit.pruned"
    AuditRestarted "audit.restarted"
    AuditSigningKeyMade "audit.signing_key_made"
    AuditSigningKeyReplaced "audit.signing_key_replaced"
    CapabilitiesSwitched "capabilities.switched"
    ClientSecretRead "client_secret.read"
    ClientSecretReadAgain "client_secret.read_again"
    ClockSetBack "clock.set_back"
    ConfigurationSaved "configuration.saved"
    DatabaseBackedUp "database.backed_up"
    DatabaseRestored "database.restored"
    DatabaseRevocationsKept "database.revocations_kept"
    DeploymentChanged "deployment.changed"
    DeploymentRolloutFinished "deployment.rollout_finished"
    DraftChecked "draft.checked"
    DraftCreated "draft.created"
    DraftDiscarded "draft.discarded"
    DraftExpired "draft.expired"
    DraftFinished "draft.finished"
    DraftUpdated "draft.updated"
    IntegrationCreated "integration.created"
    IntegrationDeleted "integration.deleted"
    IntegrationDisabled "integration.disabled"
    IntegrationEnabled "integration.enabled"
    IntegrationGlobalAccess "integration.global_access"
    IntegrationTested "integration.tested"
    IntegrationUpdated "integration.updated"
    OrphanEntered "orphan.entered"
    OrphanResolved "orphan.resolved"
    RegistrationApproved "registration.approved"
    RegistrationClientDoubted "registration.client_doubted"
    RegistrationClientRead "registration.client_read"
    RegistrationClientRecorded "registration.client_recorded"
    RegistrationClientReported "registration.client_reported"
    RegistrationClientUpdated "registration.client_updated"
    RegistrationClientWithdrawn "registration.client_withdrawn"
    RegistrationFailed "registration.failed"
    RegistrationReregisterAsked "registration.reregister_asked"
    RegistrationRetryAsked "registration.retry_asked"
    RegistrationSkipped "registration.skipped"
    RegistrationStateChanged "registration.state_changed"
    RegistrationWithdrawalAsked "registration.withdrawal_asked"
    RolloutFinished "rollout.finished"
    RolloutPaused "rollout.paused"
    RolloutResumed "rollout.resumed"
    RolloutStopped "rollout.stopped"
    SealingKeyAbandoned "sealing.key_abandoned"
    SealingRotated "sealing.rotated"
    SecretChanged "secret.changed"
    SecretMappingsChanged "secret_mappings.changed"
    ServerCreated "server.created"
    ServerDeleted "server.deleted"
    ServerTested "server.tested"
    ServerUpdated "server.updated"
    UserAccessChanged "user_access.changed"
    UserActsIn "user.acts_in"
    UserCreated "user.created"
    UserDeactivated "user.deactivated"
    UserLastAdminKept "user.last_admin_kept"
    UserLinkCreated "user.link_created"
    UserLinkedToProvider "user.linked_to_provider"
    UserLocked "user.locked"
    UserPasswordEnded "user.password_ended"
    UserPasswordSet "user.password_set"
    UserReactivated "user.reactivated"
    UserRenamed "user.renamed"
    UserReset "user.reset"
    UserRoleChanged "user.role_changed"
    UserSessionEnded "user.session_ended"
    UserSessionsEnded "user.sessions_ended"
    UserSignInRefused "user.sign_in_refused"
    UserSignedIn "user.signed_in"
    UserSignedInByLink "user.signed_in_by_link"
    UserSignedInByProvider "user.signed_in_by_provider"
    UserSignedOut "user.signed_out"
    WorkspaceCreated "workspace.created"
    WorkspaceDeleted "workspace.deleted"
    WorkspaceUpdated "workspace.updated"
}
