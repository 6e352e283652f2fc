//! The user's credential, which the open gateway sends beside its own.

use crate::http::extract::sender;
use crate::http::failure::Failure;
use crate::http::scheme::bearer;
use crate::state::ApiState;
use actix_web::HttpRequest;
use registry::{Actor, Channel, Credential, Error, RequestContext};

/// The header of the user's credential.
const USER: &str = "x-portkey-api-key";

/// The user behind a request of the gateway.
///
/// Errors: [`Error::Unauthenticated`] where the credential is missing or not valid.
pub(super) async fn user(state: &ApiState, request: &HttpRequest) -> Result<Actor, Failure> {
    let text = request.headers().get(USER).and_then(|value| value.to_str().ok()).map(str::trim);
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Err(Error::Unauthenticated("Send the user's API key or token in `x-portkey-api-key`.").into());
    };
    let address = sender(state, request).map(|address| address.to_string());
    let origin = RequestContext { address, ..RequestContext::new(Channel::Api) };
    let token = Credential::Token(bearer(text).unwrap_or(text));
    Ok(state.registry.callers().authenticate(token, origin).await?)
}
