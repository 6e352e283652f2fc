//! Actions on a registration: retry, re-register, approve, skip, withdraw.

use crate::http::answer::{self, Answer};
use crate::http::extract::Caller;
use crate::http::responses::AskProblems;
use crate::state::ApiState;
use crate::v1::registrations::id;
use crate::v1::registrations::view::RegistrationView;
use actix_web::{post, web};

/// An operation that performs an action on a registration and returns the registration afterwards.
macro_rules! registration_action {
    ($(#[$doc:meta])* $name:ident = $use_case:ident, $path:tt) => {
        $(#[$doc])*
        #[utoipa::path(
            tag = "registrations",
            params(("registration" = Uuid, Path, description = "Id of the registration.")),
            responses(
                (status = 200, description = "The registration, which is due now.", body = RegistrationView, example = json!(RegistrationView::example_queued())),
                AskProblems,
            )
        )]
        #[post($path)]
        pub(crate) async fn $name(
            state: web::Data<ApiState>,
            caller: Caller,
            path: web::Path<String>,
        ) -> Answer {
            let found = state.registry.registrations().$use_case(&caller.actor, id(&path)?).await?;
            Ok(answer::ok(&RegistrationView::from(found)))
        }
    };
}

registration_action! {
    /// Try a registration again now
    ///
    /// Ignores the backoff. A working client is kept. In state `unconfirmed` the registration request is sent
    /// again, and the request whose answer was lost may have left an orphaned client (`GET /v1/orphans`).
    retry_registration = retry, "/registrations/{registration}/retry"
}

registration_action! {
    /// Make a new client
    ///
    /// Registers a new client although one is active. Users who signed in through the old client must consent
    /// again. An old client that cannot be deleted stays at the authorization server (`GET /v1/orphans`); the
    /// same holds for one of a request whose answer was lost.
    reregister_registration = reregister, "/registrations/{registration}/re-register"
}

registration_action! {
    /// Approve the replacement of an outdated client
    ///
    /// Users who signed in through the old client must consent again. 409 when no replacement is pending approval.
    approve_registration = approve, "/registrations/{registration}/approve"
}

registration_action! {
    /// Keep an outdated client
    ///
    /// The current metadata is not sent; the next change of the metadata asks again. 409 when no replacement is
    /// pending approval.
    skip_registration = skip, "/registrations/{registration}/skip"
}

registration_action! {
    /// Withdraw the client
    ///
    /// The server stays. The client is deleted at the authorization server (RFC 7592), or listed as orphaned
    /// where that is not possible; nothing is registered again until `retry` or `re-register`.
    withdraw_registration = deregister, "/registrations/{registration}/withdraw"
}
