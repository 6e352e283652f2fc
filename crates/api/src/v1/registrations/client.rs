//! Set the credentials of a pre-registered client.

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

/// The credentials of a pre-registered client.
#[derive(Deserialize, ToSchema)]
#[schema(as = EnterClient)]
pub(crate) struct SetClientCredentials {
    /// The `client_id`.
    #[schema(min_length = 1, max_length = 8192, example = "acme-gateway")]
    client_id: String,
    /// The `client_secret` of a confidential client. Stored encrypted, never returned.
    #[schema(min_length = 1, max_length = 4096, example = "the secret", format = "password")]
    client_secret: Option<String>,
    /// The token endpoint authentication method; when absent, that of the Advanced Configuration, or one that
    /// the authorization server lists.
    #[schema(example = "client_secret_basic")]
    token_endpoint_auth_method: Option<String>,
}

impl RequestBody for SetClientCredentials {
    const NEEDS: Permission = Permission::OperateRegistrations;
}

/// Set the credentials of a pre-registered client
///
/// The same as setting `client_id` (and `client_secret`) in the server's Advanced Configuration, as a new version
/// of it. It replaces the current client: users who signed in through that client must sign in again.
#[utoipa::path(
    tag = "registrations",
    params(("registration" = Uuid, Path, description = "Id of the registration.")),
    request_body(content = SetClientCredentials, description = "The credentials.", example = json!({ "client_id": "acme-gateway", "client_secret": "the secret" })),
    responses(
        (status = 200, description = "The registration, which is due now.", body = RegistrationView, example = json!(RegistrationView::example_queued())),
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
