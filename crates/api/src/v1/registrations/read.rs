//! Read a registration.

use crate::http::answer::{self, Answer};
use crate::http::extract::Caller;
use crate::http::responses::ReadProblems;
use crate::state::ApiState;
use crate::v1::registrations::id;
use crate::v1::registrations::view::RegistrationView;
use actix_web::{get, web};

/// Read a registration
///
/// Includes the attempts, the upstream's responses and every generation of the client.
#[utoipa::path(
    tag = "registrations",
    params(("registration" = Uuid, Path, description = "Id of the registration.")),
    responses(
        (status = 200, description = "The registration.", body = RegistrationView, example = json!(RegistrationView::example_with_history())),
        ReadProblems,
    )
)]
#[get("/registrations/{registration}")]
pub(crate) async fn read_registration(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let found = state.registry.registrations().get(&caller.actor, id(&path)?).await?;
    Ok(answer::ok(&RegistrationView::try_from(found)?))
}
