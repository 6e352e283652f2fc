//! Set the credentials of a client that was registered by hand.

use crate::http::answer::{self, Answer};
use crate::http::body::{RequestBody, ValidatedJson};
use crate::http::query;
use crate::http::responses::ChangeProblems;
use crate::state::ApiState;
use crate::v1::registrations::id;
use crate::v1::registrations::view::RegistrationView;
use actix_web::{post, web};
use registry::ClientCredentials;
use registry_core::permission::Permission;
use registry_core::secret::Secret;
use serde::Deserialize;
use utoipa::ToSchema;

/// The credentials of a client that was registered by hand (pre-registered).
#[derive(Deserialize, ToSchema)]
#[schema(as = EnterClient)]
pub(crate) struct SetClientCredentials {
    /// Its id.
    #[schema(min_length = 1, max_length = 8192, example = "acme-gateway")]
    client_id: String,
    /// Its secret, for a confidential client. Kept sealed, never answered.
    #[schema(min_length = 1, max_length = 4096, example = "the secret", format = "password")]
    client_secret: Option<String>,
    /// How it authenticates at the token endpoint; absent: as the Advanced Configuration says, or as the authorization
    /// server lists.
    #[schema(example = "client_secret_basic")]
    token_endpoint_auth_method: Option<String>,
}

impl RequestBody for SetClientCredentials {
    const NEEDS: Permission = Permission::OperateRegistrations;
}

/// Enter a client registered by hand
///
/// The same as setting `client_id` (and `client_secret`) in the server's Advanced Configuration, as a new revision of it. It
/// replaces the present client: users who signed in through that client must sign in again.
#[utoipa::path(
    tag = "registrations",
    params(("registration" = Uuid, Path, description = "Id of the registration.")),
    request_body(content = SetClientCredentials, description = "The client.", example = json!({ "client_id": "acme-gateway", "client_secret": "the secret" })),
    responses(
        (status = 200, description = "It is due now.", body = RegistrationView, example = json!(RegistrationView::example_queued())),
        ChangeProblems,
    )
)]
#[post("/registrations/{registration}/client")]
pub(crate) async fn enter_registration_client(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    sent: ValidatedJson<SetClientCredentials>,
) -> Answer {
    let ValidatedJson { caller, body, .. } = sent;
    let client = ClientCredentials {
        client_id: body.client_id,
        client_secret: body.client_secret.map(Secret::new),
        token_endpoint_auth_method: query::filled(body.token_endpoint_auth_method),
    };
    let found =
        state.registry.registrations().set_client_credentials(&caller.actor, id(&path)?, client).await?;
    Ok(answer::ok(&RegistrationView::from(found)))
}
