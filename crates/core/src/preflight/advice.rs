//! One thing that is foreseen before a registration is tried, and the inputs it is derived from.

use super::forecast::Forecast;
use crate::metadata::{Origin, Resolution};
use crate::oauth::{AuthorizationServerMetadata, Discovery};
use crate::registration::RegistrationMethod;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;
use utoipa::ToSchema;

/// How sure it is that something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Weight)]
pub enum AdviceSeverity {
    /// By what the authorization server says of itself, the registration or the sign-in will fail.
    Refusal,
    /// Some authorization servers refuse it.
    Risk,
    /// Worth knowing; nothing need go wrong.
    Note,
}

impl AdviceSeverity {
    /// The word used on the wire and on pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refusal => "refusal",
            Self::Risk => "risk",
            Self::Note => "note",
        }
    }
}

/// One thing that is foreseen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Advice {
    /// Stable code.
    #[schema(example = "scope_not_listed")]
    pub code: String,
    /// How sure it is.
    pub weight: AdviceSeverity,
    /// The members of the client metadata it is about.
    #[schema(example = json!(["scope"]))]
    pub members: Vec<String>,
    /// What is foreseen and what to do, as a sentence for users. Contains no secret.
    pub message: String,
}

/// What an advice is made from.
#[derive(Clone, Copy, Debug)]
pub struct AdviceInputs<'a> {
    /// What is wanted, and where each value comes from.
    pub resolution: &'a Resolution,
    /// The result of a discovery.
    pub discovery: &'a Discovery,
    /// What would be done.
    pub forecast: &'a Forecast,
    /// The issuer that the stored secret or initial access token was first used with, if it was used.
    pub secret_bound_to: Option<&'a str>,
    /// What was wrong with a logo when it was last fetched: its address, and the words that follow it.
    pub broken_logo: Option<(&'a str, &'a str)>,
}

/// What a rule says: the members it is about, and the sentence.
pub(super) type AdviceText = (Vec<String>, String);

impl<'a> AdviceInputs<'a> {
    pub(super) fn server(&self) -> AuthorizationServerMetadata<'a> {
        self.discovery.authorization_server()
    }

    /// The client metadata that the authorization server would get to see; `None`: none of it.
    pub(super) fn sent(&self) -> Option<&'a Map<String, Value>> {
        match self.forecast.method? {
            RegistrationMethod::PreRegistered => None,
            RegistrationMethod::Dcr => self.forecast.prepared.as_ref().map(|prepared| &prepared.request),
            RegistrationMethod::Cimd => self.forecast.document.as_ref(),
        }
    }

    /// The strings of a list that would be sent.
    pub(super) fn sent_list(&self, member: &str) -> Vec<&'a str> {
        let list = self.sent().and_then(|sent| sent.get(member)).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// Whether a user set `member`, at any level.
    pub(super) fn is_admins(&self, member: &str) -> bool {
        use Origin::{Integration, Organisation, Server, Workspace};
        let origin = self.resolution.origins.get(member);
        origin.is_some_and(|origin| matches!(origin, Organisation | Integration | Workspace | Server))
    }

    /// The gateways' callbacks.
    pub(super) fn callbacks(&self) -> Vec<&'a str> {
        let list = self.resolution.effective.client_metadata.get("redirect_uris").and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The first callback; all are of one kind.
    pub(super) fn callback(&self) -> Option<Url> {
        self.callbacks().first().and_then(|callback| Url::parse(callback).ok())
    }
}
