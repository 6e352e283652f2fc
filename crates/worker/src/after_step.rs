//! What follows a recorded step: the request that can begin in the same transaction.

use registry::{AfterStep, ReconcileContext, RegistrationRequest};
use registry_core::oauth::{Failure, RequestPolicy, build_request};
use registry_core::registration::Step;

/// What is sent to register the client that is wanted; `None`: nothing is known to send it to.
pub(crate) fn registration_request<Row>(
    context: &ReconcileContext<Row>,
) -> Result<Option<RegistrationRequest>, Failure> {
    let Some((discovery, _)) = &context.observed.discovery else { return Ok(None) };
    let effective = &context.desired.effective;
    let prepared = build_request(&effective.client_metadata, discovery, RequestPolicy::of(effective))?;
    let endpoint = discovery.authorization_server().registration_endpoint();
    Ok(endpoint.map(|endpoint| RegistrationRequest { endpoint: endpoint.to_owned(), prepared }))
}

/// What a worker does next that plans `planned` with what is known: a registration request that needs no secret begins at
/// once.
pub(crate) fn after_step<Row>(context: &ReconcileContext<Row>, planned: &Step) -> AfterStep {
    let needs_secret = context.desired.effective.registration.initial_access_token.is_some();
    let request = match planned {
        Step::Register if !needs_secret => registration_request(context).ok().flatten(),
        _ => None,
    };
    request.map_or(AfterStep::Other, AfterStep::Register)
}
