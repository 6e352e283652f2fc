//! Which method would be used, and what exactly would be sent or published.

use crate::clock::Timestamp;
use crate::oauth::{Discovery, Failure, Prepared, RequestPolicy, build_request, client_id_document};
use crate::registration::{
    Block, Choice, Desired, Observed, RegistrationMethod, Step, adopted_auth_method, choose_method, plan,
};
use serde_json::{Map, Value};

/// What would happen if this were registered now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// How a client would be obtained; `None`: it would not, and `block` says why.
    pub method: Option<RegistrationMethod>,
    /// Why nothing would be done, and what a user can do.
    pub block: Option<Block>,
    /// The body that would be sent, with its adjustments; only with dynamic registration.
    pub prepared: Option<Prepared>,
    /// Where it would be sent.
    pub endpoint: Option<String>,
    /// The Client ID Metadata Document that would be published; only with that method.
    pub document: Option<Map<String, Value>>,
}

impl Forecast {
    fn blocked(block: Block) -> Self {
        Self { method: None, block: Some(block), prepared: None, endpoint: None, document: None }
    }

    fn by(method: RegistrationMethod) -> Self {
        Self { method: Some(method), block: None, prepared: None, endpoint: None, document: None }
    }
}

/// What would happen for `desired` after this discovery, by the functions that decide for the worker, so that both
/// agree. `document_url` is where a Client ID Metadata Document would be.
pub fn forecast(
    desired: &Desired,
    discovery: &Result<Discovery, Failure>,
    document_url: &str,
    now: Timestamp,
) -> Forecast {
    if !desired.auth_type.needs_client() {
        return Forecast::blocked(Block {
            code: "not_needed".to_owned(),
            detail: Some("Gateways need no OAuth client for this integration: its `auth_type` is neither `oauth_auto` nor `oauth_client_credentials`.".to_owned()),
        });
    }
    let discovery = match discovery {
        Ok(discovery) => discovery,
        // What is missing regardless of the upstream takes precedence over the discovery failure.
        Err(failure) => {
            return Forecast::blocked(match plan(desired, &Observed::default(), now) {
                Step::Blocked(block, _) => block,
                _ => of_failure(failure),
            });
        }
    };
    let foreseen = match choose_method(desired, discovery, true) {
        Choice::Register => request(desired, discovery),
        Choice::Adopt => adoption(desired, discovery),
        Choice::Publish => document(desired, document_url),
        Choice::Nobody(block) => return Forecast::blocked(block),
    };
    foreseen.unwrap_or_else(|failure| Forecast::blocked(of_failure(&failure)))
}

fn request(desired: &Desired, discovery: &Discovery) -> Result<Forecast, Failure> {
    let effective = &desired.effective;
    let prepared = build_request(&effective.client_metadata, discovery, RequestPolicy::of(effective))?;
    Ok(Forecast {
        prepared: Some(prepared),
        endpoint: discovery.authorization_server().registration_endpoint().map(str::to_owned),
        ..Forecast::by(RegistrationMethod::Dcr)
    })
}

fn adoption(desired: &Desired, discovery: &Discovery) -> Result<Forecast, Failure> {
    let credentials = desired.effective.credentials.as_ref();
    let has_secret = credentials.is_some_and(|credentials| credentials.client_secret.is_some());
    adopted_auth_method(&desired.effective, discovery, has_secret)?;
    Ok(Forecast::by(RegistrationMethod::PreRegistered))
}

fn document(desired: &Desired, url: &str) -> Result<Forecast, Failure> {
    let effective = &desired.effective;
    let text = client_id_document(url, &effective.client_metadata, effective.is_admins("scope"))?;
    Ok(Forecast { document: serde_json::from_str(&text).ok(), ..Forecast::by(RegistrationMethod::Cimd) })
}

fn of_failure(failure: &Failure) -> Block {
    Block { code: failure.code.to_owned(), detail: Some(failure.message.clone()) }
}
