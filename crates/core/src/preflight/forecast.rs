//! Which method would be used, and what exactly would be sent.

use crate::clock::Timestamp;
use crate::oauth::{Discovery, Failure, Prepared, build_request};
use crate::registration::{
    Block, Desired, Observed, RegistrationMethod, Step, adopted_auth_method, plan, request_policy,
};

/// What would happen if this were registered now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// How a client would be obtained; `None`: it would not, and `block` says why.
    pub method: Option<RegistrationMethod>,
    /// Why nothing would be done, and what a person can do.
    pub block: Option<Block>,
    /// The body that would be sent, with its adjustments; only with dynamic registration.
    pub prepared: Option<Prepared>,
    /// Where it would be sent.
    pub endpoint: Option<String>,
}

impl Forecast {
    fn blocked(block: Block) -> Self {
        Self { method: None, block: Some(block), prepared: None, endpoint: None }
    }

    fn by(method: RegistrationMethod) -> Self {
        Self { method: Some(method), block: None, prepared: None, endpoint: None }
    }
}

/// What would happen for `desired` after this discovery. The plan of the worker decides, so that both agree.
pub fn forecast(desired: &Desired, discovery: &Result<Discovery, Failure>, now: Timestamp) -> Forecast {
    if !desired.auth_type.needs_client() {
        return Forecast::blocked(Block {
            code: "not_needed".to_owned(),
            detail: Some("Gateways need no OAuth client for this integration: its `auth_type` is neither `oauth_auto` nor `oauth_client_credentials`.".to_owned()),
        });
    }
    let found = discovery.as_ref().ok();
    let observed =
        Observed { discovery: found.map(|discovery| (discovery.clone(), now)), ..Observed::default() };
    match (plan(desired, &observed, now), discovery) {
        (Step::Register, Ok(discovery)) => match request(desired, discovery) {
            Ok(prepared) => Forecast {
                prepared: Some(prepared),
                endpoint: discovery.authorization_server().registration_endpoint().map(str::to_owned),
                ..Forecast::by(RegistrationMethod::Dcr)
            },
            Err(failure) => Forecast::blocked(of_failure(&failure)),
        },
        (Step::Adopt, Ok(discovery)) => match auth_method(desired, discovery) {
            Ok(_) => Forecast::by(RegistrationMethod::PreRegistered),
            Err(failure) => Forecast::blocked(of_failure(&failure)),
        },
        (Step::Block(block), _) => Forecast::blocked(block),
        (_, Err(failure)) => Forecast::blocked(of_failure(failure)),
        // Every other step has to do with a client that exists, and there is none in a preflight.
        (_, Ok(_)) => Forecast::blocked(Block {
            code: "not_foreseeable".to_owned(),
            detail: Some(
                "What would be done cannot be foreseen. Save it and look at its registration.".to_owned(),
            ),
        }),
    }
}

fn request(desired: &Desired, discovery: &Discovery) -> Result<Prepared, Failure> {
    build_request(&desired.effective.client_metadata, discovery, request_policy(&desired.effective))
}

fn auth_method(desired: &Desired, discovery: &Discovery) -> Result<String, Failure> {
    let credentials = desired.effective.credentials.as_ref();
    let has_secret = credentials.is_some_and(|credentials| credentials.client_secret.is_some());
    adopted_auth_method(&desired.effective, discovery, has_secret)
}

fn of_failure(failure: &Failure) -> Block {
    Block { code: failure.code.to_owned(), detail: Some(failure.message.clone()) }
}
